import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** As whom the tests of root start it: root may raise a priority. */
const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;

(process.platform === 'win32' ? test.skip : test)('a repository keeper of a user who is not root, started at a lower priority than its own, does not try to raise it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-priority-'));
  if (isRoot) chownSync(folder, NOBODY, NOBODY);
  const config = { cluster: 'test', server: 'primary', folder, secretFile: null, listenAt: { host: '127.0.0.1', port: 1 }, repositories: [] };
  const keeper = spawn('nice', ['-n', '15', process.execPath, resolve('dist/repository/main.js'), JSON.stringify(config)], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    ...(isRoot ? { uid: NOBODY, gid: NOBODY, cwd: '/' } : {}),
  });
  const heard: string[] = [];
  keeper.on('message', (message) => heard.push(JSON.stringify(message)));
  keeper.stderr?.on('data', (bytes: Buffer) => heard.push(bytes.toString('utf8')));
  const ended = once(keeper, 'exit');
  setTimeout(() => keeper.kill('SIGKILL'), 2_500);
  await ended;
  expect(heard.join('\n')).not.toContain('setpriority');
  rmSync(folder, { recursive: true, force: true });
});
