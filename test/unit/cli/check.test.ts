import { backchannelFindings, heardFindings } from '../../../src/cli/check/backchannel.js';
import { renderFinding } from '../../../src/cli/check/finding.js';
import { placeFindings, roomFinding } from '../../../src/cli/check/folders.js';
import { unresolved } from '../../../src/cli/check/names.js';
import { mainFinding } from '../../../src/cli/check/network.js';
import { lockFileFinding, reportFindings } from '../../../src/cli/check/share.js';
import type { Hello } from '../../../src/core/control/peer.js';
import { LockstepError } from '../../../src/core/errors.js';
import type { RunId, ServerId } from '../../../src/core/identity.js';
import { parseProfile } from '../../../src/profile/load.js';
import { bundledPair, renderProfile } from '../../../src/profile/template.js';
import { HELLO } from '../core/wire/samples.js';

const MIB = 1024 * 1024;
const DATA = { folder: '/data', segmentBytes: 64 * MIB, snapshotEveryBytes: 512 * MIB };

describe('the data folder', () => {
  it.each([
    [4096, 0, 'ok'],
    [1100, 200, 'ok'],
    [900, 200, 'warning'],
    [500, 200, 'warning'],
    [63, 2048, 'fails'],
  ])('with %d MiB of room beside a journal of %d MiB: %s', (free, taken, level) => {
    const finding = roomFinding(DATA, free * MIB, taken * MIB);
    expect(finding.level).toBe(level);
    expect(finding.text).toContain(`/data has ${free} MiB of room`);
    if (level === 'warning') expect(finding.text).toContain('about 1216MiB (twice data.snapshotEveryBytes and three times data.segmentBytes) and takes 200 MiB now');
    if (level === 'fails') expect(finding.text).toContain('data.segmentBytes, 64MiB');
  });

  it('belongs on a disk of this server', () => {
    expect(placeFindings('/data', null)).toEqual([]);
    expect(placeFindings('/data', { fsType: 'ext4', source: '/dev/sda1' })).toEqual([]);
    for (const fsType of ['nfs4', 'cifs', 'ceph']) expect(placeFindings('/data', { fsType, source: 'gateway:/srv' })).toMatchObject([{ level: 'warning', text: expect.stringContaining(`/data is on ${fsType} of gateway:/srv`) }]);
  });
});

