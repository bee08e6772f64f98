import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { identityOf, identityText } from '../../../src/adapters/process-identity.js';
import type { Command, CommandResult } from '../../../src/admin/commands.js';
import { createAdmin } from '../../../src/admin/server.js';
import type { AdminServer } from '../../../src/admin/server.js';
import { describeFailure } from '../../../src/cli/failure.js';
import { loadProfile } from '../../../src/profile/load.js';
import { bundledPair, renderProfile } from '../../../src/profile/template.js';
import { exampleStatus } from '../admin/example-status.js';
import { STRANGERS } from '../admin/strangers.js';
import { lockstep } from './listening-console.js';

let folder = '';
let admin: AdminServer | null = null;
let foreign: Server | null = null;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'lockstep-cli-'))));
afterEach(async () => {
  await admin?.close();
  foreign?.close();
  admin = null;
  foreign = null;
  rmSync(folder, { recursive: true, force: true });
});

function profileFor(port: number, change: (text: string) => string = (text) => text): string {
  const file = join(folder, 'lockstep.yaml');
  writeFileSync(file, change(renderProfile(bundledPair('haprofile1'), 'primary').replace('port: 8081', `port: ${port}`)));
  return file;
}

async function serverAnswering(command: (wanted: Command) => Promise<CommandResult>, token: string | null = null): Promise<number> {
  admin = await createAdmin({ host: '127.0.0.1', port: 0, token, status: () => exampleStatus(), command, repositories: { ask: () => ({ kind: 'refused', why: 'none' }), task: () => ({ kind: 'unknown' }) }, log: { write: () => undefined }, ...STRANGERS });
  return admin.port;
}

const done = async (): Promise<CommandResult> => ({ kind: 'done', message: 'it is under way' });

describe('the command line', () => {
  it('--help and --version end well', async () => {
    const help = await lockstep('--help');
    expect(help.code).toBe(0);
    for (const word of ['start', 'stop', 'status', 'check', 'switchover', 'promote', 'init', 'passwd', 'journal', 'Exit codes']) expect(help.out.join('\n')).toContain(word);
    expect(await lockstep('--version')).toMatchObject({ code: 0, out: [expect.stringMatching(/^\d+\.\d+\.\d+$/)] });
  });

  it.each([[['frobnicate']], [['status']], [['status', '--jsn', 'x']], [[]], [['init', 'x']]])('%p is wrong usage', async (args) => expect((await lockstep(...args)).code).toBe(2));

  it('repo verify reads every file in any case, and is not told to', async () => expect((await lockstep('repo', 'verify', 'x', '--checksum')).err.join('\n')).toContain("unknown option '--checksum'"));

  it('an unknown command is told the nearest one', async () => expect((await lockstep('statsu', 'x')).err.join('\n')).toContain('status'));

  it('a profile that cannot be used is exit code 2, without a stack', async () => {
    const heard = await lockstep('start', profileFor(8081, (text) => text.replace('pingInterval', 'pingIntervall')));
    expect(heard.code).toBe(2);
    expect(heard.err.join('\n')).toContain('did you mean pingInterval?');
    expect(heard.err.join('\n')).not.toContain('    at ');
  });

  it('shows where an unexpected error came from only when asked', () => {
    const error = new Error('boom');
    expect(describeFailure(error, false).lines.join('\n')).not.toContain('at ');
    expect(describeFailure(error, true).lines.join('\n')).toContain('at ');
  });
});

