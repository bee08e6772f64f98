import { TARGETS } from './targets.js';

/** The same inputs every time: what is new is looked for by the long form (`npm run fuzz`). */
const SEED = 20_260_101;
const LONG_MS = 120_000;

test.each(TARGETS.map((one) => [one.name, one] as const))('%s: whatever comes', async (_, target) => {
  try {
    const finding = await target.check(SEED, target.gateRuns);
    if (finding !== null) throw new Error(`for ${finding.input}\n${finding.error}\nrepeat: npm run fuzz -- --target ${target.name} --seed ${finding.seed} --path ${finding.path}`);
    expect(target.accepted).toBeGreaterThanOrEqual(target.acceptedLeast);
  } finally {
    await target.close();
  }
}, LONG_MS);
