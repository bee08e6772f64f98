import { decodeWatermark, encodeWatermark, NO_WATERMARK } from '../../../src/core/terms/watermark.js';
import type { Position, Term } from '../../../src/core/identity.js';
import { encodeTermRecord } from '../../../src/core/terms/codec.js';
import { ACTIVE_MS, LOCK_FILE, record, Rig, type RigKeeper } from './rig.js';

const FILE = `${LOCK_FILE}.watermark`;
const mark = (term: number, nonce: string, position: number) => ({ term: term as Term, nonce, position: position as Position });
const written = (rig: Rig) => decodeWatermark(rig.share.tree.read(FILE));

/** The primary holds the lock and serves in term 1. */
async function serving(): Promise<{ rig: Rig; primary: RigKeeper; secondary: RigKeeper }> {
  const rig = new Rig();
  const [primary, secondary] = [rig.keeper('primary'), rig.keeper('secondary')];
  primary.order({ wantLock: true });
  await rig.pass(500);
  rig.plant(1, encodeTermRecord(record(1, 'n1')));
  secondary.order({ wantLock: false });
  await rig.pass(2 * ACTIVE_MS);
  return { rig, primary, secondary };
}

describe('the watermark beside the lock', () => {
  it('is written by the holder at every look, and read by the other server at its own', async () => {
    const { rig, primary, secondary } = await serving();
    expect(secondary.status.watermark).toBeNull();
    for (const position of [7, 9]) {
      primary.order({ watermark: mark(1, 'n1', position) });
      await rig.pass(2 * ACTIVE_MS + 100);
      expect(written(rig)).toEqual(mark(1, 'n1', position));
      expect(secondary.status.watermark).toEqual(mark(1, 'n1', position));
    }
    // Its own broker may come back without what its disk had confirmed: that is known from the first moment on.
    primary.order({ watermark: null });
    expect(primary.status.watermark).toEqual(mark(1, 'n1', 9));
    await rig.pass(ACTIVE_MS + 100);
    expect(primary.status.watermark).toEqual(mark(1, 'n1', 9));
  });

  it('is not written again while nothing was added', async () => {
    const { rig, primary } = await serving();
    primary.order({ watermark: mark(1, 'n1', 7) });
    await rig.pass(2 * ACTIVE_MS);
    let writes = 0;
    primary.client.fate = (operation, path) => {
      if (operation === 'rewriteInPlace' && path === FILE) writes += 1;
      return { kind: 'normal' };
    };
    await rig.pass(5 * ACTIVE_MS);
    expect(writes).toBe(0);
  });

  it.each([
    ['an older one that was long on its way', async (rig: Rig) => rig.share.tree.write(FILE, encodeWatermark(mark(1, 'n0', 5)), false), 32 * ACTIVE_MS],
    ['nothing, the share having been away', async (rig: Rig, primary: RigKeeper) => {
      primary.client.faults.gone = true;
      await rig.pass(ACTIVE_MS);
      rig.share.tree.write(FILE, encodeWatermark(NO_WATERMARK), false);
      primary.client.faults.gone = false;
    }, 5 * ACTIVE_MS],
  ])('comes to stand there again where %s took its place, though nothing was added', async (_name, happens, withinMs) => {
    const { rig, primary } = await serving();
    primary.order({ watermark: mark(1, 'n1', 9) });
    await rig.pass(2 * ACTIVE_MS);
    await happens(rig, primary);
    expect(written(rig)).not.toEqual(mark(1, 'n1', 9));
    await rig.pass(withinMs);
    expect(written(rig)).toEqual(mark(1, 'n1', 9));
  });

  it.each([
    ['without the lock', { wantLock: false }, 'n1', 1],
    ['in a term that another has followed', {}, 'before', 1],
  ])('is not written %s', async (_name, order, nonce, term) => {
    const { rig, primary } = await serving();
    primary.order({ ...order, watermark: mark(term, nonce, 9) });
    await rig.pass(3 * ACTIVE_MS);
    expect(written(rig)).toBeNull();
  });

  it('that cannot be written takes nothing from the share, and is said once', async () => {
    const { rig, primary } = await serving();
    primary.client.fate = (operation, path) => (operation === 'rewriteInPlace' && path === FILE ? { kind: 'refused', code: 'EACCES' } : { kind: 'normal' });
    primary.order({ watermark: mark(1, 'n1', 9) });
    await rig.pass(5 * ACTIVE_MS);
    expect(primary.status).toMatchObject({ condition: 'ok', lock: { held: true } });
    expect(primary.log.lines.filter(({ message }) => message.includes('watermark'))).toHaveLength(1);
    primary.client.fate = () => ({ kind: 'normal' });
    await rig.pass(2 * ACTIVE_MS);
    expect(written(rig)).toEqual(mark(1, 'n1', 9));
  });

  it('that cannot be read leaves the share unusable for a claim: it could say that the copy is not whole', async () => {
    const { rig, secondary } = await serving();
    secondary.client.fate = (operation, path) => (operation === 'read' && path === FILE ? { kind: 'refused', code: 'EIO' } : { kind: 'normal' });
    await rig.pass(2 * ACTIVE_MS);
    expect(secondary.status.condition).toBe('failed');
    secondary.client.fate = () => ({ kind: 'normal' });
    rig.share.tree.write(FILE, new Uint8Array(3), false);
    await rig.pass(2 * ACTIVE_MS);
    expect(secondary.status).toMatchObject({ condition: 'ok', watermark: null });
  });

  it.each(['ENOENT', 'EISDIR', 'EFBIG'])('in whose place something else stands is none (%s)', async (code) => {
    const { rig, secondary } = await serving();
    secondary.client.fate = (operation, path) => (operation === 'read' && path === FILE ? { kind: 'refused', code } : { kind: 'normal' });
    await rig.pass(2 * ACTIVE_MS);
    expect(secondary.status).toMatchObject({ condition: 'ok', watermark: null });
  });
});
