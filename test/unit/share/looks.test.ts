import { encodeShareIdentity, encodeTermRecord } from '../../../src/core/terms/codec.js';
import { ACTIVE_MS, LOCK_FILE, others, PASSIVE_MS, record, Rig, type RigKeeper } from './rig.js';

/** What is told while a look is under way: the lock has its own turns, and the manager's orders are answered at any time. */
async function watching(wantLock: boolean): Promise<{ rig: Rig; keeper: RigKeeper; told: () => { condition: string; highest: number | null; shareId: string | null }[] }> {
  const rig = new Rig();
  rig.plant(1, encodeTermRecord(record(1, 'n1')));
  rig.share.tree.write(LOCK_FILE, encodeShareIdentity({ schema: 1, share: 's', cluster: 'test', method: 'link' }), true);
  const keeper = rig.keeper('primary');
  keeper.order({ shareId: 's', kept: record(1, 'n1'), wantLock });
  await rig.pass(2 * ACTIVE_MS);
  expect(keeper.status).toMatchObject({ condition: 'ok', lock: { held: wantLock } });
  // A look takes a second; the lock and the orders have something to say meanwhile.
  keeper.client.faults.latencyMs = { low: 60, high: 60 };
  await rig.pass(2 * ACTIVE_MS);
  const before = keeper.statuses.length;
  return { rig, keeper, told: () => keeper.statuses.slice(before).map(({ condition, highest, shareId }) => ({ condition, highest: highest?.term ?? null, shareId })) };
}

describe.each([{ wantLock: false }, { wantLock: true }])('while a look is under way, where the lock is wanted: $wantLock', ({ wantLock }) => {
  it('a share that lost a kept record is not told of as the one that was known', async () => {
    const { rig, keeper, told } = await watching(wantLock);
    rig.plant(1, encodeTermRecord(others(1, 'other')));
    rig.plant(2, encodeTermRecord(others(2, 'after')));
    await rig.pass(3 * PASSIVE_MS);
    expect(keeper.status).toMatchObject({ condition: 'replaced', highest: { term: 2 } });
    expect(told().filter(({ condition, highest }) => condition === 'ok' && highest !== 1)).toEqual([]);
  });

  it('nor where it happens in the middle of that look', async () => {
    const { rig, keeper, told } = await watching(wantLock);
    let done = false;
    keeper.client.fate = (operation, path) => {
      if (!done && operation === 'read' && path.endsWith('0000000002.json')) {
        done = true;
        rig.plant(1, encodeTermRecord(others(1, 'other')));
        rig.plant(2, encodeTermRecord(others(2, 'after')));
      }
      return { kind: 'normal' };
    };
    await rig.pass(3 * PASSIVE_MS);
    expect(done).toBe(true);
    expect(keeper.status).toMatchObject({ condition: 'replaced', highest: { term: 2 } });
    expect(told().filter(({ condition, highest }) => condition === 'ok' && highest !== 1)).toEqual([]);
  });

  it('nor is another one', async () => {
    const { rig, keeper, told } = await watching(wantLock);
    rig.share.tree.write(LOCK_FILE, encodeShareIdentity({ schema: 1, share: 'another', cluster: 'test', method: 'link' }), false);
    rig.plant(2, encodeTermRecord(others(2, 'after')));
    await rig.pass(3 * PASSIVE_MS);
    expect(keeper.status).toMatchObject({ condition: 'replaced', shareId: 'another', highest: { term: 2 } });
    expect(told().filter(({ condition, shareId, highest }) => condition === 'ok' && (shareId !== 's' || highest !== 1))).toEqual([]);
  });

  it('nor is a place where nothing is', async () => {
    const { rig, keeper, told } = await watching(wantLock);
    rig.share.replace();
    await rig.pass(3 * PASSIVE_MS);
    expect(keeper.status).toMatchObject({ condition: 'replaced', shareId: null, highest: null });
    expect(told().filter(({ condition, shareId, highest }) => condition === 'ok' && (shareId !== 's' || highest !== 1))).toEqual([]);
  });
});
