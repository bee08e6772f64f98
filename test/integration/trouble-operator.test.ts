import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect as open } from 'node:net';
import { join } from 'node:path';
import mqtt, { type MqttClient } from 'mqtt';
import { parse, stringify } from 'yaml';
import type { ServerStatus } from '../../src/admin/status.js';
import type { ConfiguredRole } from '../../src/core/identity.js';
import { lockstep } from './support/cli.js';
import { connect } from './support/clients.js';
import { pairTest, type Pair } from './support/pair.js';
import { freePorts } from './support/ports.js';
import { TIMES } from './support/profiles.js';
import { COMMAND } from './support/server.js';
import { until } from './support/until.js';

const ROLES: readonly ConfiguredRole[] = ['primary', 'secondary'];
const HOSTS = { primary: '127.0.0.1', secondary: '127.0.0.2' } as const;
const TOKEN = 'a-long-word-that-nobody-guesses';

function shell(script: string): { readonly code: number | null; readonly out: string; readonly err: string } {
  const { status, stdout, stderr } = spawnSync('bash', ['-o', 'pipefail', '-c', script], { encoding: 'utf8' });
  return { code: status, out: stdout, err: stderr };
}

/** A pair as `lockstep init` writes it for two hosts, brought to two addresses of loopback, with TLS for clients and a token for operators. */
async function initialise(pair: Pair): Promise<{ readonly ca: Buffer; readonly tlsPorts: Readonly<Record<ConfiguredRole, number>> }> {
  const { folder, share, ports } = pair.layout;
  const made = join(folder, 'made');
  const init = await lockstep('init', made, '--cluster', 'orders', '--primary', '192.168.77.1', '--secondary', '192.168.77.2', '--gateway', '192.168.77.3', '--lock-file', join(share, 'orders.lck'));
  expect(init).toMatchObject({ code: 0, err: '' });
  expect(init.out).toContain(`lockstep check ${join(made, 'primary')}, then lockstep start ${join(made, 'primary')}`);
  const users = join(made, 'primary', 'users');
  expect(shell(`echo 'a good password' | node ${COMMAND} passwd ${users} alice`)).toMatchObject({ code: 0, out: expect.stringContaining('Added alice') });
  copyFileSync(users, join(made, 'secondary', 'users'));
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=broker', '-addext', 'subjectAltName=IP:127.0.0.1,IP:127.0.0.2', '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  chmodSync(key, 0o600);
  writeFileSync(join(folder, 'token'), `${TOKEN}\n`, { mode: 0o600 });
  const [one, two] = (await freePorts(2)) as [number, number];
  const tlsPorts = { primary: one, secondary: two };
  for (const role of ROLES) {
    const other = role === 'primary' ? 'secondary' : 'primary';
    const [own, theirs] = [ports[role], ports[other]];
    const text = readFileSync(join(made, role, 'lockstep.yaml'), 'utf8').replaceAll('192.168.77.1', HOSTS.primary).replaceAll('192.168.77.2', HOSTS.secondary).replaceAll('192.168.77.3', '127.0.0.1');
    const sections = parse(text) as Record<string, Record<string, unknown> | null>;
    Object.assign(sections['mqtt'] ?? {}, { port: own.mqtt, tlsPort: tlsPorts[role], tlsCertificateFile: certificate, tlsKeyFile: key });
    Object.assign(sections['peer'] ?? {}, { backupServerPort: theirs.mqtt, backupHaPort: theirs.ha, backupReplicationPort: theirs.replication, backupAdminPort: theirs.admin });
    Object.assign(sections['ha'] ?? {}, { port: own.ha, replicationPort: own.replication, ...TIMES });
    Object.assign(sections['admin'] ?? {}, { port: own.admin, tokenFile: join(folder, 'token') });
    mkdirSync(join(folder, role), { recursive: true });
    for (const name of ['secret', 'users']) {
      copyFileSync(join(made, role, name), join(folder, role, name));
      chmodSync(join(folder, role, name), 0o600);
    }
    writeFileSync(join(folder, role, 'lockstep.yaml'), stringify(sections));
  }
  return { ca: readFileSync(certificate), tlsPorts };
}

/** Through the command, which brings the token. */
async function statusOf(profile: string): Promise<ServerStatus | null> {
  const { code, out } = await lockstep('status', '--json', profile);
  return code === 0 ? (JSON.parse(out) as ServerStatus) : null;
}

async function servingOne(pair: Pair, states: readonly string[]): Promise<{ readonly role: ConfiguredRole; readonly status: ServerStatus }> {
  return until(`a server is ${states.join(' or ')}`, async () => {
    for (const role of ROLES) {
      const status = await statusOf(pair[role].profile);
      if (status !== null && states.includes(status.state)) return { role, status };
    }
    return null;
  });
}

