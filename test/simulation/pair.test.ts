import { operationsIn } from './history.js';
import { runSeed, type RunOptions } from './run-seed.js';

const OPTIONS: RunOptions = { minutes: 2, detailed: false, live: null, faults: null };

describe('a pair in virtual time', () => {
  it('is the same twice for the same seed, also when details are kept', async () => {
    const once = await runSeed(7, OPTIONS);
    const again = await runSeed(7, { ...OPTIONS, detailed: true });
    expect(again.hash).toBe(once.hash);
    expect(again.events).toBe(once.events);
    expect((await runSeed(8, OPTIONS)).hash).not.toBe(once.hash);
  }, 180_000);

  it('serves without a fault, and does enough to prove something', async () => {
    const result = await runSeed(3, { ...OPTIONS, faults: [] });
    expect(result.violation).toBeNull();
    expect(result.virtualMs).toBeGreaterThanOrEqual(120_000);
    expect(result.figures.acked).toBeGreaterThanOrEqual(30);
    expect(operationsIn(result.figures)).toBeGreaterThanOrEqual(200);
    expect([...result.moves.keys()]).toEqual(expect.arrayContaining(['WAITING ACTIVE_SYNC', 'ACTIVE_SYNC ACTIVE', 'WAITING PASSIVE_SYNC', 'PASSIVE_SYNC PASSIVE']));
  }, 180_000);

  it('survives the loss of the host that serves', async () => {
    const lost = (['primary', 'secondary'] as const).map((host, index) => ({ kind: 'host-lost-power' as const, atMs: 20_000 + index * 25_000, forMs: 10_000, host, amount: 0.5, moment: null, hitsMover: false, lagMs: 0 }));
    // A seed whose share loses no answers: one that is lost just then costs the survivor its turn.
    const result = await runSeed(5, { ...OPTIONS, faults: lost });
    expect(result.violation).toBeNull();
    expect(result.moves.get('PASSIVE STANDALONE')).toBeGreaterThanOrEqual(1);
  }, 180_000);
});