describe('the share', () => {
  const OURS = { cluster: 'orders', share: 'share-1' };
  const KNOWN = { shareId: 'share-1', file: '/data/manager-state.json' };
  const look = (lockFile: 'file' | 'absent' | 'other' | 'no-folder', found: { readonly identity?: typeof OURS | { readonly wrong: string }; readonly hasRecords?: boolean }, known: { readonly shareId: string | null; readonly file: string } | null): string =>
    renderFinding(lockFileFinding('/mnt/s/l.lck', { lockFile, identity: null, hasRecords: false, ...found }, { cluster: 'orders', known }));

  it.each([
    ['no-folder', 'FAILS  ', ': the folder /mnt/s is not there: is the share mounted?'],
    ['other', 'FAILS  ', ' is a folder'],
    ['absent', 'ok     ', ' is not there yet: the first start makes it'],
    ['file', 'ok     ', ' is there'],
  ] as const)('a lockfile of which is found: %s', (found, level, words) => {
    expect(look(found, found === 'file' ? { identity: OURS } : {}, null)).toMatch(new RegExp(`^${level}  share     ha\\.lockFile /mnt/s/l\\.lck${words}`));
  });

  it('that of another cluster fails', () => {
    for (const known of [null, KNOWN]) {
      expect(look('file', { identity: { cluster: 'returns', share: 'share-2' } }, known)).toBe('FAILS    share     ha.lockFile /mnt/s/l.lck belongs to the cluster "returns", this server to "orders"; give each cluster a lockfile of its own');
    }
  });

  it('one that cannot be believed, or is gone from beside its records, fails', () => {
    expect(look('file', { identity: { wrong: 'the lockfile /mnt/s/l.lck cannot be believed: it is empty. Remove it.' } }, KNOWN)).toBe('FAILS    share     ha.lockFile /mnt/s/l.lck: the lockfile /mnt/s/l.lck cannot be believed: it is empty. Remove it.');
    expect(look('absent', { hasRecords: true }, null)).toContain('FAILS    share     ha.lockFile /mnt/s/l.lck is gone, but term records stand beside it: put it back');
  });

  it('that is not the one which this server knows, or is not there at all, is a warning', () => {
    expect(look('file', { identity: OURS }, KNOWN)).toBe('ok       share     ha.lockFile /mnt/s/l.lck is there');
    expect(look('file', { identity: { ...OURS, share: 'share-2' } }, KNOWN)).toBe(
      'WARNING  share     ha.lockFile /mnt/s/l.lck is that of another share than the one that this server knows (its id is share-2, not share-1, so says /data/manager-state.json): is the right one mounted? If it was replaced or emptied on purpose: docs/operations.md, "A replaced share"',
    );
    for (const shareId of ['share-1', null]) {
      expect(look('absent', {}, { ...KNOWN, shareId })).toBe(
        'WARNING  share     ha.lockFile /mnt/s/l.lck is not there, but this server has worked with a share before (so says /data/manager-state.json): is the share mounted? If it was replaced or emptied on purpose: docs/operations.md, "A replaced share"',
      );
    }
  });

  it('what the system said stands there once, with what it means', () => {
    const checks = [{ name: 'make folder', ok: false, detail: 'EACCES: permission denied', latencyMs: 0.5 }];
    const lines = reportFindings('/mnt/s', { checks, methods: [], warnings: [], slowestMs: 0.5, trouble: { condition: 'denied', detail: 'EACCES: permission denied, while trying: uid 1000 may not' } }).map(renderFinding);
    expect(lines).toEqual(['FAILS    share     make folder: failed (0.5 ms)', 'FAILS    share     /mnt/s is closed to this user: EACCES: permission denied, while trying: uid 1000 may not']);
  });

  it('a watermark that only another user may write is a warning with what to do', () => {
    const checks = [{ name: 'open the watermark for writing', ok: false, detail: 'EACCES: it belongs to uid 0', latencyMs: 0.5 }];
    const lines = reportFindings('/mnt/s', { checks, methods: ['link'], warnings: ['The watermark cannot be written: EACCES: it belongs to uid 0: chown it'], slowestMs: 0.5, trouble: null }).map(renderFinding);
    expect(lines).toEqual(['WARNING  share     open the watermark for writing: failed (0.5 ms)', 'ok       share     /mnt/s: terms are claimed by link', 'WARNING  share     The watermark cannot be written: EACCES: it belongs to uid 0: chown it']);
  });
});

test('a secret that cannot be used is this server\'s own trouble, not a refusal of the other one', async () => {
  const { profile } = parseProfile(renderProfile(bundledPair('haprofile1'), 'primary'), '/p/lockstep.yaml');
  const findings = await backchannelFindings({ ...profile, ha: { ...profile.ha, secretFile: '/nosuch/secret' } }, null);
  expect(findings?.map(renderFinding)).toEqual([expect.stringMatching(/^FAILS {4}peer {6}the way to the other server cannot be tried: cannot read the secret file \/nosuch\/secret/)]);
});