describe('an operator sets up a pair', () => {
  pairTest('init, passwd, TLS, a token: links with the shared secret, clients with passwords over TLS, and a failover', async (pair) => {
    const { ca, tlsPorts } = await initialise(pair);
    const checked = await lockstep('check', pair.primary.profile);
    expect(checked.code).toBe(0);
    expect(checked.out).toMatch(/WARNING +tls +mqtt\.tlsCertificateFile \/.*: the certificate of CN=broker expires in (2 days|47 hours), at /);
    expect(checked.out).toMatch(/ok +ports +ha\.port 127\.0\.0\.1:\d+ is free/);
    expect(checked.out).toMatch(/ok +peer +backupHaPort 127\.0\.0\.2:\d+ is reached and closed: the other server does not run/);
    expect(checked.out).toMatch(/ok +peer +backupAdminPort .* does not answer here: the other server does not run, or its admin port is for its own machine only/);
    expect(checked.out).toMatch(/ok +failover +dead host: at most /);
    for (const server of pair.servers) server.start();
    const { role, status } = await servingOne(pair, ['ACTIVE']);
    expect(status).toMatchObject({ cluster: 'orders', backchannel: { connected: true, secured: true }, clientEndpoints: [`${HOSTS[role]}:${pair[role].ports.mqtt}`, `${HOSTS[role]}:${tlsPorts[role]}`] });

    const login = { username: 'alice', password: 'a good password', ca, protocol: 'mqtts' as const, rejectUnauthorized: true };
    const client: MqttClient = mqtt.connect({ servers: ROLES.map((one) => ({ host: HOSTS[one], port: tlsPorts[one], protocol: 'mqtts' as const })), ...login, clientId: 'alice-1', clean: false, reconnectPeriod: 100 });
    client.on('error', () => undefined);
    const got: string[] = [];
    client.on('message', (_topic, payload) => got.push(payload.toString()));
    await client.subscribeAsync('orders/#', { qos: 1 });
    await client.publishAsync('orders/1', 'one', { qos: 1 });
    const refused = mqtt.connect({ host: HOSTS[role], port: tlsPorts[role], ...login, password: 'a bad password', clientId: 'mallory', reconnectPeriod: 0 });
    await expect(new Promise((_resolve, reject) => refused.once('error', reject))).rejects.toThrow(/Not authorized|Bad username/i);
    await refused.endAsync(true);
    await pair[role].says(/failed to log in/);

    // What does not know the secret gets no word from either link.
    for (const port of [pair[role].ports.ha, pair[role].ports.replication]) {
      const heard = await new Promise<number>((resolve) => {
        let bytes = 0;
        const socket = open({ host: HOSTS[role], port }, () => socket.write(Buffer.alloc(64, 1)));
        socket.on('error', () => undefined).on('data', (data) => (bytes += data.length)).once('close', () => resolve(bytes));
      });
      expect(heard).toBeLessThan(64); // at most an alert of TLS
    }
    expect((await fetch(`http://127.0.0.1:${pair[role].ports.admin}/status`)).status).toBe(401);
    expect((await fetch(`http://127.0.0.1:${pair[role].ports.admin}/serving`)).status).toBe(200);

    const running = await lockstep('check', pair.primary.profile);
    expect(running.out).toMatch(/ok +ports +ha\.port 127\.0\.0\.1:\d+ is in use while this server runs/);
    expect(running.out).toMatch(/ok +peer +backupHaPort 127\.0\.0\.2:\d+ answers: the secondary server of "orders", and the two accept each other/);
    expect(running.code).toBe(0);

    pair[role].send('broker', 'SIGKILL');
    const other = role === 'primary' ? 'secondary' : 'primary';
    await until('the other one serves', async () => (await statusOf(pair[other].profile))?.serving === true);
    await client.publishAsync('orders/2', 'two', { qos: 1 });
    await until('both messages have come', () => got.includes('one') && got.includes('two'));
    await client.endAsync(true);
    for (const server of pair.servers) expect(await lockstep('stop', server.profile)).toMatchObject({ code: 0, out: expect.stringContaining('has stopped') });
    for (const server of pair.servers) expect(await server.ended()).toBe(0);
  });
});