describe('status', () => {
  it('is shown for people, and as JSON', async () => {
    const profile = profileFor(await serverAnswering(done));
    const plain = await lockstep('status', profile);
    expect(plain.code).toBe(0);
    for (const fact of ['ACTIVE_SYNC', 'STANDALONE', 'broker 4713', 'HA manager 4711', '20 %', 'term', 'primary of haprofile1, serving', '127.0.0.1:1884', '17 messages']) {
      expect(plain.out.join('\n')).toContain(fact);
    }
    const json = await lockstep('status', '--json', profile);
    expect(JSON.parse(json.out.join('\n'))).toMatchObject({ schema: 1, state: 'ACTIVE_SYNC' });
  });

  it('of a server that does not run is exit code 3', async () => {
    const heard = await lockstep('status', profileFor(1));
    expect(heard.code).toBe(3);
    expect(heard.err).toEqual([expect.stringContaining('no primary server of haprofile1 answers on http://127.0.0.1:1 (LOCKSTEP_SERVER_NOT_RUNNING)'), `Start it with: lockstep start ${join(folder, 'lockstep.yaml')}`]);
  });

  it('of a server that runs and does not answer there names its process, and how to stop it', async () => {
    const profile = profileFor(1);
    const pidFile = join(loadProfile(profile).data.folder, 'manager.pid');
    mkdirSync(dirname(pidFile), { recursive: true });
    writeFileSync(pidFile, identityText(identityOf(process.ppid)));
    for (const command of ['status', 'stop']) {
      const heard = await lockstep(command, profile);
      expect(heard).toMatchObject({ code: 3, out: [] });
      expect(heard.err).toEqual([
        `lockstep: no primary server of haprofile1 answers on http://127.0.0.1:1, though process ${process.ppid} runs with the data folder of this profile (so says ${pidFile}) (LOCKSTEP_SERVER_UNREACHED)`,
        `It just starts or stops; or admin.host or admin.port of ${profile} may have been changed since it was started: put back what they were, and ask again. Or: SIGTERM to that process (\`kill ${process.ppid}\`) stops it properly, as \`lockstep stop\` does.`,
      ]);
    }
    writeFileSync(pidFile, `${process.ppid} another-boot/1\n`);
    if (process.platform === 'linux') expect((await lockstep('stop', profile)).err.join('\n')).toContain('LOCKSTEP_SERVER_NOT_RUNNING');
  });

  it('from something that is no Lockstep is a failure', async () => {
    const other = createServer((_request, response) => response.end('<html>'));
    foreign = other;
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const heard = await lockstep('status', profileFor((other.address() as AddressInfo).port));
    expect(heard.code).toBe(1);
    expect(heard.err.join('\n')).toContain('LOCKSTEP_ADMIN_NOT_OURS');
  });

  it('sends the token', async () => {
    const port = await serverAnswering(done, 'a-long-enough-token');
    writeFileSync(join(folder, 'token'), 'a-long-enough-token\n', { mode: 0o600 });
    const none = await lockstep('status', profileFor(port));
    expect(none).toMatchObject({ code: 4, err: [`lockstep: the server on http://127.0.0.1:${port} was started with a token, and ${join(folder, 'lockstep.yaml')} names none (admin.tokenFile) (LOCKSTEP_ADMIN_TOKEN)`, expect.stringContaining('use the profile and the token file with which it was started')] });
    expect((await lockstep('status', profileFor(port, (text) => text.replace('# tokenFile: admin-token', 'tokenFile: token')))).code).toBe(0);
  });

  it('with another token than the server has says so in terms of the profile', async () => {
    const port = await serverAnswering(done, 'a-long-enough-token');
    const token = join(folder, 'token');
    writeFileSync(token, 'another-long-enough-token\n', { mode: 0o600 });
    const profile = profileFor(port, (text) => text.replace('# tokenFile: admin-token', 'tokenFile: token'));
    const message = `lockstep: the token in ${token} (admin.tokenFile of ${profile}) is not the one with which the server on http://127.0.0.1:${port} was started (LOCKSTEP_ADMIN_TOKEN)`;
    const remedy = 'A server reads its token when it starts: use the profile and the token file with which it was started, or put that token back.';
    for (const command of ['status', 'stop']) expect(await lockstep(command, profile)).toEqual({ code: 4, out: [], err: [message, remedy] });
    const pidFile = join(loadProfile(profile).data.folder, 'manager.pid');
    mkdirSync(dirname(pidFile), { recursive: true });
    writeFileSync(pidFile, identityText(identityOf(process.ppid)));
    expect((await lockstep('status', profile)).err).toEqual([message, expect.stringContaining(`${remedy} Where that one is lost: process ${process.ppid} runs with the data folder of this profile, and SIGTERM to that process (\`kill ${process.ppid}\`) stops it properly`)]);
  });
});

