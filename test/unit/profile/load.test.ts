import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { loadProfile, parseProfile } from '../../../src/profile/load.js';
import { ProfileError } from '../../../src/profile/problem.js';
import type { Profile } from '../../../src/profile/profile.js';
import { bundledPair, renderProfile } from '../../../src/profile/template.js';

const GOOD = `server:
  cluster: c
  role: primary
peer:
  backupHaIpAddress: 127.0.0.1
  backupServerPort: 1884
  backupHaPort: 2201
  backupReplicationPort: 2202
ha:
  lockFile: share/lock.lck
  gatewayServerIpAddress: 127.0.0.1
data:
  folder: data
`;

function parse(text: string): Profile {
  return parseProfile(text, '/etc/lockstep/lockstep.yaml').profile;
}

/** Each problem as `line:column key: text`. */
function complaints(text: string): string[] {
  return problemsOf(() => parse(text)).map((problem) => problem);
}

function problemsOf(action: () => unknown): string[] {
  try {
    action();
  } catch (error) {
    if (!(error instanceof ProfileError)) throw error;
    return error.problems.map(({ line, column, key, text: said }) => `${line ?? '-'}:${column ?? '-'} ${key}: ${said}`);
  }
  return [];
}

describe('a profile', () => {
  it('has its defaults, and paths relative to its file', () => {
    const profile = parse(GOOD);
    expect(profile.ha.lockFile).toBe('/etc/lockstep/share/lock.lck');
    expect(profile.log.folder).toBe('/etc/lockstep/data/log');
    expect(profile.peer.backupServerIp).toBe('127.0.0.1');
    expect(profile.ha).toMatchObject({ pingInterval: 500, pingMissLimit: 3, passiveLockAcquisitionInterval: 2500, peerWait: 10_000, stallLimit: 2000, silenceLimit: 1500 });
    expect(profile.server).toMatchObject({ id: 'primary', peerId: 'secondary' });
    expect(profile.data.durability).toBe('both');
  });

  it('takes an empty section as one of defaults', () => expect(parse(`${GOOD}log:\n`).log.level).toBe('info'));
  it("takes the reference's numbers for sync types", () => {
    const profile = parse(`${GOOD}repositories:\n  applicationSyncType: 1\n  componentSyncType: NO\n`);
    expect(profile.repositories).toMatchObject({ applicationSyncType: 'PARTIAL', componentSyncType: 'NO' });
  });
});

describe('what is wrong is said with its place', () => {
  it.each([
    ['an unknown key', GOOD.replace('lockFile:', 'lokFile: x\n  lockFile:'), '10:3 ha.lokFile: is not a known key; did you mean lockFile?'],
    ["the reference's spelling", `${GOOD}admin:\n  RMIServerPort: 1\n`, '15:3 admin.RMIServerPort: is not a known key of admin; did you mean admin.port?'],
    ['a key of another section', `${GOOD}admin:\n  lockFile: x\n`, '15:3 admin.lockFile: is not a known key of admin; did you mean ha.lockFile?'],
    ['an unknown section', `${GOOD}mqqt: {}\n`, '14:1 mqqt: is not a known section; did you mean mqtt?'],
    ['a key outside its section', `${GOOD}PingInterval: 3\n`, '14:1 PingInterval: is not a known section; did you mean ha.pingInterval?'],
    ['a wrong type', GOOD.replace('2201', 'x'), '7:3 peer.backupHaPort: must be a port number from 1 to 65535; found "x"'],
    ['a port out of range', GOOD.replace('2201', '70000'), '7:3 peer.backupHaPort: must be a port number from 1 to 65535; found 70000'],
    ['a missing key', GOOD.replace('  lockFile: share/lock.lck\n', ''), '9:1 ha.lockFile: is missing; it must be a path, absolute or relative to the profile file'],
    ['a list for a section', `${GOOD}log: [1]\n`, '14:1 log: must be a map of keys; found [1]'],
    ['a duration without sense', `${GOOD}mqtt:\n  connectTimeout: soon\n`, '15:3 mqtt.connectTimeout: must be a duration from 100ms to 5m, such as 500ms, 5s, 2m, or plain milliseconds; found "soon"'],
  ])('%s', (_, text, expected) => expect(complaints(text)).toEqual([expected]));

  it('all at once, a rule over several keys among them', () => {
    const found = complaints(GOOD.replace('data:', '  pingMissLimit: many\n  passiveLockAcquisitionInterval: 2s\ndata:'));
    expect(found).toHaveLength(2);
    expect(found[0]).toContain('12:3 ha.pingMissLimit');
    expect(found[1]).toContain('13:3 ha.passiveLockAcquisitionInterval: must be greater than twice activeLockReacquisitionInterval (1s)');
  });

  it('bad YAML', () => {
    expect(() => parse('a: b\n\tc: [')).toThrow(expect.objectContaining({ code: 'LOCKSTEP_PROFILE_YAML' }));
    expect(complaints('server:\n  role: primary\n  role: secondary\n')[0]).toMatch(/^3:3 /);
    expect(complaints(`a: &x [1]\nb: [${Array.from({ length: 200 }, () => '*x').join(',')}]`)).toHaveLength(1);
  });

  it('a missing file', () => {
    expect(() => loadProfile('/nowhere/lockstep.yaml')).toThrow(expect.objectContaining({ code: 'LOCKSTEP_PROFILE_MISSING' }));
  });
});

