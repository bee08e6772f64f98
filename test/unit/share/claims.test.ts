import { decodeShareIdentity, encodeShareIdentity, encodeTermRecord } from '../../../src/core/terms/codec.js';
import { TERM_MAX } from '../../../src/core/terms/names.js';
import { encodeText } from '../../../src/core/wire/bytes.js';
import type { Fate, Operation } from '../../simulation/share.js';
import { ACTIVE_MS, LOCK_FILE, others, PASSIVE_MS, record, Rig, type RigKeeper } from './rig.js';

const TERMS = `${LOCK_FILE}.terms`;

/** A keeper that holds the lock on a share of its own making. */
async function holder(rig: Rig): Promise<RigKeeper> {
  const primary = rig.keeper('primary');
  primary.order({ wantLock: true });
  await rig.pass(500);
  expect(primary.status.lock.held).toBe(true);
  return primary;
}

/** The fate of the first request of this kind on a path that ends like this. */
function once(keeper: RigKeeper, operation: Operation, path: string, fate: Fate): void {
  let done = false;
  keeper.client.fate = (asked, on) => {
    if (done || asked !== operation || !on.includes(path)) return { kind: 'normal' };
    done = true;
    return fate;
  };
}

describe.each([{ links: true }, { links: false }])('claims on a share with links: $links', ({ links }) => {
  const publish: Operation = links ? 'link' : 'rename';

  it('are won, durable, and leave nothing beside the record', async () => {
    const rig = new Rig({ links });
    const primary = await holder(rig);
    primary.order({ claim: record(1, 'n1') });
    await rig.pass(200);
    expect(primary.status.claim).toEqual({ kind: 'won', nonce: 'n1', record: record(1, 'n1') });
    expect(rig.share.tree.list(TERMS)).toHaveLength(1);
    rig.share.restart();
    expect([...rig.share.records(LOCK_FILE)]).toEqual([[1, record(1, 'n1')]]);
    await rig.pass(ACTIVE_MS * 1.1);
    expect(primary.status.highest).toEqual(record(1, 'n1'));
  });

  it('follow each other at once: a term that was won a moment ago, and is kept, stands in nobody’s way', async () => {
    const rig = new Rig({ links });
    const primary = await holder(rig);
    primary.order({ claim: record(1, 'n1') });
    while (primary.status.claim?.kind !== 'won') await rig.pass(1);
    primary.order({ claim: record(2, 'n2'), kept: record(1, 'n1') });
    await rig.pass(ACTIVE_MS / 4);
    expect(primary.status.claim).toMatchObject({ kind: 'won', nonce: 'n2' });
  });

  it('above the highest number that there can be fail at once, and nothing is written', async () => {
    const rig = new Rig({ links });
    const primary = await holder(rig);
    const written: string[] = [];
    primary.client.fate = (asked, on) => {
      if (on.includes('claim.')) written.push(`${asked} ${on}`);
      return { kind: 'normal' };
    };
    primary.order({ claim: record(TERM_MAX + 1, 'n1') });
    await rig.pass(ACTIVE_MS * 3);
    expect(primary.outcomes).toEqual(['pending', 'failed']);
    expect(primary.status.claim).toMatchObject({ nonce: 'n1', detail: expect.stringContaining(`term ${TERM_MAX + 1} cannot be: 1 to ${TERM_MAX} are allowed`) as unknown });
    expect(written).toEqual([]);
    expect(rig.share.tree.list(TERMS)).toEqual([]);
  });

  it('of two servers for one number: exactly one wins, and the other gets the winner in hand', async () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const rig = new Rig({ links });
      rig.share.faults.latencyMs = { low: 0.1, high: 30 };
      rig.share.lockBroken = true;
      const [primary, secondary] = [rig.keeper('primary'), rig.keeper('secondary')];
      primary.order({ wantLock: true });
      secondary.order({ wantLock: true });
      // The share is looked over first, which takes as long as its answers do.
      await rig.pass(1000);
      for (let round = 0; round < 20 && !(primary.status.lock.held && secondary.status.lock.held); round += 1) await rig.pass(250);
      primary.order({ claim: record(1, 'n1') });
      await rig.pass(seed * 5);
      secondary.order({ claim: others(1, 'n2') });
      await rig.pass(3000);
      const kinds = [primary.status.claim?.kind, secondary.status.claim?.kind].sort();
      expect(kinds).toEqual(['lost', 'won']);
      const standing = rig.share.records(LOCK_FILE).get(1);
      for (const keeper of [primary, secondary]) expect(keeper.status.claim).toMatchObject({ record: standing });
    }
  });

  it('are never won on a share that was put in the place of the one that was looked at', async () => {
    for (const operation of ['createSynced', publish] as const) {
      const rig = new Rig({ links });
      const primary = await holder(rig);
      let done = false;
      primary.client.fate = (asked, on) => {
        if (!done && asked === operation && on.includes(TERMS)) {
          done = true;
          const identity = decodeShareIdentity(rig.share.tree.read(LOCK_FILE), LOCK_FILE);
          rig.share.tree.write(LOCK_FILE, encodeShareIdentity({ ...identity, share: 'another' }), false);
        }
        return { kind: 'normal' };
      };
      primary.order({ claim: record(1, 'n1') });
      await rig.pass(200);
      expect(done).toBe(true);
      expect(['failed', 'in-doubt']).toContain(primary.status.claim?.kind);
    }
  });

  it('are never lost to a record of a share that was put in the place of the one that was looked at', async () => {
    const rig = new Rig({ links });
    const primary = await holder(rig);
    primary.order({ claim: record(1, 'n1') });
    const identity = decodeShareIdentity(rig.share.tree.read(LOCK_FILE), LOCK_FILE);
    rig.share.tree.write(LOCK_FILE, encodeShareIdentity({ ...identity, share: 'another' }), false);
    if (links) rig.plant(5, encodeTermRecord(others(5, 'elsewhere')));
    else rig.plantFolder(5, encodeTermRecord(others(5, 'elsewhere')));
    await rig.pass(200);
    expect(primary.client.requests.filter((request) => request.startsWith(`${publish} ${TERMS}`))).toEqual([]);
    expect(primary.outcomes).not.toContain('lost');
  });

  it('in doubt are not settled by what another share holds, which was found to stand there', async () => {
    for (const numbers of [[1], [1, 2]]) {
      const rig = new Rig({ links });
      const primary = await holder(rig);
      const { shareId } = primary.status;
      once(primary, publish, TERMS, { kind: 'refused', code: 'EIO' });
      primary.order({ shareId, claim: record(1, 'n1') });
      await rig.pass(200);
      expect(primary.outcomes).toEqual(['pending', 'in-doubt']);
      const identity = decodeShareIdentity(rig.share.tree.read(LOCK_FILE), LOCK_FILE);
      rig.share.tree.write(LOCK_FILE, encodeShareIdentity({ ...identity, share: 'another' }), false);
      for (const term of numbers) (links ? rig.plant(term, encodeTermRecord(others(term, 'elsewhere'))) : rig.plantFolder(term, encodeTermRecord(others(term, 'elsewhere'))));
      await rig.pass(3 * ACTIVE_MS);
      expect(primary.status.condition).toBe('replaced');
      expect(primary.outcomes).toEqual(['pending', 'in-doubt']);
      rig.share.tree.write(LOCK_FILE, encodeShareIdentity(identity), false);
      await rig.pass(3 * ACTIVE_MS);
      expect(primary.outcomes).toEqual(['pending', 'in-doubt', 'lost']);
    }
  });

  it('whose answer was lost are won by reading', async () => {
    for (const operation of [publish, 'syncFolder', 'removeFile'] as const) {
      const rig = new Rig({ links });
      const primary = await holder(rig);
      once(primary, operation, TERMS, { kind: 'reply-lost', code: 'EIO' });
      primary.order({ claim: record(1, 'n1') });
      await rig.pass(3 * ACTIVE_MS);
      expect(primary.status.claim?.kind).toBe(operation === 'syncFolder' && !links ? 'failed' : 'won');
    }
  });

  it('that met their own success (EEXIST after a repeated request) are won', async () => {
    const rig = new Rig({ links });
    const primary = await holder(rig);
    once(primary, publish, TERMS, { kind: 'reply-lost', code: 'EEXIST' });
    primary.order({ claim: record(1, 'n1') });
    await rig.pass(500);
    expect(primary.outcomes).toEqual(['pending', 'won']);
  });

  it('that failed before anything could land are failed, and were never sent', async () => {
    const rig = new Rig({ links });
    const primary = await holder(rig);
    rig.share.faults.full = true;
    primary.order({ claim: record(1, 'n1') });
    await rig.pass(200);
    expect(primary.status.claim).toMatchObject({ kind: 'failed', detail: expect.stringContaining('ENOSPC') });
    await rig.pass(2 * ACTIVE_MS);
    expect(primary.status.condition).toBe('full');
    expect(rig.share.records(LOCK_FILE).size).toBe(0);
  });

  it('that failed at the publishing step are in doubt for as long as no record bears the number, never lost', async () => {
    for (const code of ['EIO', 'ENOSPC', 'EROFS', 'EACCES', 'EEXIST']) {
      const rig = new Rig({ links });
      const primary = await holder(rig);
      once(primary, publish, TERMS, { kind: 'refused', code });
      primary.order({ claim: record(1, 'n1') });
      await rig.pass(20 * ACTIVE_MS);
      expect(primary.outcomes).toEqual(['pending', 'in-doubt']);
    }
  });

  it('in doubt that land late are won then', async () => {
    const rig = new Rig({ links });
    const primary = await holder(rig);
    once(primary, publish, TERMS, { kind: 'late', code: 'EIO', afterMs: 5500 });
    primary.order({ claim: record(1, 'n1') });
    await rig.pass(5000);
    expect(primary.status.claim?.kind).toBe('in-doubt');
    await rig.pass(2000);
    expect(primary.outcomes).toEqual(['pending', 'in-doubt', 'won']);
  });

  it('in doubt are forced by a new nonce for the same number; what lands late then is nothing', async () => {
    const rig = new Rig({ links });
    const primary = await holder(rig);
    once(primary, publish, TERMS, { kind: 'late', code: 'EIO', afterMs: 4000 });
    primary.order({ claim: record(1, 'n1', { cause: 'admission' }) });
    await rig.pass(1000);
    primary.order({ claim: record(1, 'n2') });
    await rig.pass(1000);
    expect(primary.status.claim).toMatchObject({ kind: 'won', nonce: 'n2' });
    await rig.pass(5000);
    expect(rig.share.records(LOCK_FILE).get(1)).toEqual(record(1, 'n2'));
  });

  it('that are forced lose to the first one when that had landed', async () => {
    const rig = new Rig({ links });
    const primary = await holder(rig);
    once(primary, publish, TERMS, { kind: 'late', code: 'EIO', afterMs: 100 });
    primary.order({ claim: record(1, 'n1', { cause: 'admission' }) });
    await rig.pass(300);
    primary.order({ claim: record(1, 'n2') });
    await rig.pass(1500);
    expect(primary.status.claim).toEqual({ kind: 'lost', nonce: 'n2', record: record(1, 'n1', { cause: 'admission' }) });
  });

  it('are in doubt while the share does not answer the publishing step, and pending before it', async () => {
    const rig = new Rig({ links });
    const primary = await holder(rig);
    once(primary, publish, TERMS, { kind: 'silent', effect: false });
    primary.order({ claim: record(1, 'n1') });
    await rig.pass(2100);
    expect(primary.status).toMatchObject({ condition: 'hung', claim: { kind: 'in-doubt' } });
  });
});