describe('commands to a server', () => {
  it('say what the server answered', async () => {
    const wanted: Command[] = [];
    const profile = profileFor(await serverAnswering(async (command) => (wanted.push(command), { kind: 'done', message: 'it is under way' })));
    expect(await lockstep('switchover', profile)).toMatchObject({ code: 0, out: ['it is under way'] });
    expect(await lockstep('promote', '--accept-data-loss', profile)).toMatchObject({ code: 0 });
    expect(await lockstep('stop', '--no-wait', profile)).toMatchObject({ code: 0 });
    expect(wanted.map(({ name }) => name)).toEqual(['switchover', 'promote', 'stop']);
  });

  it('a refusal is exit code 4 with its code and remedy', async () => {
    const profile = profileFor(await serverAnswering(async () => ({ kind: 'refused', code: 'LOCKSTEP_X', message: 'no PASSIVE server', remedy: 'Start it.' })));
    const heard = await lockstep('switchover', profile);
    expect(heard).toMatchObject({ code: 4, err: ['lockstep: no PASSIVE server (LOCKSTEP_X)', 'Start it.'] });
  });

  it('promote without the acceptance asks nobody', async () => {
    const wanted: Command[] = [];
    const profile = profileFor(await serverAnswering(async (command) => (wanted.push(command), { kind: 'done', message: '' })));
    expect((await lockstep('promote', profile)).code).toBe(2);
    expect(wanted).toEqual([]);
  });
});

describe('a stop', () => {
  /** Tells that it runs as this process, and answers no more once it was told to stop. */
  async function serverOf(pid: number): Promise<string> {
    const status = exampleStatus();
    const other = createServer((request, response) => {
      if (request.url === '/status') return void response.end(JSON.stringify({ ...status, manager: { ...status.manager, pid } }));
      response.once('finish', () => other.close());
      response.end('{"message":"it stops"}');
    });
    foreign = other;
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    return profileFor((other.address() as AddressInfo).port, (text) => text.replace(/^data:\n  folder: .*$/m, 'data:\n  folder: data'));
  }

  it('of a server on another host takes no process of this one for it', async () => {
    expect(await lockstep('stop', await serverOf(process.ppid))).toEqual({ code: 0, err: [], out: ['it stops', 'The primary server answers no more; whether its process has ended is not seen from here'] });
  });

  it('knows the process of another user', async () => {
    const profile = await serverOf(process.ppid);
    const pidFile = join(loadProfile(profile).data.folder, 'manager.pid');
    mkdirSync(dirname(pidFile), { recursive: true });
    writeFileSync(pidFile, identityText(identityOf(process.ppid)));
    const { kill } = process;
    const answers = ['EPERM', 'EPERM', 'ESRCH'];
    process.kill = (): true => {
      throw Object.assign(new Error('kill'), { code: answers.shift() ?? 'ESRCH' });
    };
    try {
      expect(await lockstep('stop', profile)).toEqual({ code: 0, err: [], out: ['it stops', 'The primary server has stopped'] });
    } finally {
      process.kill = kill;
    }
    // Looked at before the stop, by the client that gets no answer, and once more.
    expect(answers).toEqual([]);
  });
});