describe('the command', () => {
  pairTest('status into a closed pipe, watched, and of a server that does not run; stop with and without waiting; check says what is wrong', async (pair) => {
    const { active, passive } = await pair.start();
    for (const command of ['status', 'status --json', 'check', '--help']) {
      const { code, out, err } = shell(`node ${COMMAND} ${command} ${command === '--help' ? '' : active.profile} | head -n 1`);
      expect({ command, code, err, lines: out.trim().split('\n').length }).toEqual({ command, code: 0, err: '', lines: 1 });
    }
    const watched = shell(`timeout 20 node ${COMMAND} status --watch --json ${active.profile} | head -n 2`);
    expect(watched.out.trim().split('\n').map((line) => (JSON.parse(line) as ServerStatus).state)).toEqual(['ACTIVE', 'ACTIVE']);
    expect(watched.code).toBe(0);
    const watching = spawn(process.execPath, [COMMAND, 'status', '--watch', passive.profile], { stdio: ['ignore', 'pipe', 'pipe'] });
    let seen = '';
    for (const stream of [watching.stdout, watching.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (seen += text));
    await until('the passive one is watched', () => seen.includes('state:        PASSIVE'));

    expect(await lockstep('stop', '--no-wait', passive.profile)).toMatchObject({ code: 0, out: 'the secondary server is stopping\n' });
    expect(await passive.ended()).toBe(0);
    await until('the watch says so and goes on', () => seen.includes('no secondary server of tested answers on'));
    watching.kill('SIGINT');

    for (const command of ['status', 'stop', 'switchover']) {
      const end = await lockstep(command, passive.profile);
      expect({ command, code: end.code }).toEqual({ command, code: 3 });
      expect(end.err).toContain('LOCKSTEP_SERVER_NOT_RUNNING');
      expect(end.err).toContain(`Start it with: lockstep start ${passive.profile}`);
    }
    const stranger = join(pair.layout.folder, active.role, 'changed.yaml');
    writeFileSync(stranger, readFileSync(active.profile, 'utf8').replace(`port: ${active.ports.admin}`, 'port: 1'));
    const elsewhere = await lockstep('stop', stranger);
    expect(elsewhere).toMatchObject({ code: 3, err: expect.stringContaining(`process ${String(active.pid('manager'))} runs with the data folder of this profile`) });
    expect(elsewhere.err).toContain(`SIGTERM to that process (\`kill ${String(active.pid('manager'))}\`) stops it properly`);
    expect((await lockstep('check', stranger)).out).toMatch(/FAILS +ports +this server runs \(process \d+, so says .*manager\.pid\) and nothing answers at admin\.port 127\.0\.0\.1:1\. It just starts or stops; or admin\.host or admin\.port/);
    const refused = await lockstep('switchover', active.profile);
    expect(refused).toMatchObject({ code: 4, err: expect.stringContaining('LOCKSTEP_COMMAND_REFUSED') });
    const { code, out, err } = await lockstep('check', passive.profile);
    expect({ code, err: err.trim() }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/ok +peer +backupAdminPort 127\.0\.0\.1:\d+ answers: the primary server is (ACTIVE|STANDALONE)/);
    expect((await lockstep('frobnicate')).code).toBe(2);
  });

  pairTest('journal: inspect and export what a real server has, its messages readable', async (pair) => {
    const { active, passive } = await pair.start();
    const client = connect([active.address], 'writer', { clean: true });
    for (let count = 1; count <= 20; count += 1) await client.publishAsync('demo/journal', `message ${count}`, { qos: 1, retain: count === 20 });
    await client.endAsync();
    const running = await lockstep('journal', 'inspect', join(active.data, 'broker', 'journal'));
    expect(running.out).toMatch(/\d+ segments?, \d+ records?/);
    for (const server of [passive, active]) expect((await lockstep('stop', server.profile)).code).toBe(0);
    for (const server of pair.servers) {
      const folder = join(server.data, 'broker', 'journal');
      const inspected = await lockstep('journal', 'inspect', folder);
      expect(inspected).toMatchObject({ code: 0, err: '' });
      expect(inspected.out).toMatch(/\.segment +\d+ bytes +journal \S+ +positions 1 to \d+, terms 1 to \d+/);
      const records = await lockstep('journal', 'inspect', '--records', folder);
      expect(records.out).toMatch(/^1 {2}term 1 {2}term-start {2}lockstep {2}\d+ bytes {2}chain [0-9a-f]{8}$/m);
      const { code, out } = await lockstep('journal', 'export', folder);
      expect(code).toBe(0);
      const lines = out.trim().split('\n').map((line) => JSON.parse(line) as { position: number; operation?: { kind: string; topic?: string; payload?: string } });
      const published = lines.flatMap(({ operation }) => (operation?.topic === 'demo/journal' ? [Buffer.from(operation.payload ?? '', 'base64').toString()] : []));
      expect(published).toEqual(Array.from({ length: 20 }, (_, index) => `message ${index + 1}`));
      const some = await lockstep('journal', 'export', folder, '--from', '2', '--to', '3');
      expect(some.out.trim().split('\n').map((line) => (JSON.parse(line) as { position: number }).position)).toEqual([2, 3]);
      expect(shell(`node ${COMMAND} journal export ${folder} | head -n 1`)).toMatchObject({ code: 0, err: '' });
    }
    for (const command of ['inspect', 'export']) {
      const wrong = await lockstep('journal', command, active.data);
      expect(wrong).toMatchObject({ code: 1, out: '', err: expect.stringContaining(`there is no journal in ${active.data} (LOCKSTEP_JOURNAL_NONE)`) });
      expect(wrong.err).toContain('broker/journal');
    }
    expect(await lockstep('journal', 'inspect', '/nowhere')).toMatchObject({ code: 2, err: expect.stringContaining('LOCKSTEP_JOURNAL_FOLDER') });
  });
});
