import type { Fault, FaultKind } from './faults.js';
import type { RunOptions, SeedResult } from './run-seed.js';
import { shrink } from './shrink.js';

function fault(kind: FaultKind, atMs: number): Fault {
  return { kind, atMs, forMs: 100, host: 'primary', amount: 0.5, moment: null, hitsMover: false, lagMs: 0 };
}

const FAULTS = ['share-hung', 'link-cut', 'broker-paused', 'keeper-killed', 'disk-slow', 'share-gone', 'link-slow', 'gateway-gone'] as const;

function failed(faults: readonly Fault[], check: string): SeedResult {
  return { seed: 1, violation: { check, detail: '', atMs: 5_000 }, hash: '', transcript: [], faults, plan: [], virtualMs: 0, events: 0, moves: new Map(), records: new Map(), figures: { published: 0, acked: 0, delivered: 0, duplicates: 0, connects: 0, takeovers: 0, wills: 0 }, happened: 0, healedAfterMs: null };
}

/** A world that fails when all of `needed` happen, and in another way when `share-gone` is missing. */
function world(needed: readonly FaultKind[]): { run: (seed: number, options: RunOptions) => Promise<SeedResult>; runs: () => number } {
  let runs = 0;
  const run = (seed: number, { faults }: RunOptions): Promise<SeedResult> => {
    runs += 1;
    const there = faults ?? [];
    const has = (kind: FaultKind): boolean => there.some((one) => one.kind === kind);
    const broken = needed.every(has);
    const result = failed(there, has('share-gone') ? 'lost' : 'something else');
    return Promise.resolve({ ...result, seed, violation: broken ? result.violation : null });
  };
  return { run, runs: () => runs };
}

describe('shrink', () => {
  const plan = FAULTS.map((kind, index) => fault(kind, 1_000 * (index + 1)));

  it('leaves the faults that the same failure needs', async () => {
    const { run } = world(['broker-paused']);
    const shortest = await shrink(failed([...plan.slice(0, 4), fault('share-gone', 4_500)], 'lost'), 2, run);
    expect(shortest.faults.map(({ kind }) => kind)).toEqual(['broker-paused', 'share-gone']);
    expect(shortest.violation?.check).toBe('lost');
  });

  it('keeps everything when every fault is needed, and ends', async () => {
    const { run, runs } = world(FAULTS);
    const shortest = await shrink(failed(plan, 'lost'), 2, run);
    expect(shortest.faults).toEqual(plan);
    expect(runs()).toBeLessThanOrEqual(60);
  });

  it('needs no fault when none is to blame', async () => {
    const { run } = world([]);
    const shortest = await shrink(failed(plan, 'something else'), 2, run);
    expect(shortest.faults).toEqual([]);
  });
});
