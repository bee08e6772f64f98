import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { makeCertificate } from './support/certificates.js';
import { lockstep, type CommandEnd } from './support/cli.js';
import { pairTest, type Pair } from './support/pair.js';
import { COMMAND } from './support/server.js';
import { writeProfile, type Sections } from './support/profiles.js';
import { stays } from './support/until.js';

/** Starts the primary server with changes laid over its profile; for starts that end by themselves. */
async function startWith(pair: Pair, changes: Sections): Promise<CommandEnd> {
  await writeProfile(pair.layout, 'primary', changes);
  return lockstep('start', pair.primary.profile);
}

async function listenOn(port: number): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen({ host: '127.0.0.1', port }, resolve));
  return server;
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

describe('a profile that cannot be used: exit code 2, every fault named, nothing begun', () => {
  test('missing file', async () => {
    const { code, err } = await lockstep('start', '/nowhere/lockstep.yaml');
    expect({ code, err }).toMatchObject({ code: 2, err: expect.stringContaining('/nowhere/lockstep.yaml the profile cannot be read: it is not there') });
    expect(err).toContain('LOCKSTEP_PROFILE_MISSING');
    expect(err).toContain('lockstep init');
  });

  pairTest('bad YAML', async ({ primary }) => {
    writeFileSync(primary.profile, 'server:\n  cluster: one\n\trole: primary\n');
    const { code, err } = await lockstep('start', primary.profile);
    expect(code).toBe(2);
    expect(err).toContain('LOCKSTEP_PROFILE_YAML');
    expect(err).toMatch(/lockstep\.yaml:3:\d+ /);
  });

  pairTest('unknown key, wrong type, impossible intervals: all of them at once, each with its line', async (pair) => {
    const { code, err } = await startWith(pair, { ha: { pingIntervall: '1s', stallLimit: 'soon', activeLockReacquisitionInterval: '1s', passiveLockAcquisitionInterval: '2s' } });
    expect(code).toBe(2);
    expect(err).toMatch(/lockstep\.yaml:\d+:\d+ ha\.pingIntervall: is not a known key; did you mean pingInterval\?/);
    expect(err).toMatch(/lockstep\.yaml:\d+:\d+ ha\.stallLimit: must be a duration from 200ms to 5m, such as 500ms, 5s, 2m, or plain milliseconds; found "soon"/);
    expect(err).toMatch(/lockstep\.yaml:\d+:\d+ ha\.passiveLockAcquisitionInterval: must be greater than twice activeLockReacquisitionInterval \(1s\), so above 2s; found 2s/);
    expect(existsSync(pair.primary.data)).toBe(false);
  });

  pairTest('a secret file that others can read', async (pair) => {
    const secret = join(pair.layout.folder, 'secret');
    writeFileSync(secret, 'x'.repeat(64));
    chmodSync(secret, 0o644);
    const { code, err } = await startWith(pair, { ha: { secretFile: secret } });
    expect(code).toBe(2);
    expect(err).toContain(`ha.secretFile: ${secret} can be used by others (mode 644); run chmod 600 on it`);
  });

  pairTest('open to the network: admin without a token, clients without users, links without a secret', async (pair) => {
    const { code, err } = await startWith(pair, { admin: { host: '0.0.0.0' }, mqtt: { host: '0.0.0.0' }, ha: { host: '0.0.0.0' } });
    expect(code).toBe(2);
    expect(err).toContain('admin.tokenFile: is needed, because admin.host 0.0.0.0 is reached from other machines');
    expect(err).toContain('mqtt.usersFile: is needed, because mqtt.host 0.0.0.0 is reached from other machines');
    expect(err).toContain('ha.secretFile: is needed, because ha.host 0.0.0.0 is reached from other machines');
  });
});

