import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** As whom the tests of root start it: root may raise a priority. */
const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;
const MAIN = resolve('dist/repository/main.js');

/** A checkout in a folder that is root's alone can be run by nobody else. */
function isOpenToAll(path: string): boolean {
  return (statSync(path).mode & 0o001) !== 0 && (dirname(path) === path || isOpenToAll(dirname(path)));
}

(process.platform === 'win32' || (isRoot && !isOpenToAll(dirname(MAIN))) ? test.skip : test)('a repository keeper of a user who is not root, started at a lower priority than its own, does not try to raise it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-priority-'));
  if (isRoot) chownSync(folder, NOBODY, NOBODY);
  const config = { cluster: 'test', server: 'primary', folder, pulseLimitMs: 3_000, secretFile: null, listen: { host: '127.0.0.1', port: 0 }, repositories: [] };
  const leave = isRoot ? `process.setgroups([]); process.setgid(${NOBODY}); process.setuid(${NOBODY});` : '';
  const script = `${leave} await import(${JSON.stringify(pathToFileURL(MAIN).href)});`;
  const keeper = spawn('nice', ['-n', '15', process.execPath, '--input-type=module', '-e', script, 'keeper', JSON.stringify(config)], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
  try {
    const complaint = once(keeper.stderr as NodeJS.ReadableStream, 'data').then(([bytes]) => String(bytes));
    const status = new Promise((done) => keeper.on('message', (message: { kind: string }) => message.kind !== 'log' && done(message.kind)));
    expect(await Promise.race([status, complaint])).toBe('status');
  } finally {
    keeper.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
});