describe('rules over several keys', () => {
  const withHa = (lines: string): string => GOOD.replace('ha:\n', `ha:\n${lines}`);
  it.each([
    ['passive = 2 × active', withHa('  activeLockReacquisitionInterval: 1s\n  passiveLockAcquisitionInterval: 2s\n'), 'greater than twice'],
    ['passive ≤ 2 × effective', withHa('  activeLockReacquisitionInterval: 1100ms\n  passiveLockAcquisitionInterval: 2300ms\n'), '1.25s'],
    ['stall below ping', withHa('  stallLimit: 400ms\n'), 'must not be below pingInterval'],
    ['backchannel beyond loopback without a secret', withHa('  host: 10.0.0.1\n'), 'ha.secretFile: is needed'],
    ['a peer elsewhere without a secret', GOOD.replace('backupHaIpAddress: 127.0.0.1', 'backupHaIpAddress: 10.0.0.2'), 'ha.secretFile: is needed'],
    ['clients beyond loopback without users', `${GOOD}mqtt:\n  host: 0.0.0.0\n`, 'mqtt.usersFile: is needed'],
    ['admin beyond loopback without a token', `${GOOD}admin:\n  host: 0.0.0.0\n`, 'admin.tokenFile: is needed'],
    ['admin on a loopback address by which its commands are refused', `${GOOD}admin:\n  host: ::ffff:127.0.0.1\n`, 'admin.tokenFile: is needed'],
    ['one port twice', withHa('  port: 8081\n'), 'already that of'],
    ['one port twice, one of them on all interfaces', `${GOOD}mqtt:\n  host: 0.0.0.0\n  port: 8081\n  usersFile: u\n`, 'already that of mqtt.port'],
    ["the peer's ports are our own", GOOD.replace('2201', '2101'), "this server's own ha.port"],
    ['a peer that stands for every interface', GOOD.replace('backupHaIpAddress: 127.0.0.1', 'backupHaIpAddress: 0.0.0.0'), 'peer.backupHaIpAddress: 0.0.0.0 stands for every address of this machine'],
    ['clients that are sent to every interface', GOOD.replace('backupHaIpAddress: 127.0.0.1', "backupHaIpAddress: 127.0.0.1\n  backupServerIp: '::'"), 'peer.backupServerIp: :: stands for'],
    ['a gateway that stands for every interface', GOOD.replace(/gatewayServerIpAddress: \S+/, 'gatewayServerIpAddress: 0.0.0.0'), 'ha.gatewayServerIpAddress: 0.0.0.0 stands for'],
    ['clients are sent back to us', GOOD.replace('1884', '1883'), 'where clients reach this server'],
    ['half of TLS', `${GOOD}mqtt:\n  tlsPort: 8883\n`, 'mqtt.tlsKeyFile: is missing'],
  ])('%s is refused', (_, text, expected) => expect(complaints(text).join('\n')).toContain(expected));

  it('an interval off the pulse is warned of, with the multiple that is used', () => {
    const profile = parse(withHa('  activeLockReacquisitionInterval: 1100ms\n  passiveLockAcquisitionInterval: 3s\n'));
    expect(profile.ha.effectiveActiveLockInterval).toBe(1250);
    expect(profile.warnings.map(({ key, text }) => `${key}: ${text}`)).toContain(
      'ha.activeLockReacquisitionInterval: 1.1s is not a multiple of pingInterval/2 (250ms); the next multiple, 1.25s, is used',
    );
  });

  it('the setting with the long name opens the client port, with a warning', () => {
    const profile = parse(`${GOOD}mqtt:\n  host: 0.0.0.0\n  allowAnyoneOnTheNetworkWithoutPassword: true\n`);
    expect(profile.warnings.some(({ key }) => key === 'mqtt.allowAnyoneOnTheNetworkWithoutPassword')).toBe(true);
  });

  it('a data folder in the lockfile’s folder is warned of; one beside it is not', () => {
    const warned = (folder: string): boolean => parse(GOOD.replace(/folder: \S+/, `folder: ${folder}`)).warnings.some(({ key, text }) => key === 'data.folder' && text.includes('lies on the share'));
    const share = dirname(parse(GOOD).ha.lockFile);
    expect([share, join(share, 'data'), `${share}-data`].map(warned)).toEqual([true, true, false]);
  });

  it('so is a log folder there', () => {
    const warned = (folder: string): boolean => parse(`${GOOD}log:\n  folder: ${folder}\n`).warnings.some(({ key, text }) => key === 'log.folder' && text.includes('lies on the share'));
    const share = dirname(parse(GOOD).ha.lockFile);
    expect([share, join(share, 'log'), `${share}-log`].map(warned)).toEqual([true, true, false]);
  });

  it.each([
    ['mqtt.usersFile', (path: string) => `${GOOD}mqtt:\n  usersFile: ${path}\n`],
    ['mqtt.tlsCertificateFile', (path: string) => `${GOOD}mqtt:\n  tlsPort: 8883\n  tlsKeyFile: key\n  tlsCertificateFile: ${path}\n`],
    ['mqtt.tlsKeyFile', (path: string) => `${GOOD}mqtt:\n  tlsPort: 8883\n  tlsCertificateFile: crt\n  tlsKeyFile: ${path}\n`],
    ['ha.secretFile', (path: string) => GOOD.replace('ha:\n', `ha:\n  secretFile: ${path}\n`)],
    ['admin.tokenFile', (path: string) => `${GOOD}admin:\n  tokenFile: ${path}\n`],
  ])('so is %s there', (wanted, text) => {
    const share = dirname(parse(GOOD).ha.lockFile);
    const warned = (path: string): string[] => parse(text(path)).warnings.filter((warning) => warning.text.includes('lies on the share')).map(({ key }) => key);
    expect(warned(join(share, 'file'))).toEqual([wanted]);
    expect(warned(`${share}-file`)).toEqual([]);
  });

  it('equal ports on different addresses are no clash', () => {
    const text = GOOD.replace('backupHaIpAddress: 127.0.0.1', 'backupHaIpAddress: 10.0.0.2').replace('2201', '2101').replace('ha:\n', 'ha:\n  host: 10.0.0.1\n  secretFile: s\n');
    expect(complaints(text)).toEqual([]);
  });
});

