import { decodeHeartbeat } from '../../../src/core/lock/heartbeat.js';
import type { Position, Term } from '../../../src/core/identity.js';
import { encodeTermRecord } from '../../../src/core/terms/codec.js';
import { record, Rig, LOCK_FILE, ACTIVE_MS, PASSIVE_MS, type RigKeeper } from './rig.js';

function heartbeatOf(rig: Rig) {
  return decodeHeartbeat(rig.share.tree.read(`${LOCK_FILE}.heartbeat`));
}

describe('the lock', () => {
  it('makes the share at first start, takes the lock, and renews it in place', async () => {
    const rig = new Rig();
    const primary = rig.keeper('primary');
    primary.order({ wantLock: true });
    await rig.pass(500);
    expect(primary.status).toMatchObject({ condition: 'ok', highest: null, lock: { held: true, detail: null } });
    expect(heartbeatOf(rig)).toMatchObject({ server: 'primary', counter: 1, state: 'held' });
    await rig.pass(5 * ACTIVE_MS);
    expect(heartbeatOf(rig)?.counter).toBe(6);
    expect(rig.share.tree.list('.').filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('counts its deadline from when the renewal was sent', async () => {
    const rig = new Rig();
    const primary = rig.keeper('primary');
    primary.order({ wantLock: true });
    await rig.pass(500);
    primary.client.faults.latencyMs = { low: 180, high: 180 };
    let sent = 0;
    primary.client.fate = (operation) => {
      if (operation === 'rewriteInPlace') sent = rig.clock.monotonic();
      return { kind: 'normal' };
    };
    const before = primary.status.lock.until;
    await rig.pass(2500);
    expect(primary.status.lock.until).not.toBe(before);
    expect(primary.status.lock.until).toBe(sent + PASSIVE_MS * 0.9);
  });

  it('is not taken from a holder that lives, for as long as one likes', async () => {
    const rig = new Rig();
    const [primary, secondary] = [rig.keeper('primary'), rig.keeper('secondary')];
    primary.order({ wantLock: true });
    await rig.pass(500);
    secondary.order({ wantLock: true });
    await rig.pass(60_000);
    expect(primary.status.lock.held).toBe(true);
    expect(primary.statuses.filter((status, index) => index > 20 && !status.lock.held)).toEqual([]);
    expect(secondary.statuses.some((status) => status.lock.held)).toBe(false);
    expect(secondary.status.lock).toMatchObject({ holder: 'primary' });
    expect(secondary.status.lock.holderSilentMs).toBeLessThan(ACTIVE_MS + 100);
  });

  it.each(['rewriteInPlace', 'lock.stillOurs', 'lock.acquire'])('is not waited for as if its dead holder lived, where the taking of it is tried again because the answer to %s was lost', async (lost) => {
    const rig = new Rig();
    const [primary, secondary] = [rig.keeper('primary'), rig.keeper('secondary')];
    primary.order({ wantLock: true });
    secondary.order({ wantLock: true });
    await rig.pass(3000);
    const [holder, other] = primary.status.lock.held ? [primary, secondary] : [secondary, primary];
    holder.client.faults.hung = true;
    let takes = false;
    let isLost = false;
    other.client.fate = (operation, path) => {
      takes ||= path === 'take over';
      if (!takes || isLost || operation !== lost) return { kind: 'normal' };
      isLost = true;
      return { kind: 'reply-lost', code: 'EIO' };
    };
    await rig.pass(PASSIVE_MS + 2 * ACTIVE_MS);
    expect([isLost, other.status.lock.held]).toEqual([true, true]);
  });

  it('that an earlier share keeper of the same server has left is not said to be taken over from another', async () => {
    const rig = new Rig();
    const first = rig.keeper('primary');
    first.order({ wantLock: true });
    await rig.pass(500);
    first.client.faults.hung = true;
    const next = rig.keeper('primary');
    next.order({ wantLock: true });
    await rig.pass(PASSIVE_MS + ACTIVE_MS);
    expect(next.status.lock.held).toBe(true);
    expect(next.log.from('warn')).toEqual(["This server's own lock, left by an earlier share keeper, was taken again: its heartbeat stood still for 2500 ms"]);
  });

  it('is watched also when it is not wanted, so that a dead holder is known to be dead when it matters', async () => {
    const rig = new Rig();
    const [primary, secondary] = [rig.keeper('primary'), rig.keeper('secondary')];
    primary.order({ wantLock: true });
    await rig.pass(500);
    secondary.order({ wantLock: false });
    await rig.pass(2000);
    primary.client.faults.hung = true;
    await rig.pass(PASSIVE_MS + ACTIVE_MS);
    expect(secondary.status.lock.holderSilentMs).toBeGreaterThanOrEqual(PASSIVE_MS);
    secondary.order({ wantLock: true });
    await rig.pass(100);
    expect(secondary.status.lock.held).toBe(true);
  });

  it('is never held by both in their own belief when the holder is cut off', async () => {
    const rig = new Rig();
    const [primary, secondary] = [rig.keeper('primary'), rig.keeper('secondary')];
    primary.order({ wantLock: true });
    await rig.pass(500);
    secondary.order({ wantLock: true });
    await rig.pass(3000);
    primary.client.faults.gone = true;
    for (let i = 0; i < 100; i += 1) {
      await rig.pass(50);
      const until = primary.status.lock.until;
      const primaryBelieves = primary.status.lock.held && until !== null && rig.clock.monotonic() < until;
      expect(primaryBelieves && secondary.status.lock.held).toBe(false);
    }
    expect(secondary.status.lock.held).toBe(true);
    expect(primary.status).toMatchObject({ condition: 'absent', lock: { held: false } });
    primary.client.faults.gone = false;
    await rig.pass(2000);
    expect(primary.status.lock).toMatchObject({ held: false, holder: 'secondary' });
    expect(secondary.status.lock.held).toBe(true);
  });

  it('does not count a stretch without readings as silence', async () => {
    const rig = new Rig();
    const [primary, secondary] = [rig.keeper('primary'), rig.keeper('secondary')];
    primary.order({ wantLock: true });
    await rig.pass(500);
    secondary.order({ wantLock: true });
    await rig.pass(2000);
    rig.share.faults.gone = true;
    await rig.pass(60_000);
    rig.share.faults.gone = false;
    await rig.pass(200);
    expect(secondary.status.lock.held).toBe(false);
    await rig.pass(5000);
    expect(primary.status.lock.held).toBe(true);
    expect(secondary.statuses.some((status) => status.lock.held)).toBe(false);
  });

  it('is dropped at once when the host was suspended, and taken again if nobody else did', async () => {
    const rig = new Rig();
    const primary = rig.keeper('primary');
    primary.order({ wantLock: true });
    await rig.pass(1200);
    rig.clock.suspend(700);
    primary.order({});
    expect(primary.status.lock.held).toBe(false);
    await rig.pass(1000);
    expect(primary.log.from('debug').join()).toContain('suspended');
    // Another may have seen it silent meanwhile: it is relied on when nobody has taken it over since.
    expect(primary.status.lock).toMatchObject({ held: false, detail: expect.stringContaining('when nobody takes it over') as string });
    await rig.pass(2500);
    expect(primary.status.lock.held).toBe(true);
  });

  it('is not renewed without the pulse of the manager, and says so', async () => {
    const rig = new Rig();
    const [primary, secondary] = [rig.keeper('primary'), rig.keeper('secondary')];
    primary.order({ wantLock: true });
    await rig.pass(500);
    secondary.order({ wantLock: true });
    await rig.pass(1000);
    primary.freezeManager();
    await rig.pass(1500 + ACTIVE_MS + PASSIVE_MS + ACTIVE_MS);
    expect(primary.status.lock.held).toBe(false);
    expect(primary.log.from('warn').join()).toContain('pulse');
    expect(secondary.status.lock.held).toBe(true);
  });

  it('is given up when it is not wanted any more, and the other has it at once', async () => {
    const rig = new Rig();
    const [primary, secondary] = [rig.keeper('primary'), rig.keeper('secondary')];
    primary.order({ wantLock: true });
    await rig.pass(500);
    secondary.order({ wantLock: true });
    await rig.pass(2000);
    primary.order({ wantLock: false });
    await rig.pass(ACTIVE_MS / 2);
    expect(primary.status.lock.held).toBe(false);
    expect(secondary.status.lock.held).toBe(true);
    expect(heartbeatOf(rig)?.server).toBe('secondary');
  });

  it('is given up at shutdown, and when the manager is gone', async () => {
    for (const end of ['shutdown', 'orphan'] as const) {
      const rig = new Rig();
      const primary = rig.keeper('primary');
      primary.order({ wantLock: true });
      await rig.pass(500);
      if (end === 'shutdown') primary.order({ shutdown: true });
      else primary.orphan();
      await rig.pass(500);
      expect(rig.share.lock).toBeNull();
      expect(heartbeatOf(rig)?.state).toBe('released');
      expect(primary.endedBecause).not.toBeNull();
    }
  });

  it('is given up at shutdown also where that is ordered in the middle of a turn, and another order follows', async () => {
    const rig = new Rig();
    const primary = rig.keeper('primary');
    primary.order({ wantLock: true });
    await rig.pass(500);
    primary.client.faults.latencyMs = { low: 100, high: 100 };
    while (primary.client.requests.at(-1) !== 'lock.stillOurs') await rig.pass(10);
    primary.order({ shutdown: true });
    primary.order({ shutdown: false });
    await rig.pass(3 * ACTIVE_MS);
    expect(primary.endedBecause).toBe('shut down as ordered');
    expect(rig.share.lock).toBeNull();
  });

  it('ends within a second of losing the manager even when the share hangs', async () => {
    const rig = new Rig();
    const primary = rig.keeper('primary');
    primary.order({ wantLock: true });
    await rig.pass(500);
    rig.share.faults.hung = true;
    await rig.pass(1000);
    primary.orphan();
    await rig.pass(1001);
    expect(primary.endedBecause).toContain('could not be given up in time');
  });

  it('is lost when it was stolen, when it was removed, and when another beats in its heartbeat', async () => {
    const thefts: ((rig: Rig) => void)[] = [
      (rig) => rig.share.stealLock(),
      (rig) => rig.share.take(rig.share.client('thief', () => undefined)),
      (rig) => rig.share.tree.write(`${LOCK_FILE}.heartbeat`, new Uint8Array(256), false),
      (rig) => rig.share.tree.removeFile(`${LOCK_FILE}.heartbeat`),
    ];
    for (const steal of thefts) {
      const rig = new Rig();
      const primary = rig.keeper('primary');
      primary.order({ wantLock: true });
      await rig.pass(500);
      steal(rig);
      await rig.pass(1050);
      expect(primary.log.from('debug').join()).toContain('lost the lock');
      expect(primary.statuses.some((status, index) => index > 5 && !status.lock.held)).toBe(true);
    }
  });

  it('of a holder that never left a heartbeat is abandoned after the same period', async () => {
    const rig = new Rig();
    rig.share.take(rig.share.client('stranger', () => undefined));
    const primary = rig.keeper('primary');
    primary.order({ wantLock: true });
    await rig.pass(PASSIVE_MS - 200);
    expect(primary.status.lock).toMatchObject({ held: false, holder: null });
    await rig.pass(1000);
    expect(primary.status.lock.held).toBe(true);
  });

  it('whose heartbeat grew far too large is lost by its holder as one that bears no record, and has one again when it is taken anew', async () => {
    const rig = new Rig();
    const HEARTBEAT = `${LOCK_FILE}.heartbeat`;
    const [primary, secondary] = [rig.keeper('primary'), rig.keeper('secondary')];
    const fate: RigKeeper['client']['fate'] = (operation, path) => {
      return operation === 'read' && path === HEARTBEAT && rig.share.tree.read(path).length > 65_536 ? { kind: 'refused', code: 'EFBIG' } : { kind: 'normal' };
    };
    for (const { client } of [primary, secondary]) client.fate = fate;
    primary.order({ wantLock: true });
    secondary.order({});
    await rig.pass(2 * ACTIVE_MS);
    rig.share.tree.write(HEARTBEAT, new Uint8Array(65_537), false);
    await rig.pass(ACTIVE_MS);
    expect(primary.log.from('debug').join()).toContain('the heartbeat record is gone or damaged');
    expect([primary.status.condition, secondary.status.condition]).toEqual(['ok', 'ok']);
    await rig.pass(PASSIVE_MS);
    expect(primary.status.lock.held).toBe(true);
    expect(heartbeatOf(rig)).toMatchObject({ server: 'primary', state: 'held' });
    // Its holder dies with it.
    rig.share.tree.write(HEARTBEAT, new Uint8Array(65_537), false);
    primary.client.faults.hung = true;
    primary.freezeManager();
    secondary.order({ wantLock: true });
    await rig.pass(2 * PASSIVE_MS);
    expect(secondary.status).toMatchObject({ condition: 'ok', lock: { held: true } });
  });

  it('that changed hands after the last reading is not taken over for the silence of the one before', async () => {
    const rig = new Rig();
    const stranger = rig.share.client('stranger', () => undefined);
    rig.share.take(stranger);
    const primary = rig.keeper('primary');
    let tries = 0;
    primary.client.fate = (operation, path) => {
      if (operation === 'lock.acquire' && path === 'look' && primary.status.lock.holderSilentMs !== null && primary.status.lock.holderSilentMs > 2000 && tries++ === 0) rig.share.take(stranger);
      return { kind: 'normal' };
    };
    primary.order({ wantLock: true });
    await rig.pass(PASSIVE_MS + ACTIVE_MS);
    expect(tries).toBeGreaterThan(0);
    expect(primary.status.lock.held).toBe(false);
    await rig.pass(PASSIVE_MS + ACTIVE_MS);
    expect(primary.status.lock.held).toBe(true);
  });

  it('reports a mount that hangs when it is looked at, as it does any other operation', async () => {
    const rig = new Rig();
    const primary = rig.keeper('primary');
    primary.mountHangs = true;
    primary.order({ wantLock: true });
    await rig.pass(2500);
    expect(primary.status).toMatchObject({ condition: 'hung', detail: expect.stringContaining('look at the mount') as string });
  });

  it('reports a hung share at the deadline of the operation, in the middle of it', async () => {
    const rig = new Rig();
    const primary = rig.keeper('primary');
    primary.order({ wantLock: true });
    await rig.pass(500);
    rig.share.faults.hung = true;
    await rig.pass(1000 + 2000 + 10);
    expect(primary.status).toMatchObject({ condition: 'hung', lock: { held: false } });
    expect(primary.status.detail).toContain('2000 ms');
    rig.share.faults.hung = false;
    rig.share.release();
    await rig.pass(3000);
    expect(primary.status).toMatchObject({ condition: 'ok', lock: { held: true } });
  });

  it('is not tried for on a share that cannot be used', async () => {
    const rig = new Rig();
    rig.share.faults.full = true;
    const primary = rig.keeper('primary');
    primary.order({ wantLock: true });
    await rig.pass(3000);
    expect(primary.status).toMatchObject({ condition: 'full', lock: { held: false } });
    rig.share.faults.full = false;
    await rig.pass(2500);
    expect(primary.status).toMatchObject({ condition: 'ok', lock: { held: true } });
  });

  it('stays one in a storm of lost replies and slow shares: two believers never overlap', async () => {
    const rig = new Rig();
    const pair = [rig.keeper('primary'), rig.keeper('secondary')];
    for (const keeper of pair) keeper.order({ wantLock: true });
    const faults = rig.random.fork('storm');
    for (let i = 0; i < 400; i += 1) {
      if (i % 7 === 0) {
        for (const keeper of pair) {
          keeper.client.faults.replyLost = faults.chance(0.4) ? 0.3 : 0;
          keeper.client.faults.gone = faults.chance(0.2);
          keeper.client.faults.latencyMs = faults.chance(0.3) ? { low: 50, high: 400 } : { low: 1, high: 3 };
        }
      }
      await rig.pass(100);
      const believers = pair.filter(({ status: { lock } }) => lock.held && lock.until !== null && rig.clock.monotonic() < lock.until);
      expect(believers.length).toBeLessThanOrEqual(1);
    }
    for (const keeper of pair) {
      keeper.client.faults.replyLost = 0;
      keeper.client.faults.gone = false;
      keeper.client.faults.latencyMs = { low: 1, high: 3 };
    }
    await rig.pass(3 * PASSIVE_MS);
    expect(pair.filter((keeper) => keeper.status.lock.held)).toHaveLength(1);
  });

  it('asks the share for nothing before the first order', async () => {
    const rig = new Rig();
    const primary = rig.keeper('primary');
    await rig.pass(5000);
    expect(primary.client.requests).toEqual([]);
  });
});

describe('a slow share', () => {
  /** Three requests in a row are needed for a renewal, and it must be known to have taken effect before the lease ends. */
  it('does not cost the lock while a renewal fits into the lease, however long a look at the records takes', async () => {
    const rig = new Rig();
    const primary = rig.keeper('primary', { operationDeadlineMs: 60_000 });
    primary.order({ wantLock: true });
    await rig.pass(1500);
    rig.plant(1, encodeTermRecord(record(1, 'n1')));
    // Each way: a request is answered after 400 ms, and a look has at least five of them.
    primary.client.faults.latencyMs = { low: 200, high: 200 };
    const before = primary.statuses.length;
    for (let position = 1; position <= 30; position += 1) {
      primary.order({ kept: record(1, 'n1'), watermark: { term: 1 as Term, nonce: 'n1', position: position as Position } });
      await rig.pass(ACTIVE_MS);
    }
    const since = primary.statuses.slice(before);
    expect(since.filter(({ lock }) => !lock.held)).toEqual([]);
    expect(since.filter(({ condition }) => condition !== 'ok')).toEqual([]);
    expect(new Set(since.map(({ lookedAt }) => lookedAt)).size).toBeGreaterThan(5);
  });

  it('that hangs with one operation on the lock does not hold up the looks at the records, and is said to hang', async () => {
    const rig = new Rig();
    const primary = rig.keeper('primary');
    primary.order({ wantLock: true });
    await rig.pass(1500);
    primary.client.fate = (operation) => (operation === 'lock.stillOurs' ? { kind: 'silent', effect: false } : { kind: 'normal' });
    await rig.pass(6 * ACTIVE_MS);
    expect(primary.status).toMatchObject({ condition: 'hung', lock: { held: false } });
    expect(rig.clock.monotonic() - (primary.status.lookedAt ?? 0)).toBeLessThan(2 * ACTIVE_MS);
  });
});

describe('a try for the lock', () => {
  it.each(['lock.acquire', 'rewriteInPlace'] as const)('that fails (%s) is not made again as fast as the share refuses it', async (failing) => {
    const rig = new Rig();
    const primary = rig.keeper('primary');
    primary.order({});
    await rig.pass(1500);
    primary.client.fate = (operation) => (operation === failing ? { kind: 'refused', code: 'EIO' } : { kind: 'normal' });
    const before = primary.client.requests.length;
    primary.order({ wantLock: true });
    await rig.pass(5 * ACTIVE_MS);
    expect(primary.status).toMatchObject({ condition: 'failed', lock: { held: false } });
    // One each time that the holder's heartbeat is read, at most.
    expect(primary.client.requests.slice(before).filter((request) => request.startsWith('lock.acquire')).length).toBeLessThanOrEqual(2 + 3 * 5);
    primary.client.fate = () => ({ kind: 'normal' });
    await rig.pass(3 * ACTIVE_MS);
    expect(primary.status).toMatchObject({ condition: 'ok', lock: { held: true } });
  });

  it('is made at once when the first look, during which the lock came to be wanted, has opened the share', async () => {
    for (const latency of [2, 5, 8, 11]) {
      const rig = new Rig();
      const primary = rig.keeper('primary');
      primary.client.faults.latencyMs = { low: latency, high: latency };
      primary.order({});
      await rig.pass(3 * latency);
      primary.order({ wantLock: true });
      while (!primary.client.requests.includes(`createSynced ${LOCK_FILE}.watermark`)) await rig.pass(1);
      const opened = rig.clock.monotonic();
      while (!primary.status.lock.held) await rig.pass(1);
      // The rest of the look, and what a lock takes.
      expect((rig.clock.monotonic() - opened) / (2 * latency)).toBeLessThan(10);
    }
  });
});
