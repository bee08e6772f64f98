import { decodeHeartbeat, encodeHeartbeat } from '../../../src/core/lock/heartbeat.js';
import type { ServerId } from '../../../src/core/identity.js';
import { ACTIVE_MS, LOCK_FILE, Rig, type RigKeeper } from './rig.js';

/*
 * The heartbeat of a holder before, whose process was killed while a write hung in its mount, comes through when that mount is well again: over the heartbeat of
 * whoever has the lock by then. A server that serves alone stopped for it, for as long as the way back takes.
 */
const FILE = `${LOCK_FILE}.heartbeat`;
const STRAY = encodeHeartbeat({ token: 'of-a-killed-one', server: 'secondary' as ServerId, counter: 7, state: 'held' });
/** A renewal that finds it is followed by the next one after this. */
const SOON_MS = ACTIVE_MS / 2;

async function holder(): Promise<{ rig: Rig; primary: RigKeeper; stray: () => void; beat: () => ReturnType<typeof decodeHeartbeat> }> {
  const rig = new Rig();
  const primary = rig.keeper('primary');
  primary.order({ wantLock: true });
  await rig.pass(1_500);
  return { rig, primary, stray: () => rig.share.tree.write(FILE, STRAY, false), beat: () => decodeHeartbeat(rig.share.tree.read(FILE)) };
}

const lost = (keeper: RigKeeper, from: number): boolean => keeper.statuses.slice(from).some(({ lock }) => !lock.held);

describe("another's heartbeat that comes late over that of a lock that is ours", () => {
  it('costs nothing: it is written over, and the lock is held all the while', async () => {
    const { rig, primary, stray, beat } = await holder();
    const from = primary.statuses.length;
    stray();
    await rig.pass(ACTIVE_MS * 1.1);
    expect(beat()).toMatchObject({ server: 'primary', state: 'held' });
    await rig.pass(3 * ACTIVE_MS);
    expect(lost(primary, from)).toBe(false);
    expect(primary.log.from('warn').join()).toContain('A heartbeat of secondary came over that of this server');
  });

  it('lets the deadline move on only when ours was found there again, soon after', async () => {
    const { rig, primary, stray, beat } = await holder();
    const { until } = primary.status.lock;
    stray();
    while (beat()?.server !== 'primary') await rig.pass(10);
    await rig.pass(20);
    expect(primary.status.lock.until).toBe(until);
    await rig.pass(SOON_MS);
    expect(primary.status.lock.until).toBeGreaterThan(until ?? 0);
  });

  it('that comes again costs the lock: somebody beats there', async () => {
    const { rig, primary, stray, beat } = await holder();
    const from = primary.statuses.length;
    stray();
    while (beat()?.server !== 'primary') await rig.pass(10);
    stray();
    await rig.pass(SOON_MS);
    expect(lost(primary, from)).toBe(true);
    expect(primary.log.from('debug').join()).toContain("lost the lock on /share/pair.lck: the heartbeat record is secondary's");
  });

  it('beside a lock that was taken over is the successor’s, and stays', async () => {
    const { rig, primary, stray, beat } = await holder();
    const from = primary.statuses.length;
    rig.share.take(rig.share.client('thief', () => undefined));
    stray();
    await rig.pass(ACTIVE_MS * 1.1);
    expect(lost(primary, from)).toBe(true);
    expect(beat()).toMatchObject({ token: 'of-a-killed-one' });
  });

  it('makes no contender take the lock for abandoned', async () => {
    const { rig, primary, stray } = await holder();
    const secondary = rig.keeper('secondary');
    secondary.order({ wantLock: true });
    const from = primary.statuses.length;
    for (let round = 0; round < 10; round += 1) {
      stray();
      await rig.pass(3.3 * ACTIVE_MS);
    }
    expect(lost(primary, from)).toBe(false);
    expect(secondary.statuses.some(({ lock }) => lock.held)).toBe(false);
  });
});
