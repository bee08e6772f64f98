import { PASSIVE_MS, Rig } from './rig.js';

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
  let both = 0;
  for (let ms = 0; ms < PASSIVE_MS; ms += STEP_MS) {
    await rig.pass(STEP_MS);
    const now = rig.clock.monotonic();
    const [one, two] = [holder, other].map(({ status }) => status.lock.until !== null && now < status.lock.until);
    if (one === true && two === true) both += STEP_MS;
  }
  return both;
}

test('a holder whose deadline had passed never relies on its lock beside one that took it over', async () => {
  for (let lengthMs = 2_400; lengthMs < 3_200; lengthMs += 20) expect([lengthMs, await bothAfter(lengthMs)]).toEqual([lengthMs, 0]);
});
