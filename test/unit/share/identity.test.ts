import { TERM_MAX } from '../../../src/core/terms/names.js';
import { decodeShareIdentity, encodeShareIdentity, encodeTermRecord } from '../../../src/core/terms/codec.js';
import { encodeText } from '../../../src/core/wire/bytes.js';
import { ACTIVE_MS, LOCK_FILE, others, record, Rig } from './rig.js';

const PASS = 2 * ACTIVE_MS;
const TERMS = `${LOCK_FILE}.terms`;

describe('the share', () => {
  it('is made once, by whichever server is first, and both know it by the same id', async () => {
    for (const links of [true, false]) {
      const rig = new Rig({ links });
      const pair = [rig.keeper('primary'), rig.keeper('secondary')];
      for (const keeper of pair) keeper.order({});
      await rig.pass(PASS);
      const identity = decodeShareIdentity(rig.share.tree.read(LOCK_FILE), LOCK_FILE);
      expect(identity).toMatchObject({ cluster: 'test', method: links ? 'link' : 'rename' });
      for (const keeper of pair) expect(keeper.status).toMatchObject({ condition: 'ok', shareId: identity.share, highest: null });
      rig.share.restart();
      expect(decodeShareIdentity(rig.share.tree.read(LOCK_FILE), LOCK_FILE)).toEqual(identity);
    }
  });

  it('that is made in the place of another one on another file system is tried anew: what that one could do says nothing', async () => {
    const rig = new Rig();
    const keeper = rig.keeper('primary');
    keeper.order({});
    await rig.pass(PASS);
    expect(keeper.status).toMatchObject({ condition: 'ok' });
    const { shareId } = keeper.status;
    rig.share.replace();
    keeper.client.fate = (operation) => (operation === 'link' ? { kind: 'refused', code: 'EOPNOTSUPP' } : { kind: 'normal' });
    keeper.order({ shareId, wantLock: true });
    await rig.pass(PASS);
    expect(decodeShareIdentity(rig.share.tree.read(LOCK_FILE), LOCK_FILE)).toMatchObject({ method: 'rename' });
    keeper.order({ shareId: keeper.status.shareId });
    await rig.pass(PASS);
    expect(keeper.status).toMatchObject({ condition: 'ok', lock: { held: true } });
  });

  it('that somebody else made, and may not have synced, survives a restart of the gateway from the first look on', async () => {
    const rig = new Rig();
    const identity = { schema: 1, share: 's', cluster: 'test', method: 'link' } as const;
    rig.share.tree.makeFolder(TERMS);
    rig.share.tree.write(LOCK_FILE, encodeShareIdentity(identity), true);
    const keeper = rig.keeper('primary');
    keeper.order({});
    await rig.pass(PASS);
    expect(keeper.status.condition).toBe('ok');
    rig.share.restart();
    expect(decodeShareIdentity(rig.share.tree.read(LOCK_FILE), LOCK_FILE)).toEqual(identity);
    expect(rig.share.tree.list(TERMS)).toEqual([]);
  });

  it('that was mounted between the making of the folder of term records and of its lockfile gets that folder from whoever made the lockfile', async () => {
    const rig = new Rig();
    const keeper = rig.keeper('primary');
    let below = 0;
    keeper.client.fate = (operation) => {
      if (operation === 'link' && rig.share.tree.has(TERMS) && below++ === 0) rig.share.tree.removeFolder(TERMS);
      return { kind: 'normal' };
    };
    keeper.order({});
    await rig.pass(PASS);
    expect(below).toBeGreaterThan(0);
    expect(keeper.status).toMatchObject({ condition: 'ok', highest: null });
    rig.share.restart();
    expect(rig.share.tree.list(TERMS)).toEqual([]);
  });

  it('whose maker did not live to make the folder of term records gets it from a server that knows no share yet', async () => {
    const rig = new Rig();
    rig.share.tree.write(LOCK_FILE, encodeShareIdentity({ schema: 1, share: 's', cluster: 'test', method: 'link' }), true);
    const keeper = rig.keeper('secondary');
    keeper.order({});
    await rig.pass(PASS);
    expect(keeper.status).toMatchObject({ condition: 'ok', shareId: 's', highest: null });
    rig.share.restart();
    expect(rig.share.tree.list(TERMS)).toEqual([]);
  });

  it('whose folder of term records is gone has lost what a server knew, which makes no other one', async () => {
    const rig = new Rig();
    rig.share.tree.write(LOCK_FILE, encodeShareIdentity({ schema: 1, share: 's', cluster: 'test', method: 'link' }), true);
    const keeper = rig.keeper('primary');
    for (const known of [{ shareId: 's', kept: others(1, 'a') }, { shareId: 's', kept: null }]) {
      keeper.order(known);
      await rig.pass(PASS);
      expect(keeper.status).toMatchObject({ condition: 'replaced', detail: expect.stringContaining('folder of term records') });
      expect(rig.share.tree.list('.')).not.toContain(TERMS);
    }
  });

  it('shows its highest record, wherever the search begins', async () => {
    const rig = new Rig();
    for (const term of [1, 2, 3, 4, 5]) rig.plant(term, encodeTermRecord(others(term, `r${term}`)));
    rig.share.tree.write(LOCK_FILE, encodeShareIdentity({ schema: 1, share: 's', cluster: 'test', method: 'link' }), true);
    for (const kept of [null, others(1, 'r1'), others(5, 'r5')]) {
      const keeper = rig.keeper('primary');
      keeper.order({ kept, shareId: 's' });
      await rig.pass(500);
      expect(keeper.status).toMatchObject({ condition: 'ok', highest: others(5, 'r5') });
    }
  });

  it.each([
    ['a folder under a name of the other form', (rig: Rig) => rig.share.tree.makeFolder(`${TERMS}/0000000050`), true],
    ['a file under a name of the other form', (rig: Rig) => rig.share.tree.write(`${TERMS}/0000000050.json`, encodeTermRecord(others(50, 'x')), false), false],
    ['an empty folder under a higher number', (rig: Rig) => rig.share.tree.makeFolder(`${TERMS}/0000000050`), false],
  ])('shows its highest record, though %s is no record', async (_name, put, links) => {
    const rig = new Rig({ links });
    rig.share.tree.makeFolder(TERMS);
    // A fresh claim (R9) leaves numbers out.
    for (const term of [1, 2, 3, 20]) (links ? rig.plant(term, encodeTermRecord(others(term, `r${term}`))) : rig.plantFolder(term, encodeTermRecord(others(term, `r${term}`))));
    rig.share.tree.write(LOCK_FILE, encodeShareIdentity({ schema: 1, share: 's', cluster: 'test', method: links ? 'link' : 'rename' }), true);
    put(rig);
    for (const kept of [null, others(2, 'r2'), others(20, 'r20')]) {
      const keeper = rig.keeper('primary');
      keeper.order({ kept, shareId: 's', wantLock: true });
      await rig.pass(500);
      expect(keeper.status).toMatchObject({ condition: 'ok', highest: others(20, 'r20') });
      keeper.orphan();
      await rig.pass(PASS);
    }
    const keeper = rig.keeper('primary');
    keeper.order({ kept: others(20, 'r20'), shareId: 's', wantLock: true });
    await rig.pass(500);
    keeper.order({ claim: record(20, 'late') });
    await rig.pass(PASS);
    expect(keeper.outcomes).toEqual(['pending', 'lost']);
  });

  it('with garbage under the highest number that there can be is in trouble, and the file is named', async () => {
    const rig = new Rig();
    rig.plant(1, encodeTermRecord(others(1, 'r1')));
    rig.plant(TERM_MAX, encodeText('hello'));
    rig.share.tree.write(LOCK_FILE, encodeShareIdentity({ schema: 1, share: 's', cluster: 'test', method: 'link' }), true);
    const keeper = rig.keeper('primary');
    keeper.order({ kept: others(1, 'r1'), shareId: 's', wantLock: true });
    await rig.pass(PASS);
    expect(keeper.status).toMatchObject({ condition: 'failed', detail: expect.stringMatching(/4294967295\.json cannot be believed/), lock: { held: false } });
    rig.share.tree.removeFile(`${TERMS}/4294967295.json`);
    // No term can have that number, nor that one: a record of theirs is none.
    for (const name of ['4294967296.json', '9999999999.json']) rig.share.tree.write(`${TERMS}/${name}`, encodeText('hello'), true);
    await rig.pass(PASS);
    expect(keeper.status).toMatchObject({ condition: 'ok', highest: others(1, 'r1') });
  });

  it('shows a new record at the next look', async () => {
    const rig = new Rig();
    const keeper = rig.keeper('primary');
    keeper.order({});
    await rig.pass(500);
    rig.plant(1, encodeTermRecord(others(1, 'r1')));
    await rig.pass(ACTIVE_MS * 1.1);
    expect(keeper.status.highest).toEqual(others(1, 'r1'));
  });

  it('is looked at again soon after a look that got no answer', async () => {
    const rig = new Rig();
    const keeper = rig.keeper('primary');
    keeper.order({});
    await rig.pass(500);
    let failures = 1;
    keeper.client.fate = (operation, path) => (operation === 'read' && path === LOCK_FILE && failures-- > 0 ? { kind: 'refused', code: 'EIO' } : { kind: 'normal' });
    for (let waited = 0; keeper.status.condition === 'ok' && waited < PASS; waited += 10) await rig.pass(10);
    expect(keeper.status.condition).toBe('failed');
    await rig.pass(ACTIVE_MS / 2);
    expect(keeper.status.condition).toBe('ok');
  });

  it('was replaced when it has another id', async () => {
    const rig = new Rig();
    const keeper = rig.keeper('primary');
    keeper.order({ shareId: 'the one before', kept: null });
    rig.share.tree.write(LOCK_FILE, encodeShareIdentity({ schema: 1, share: 's', cluster: 'test', method: 'link' }), true);
    rig.share.tree.makeFolder(TERMS);
    await rig.pass(PASS);
    expect(keeper.status).toMatchObject({ condition: 'replaced', shareId: 's', highest: null });
    expect(keeper.status.detail).toContain('the one before');
    keeper.order({ shareId: 's', kept: null });
    await rig.pass(PASS);
    expect(keeper.status.condition).toBe('ok');
  });

  it('was replaced when a kept record is missing or another one', async () => {
    for (const kept of [record(2, 'mine'), record(9, 'mine')]) {
      const rig = new Rig();
      rig.plant(1, encodeTermRecord(others(1, 'a')));
      rig.plant(2, encodeTermRecord(others(2, 'b')));
      rig.share.tree.write(LOCK_FILE, encodeShareIdentity({ schema: 1, share: 's', cluster: 'test', method: 'link' }), true);
      const keeper = rig.keeper('primary');
      keeper.order({ shareId: 's', kept, wantLock: true });
      await rig.pass(PASS);
      expect(keeper.status).toMatchObject({ condition: 'replaced', highest: others(2, 'b'), lock: { held: false } });
      expect(keeper.status.detail).toContain(`${LOCK_FILE}.terms/${String(kept.term).padStart(10, '0')}.json`);
    }
  });

  it('is not made again when an empty one takes its place, until the manager adopts it', async () => {
    const rig = new Rig();
    const keeper = rig.keeper('primary');
    keeper.order({ wantLock: true });
    await rig.pass(PASS);
    const { shareId } = keeper.status;
    keeper.order({ shareId, claim: record(1, 'n') });
    await rig.pass(PASS);
    keeper.order({ kept: record(1, 'n'), claim: null });
    await rig.pass(PASS);
    rig.share.replace();
    await rig.pass(PASS);
    expect(keeper.status).toMatchObject({ condition: 'replaced', shareId: null, highest: null, lock: { held: false } });
    expect(keeper.status.detail).toContain('is the share mounted?');
    await rig.pass(10 * ACTIVE_MS);
    expect(rig.share.tree.list('.')).toEqual([]);
    keeper.order({ kept: null });
    await rig.pass(PASS);
    expect(keeper.status).toMatchObject({ condition: 'replaced' });
    expect(keeper.status.shareId).not.toBe(shareId);
    keeper.order({ shareId: keeper.status.shareId });
    await rig.pass(PASS);
    expect(keeper.status).toMatchObject({ condition: 'ok', lock: { held: true } });
  });

  it('is not made where a server that knows it only waits', async () => {
    const rig = new Rig();
    const keeper = rig.keeper('primary');
    keeper.order({ shareId: 'known' });
    await rig.pass(PASS);
    expect(keeper.status.condition).toBe('replaced');
    expect(rig.share.tree.list('.')).toEqual([]);
  });

  it('without its lockfile but with term records is not taken for a new one', async () => {
    const rig = new Rig();
    rig.plant(1, encodeTermRecord(others(1, 'a')));
    const keeper = rig.keeper('primary');
    keeper.order({});
    await rig.pass(PASS);
    expect(keeper.status).toMatchObject({ condition: 'failed', detail: expect.stringContaining('term records stand beside it') });
  });

  it('that is known, without its lockfile but with its term records, says what to put back', async () => {
    const rig = new Rig();
    rig.plant(1, encodeTermRecord(others(1, 'a')));
    const keeper = rig.keeper('primary');
    keeper.order({ shareId: 'known', kept: others(1, 'a') });
    await rig.pass(PASS);
    expect(keeper.status).toMatchObject({ condition: 'replaced', detail: expect.stringMatching(/ is gone, but term records stand beside it: put it back, byte for byte, from a backup$/) });
  });

  it('of another cluster is refused by name', async () => {
    const rig = new Rig();
    const other = rig.keeper('primary', { cluster: 'orders' });
    other.order({});
    await rig.pass(PASS);
    const keeper = rig.keeper('secondary');
    keeper.order({ wantLock: true });
    await rig.pass(PASS);
    expect(keeper.status).toMatchObject({ condition: 'refused', lock: { held: false } });
    expect(keeper.status.detail).toMatch(/"orders".*"test"/);
  });

  it('whose lockfile is a folder, or empty, or garbage, is named', async () => {
    const spoils: [(rig: Rig) => void, string][] = [
      [(rig) => rig.share.tree.makeFolder(LOCK_FILE), 'is a folder'],
      [(rig) => rig.share.tree.write(LOCK_FILE, new Uint8Array(0), true), 'it is empty'],
      [(rig) => rig.share.tree.write(LOCK_FILE, encodeText('hello'), true), 'not JSON'],
    ];
    for (const [spoil, words] of spoils) {
      const rig = new Rig();
      spoil(rig);
      const keeper = rig.keeper('primary');
      keeper.order({ wantLock: true });
      await rig.pass(PASS);
      expect(keeper.status).toMatchObject({ condition: 'failed', lock: { held: false } });
      expect(keeper.status.detail).toContain(`/share/${LOCK_FILE}`);
      expect(keeper.status.detail).toContain(words);
    }
  });

  describe('whose mount has gone', () => {
    const NFS = { fsType: 'nfs4', source: 'gw:/x', mountPoint: '/share', isNetwork: true, verdict: 'good', findings: [] } as const;
    const LOCAL = { fsType: 'ext4', source: '/dev/sda1', mountPoint: '/', isNetwork: false, verdict: 'warn', findings: [] } as const;

    it.each([
      ['and left an empty folder of this machine', null],
      ['and left a folder in which a pair once made a share of its own', encodeShareIdentity({ schema: 1, share: 'leftover', cluster: 'test', method: 'link' })],
    ])('%s, is absent, and no other share', async (_name, lockfile) => {
      const rig = new Rig();
      const keeper = rig.keeper('primary');
      keeper.mountReport = NFS;
      rig.plant(1, encodeTermRecord(record(1, 'n')));
      rig.share.tree.write(LOCK_FILE, encodeShareIdentity({ schema: 1, share: 's', cluster: 'test', method: 'link' }), true);
      keeper.order({ kept: record(1, 'n'), shareId: 's', wantLock: true });
      await rig.pass(PASS);
      expect(keeper.status).toMatchObject({ condition: 'ok', lock: { held: true } });
      keeper.mountReport = LOCAL;
      rig.share.replace();
      if (lockfile !== null) rig.share.tree.write(LOCK_FILE, lockfile, true);
      await rig.pass(10 * ACTIVE_MS);
      expect(keeper.status).toMatchObject({ condition: 'absent', shareId: 's', highest: record(1, 'n') });
      expect(keeper.status.detail).toBe(`the folder of the lockfile /share/${LOCK_FILE} lies on a disk of this machine now (ext4 on /): is the share mounted?`);
    });

    it('is absent as well to a share keeper that was started since, and never saw it', async () => {
      const rig = new Rig();
      rig.plant(1, encodeTermRecord(record(1, 'n')));
      rig.share.tree.write(LOCK_FILE, encodeShareIdentity({ schema: 1, share: 's', cluster: 'test', method: 'link' }), true);
      const known = { kept: record(1, 'n'), shareId: 's', wantLock: true } as const;
      const first = rig.keeper('primary');
      first.mountReport = NFS;
      first.order(known);
      expect(first.status.onNetwork).toBe(false);
      await rig.pass(PASS);
      expect(first.status).toMatchObject({ condition: 'ok', onNetwork: true });
      first.orphan();
      await rig.pass(PASS);
      rig.share.replace();
      const second = rig.keeper('primary');
      second.mountReport = LOCAL;
      second.order({ ...known, wasNetwork: first.status.onNetwork });
      await rig.pass(10 * ACTIVE_MS);
      expect(second.status).toMatchObject({ condition: 'absent', lookedAt: null, onNetwork: false, lock: { held: false } });
      second.order({ kept: null, shareId: null });
      await rig.pass(PASS);
      expect(rig.share.tree.list('.')).toEqual([]);
      second.mountReport = NFS;
      second.order(known);
      await rig.pass(PASS);
      expect(second.status).toMatchObject({ condition: 'replaced', shareId: null });
    });

    it('was never one of another host: what stands there counts', async () => {
      const rig = new Rig();
      const keeper = rig.keeper('primary');
      keeper.mountReport = LOCAL;
      rig.plant(1, encodeTermRecord(record(1, 'n')));
      rig.share.tree.write(LOCK_FILE, encodeShareIdentity({ schema: 1, share: 's', cluster: 'test', method: 'link' }), true);
      keeper.order({ kept: record(1, 'n'), shareId: 's' });
      await rig.pass(PASS);
      rig.share.replace();
      await rig.pass(PASS);
      expect(keeper.status).toMatchObject({ condition: 'replaced', shareId: null });
    });

    it('and was taken by the mount of another share: that one stands in its place', async () => {
      const rig = new Rig();
      const keeper = rig.keeper('primary');
      keeper.mountReport = NFS;
      rig.plant(1, encodeTermRecord(record(1, 'n')));
      rig.share.tree.write(LOCK_FILE, encodeShareIdentity({ schema: 1, share: 's', cluster: 'test', method: 'link' }), true);
      keeper.order({ kept: record(1, 'n'), shareId: 's' });
      await rig.pass(PASS);
      keeper.mountReport = { ...NFS, source: 'other:/y' };
      rig.share.replace();
      await rig.pass(PASS);
      expect(keeper.status).toMatchObject({ condition: 'replaced', shareId: null });
    });
  });

  it('in whose place another one stands has taken the lock with it, from the look on that finds it', async () => {
    const made = (rig: Rig, share: string): void => {
      rig.share.tree.makeFolder(TERMS);
      rig.share.tree.write(LOCK_FILE, encodeShareIdentity({ schema: 1, share, cluster: 'test', method: 'link' }), true);
    };
    for (let afterMs = 0; afterMs < ACTIVE_MS; afterMs += 50) {
      const rig = new Rig();
      const keeper = rig.keeper('primary');
      made(rig, 's');
      keeper.order({ shareId: 's', wantLock: true });
      await rig.pass(PASS + afterMs);
      expect(keeper.status).toMatchObject({ shareId: 's', lock: { held: true } });
      rig.share.replace();
      made(rig, 't');
      // A look at once.
      keeper.order({ shareId: 't' });
      for (let ms = 0; ms < 4 * ACTIVE_MS; ms += 10) {
        await rig.pass(10);
        const { shareId, lock } = keeper.status;
        if (shareId === 't' && lock.held && rig.share.lock === null) throw new Error(`${ms} ms after it had changed (${afterMs}): relied on a lock of another share`);
      }
      expect(keeper.status).toMatchObject({ shareId: 't', lock: { held: true } });
    }
  });

  it('that is not mounted for a moment, just when its lock is contended for, is not taken for locked: that was in the folder below', async () => {
    for (let goneMs = 20; goneMs <= 400; goneMs += 60) {
      for (let afterMs = 0; afterMs < ACTIVE_MS; afterMs += 50) {
        const rig = new Rig();
        const [holder, other] = [rig.keeper('primary'), rig.keeper('secondary')];
        holder.order({ wantLock: true });
        await rig.pass(PASS);
        other.order({ wantLock: true });
        await rig.pass(PASS + afterMs);
        other.mounted = false;
        await rig.pass(goneMs);
        other.mounted = true;
        for (let ms = 0; ms < 2 * ACTIVE_MS; ms += 10) {
          await rig.pass(10);
          if (other.status.condition === 'ok' && other.status.lock.held) throw new Error(`${ms} ms after ${goneMs} ms without the mount (${afterMs}): both hold the lock`);
        }
        expect(holder.status.lock.held).toBe(true);
      }
    }
  });

  it('is refused when it is mounted so that reads may be stale', async () => {
    const rig = new Rig();
    const keeper = rig.keeper('primary');
    keeper.mountReport = { fsType: 'nfs4', source: 'gw:/x', mountPoint: '/share', isNetwork: true, verdict: 'refuse', findings: ['Lookups are cached.'] };
    keeper.order({ wantLock: true });
    await rig.pass(PASS);
    expect(keeper.status).toMatchObject({ condition: 'refused', lock: { held: false } });
    expect(keeper.status.detail).toContain('Lookups are cached.');
  });

  it('that cannot publish as the other server does is refused', async () => {
    const rig = new Rig({ links: false });
    rig.share.tree.write(LOCK_FILE, encodeShareIdentity({ schema: 1, share: 's', cluster: 'test', method: 'link' }), true);
    rig.share.tree.makeFolder(TERMS);
    const keeper = rig.keeper('primary');
    keeper.order({ wantLock: true });
    await rig.pass(PASS);
    expect(keeper.status).toMatchObject({ condition: 'refused', detail: expect.stringContaining('hard links') });
  });

  it('tells when it is read-only, full or away, and recovers by itself', async () => {
    for (const [fault, condition] of [['readOnly', 'read-only'], ['full', 'full'], ['gone', 'absent']] as const) {
      const rig = new Rig();
      rig.share.faults[fault] = true;
      const keeper = rig.keeper('primary');
      keeper.order({});
      await rig.pass(PASS);
      expect(keeper.status.condition).toBe(condition);
      rig.share.faults[fault] = false;
      await rig.pass(PASS);
      expect(keeper.status.condition).toBe('ok');
    }
  });

  it('loses what an earlier run of this server prepared, and keeps what the other prepared', async () => {
    const rig = new Rig();
    const first = rig.keeper('primary');
    first.order({});
    await rig.pass(500);
    for (const name of ['claim.primary.n.r.tmp', 'claim.secondary.n.r.tmp']) rig.share.tree.write(`${LOCK_FILE}.terms/${name}`, encodeText('x'), true);
    rig.keeper('primary').order({});
    await rig.pass(500);
    expect(rig.share.tree.list(TERMS)).toEqual(['claim.secondary.n.r.tmp']);
  });
});