describe('the other server', () => {
  const theirs: Hello = { ...HELLO, server: 'secondary' as ServerId, role: 'secondary', run: 'run-2' as RunId };
  const look = (changes: Partial<Hello>): string[] => heardFindings('backupHaPort b:2101', HELLO, 'secondary' as ServerId, true, { kind: 'hello', hello: { ...theirs, ...changes } }).map(renderFinding);
  const REFUSES = 'FAILS    peer      backupHaPort b:2101: the server there and one of this profile refuse each other: ';

  it('accepts this one', () => {
    expect(look({})).toEqual(['ok       peer      backupHaPort b:2101 answers: the secondary server of "orders", and the two accept each other']);
  });

  it.each<[string, Partial<Hello>, string]>([
    ['another cluster', { cluster: 'returns' }, 'wrong cluster: the other server belongs to "returns", server "primary" to "orders". server.cluster must be the same in both profiles'],
    ['the same role', { server: HELLO.server, role: HELLO.role }, 'same server id: both servers are called "primary". One of the two profiles must have server.role primary and the other secondary'],
    ['itself', { run: HELLO.run }, 'server "primary" reached itself: the peer\'s address in its profile is its own. In this profile correct peer.backupHaIpAddress and peer.backupHaPort.'],
    ['other settings', { settings: { ...HELLO.settings, 'ha.pingInterval': '1s' } }, 'settings differ: ha.pingInterval is 500ms on "primary" and 1s on "secondary". Make them equal in both profiles'],
  ])('refuses this one, with what to do: %s', (_, changes, words) => {
    const lines = look(changes);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(`${REFUSES}${words}`);
  });

  it('of another release is a warning, and of another protocol is refused', () => {
    expect(look({ version: '9.0.0' })[1]).toBe('WARNING  peer      the secondary server runs version 9.0.0, this one 0.1.0: bring both to the same version soon');
    expect(look({ advisedSettings: {} })[1]).toBe('WARNING  peer      settings that should agree differ, and clients meet another server after a change of roles: mqtt.tlsPort is set on "primary" and not set on "secondary"');
    expect(look({ advisedSettings: null })).toHaveLength(1);
    const error = new LockstepError('LOCKSTEP_FRAME_VERSION', 'a frame of version 2 came; this server speaks version 1', 'Run the same version.');
    expect(heardFindings('backupHaPort b:2101', HELLO, theirs.server, true, { kind: 'misunderstood', error }).map(renderFinding)).toEqual([`${REFUSES}a frame of version 2 came; this server speaks version 1. Run the same version.`]);
  });

  it.each([
    [true, 'held up, or stopping'],
    [false, 'another program listens there, or a server with a secret file'],
  ])('that says nothing is a warning (secured: %s)', (secured, words) => {
    const [finding] = heardFindings('backupHaPort b:2101', HELLO, theirs.server, secured, { kind: 'silent', why: 'it says nothing within 3000 ms' });
    expect(finding).toMatchObject({ level: 'warning', text: expect.stringContaining(words) });
    expect(finding?.text).toContain('or it is another port of that server: compare peer.backupHaPort with ha.port of the other profile');
  });

  it.each([
    ['refused', null, 'ok       peer      backupHaPort b:2101 is reached and closed: the other server does not run'],
    ['refused', 'backupReplicationPort b:2102', 'FAILS    peer      backupHaPort b:2101 is closed, though another port of that server answers (backupReplicationPort b:2102): the two never hear each other. Make peer.backupHaPort of this profile and ha.port of the other one the same;'],
    ['no answer', 'backupAdminPort b:8081', 'FAILS    peer      backupHaPort b:2101 cannot be reached (no answer), though another port of that server answers (backupAdminPort b:8081)'],
    ['no answer', null, 'WARNING  peer      backupHaPort b:2101 cannot be reached (no answer): the other host is down, or the way there is cut'],
    ['open', 'backupReplicationPort b:2102', 'WARNING  peer      backupHaPort b:2101 accepts connections, and no server of a pair answers there'],
  ])('that cannot be heard on its backchannel (%s, beside it %s)', (outcome, sign, line) => {
    expect(renderFinding(mainFinding('backupHaPort b:2101', outcome, sign)).startsWith(line)).toBe(true);
  });
});

describe('a name of a host', () => {
  it.each([['ENOTFOUND', 'that host name is not known'], ['EAI_AGAIN', 'the name service gave no answer']])('that has no address (%s) is called so', (code, words) => {
    const trouble = unresolved('nohost.example', Object.assign(new Error(`getaddrinfo ${code} nohost.example`), { code }));
    expect(trouble).toBe(`the name nohost.example cannot be resolved: ${words} (${code}). Correct it, make it known to this machine (name service or /etc/hosts), or give an address`);
  });

  it('is not at fault where the network is', () => expect(unresolved('b', Object.assign(new Error('x'), { code: 'EHOSTUNREACH' }))).toBeNull());
});
