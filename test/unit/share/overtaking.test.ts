import { record, others, Rig } from './rig.js';

/** R9: a fresh claim leaves numbers out, so that it does not meet whoever claims one of those. */
test('a claim above a number that was used meanwhile is not made', async () => {
  const rig = new Rig({ links: true });
  rig.share.lockBroken = true;
  const [primary, secondary] = [rig.keeper('primary'), rig.keeper('secondary')];
  primary.order({ wantLock: true });
  secondary.order({ wantLock: true });
  await rig.pass(1_000);
  primary.client.faults.latencyMs = { low: 150, high: 150 };
  primary.order({ claim: record(6, 'fresh') });
  secondary.order({ claim: others(4, 'promotion') });
  await rig.pass(5_000);
  expect(secondary.status.claim).toMatchObject({ kind: 'won' });
  expect(primary.status.claim).toMatchObject({ kind: 'failed', detail: expect.stringContaining('term 4 was claimed meanwhile') as string });
});
