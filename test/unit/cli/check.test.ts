import { renderFinding } from '../../../src/cli/check/finding.js';
import { placeFindings, roomFinding } from '../../../src/cli/check/folders.js';
import { lockFileFinding, reportFindings } from '../../../src/cli/check/share.js';

const MIB = 1024 * 1024;
const DATA = { folder: '/data', segmentBytes: 64 * MIB, snapshotEveryBytes: 512 * MIB };

describe('the data folder', () => {
  it.each([
    [4096, 0, 'ok'],
    [900, 200, 'ok'],
    [500, 200, 'warning'],
    [63, 2048, 'fails'],
  ])('with %d MiB of room beside a journal of %d MiB: %s', (free, taken, level) => {
    const finding = roomFinding(DATA, free * MIB, taken * MIB);
    expect(finding.level).toBe(level);
    expect(finding.text).toContain(`/data has ${free} MiB of room`);
    if (level === 'warning') expect(finding.text).toContain('about 1GiB (twice data.snapshotEveryBytes) and takes 200 MiB now');
    if (level === 'fails') expect(finding.text).toContain('data.segmentBytes, 64MiB');
  });

  it('belongs on a disk of this server', () => {
    expect(placeFindings('/data', null)).toEqual([]);
    expect(placeFindings('/data', { fsType: 'ext4', source: '/dev/sda1' })).toEqual([]);
    for (const fsType of ['nfs4', 'cifs', 'ceph']) expect(placeFindings('/data', { fsType, source: 'gateway:/srv' })).toMatchObject([{ level: 'warning', text: expect.stringContaining(`/data is on ${fsType} of gateway:/srv`) }]);
  });
});

describe('the share', () => {
  it.each([
    ['no-folder', 'fails', 'the folder /mnt/s is not there: is the share mounted?'],
    ['other', 'fails', 'is a folder'],
    ['absent', 'ok', 'the first start makes it'],
    ['file', 'ok', 'is there'],
  ] as const)('a lockfile of which is found: %s', (found, level, words) => {
    const finding = lockFileFinding('/mnt/s/l.lck', found);
    expect(finding.level).toBe(level);
    expect(finding.text).toContain('ha.lockFile /mnt/s/l.lck');
    expect(finding.text).toContain(words);
  });

  it('what the system said stands there once, with what it means', () => {
    const checks = [{ name: 'make folder', ok: false, detail: 'EACCES: permission denied', latencyMs: 0.5 }];
    const lines = reportFindings('/mnt/s', { checks, methods: [], slowestMs: 0.5, trouble: { condition: 'denied', detail: 'EACCES: permission denied, while trying: uid 1000 may not' } }).map(renderFinding);
    expect(lines).toEqual(['FAILS    share     make folder: failed (0.5 ms)', 'FAILS    share     /mnt/s is closed to this user: EACCES: permission denied, while trying: uid 1000 may not']);
  });
});
