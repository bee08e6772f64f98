import type { ServerStatus } from '../../../src/admin/status.js';
import { renderFinding } from '../../../src/cli/check/finding.js';
import { troubleFindings } from '../../../src/cli/check/local.js';
import { portFinding, portFindings } from '../../../src/cli/check/ports.js';
import { parseProfile } from '../../../src/profile/load.js';
import { bundledPair, renderProfile } from '../../../src/profile/template.js';
import { exampleStatus } from '../admin/example-status.js';

type Broker = NonNullable<ServerStatus['broker']>;
const broker = (change: Partial<Broker>): ServerStatus => exampleStatus({ broker: { ...(exampleStatus().broker as Broker), ...change } });
const REPLICATION = 'the replication port cannot be bound: EADDRINUSE';

describe('a port that is taken', () => {
  const look = (key: Parameters<typeof portFinding>[0], status: ServerStatus | null): string => renderFinding(portFinding(key, '127.0.0.1:1883', 'EADDRINUSE', { status }));

  it('is its own while this server runs and holds it, or cannot be asked', () => {
    for (const key of ['mqtt.port', 'mqtt.tlsPort', 'ha.port', 'ha.replicationPort', 'ha.repositoryPort', 'admin.port'] as const) {
      expect(look(key, exampleStatus())).toBe(`ok       ports     ${key} 127.0.0.1:1883 is in use while this server runs`);
      expect(look(key, null)).toContain('ok  ');
    }
  });

  it.each([
    ['mqtt.port', broker({ clientPort: 'closed', clientPortError: 'port 1883 is taken' }), 'port 1883 is taken'],
    ['mqtt.tlsPort', broker({ clientPort: 'failed', clientPortError: 'port 8883 is taken' }), 'port 8883 is taken'],
    ['ha.replicationPort', broker({ trouble: REPLICATION }), REPLICATION],
    ['ha.repositoryPort', exampleStatus({ repositories: { ...exampleStatus().repositories, trouble: 'ha.repositoryPort: taken' } }), 'ha.repositoryPort: taken'],
  ] as const)('fails where the running server could not bind it: %s', (key, status, why) => {
    expect(look(key, status)).toBe(`FAILS    ports     ${key} 127.0.0.1:1883 cannot be used: another program listens there, says this server, which runs: ${why}`);
  });

  it('that this server does not hold now is a warning', () => {
    for (const status of [broker({ clientPort: 'closed' }), exampleStatus({ broker: null })]) expect(look('mqtt.port', status)).toContain('WARNING');
    expect(look('ha.replicationPort', exampleStatus({ broker: null }))).toContain('WARNING');
    expect(look('ha.repositoryPort', exampleStatus({ repositories: { ...exampleStatus().repositories, pid: null } }))).toContain('WARNING');
  });

  it('is another program\'s where this server does not run', () => {
    expect(renderFinding(portFinding('ha.port', 'a:1', 'EADDRINUSE', null))).toBe('FAILS    ports     ha.port a:1 cannot be used: another program listens there');
  });
});

test('one whose host has no address is none that another program has', () => {
  expect(renderFinding(portFinding('mqtt.port', 'nohost:1883', 'ENOTFOUND', null))).toBe('FAILS    ports     mqtt.port nohost:1883 cannot be used: the name cannot be resolved (ENOTFOUND): correct it, make it known to this machine (name service or /etc/hosts), or give an address');
});

test('what a running server says of itself is told', () => {
  expect(troubleFindings(broker({ trouble: 'the disk is full', notice: 'the user file is wrong' })).map(renderFinding)).toEqual([
    'WARNING  server    this server, which runs, says: the disk is full',
    'WARNING  server    this server, which runs, says: the user file is wrong',
  ]);
  expect(troubleFindings(broker({ trouble: REPLICATION }))).toEqual([]);
  expect(troubleFindings({ broker: null })).toEqual([]);
});

test.each(['localhost', 'LocalHost'])('the admin port of %s is tried where the server listens, and told of as the profile has it', async (host) => {
  const { profile } = parseProfile(renderProfile(bundledPair('haprofile1'), 'primary'), '/p/lockstep.yaml');
  const tried: string[] = [];
  const findings = await portFindings({ ...profile, mqtt: { ...profile.mqtt, host }, admin: { ...profile.admin, host, port: 8081 } }, null, (at, port) => {
    tried.push(`${at}:${port}`);
    return Promise.resolve(null);
  });
  expect(tried).toEqual(expect.arrayContaining([`${host}:${profile.mqtt.port}`, '127.0.0.1:8081']));
  expect(tried).not.toContain(`${host}:8081`);
  expect(findings.map(({ text }) => text)).toContain(`admin.port ${host}:8081 is free`);
});