describe('init', () => {
  const options = ['--primary', '10.0.0.1', '--secondary', '10.0.0.2', '--gateway', '10.0.0.3', '--lock-file', '/mnt/share/lock.lck', '--cluster', 'orders'];
  it('writes a pair that is valid as it stands, with one private secret', async () => {
    const target = join(folder, 'new');
    expect((await lockstep('init', target, ...options)).code).toBe(0);
    const [primary, secondary] = ['primary', 'secondary'].map((role) => loadProfile(join(target, role)));
    expect(primary?.server.cluster).toBe('orders');
    expect(primary?.peer.backupHaIpAddress).toBe(secondary?.ha.host);
    const secrets = ['primary', 'secondary'].map((role) => readFileSync(join(target, role, 'secret'), 'utf8'));
    expect(secrets[0]).toBe(secrets[1]);
    expect(secrets[0]?.trim()).toMatch(/^[0-9a-f]{64}$/);
    for (const file of ['secret', 'users']) expect(statSync(join(target, 'primary', file)).mode & 0o777).toBe(0o600);
  });

  it('names the folder of each server in what is to be done there', async () => {
    const target = join(folder, 'new');
    const steps = (await lockstep('init', target, ...options)).out.join('\n');
    for (const [address, role] of [['10.0.0.1', 'primary'], ['10.0.0.2', 'secondary']] as const) {
      expect(steps).toContain(`On ${address}: lockstep check ${join(target, role)}, then lockstep start ${join(target, role)}`);
    }
  });

  it.each([
    ['--lock-file', '/mnt/lock step #1/o.lck'], ['--lock-file', '/mnt/a: b/[o]"\\'], ['--lock-file', '/mnt/share/lock '], ['--cluster', '123'], ['--cluster', 'true'], ['--cluster', 'null'], ['--cluster', '1e3'],
    ['--cluster', '---'], ['--primary', '0x10'], ['--primary', '::2'], ['--secondary', 'fe80::'], ['--gateway', 'true'],
  ])('%s %s is read back as it was given', async (option, value) => {
    const target = join(folder, 'new');
    const args = [...options];
    args[args.indexOf(option) + 1] = value;
    expect((await lockstep('init', target, ...args)).code).toBe(0);
    const { ha, peer, server } = loadProfile(join(target, 'primary'));
    expect({ '--lock-file': ha.lockFile, '--cluster': server.cluster, '--primary': ha.host, '--secondary': peer.backupHaIpAddress, '--gateway': ha.gatewayServerIpAddress }[option]).toBe(value);
  });

  it.each(['--primary', '--secondary', '--gateway'])('%s is one machine', async (option) => {
    const args = [...options];
    args[args.indexOf(option) + 1] = '0.0.0.0';
    const heard = await lockstep('init', join(folder, 'new'), ...args);
    expect(heard.code).toBe(2);
    expect(heard.err[0]).toContain(`${option} must be the address of one machine`);
    expect(existsSync(join(folder, 'new'))).toBe(false);
  });

  it('what no profile can hold is refused before anything is written', async () => {
    const target = join(folder, 'new');
    const args = [...options];
    args[args.indexOf('--lock-file') + 1] = `/mnt/${'['.repeat(100)}`;
    const heard = await lockstep('init', target, ...args);
    expect(heard.code).toBe(2);
    expect(heard.err.join('\n')).toContain('LOCKSTEP_INIT_OPTION');
    expect(existsSync(target)).toBe(false);
  });

  it('overwrites nothing', async () => {
    const target = join(folder, 'new');
    await lockstep('init', target, ...options);
    const secret = readFileSync(join(target, 'primary', 'secret'), 'utf8');
    const again = await lockstep('init', target, ...options);
    expect(again.code).toBe(2);
    expect(again.err.join('\n')).toContain('is there already');
    expect(readFileSync(join(target, 'primary', 'secret'), 'utf8')).toBe(secret);
  });

  it.each([...(process.platform === 'linux' ? [['/proc/nosuch/x', /the folder \/proc\/nosuch cannot be made/] as const] : []), ['file/x', /ENOTDIR/] as const])('a folder that cannot be made (%s) is said with a code, and ends', async (path, why) => {
    writeFileSync(join(folder, 'file'), '');
    const heard = await lockstep('init', resolve(folder, path), ...options);
    expect(heard.code).toBe(1);
    expect(heard.err.join('\n')).toMatch(why);
    expect(heard.err.join('\n')).toContain('LOCKSTEP_INIT_FAILED');
    expect(heard.err.join('\n')).not.toContain('LOCKSTEP_DEBUG');
  });

  it.each([
    ['--primary', '10.0.0.999'], ['--primary', '127.0.0.1'], ['--primary', '10.0.0.2'], ['--cluster', 'a b'], ['--gateway', 'x:1'], ['--lock-file', 'share/lock.lck'],
  ])('%s %s is refused', async (option, value) => {
    const args = [...options];
    args[args.indexOf(option) + 1] = value;
    expect((await lockstep('init', join(folder, 'new'), ...args)).code).toBe(2);
  });
});

describe('exercise', () => {
  it.each([['there', 'is there already, and is not overwritten'], ['nowhere/history', 'cannot be made: its folder is not there']])('of a file that cannot be made (%s) says why in plain words', async (name, why) => {
    const folder = mkdtempSync(join(tmpdir(), 'lockstep-exercise-'));
    writeFileSync(join(folder, 'there'), '');
    const heard = await lockstep('exercise', join(folder, name), '--to', '127.0.0.1:1');
    rmSync(folder, { recursive: true });
    expect(heard).toMatchObject({ code: 2, err: [`lockstep: ${join(folder, name)} ${why} (LOCKSTEP_EXERCISE_FILE)`, expect.any(String)] });
  });
});