describe('claims', () => {
  it('are refused without the lock', async () => {
    const rig = new Rig();
    await holder(rig);
    const secondary = rig.keeper('secondary');
    secondary.order({});
    await rig.pass(500);
    secondary.order({ claim: others(1, 'n2') });
    await rig.pass(500);
    expect(secondary.status.claim).toMatchObject({ kind: 'failed', detail: expect.stringContaining('the lock is not held') });
    expect(rig.share.records(LOCK_FILE).size).toBe(0);
  });

  it('are not sent when the lock has lapsed while they were prepared', async () => {
    const rig = new Rig();
    const primary = rig.keeper('primary', { operationDeadlineMs: 60_000 });
    primary.order({ wantLock: true });
    await rig.pass(500);
    primary.client.fate = (operation, path) => {
      const slow = operation === 'createSynced' && path.startsWith(TERMS);
      if (slow) primary.client.faults.latencyMs = { low: PASSIVE_MS, high: PASSIVE_MS };
      return { kind: 'normal' };
    };
    primary.order({ claim: record(1, 'n1') });
    // The share is as slow for everything that is asked meanwhile, renewals too.
    await rig.pass(2 * PASSIVE_MS - 100);
    primary.client.faults.latencyMs = { low: 1, high: 2 };
    primary.client.fate = () => ({ kind: 'normal' });
    await rig.pass(1000);
    expect(primary.status.claim).toMatchObject({ kind: 'failed', detail: expect.stringContaining('deadline') });
    expect(primary.client.requests.filter((request) => request.startsWith(`link ${TERMS}`))).toEqual([]);
  });

  it('that a keeper was started with are in doubt: the one before it may have sent them', async () => {
    const rig = new Rig();
    const primary = rig.keeper('primary');
    primary.order({ claim: record(1, 'n1') });
    await rig.pass(3 * ACTIVE_MS);
    expect(primary.outcomes).toEqual(['pending', 'in-doubt']);
    rig.plant(1, encodeTermRecord(record(1, 'n1')));
    await rig.pass(2 * ACTIVE_MS);
    expect(primary.outcomes).toEqual(['pending', 'in-doubt', 'won']);
  });

  it('lose to a higher term that stands already', async () => {
    const rig = new Rig();
    const primary = await holder(rig);
    rig.plant(1, encodeTermRecord(others(1, 'a')));
    rig.plant(2, encodeTermRecord(others(2, 'b')));
    primary.order({ claim: record(1, 'n1') });
    await rig.pass(500);
    expect(primary.status.claim).toEqual({ kind: 'lost', nonce: 'n1', record: others(2, 'b') });
  });

  it('do not win on a stale view: they meet the record that was not seen', async () => {
    const rig = new Rig();
    const primary = await holder(rig);
    primary.client.faults.staleMs = 4000;
    await rig.pass(2000);
    rig.plant(1, encodeTermRecord(others(1, 'a')));
    primary.order({ claim: record(1, 'n1') });
    await rig.pass(1000);
    expect(primary.status.claim?.kind).toBe('in-doubt');
    await rig.pass(10_000);
    expect(primary.status.claim).toMatchObject({ kind: 'lost', record: others(1, 'a') });
  });

  it('are won only once a restart of the share cannot forget them', async () => {
    const rig = new Rig();
    const primary = await holder(rig);
    primary.client.fate = (operation, path) => (operation === 'syncFolder' && path === TERMS ? { kind: 'refused', code: 'EIO' } : { kind: 'normal' });
    primary.order({ claim: record(1, 'n1') });
    await rig.pass(3 * ACTIVE_MS);
    expect(primary.status.claim?.kind).toBe('in-doubt');
    rig.share.restart();
    await rig.pass(3 * ACTIVE_MS);
    expect(primary.status.claim?.kind).toBe('in-doubt');
  });

  it('are settled once: the same order again does nothing', async () => {
    const rig = new Rig();
    const primary = await holder(rig);
    primary.order({ claim: record(1, 'n1') });
    await rig.pass(5 * ACTIVE_MS);
    expect(primary.client.requests.filter((request) => request.startsWith('link') && request.includes(TERMS))).toHaveLength(1);
    primary.order({ claim: null });
    await rig.pass(100);
    expect(primary.status.claim).toBeNull();
  });

  it('are not made at or below the number of a record that cannot be read', async () => {
    const rig = new Rig();
    const primary = await holder(rig);
    rig.plant(1, encodeTermRecord(others(1, 'a')));
    rig.plant(2, encodeText('{"schema":1,"term":2'));
    await rig.pass(2 * ACTIVE_MS);
    expect(primary.status).toMatchObject({ condition: 'failed', highest: others(1, 'a') });
    expect(primary.status.detail).toContain(`${TERMS}/0000000002.json`);
    primary.order({ claim: record(2, 'n1') });
    await rig.pass(500);
    expect(primary.status.claim).toMatchObject({ kind: 'failed', detail: expect.stringContaining('0000000002.json') });
    primary.order({ claim: record(3, 'n2') });
    await rig.pass(500);
    expect(primary.status.claim?.kind).toBe('failed');
    expect(rig.share.tree.list(TERMS).sort()).toEqual(['0000000001.json', '0000000002.json']);
  });
});

test('a record of the other server that is seen outlives a restart of the gateway, also when its claimant ended before it synced the folder', async () => {
  const rig = new Rig({ links: true });
  const [primary, secondary] = [rig.keeper('primary'), rig.keeper('secondary')];
  primary.order({ wantLock: true });
  secondary.order({ wantLock: false });
  await rig.pass(3_000);
  // The claim takes effect, and its claimant ends before it could sync.
  primary.client.fate = (operation) => (operation === 'syncFolder' ? { kind: 'silent', effect: false } : { kind: 'normal' });
  primary.order({ claim: record(1, 'first') });
  await rig.pass(1_500);
  expect(secondary.status.highest).toMatchObject({ nonce: 'first' });
  rig.share.restart();
  expect(rig.share.records(LOCK_FILE).get(1)).toMatchObject({ nonce: 'first' });
});
