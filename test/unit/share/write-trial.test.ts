import { encodeShareIdentity } from '../../../src/core/terms/codec.js';
import { WRITE_TRIAL_MS } from '../../../src/share/opening.js';
import type { Fate, Operation } from '../../simulation/share.js';
import { ACTIVE_MS, LOCK_FILE, PASSIVE_MS, Rig, type RigKeeper } from './rig.js';

/** Until a share that cannot be written is noticed: the trial, and the look that it is part of. */
const NOTICED_MS = WRITE_TRIAL_MS + 2 * ACTIVE_MS;

function trials(keeper: RigKeeper, operation: Operation = 'createSynced'): string[] {
  return keeper.client.requests.filter((request) => request.startsWith(`${operation} ${LOCK_FILE}.trial.`));
}

/** The fate of what the trial asks for, and of what the trial of a whole share does after it. */
function refusing(code: string): (operation: Operation, path: string) => Fate {
  return (operation, path) => ((operation === 'createSynced' || operation === 'makeFolder') && path.endsWith('.tmp') ? { kind: 'refused', code } : { kind: 'normal' });
}

/** One holds the lock, the other has only looked so far. */
async function pair(): Promise<{ rig: Rig; holder: RigKeeper; passive: RigKeeper }> {
  const rig = new Rig();
  const [holder, passive] = [rig.keeper('primary'), rig.keeper('secondary')];
  holder.order({ wantLock: true });
  await rig.pass(ACTIVE_MS);
  passive.order({ shareId: holder.status.shareId });
  await rig.pass(2 * ACTIVE_MS);
  expect([holder.status, passive.status]).toMatchObject([{ condition: 'ok', lock: { held: true } }, { condition: 'ok', lock: { held: false } }]);
  return { rig, holder, passive };
}

