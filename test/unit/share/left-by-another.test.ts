import { ACTIVE_MS, LOCK_FILE, PASSIVE_MS, Rig, type RigKeeper } from './rig.js';

const HEARTBEAT = `${LOCK_FILE}.heartbeat`;
const WATERMARK = `${LOCK_FILE}.watermark`;

/** From now on these belong to another user, with mode 644: everything else can be made and written. */
function closed(keeper: RigKeeper, code: string, ...paths: readonly string[]): void {
  keeper.client.fate = (operation, path) => ((operation === 'rewriteInPlace' || operation === 'checkWritable') && paths.includes(path) ? { kind: 'refused', code } : { kind: 'normal' });
}

/** Only writing itself fails: what the trial of the share does is no use. */
function unwritable(keeper: RigKeeper, code: string): void {
  keeper.client.fate = (operation, path) => (operation === 'rewriteInPlace' && path === HEARTBEAT ? { kind: 'refused', code } : { kind: 'normal' });
}

function tries(keeper: RigKeeper): number {
  return keeper.client.requests.filter((request) => request === `rewriteInPlace ${HEARTBEAT}`).length;
}

/** A manager that wants to serve as long as the share is well, and begins anew when it is so again; it answers in the same moment. */
function eager(keeper: RigKeeper): void {
  let wants = false;
  keeper.onStatus = ({ condition }) => {
    if (condition === 'unknown' || (condition === 'ok') === wants) return;
    wants = !wants;
    setImmediate(() => keeper.order({ wantLock: wants }));
  };
}

/** How often what is told of the share changed. */
function changes(keeper: RigKeeper, from: number): string[] {
  const told = keeper.statuses.slice(from).map(({ condition }) => condition);
  return told.filter((condition, index) => condition !== told[index - 1]);
}

describe('a heartbeat that a server of another user has left', () => {
  async function passive(): Promise<{ rig: Rig; keeper: RigKeeper }> {
    const rig = new Rig();
    const keeper = rig.keeper('primary');
    keeper.order({});
    await rig.pass(2 * ACTIVE_MS);
    expect(keeper.status).toMatchObject({ condition: 'ok' });
    return { rig, keeper };
  }

  it('is said at the start, with what to do, before anything rests on it', async () => {
    const { rig } = await passive();
    const bytes = rig.share.tree.read(HEARTBEAT);
    const keeper = rig.keeper('secondary');
    closed(keeper, 'EACCES', HEARTBEAT);
    keeper.order({ wantLock: true });
    await rig.pass(5 * ACTIVE_MS);
    expect(keeper.status).toMatchObject({ condition: 'denied', lock: { held: false } });
    expect(keeper.status.detail).toMatch(/EACCES: .*heartbeat: uid 1000 may not\. .*chown it to uid 1000.*remove it while both servers are stopped/);
    expect(tries(keeper)).toBe(0);
    expect(rig.share.tree.read(HEARTBEAT)).toEqual(bytes);
    keeper.client.fate = () => ({ kind: 'normal' });
    await rig.pass(3 * ACTIVE_MS);
    expect(keeper.status).toMatchObject({ condition: 'ok', lock: { held: true } });
  });

  it('costs one try and one change of what is told of the share, where it is found at a takeover', async () => {
    const { rig, keeper } = await passive();
    closed(keeper, 'EACCES', HEARTBEAT);
    const from = keeper.statuses.length;
    eager(keeper);
    keeper.order({ wantLock: true });
    await rig.pass(20 * ACTIVE_MS);
    expect(changes(keeper, from)).toEqual(['ok', 'denied']);
    expect(tries(keeper)).toBe(1);
    keeper.client.fate = () => ({ kind: 'normal' });
    await rig.pass(3 * ACTIVE_MS);
    expect(keeper.status).toMatchObject({ condition: 'ok', lock: { held: true } });
  });

  it.each(['EACCES', 'EROFS', 'EIO', 'ESTALE'])('is tried once in an interval where writing alone fails (%s), however often the manager begins anew', async (code) => {
    const { rig, keeper } = await passive();
    unwritable(keeper, code);
    eager(keeper);
    keeper.order({ wantLock: true });
    await rig.pass(20 * ACTIVE_MS);
    // The first one may be a lost answer, and is followed sooner.
    expect(tries(keeper)).toBeGreaterThan(5);
    expect(tries(keeper)).toBeLessThanOrEqual(21);
  });

  it.each(['EACCES', 'EIO'])('is one trouble for as long as the lock is wanted, whatever else works meanwhile (%s)', async (code) => {
    const { rig, keeper } = await passive();
    unwritable(keeper, code);
    const from = keeper.statuses.length;
    keeper.order({ wantLock: true });
    await rig.pass(20 * ACTIVE_MS);
    expect(changes(keeper, from)).toEqual(['ok', code === 'EIO' ? 'failed' : 'denied']);
    keeper.client.fate = () => ({ kind: 'normal' });
    await rig.pass(2 * ACTIVE_MS);
    expect(keeper.status).toMatchObject({ condition: 'ok', lock: { held: true } });
  });

  it.each(['EACCES', 'EIO'])('is no trouble any more when somebody else has the lock, or it is not wanted (%s)', async (code) => {
    for (const other of [true, false]) {
      const { rig, keeper } = await passive();
      unwritable(keeper, code);
      keeper.order({ wantLock: true });
      await rig.pass(2 * ACTIVE_MS);
      expect(keeper.status.condition).not.toBe('ok');
      if (other) rig.keeper('secondary').order({ wantLock: true });
      else keeper.order({ wantLock: false });
      await rig.pass(2 * PASSIVE_MS);
      expect(keeper.status).toMatchObject({ condition: 'ok', lock: { held: false } });
    }
  });
});

it('a folder of records that a server of another user has left is said, too', async () => {
  const rig = new Rig();
  rig.keeper('primary').order({});
  await rig.pass(ACTIVE_MS);
  const keeper = rig.keeper('secondary');
  closed(keeper, 'EACCES', `${LOCK_FILE}.terms`);
  keeper.order({});
  await rig.pass(ACTIVE_MS);
  expect(keeper.status).toMatchObject({ condition: 'denied', detail: expect.stringContaining('chown -R') });
});

it('a watermark that a server of another user has left is said once, and costs nothing', async () => {
  const rig = new Rig();
  rig.keeper('primary').order({});
  await rig.pass(ACTIVE_MS);
  const keeper = rig.keeper('secondary');
  closed(keeper, 'EACCES', WATERMARK);
  keeper.order({ wantLock: true });
  await rig.pass(5 * ACTIVE_MS);
  expect(keeper.status).toMatchObject({ condition: 'ok', lock: { held: true } });
  expect(keeper.log.from('warn')).toEqual([expect.stringMatching(/The watermark beside the lockfile cannot be written: EACCES: .*watermark: uid 1000 may not\. .*chown it to uid 1000/)]);
});