describe('files that a profile names', () => {
  let folder = '';
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'lockstep-profile-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function write(secret: string | null, mode: number): string {
    const file = join(folder, 'lockstep.yaml');
    writeFileSync(file, GOOD.replace('ha:\n', 'ha:\n  secretFile: secret\n'));
    if (secret !== null) {
      writeFileSync(join(folder, 'secret'), secret);
      chmodSync(join(folder, 'secret'), mode);
    }
    return file;
  }

  const SECRET = 'a'.repeat(64);
  it('may be used when private', () => expect(loadProfile(write(SECRET, 0o600)).ha.secretFile).toBe(join(folder, 'secret')));
  it('are found by their folder', () => {
    write(SECRET, 0o600);
    expect(loadProfile(folder).path).toBe(join(folder, 'lockstep.yaml'));
  });
  it.each([
    ['readable by others', SECRET, 0o644, 'can be used by others (mode 644)'],
    ['missing', null, 0, 'it is not there'],
    ['too short', 'short', 0o600, 'at least 32 are needed'],
  ])('are refused when %s', (_, secret, mode, expected) => {
    const file = write(secret, mode);
    const found = problemsOf(() => loadProfile(file));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^10:3 ha\.secretFile: /);
    expect(found[0]).toContain(expected);
    expect(loadProfile(file, { checkFiles: false }).ha.pingInterval).toBe(500);
  });
});

it('the template is read without a complaint for two hosts', () => {
  const bundled = bundledPair('haprofile1');
  const pair = { ...bundled, primary: { ...bundled.primary, host: '10.0.0.1' }, secondary: { ...bundled.secondary, host: '10.0.0.2' }, gateway: '10.0.0.3', secretFile: 'secret', usersFile: 'users' };
  for (const role of ['primary', 'secondary'] as const) expect(complaints(renderProfile(pair, role))).toEqual([]);
});

test('what is no profile is not printed: it could be the secret of the pair', () => {
  const secret = '49d6e950a004f7728c01724e79fe7f7f';
  let said = '';
  try {
    parseProfile(secret, '/etc/lockstep/secret');
  } catch (error) {
    said = error instanceof Error ? `${error.message} ${JSON.stringify(error)}` : '';
  }
  expect(said).toContain('found a single value: is this a profile?');
  expect(said).not.toContain(secret.slice(0, 8));
});