describe('a start that cannot be: exit code 1, what and where, nothing left running', () => {
  pairTest('a data folder and a log folder that cannot be written (a file in their way; holds for root, too)', async (pair) => {
    const file = join(pair.layout.folder, 'file');
    writeFileSync(file, '');
    const data = await startWith(pair, { data: { folder: join(file, 'data') } });
    expect(data).toMatchObject({ code: 1, err: expect.stringContaining(`the data folder ${join(file, 'data')} cannot be written`) });
    expect(data.err).toContain('LOCKSTEP_DATA_FOLDER_REFUSED');
    const logs = await startWith(pair, { log: { folder: join(file, 'log') } });
    expect(logs).toMatchObject({ code: 1, err: expect.stringContaining(`cannot write log files in ${join(file, 'log')}`) });
    expect(existsSync(join(pair.primary.data, 'manager.pid'))).toBe(false);
    // The very same profile starts once there is nothing in the way.
    rmSync(file);
    mkdirSync(file);
    pair.primary.start();
    await pair.primary.reachesState('WAITING');
  });

  pairTest('a TLS key that does not belong to the certificate', async (pair) => {
    const files = makeCertificate(pair.layout.folder);
    const { keyFile } = makeCertificate(pair.layout.folder, { name: 'other' });
    const { code, err } = await startWith(pair, { mqtt: { tlsPort: pair.primary.ports.mqtt + 1, tlsCertificateFile: files.certFile, tlsKeyFile: keyFile } });
    expect(code).toBe(1);
    expect(err).toContain(`the TLS private key ${keyFile} does not belong to the certificate ${files.certFile} (CN=server)`);
    expect(err).toContain('LOCKSTEP_TLS_FILE_REFUSED');
    expect(existsSync(pair.primary.data)).toBe(false);
  });

  pairTest('a user file with a wrong line, which check names, too; one without users is none', async (pair) => {
    const users = join(pair.layout.folder, 'users');
    writeFileSync(users, 'alice:geheim\n', { mode: 0o600 });
    const wrong = `the user file ${users} is wrong: line 1: the password must have the form`;
    const { code, err } = await startWith(pair, { mqtt: { usersFile: users } });
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining(wrong) });
    expect(err).toContain('LOCKSTEP_USERS_MALFORMED');
    expect(err).toContain('`lockstep passwd` writes them rightly');
    expect(existsSync(pair.primary.data)).toBe(false);
    const checked = await lockstep('check', pair.primary.profile);
    expect(checked.code).toBe(1);
    expect(checked.out).toContain(`FAILS    users     mqtt.usersFile: ${wrong}`);
    writeFileSync(users, '');
    expect(await lockstep('check', pair.primary.profile)).toMatchObject({ code: 0, out: expect.stringMatching(/WARNING +users +mqtt\.usersFile .* holds no user: no client gets in/) });
    pair.primary.start();
    await pair.primary.reachesState('WAITING');
  });

  const onLinux: typeof pairTest = process.platform === 'linux' ? pairTest : (name) => test.skip(name, () => undefined);
  onLinux('folders under /proc, where mkdir of Node.js never returns', async (pair) => {
    const data = await startWith(pair, { data: { folder: '/proc/nosuch/data' } });
    expect(data).toMatchObject({ code: 1, err: expect.stringContaining('the data folder /proc/nosuch/data cannot be written: ENOENT: the folder /proc/nosuch cannot be made') });
    expect(data.err).toContain('LOCKSTEP_DATA_FOLDER_REFUSED');
    const logs = await startWith(pair, { log: { folder: '/proc/nosuch/log' } });
    expect(logs).toMatchObject({ code: 1, err: expect.stringContaining('cannot write log files in /proc/nosuch/log') });
    expect(logs.err).toContain('LOCKSTEP_LOG_FOLDER_REFUSED');
  });

  for (const which of ['admin', 'ha'] as const) {
    pairTest(`the port ${which} is taken`, async (pair) => {
      const other = await listenOn(pair.primary.ports[which]);
      try {
        const { code, err } = await startWith(pair, {});
        expect(code).toBe(1);
        expect(err).toMatch(which === 'admin' ? /admin\.port: the admin HTTP cannot listen on 127\.0\.0\.1:\d+: the port is taken by another program \(LOCKSTEP_ADMIN_PORT\)/ : /ha\.port: port \d+ on 127\.0\.0\.1 is taken by another program \(LOCKSTEP_PORT_TAKEN\)/);
      } finally {
        await closed(other);
      }
      pair.primary.start();
      await pair.primary.reachesState('WAITING');
    });
  }
});

