import { PASSIVE_MS, Rig, type RigKeeper } from './rig.js';

const STEP_MS = 10;

/** The holder cannot reach the share for a while and comes back about when the other takes its lock for abandoned: for how long both then rely on it. */
async function bothAfter(lengthMs: number): Promise<number> {
  const rig = new Rig({ links: true });
  const [holder, other] = [rig.keeper('primary'), rig.keeper('secondary')];
  holder.order({ wantLock: true });
  await rig.pass(1_500);
  expect(holder.status.lock.held).toBe(true);
  other.order({ wantLock: true });
  await rig.pass(1_000);
  other.client.faults.latencyMs = { low: 40, high: 120 };
  holder.client.faults.gone = true;
  await rig.pass(lengthMs);
  holder.client.faults.gone = false;
  return bothRely(rig, [holder, other]);
}

/** A server takes the free lock and hears so only much later (its host stood still), about when the other takes the lock for abandoned. */
async function bothAfterTaking(delayMs: number): Promise<number> {
  const rig = new Rig({ links: true });
  const [holder, other] = [rig.keeper('primary', { operationDeadlineMs: 60_000 }), rig.keeper('secondary')];
  other.order({ wantLock: false });
  await rig.pass(1_000);
  const { faults } = holder.client;
  const usual = faults.latencyMs;
  holder.client.fate = (operation) => {
    faults.latencyMs = operation === 'lock.acquire' ? { low: delayMs, high: delayMs } : usual;
    return { kind: 'normal' };
  };
  other.client.faults.latencyMs = { low: 40, high: 120 };
  holder.order({ wantLock: true });
  await rig.pass(2 * delayMs - 250);
  expect(holder.status.lock.held).toBe(false);
  other.order({ wantLock: true });
  return bothRely(rig, [holder, other]);
}

async function bothRely(rig: Rig, keepers: readonly RigKeeper[]): Promise<number> {
  let both = 0;
  for (let ms = 0; ms < 2 * PASSIVE_MS; ms += STEP_MS) {
    await rig.pass(STEP_MS);
    const now = rig.clock.monotonic();
    if (keepers.every(({ status }) => status.lock.until !== null && now < status.lock.until)) both += STEP_MS;
  }
  expect(keepers.some(({ status }) => status.lock.held)).toBe(true);
  return both;
}

test('a holder whose deadline had passed never relies on its lock beside one that took it over', async () => {
  for (let lengthMs = 2_400; lengthMs < 3_200; lengthMs += 20) expect([lengthMs, await bothAfter(lengthMs)]).toEqual([lengthMs, 0]);
});

test('a server that hears of its lock only when it may have been silent for too long does not rely on it beside one that takes it over', async () => {
  for (let delayMs = 3_000; delayMs < 4_200; delayMs += 20) expect([delayMs, await bothAfterTaking(delayMs)]).toEqual([delayMs, 0]);
});