describe('a server that does not hold the lock', () => {
  it.each([
    ['EROFS', 'read-only'],
    ['EACCES', 'denied'],
    ['ENOSPC', 'full'],
    ['EDQUOT', 'full'],
  ])('notices that the share cannot be written (%s), and that it can be again', async (code, condition) => {
    const { rig, holder, passive } = await pair();
    passive.client.fate = refusing(code);
    await rig.pass(NOTICED_MS);
    expect(passive.status).toMatchObject({ condition, detail: expect.stringContaining(code) });
    expect(passive.statuses.find((status) => status.condition === condition)?.detail).toMatch(/\.trial\.\*\.tmp, while trying whether it can be written/);
    const from = passive.statuses.length;
    await rig.pass(NOTICED_MS);
    expect(passive.statuses.slice(from).filter((status) => status.condition !== condition)).toEqual([]);
    passive.client.fate = () => ({ kind: 'normal' });
    await rig.pass(2 * ACTIVE_MS);
    expect(passive.status).toMatchObject({ condition: 'ok', detail: null });
    expect(holder.statuses.filter(({ lock }) => !lock.held).length).toBe(holder.statuses.findIndex(({ lock }) => lock.held));
    expect(rig.share.tree.list('.').filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it.each(['readOnly', 'full'] as const)('goes on looking at records and heartbeat where its own mount is %s', async (fault) => {
    const { rig, passive } = await pair();
    passive.client.faults[fault] = true;
    await rig.pass(NOTICED_MS);
    expect(passive.status).toMatchObject({ condition: fault === 'full' ? 'full' : 'read-only', lock: { holder: 'primary' } });
    expect(rig.clock.monotonic() - (passive.status.lookedAt ?? 0)).toBeLessThan(2 * ACTIVE_MS);
    expect(passive.status.lock.holderSilentMs).toBeLessThan(PASSIVE_MS);
  });

  it('tries it once in a while, with a name of its own, and leaves nothing behind', async () => {
    const { rig, holder, passive } = await pair();
    await rig.pass(5 * WRITE_TRIAL_MS + 5 * ACTIVE_MS);
    expect(trials(passive)).toHaveLength(5);
    expect(new Set(trials(passive)).size).toBe(5);
    expect(trials(passive, 'removeFile')).toHaveLength(5);
    expect(rig.share.tree.list('.').filter((name) => name.endsWith('.tmp'))).toEqual([]);
    // Whoever holds it writes all the time.
    expect(trials(holder)).toEqual([]);
  });

  it('takes a request that was asked twice for done, and removes what was made in part', async () => {
    const { rig, passive } = await pair();
    passive.client.fate = (operation, path) => {
      if (!path.includes('.trial.')) return { kind: 'normal' };
      return operation === 'createSynced' ? { kind: 'reply-lost', code: 'EEXIST' } : { kind: 'reply-lost', code: 'ENOENT' };
    };
    const from = passive.statuses.length;
    await rig.pass(NOTICED_MS);
    expect(trials(passive)).toHaveLength(1);
    expect(passive.statuses.slice(from).filter(({ condition }) => condition !== 'ok')).toEqual([]);
    // As on a share on which the name has room, and the bytes have none.
    passive.client.fate = (operation, path) => (operation === 'createSynced' && path.includes('.trial.') ? { kind: 'reply-lost', code: 'ENOSPC' } : { kind: 'normal' });
    await rig.pass(NOTICED_MS);
    expect(passive.statuses.slice(from).map(({ condition }) => condition)).toContain('full');
    expect(rig.share.tree.list('.').filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('tells that a trial hangs as any other operation', async () => {
    const { rig, passive } = await pair();
    passive.client.fate = (_operation, path) => (path.includes('.trial.') ? { kind: 'silent', effect: false } : { kind: 'normal' });
    await rig.pass(NOTICED_MS + 2 * ACTIVE_MS);
    expect(passive.status).toMatchObject({ condition: 'hung', detail: expect.stringContaining('.trial.') });
  });

  it('makes no file where nothing of the share stands, or another one', async () => {
    const { rig, holder, passive } = await pair();
    holder.orphan();
    await rig.pass(ACTIVE_MS);
    rig.share.replace();
    await rig.pass(2 * NOTICED_MS);
    expect(passive.status).toMatchObject({ condition: 'replaced' });
    expect(rig.share.tree.list('.')).toEqual([]);
    rig.share.tree.write(LOCK_FILE, encodeShareIdentity({ schema: 1, share: 'another', cluster: 'test', method: 'link' }), true);
    rig.share.tree.makeFolder(`${LOCK_FILE}.terms`);
    await rig.pass(2 * NOTICED_MS);
    expect(passive.status).toMatchObject({ condition: 'replaced' });
    rig.share.faults.gone = true;
    await rig.pass(2 * NOTICED_MS);
    expect(passive.status).toMatchObject({ condition: 'absent' });
    expect(trials(passive)).toEqual([]);
  });

  it('nor where another one comes to stand in the middle of a look', async () => {
    const { rig, passive } = await pair();
    while (trials(passive).length === 0) await rig.pass(100);
    const before = [...trials(passive)];
    const last = rig.clock.monotonic();
    let swappedAt = 0;
    passive.client.fate = (operation, path) => {
      // Read right before the trial, in the look that the next one is part of.
      if (operation === 'read' && path === `${LOCK_FILE}.watermark` && swappedAt === 0 && rig.clock.monotonic() > last + WRITE_TRIAL_MS + ACTIVE_MS / 2) {
        swappedAt = rig.clock.monotonic();
        rig.share.tree.write(LOCK_FILE, encodeShareIdentity({ schema: 1, share: 'another', cluster: 'test', method: 'link' }), false);
      }
      return { kind: 'normal' };
    };
    await rig.pass(2 * NOTICED_MS);
    expect(swappedAt).toBeGreaterThan(0);
    expect([passive.status.condition, trials(passive)]).toEqual(['replaced', before]);
  });

  it('makes none while the lock is to be had and tried for, which tells as much', async () => {
    const { rig, holder, passive } = await pair();
    holder.client.faults.hung = true;
    await rig.pass(2 * PASSIVE_MS);
    passive.client.fate = (operation) => (operation === 'lock.acquire' ? { kind: 'refused', code: 'EIO' } : { kind: 'normal' });
    passive.order({ wantLock: true });
    const before = [...trials(passive)];
    await rig.pass(2 * NOTICED_MS);
    expect(passive.status).toMatchObject({ condition: 'failed', lock: { held: false } });
    expect(trials(passive)).toEqual(before);
  });
});