pairTest('the replication port is taken: said on the console and in the status; the pair is in sync as soon as it is free', async (pair) => {
  const other = await listenOn(pair.primary.ports.replication);
  try {
    for (const server of pair.servers) server.start();
    const said = await pair.primary.says('the replication port cannot be bound');
    expect(said).toMatch(/ERROR ha\.replicationPort: the replication port cannot be bound: port \d+ on 127\.0\.0\.1 is taken by another program/);
    const { broker } = await pair.primary.reaches('the trouble is told', (status) => status.broker?.trouble?.includes('replication port') === true);
    expect(broker?.trouble).toContain(`the replication port cannot be bound: port ${pair.primary.ports.replication}`);
  } finally {
    await closed(other);
  }
  await pair.inStep();
  await pair.primary.says(`The replication port ${pair.primary.ports.replication} is bound now`);
});

pairTest('the MQTT port is taken when the lock is won: the server takes no term, says why, and the pair serves as soon as it is free', async (pair) => {
  const other = await listenOn(pair.primary.ports.mqtt);
  try {
    for (const server of pair.servers) server.start();
    await pair.primary.says(`Clients cannot connect: port ${pair.primary.ports.mqtt} on 127.0.0.1 is taken by another program`);
    const status = await pair.primary.reaches('the reason', ({ reason }) => reason.includes('client port'));
    expect(status).toMatchObject({ state: 'WAITING', serving: false, record: null });
    expect(status.reason).toContain(`the client port cannot be opened (port ${pair.primary.ports.mqtt} on 127.0.0.1 is taken by another program`);
    // It is tried again and again: the console must not fill with it.
    const lines = (): number => pair.primary.console.filter((line) => line.includes('is taken by another program')).length;
    const before = lines();
    await stays('a console that does not fill', () => lines() <= before + 2, 2_500);
  } finally {
    await closed(other);
  }
  await pair.inStep();
});

pairTest('the MQTT port of a server that does not serve is taken: it follows all the same, and says that it could serve nobody', async ({ primary, secondary }) => {
  primary.start();
  await primary.reachesState('STANDALONE', 'WAITING');
  const other = await listenOn(secondary.ports.mqtt);
  try {
    secondary.start();
    const said = `port ${secondary.ports.mqtt} on 127.0.0.1 is taken by another program`;
    await secondary.says(`Clients could not connect to this server, should it serve: ${said}`);
    const { advice, broker } = await secondary.reachesState('PASSIVE');
    expect(advice).toContain(`this server could not take over, since clients could not connect to it: ${said}`);
    expect(broker).toMatchObject({ clientPort: 'closed', clientPortError: expect.stringContaining(said) });
  } finally {
    await closed(other);
  }
});

