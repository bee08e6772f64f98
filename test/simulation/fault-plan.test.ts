import { drawPlan } from './fault-plan.js';
import { ASKED_FOR, FAULT_KINDS, MAY_NOT_COME, type FaultKind } from './faults.js';
import { Prng } from './prng.js';
import { brokerConfig } from './pair-config.js';
import { drawShape, GATE_MINUTES, LONG_MINUTES } from './seed-shape.js';

const KINDS = Object.keys(FAULT_KINDS) as FaultKind[];
const SEEDS = 2_000;

describe.each([
  ['the gate', GATE_MINUTES, 3],
  ['the long run', LONG_MINUTES, 5],
])('the plans of %s', (_, minutes, least) => {
  const plans = Array.from({ length: SEEDS }, (_unused, seed) => {
    const random = new Prng(seed + 1).fork('shape');
    const { plan } = drawShape(random, minutes);
    return drawPlan(random.fork('plan'), plan, KINDS);
  });

  it('have as many faults as a seed must have, without those that may never come about and what an operator asks for', () => {
    const certain = plans.map((plan) => plan.filter(({ kind }) => !MAY_NOT_COME.has(kind) && !ASKED_FOR.has(kind)).length);
    expect(Math.min(...certain)).toBe(least);
  });

  it('have every kind of fault, each in fifty seeds at least', () => {
    const seeds = new Map(KINDS.map((kind) => [kind, 0]));
    for (const plan of plans) for (const kind of new Set(plan.flatMap((fault) => [fault.kind, ...(fault.then === undefined ? [] : [fault.then.kind])]))) seeds.set(kind, (seeds.get(kind) ?? 0) + 1);
    expect([...seeds].filter(([, count]) => count < 50)).toEqual([]);
  });
});

test('one pair of the gate in sixteen has a narrow link, on which a long payload takes longer than the link may be silent, and less than a follower may stand still', () => {
  const [gate, long] = [GATE_MINUTES, LONG_MINUTES].map((minutes) => Array.from({ length: 1_000 }, (_, seed) => drawShape(new Prng(seed), minutes).narrowLink).filter((link) => link !== null));
  expect(long).toEqual([]);
  expect(gate?.length).toBeGreaterThan(40);
  expect(gate?.length).toBeLessThan(85);
  const { linkSilenceMs, linkStandstillMs } = brokerConfig('primary').tuning;
  for (const { bytesPerSecond, long: payload } of gate ?? []) {
    const onItsWayMs = (1_000 * payload.bytes) / bytesPerSecond;
    expect(onItsWayMs).toBeGreaterThan(linkSilenceMs);
    expect(onItsWayMs).toBeLessThan(linkStandstillMs);
  }
});