describe('one server, one process', () => {
  pairTest('a second start of a profile that runs is refused and harms nothing; a stale pid file stands in nobody’s way', async (pair) => {
    const { active } = await pair.start();
    const traffic = await pair.traffic();
    const { code, err } = await lockstep('start', active.profile);
    expect(code).toBe(1);
    expect(err).toContain('LOCKSTEP_ALREADY_RUNNING');
    expect(err).toMatch(new RegExp(`a server with this profile runs already: process ${String(active.pid('manager'))} \\(so says .*manager\\.pid\\)`));
    await traffic.flows();
    expect((await active.status())?.state).toBe('ACTIVE');
    const passive = pair.other(active);
    const pidFile = join(passive.data, 'manager.pid');
    const left = readFileSync(pidFile, 'utf8');
    await passive.killWhole();
    expect(readFileSync(pidFile, 'utf8')).toBe(left);
    // The number of the dead process has been given to another program since: to this test.
    writeFileSync(pidFile, left.replace(/^\d+/, String(process.pid)));
    passive.start();
    await pair.inStep();
    await traffic.settle();
  });

  pairTest('SIGTERM, SIGINT and SIGHUP each stop it cleanly, also when a terminal sends them to every process of it', async ({ primary }) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      const from = primary.console.length;
      primary.start();
      // Each process has come so far that it takes signals as it means to.
      await primary.reaches('the broker and the share keeper answer', ({ broker, lock }) => broker !== null && lock.share !== 'unknown');
      for (const part of ['keeper', 'broker', 'manager'] as const) primary.send(part, signal);
      expect(await primary.ended()).toBe(0);
      await primary.gone();
      const said = primary.console.slice(from).filter((line) => /WARN|ERROR/.test(line) && !/local file system|share is slow/.test(line));
      expect(said).toEqual([]);
      await primary.says(`Asked to stop (${signal})`, from);
      await primary.says('Primary Server has stopped', from);
      expect(existsSync(join(primary.data, 'manager.pid'))).toBe(false);
      expect(existsSync(join(primary.data, 'broker', 'broker.pid'))).toBe(false);
    }
  });
});

describe('a server alone', () => {
  pairTest('the peer never comes: a new pair says that it needs both', async ({ primary }) => {
    primary.start();
    const status = await primary.reaches('it had its wait', ({ reason }) => reason.includes('alone') && reason.includes('record'));
    expect(status).toMatchObject({ state: 'WAITING', reason: 'alone, and may not serve: no term record exists yet: both servers must be connected once', advice: 'a new pair starts with both servers: start the secondary server' });
    await primary.says('INFO  backchannel: cannot connect to 127.0.0.1');
  });

  pairTest('the gateway never answers: said by name, and nobody goes on alone', async (pair) => {
    const { active, passive } = await pair.start();
    await passive.stop();
    await active.reachesState('STANDALONE');
    await active.stop();
    // A name that never has an address: every address of loopback answers.
    await writeProfile(pair.layout, active.role, { ha: { gatewayServerIpAddress: 'no-such-gateway.invalid' } });
    const from = active.console.length;
    active.start();
    const status = await active.reaches('the gateway is missed', ({ reason }) => reason.includes('gateway'));
    expect(status).toMatchObject({ state: 'WAITING', reason: 'alone, and the gateway does not answer', gateway: { answers: false, endpoint: { host: 'no-such-gateway.invalid', port: 2049 } } });
    expect(status.advice).toBe('the gateway does not answer, and without it this server does not serve alone: look at that machine and at the way to it, or start the secondary server');
    await active.says(/WARN {2}The gateway no-such-gateway\.invalid:2049 does not answer/, from);
    const shown = await lockstep('status', active.profile);
    expect(shown.out).toMatch(/gateway: +no-such-gateway\.invalid:2049 DOES NOT ANSWER, last never/);
  });
});

test('a start that is over ends its process, also with something left that would keep it for ever, as a child process does that the kernel holds', () => {
  const keeping = 'data:text/javascript,setInterval(() => undefined, 1000)';
  const { status, signal, stderr } = spawnSync(process.execPath, ['--import', keeping, COMMAND, 'start', '/nowhere/lockstep.yaml'], { encoding: 'utf8', timeout: 20_000, killSignal: 'SIGKILL' });
  expect({ status, signal }).toEqual({ status: 2, signal: null });
  expect(stderr).toContain('LOCKSTEP_PROFILE_MISSING');
});
