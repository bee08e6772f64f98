import { explore } from './explore.js';
import type { Flaw } from './flaws.js';
import { DANGERS, only, ROOTS } from './roots.js';
import { wander } from './wander.js';

/**
 * `node … main.js explore [states] [flaw] [faults] [root]`, or `… main.js wander [walks] [flaw] [faults] [root] [first seed] [kinds of faults left out, with commas]`:
 * `… main.js flaws [states]`: looks for each planted flaw near its danger;
 * prints what was seen; ends with 1 when something is wrong.
 */
const [mode = 'explore', count = '250000', flaw = 'none', faults = '4', rootName = 'in-sync', firstSeed = '1', without = ''] = process.argv.slice(2);
const bounds = { logMax: 3, termsMax: 9 };
const root = ROOTS.find(({ name }) => name === rootName);
if (root === undefined) throw new Error(`roots are ${ROOTS.map(({ name }) => name).join(', ')}`);
const made = root.world(Number(faults), bounds);
const from = { ...made, kinds: { ...made.kinds, ...Object.fromEntries(without.split(',').filter((kind) => kind !== '').map((kind) => [kind, 0])) } };
const began = process.hrtime.bigint();
const seconds = (): string => (Number(process.hrtime.bigint() - began) / 1e9).toFixed(1);
if (mode === 'flaws') {
  for (const danger of DANGERS) {
    const start = only(ROOTS.find(({ name }) => name === danger.root)?.world(danger.faults, bounds) ?? from, danger.kinds);
    const result = explore({ flaw: danger.flaw, faults: danger.faults, statesMax: Number(count), bounds, from: start });
    process.stdout.write(`${danger.flaw} from ${danger.root}: ${result.finding === null ? 'NOT FOUND' : 'found'} at ${result.states} states, depth ${result.depth}: ${result.finding?.problem ?? ''}\n`);
  }
} else if (mode === 'explore') {
  const result = explore({ flaw: flaw as Flaw, faults: Number(faults), statesMax: Number(count), bounds, from });
  process.stdout.write(`${flaw} from ${rootName}: ${result.states} states, depth ${result.depth}, ${seconds()} s\n`);
  process.stdout.write(`moves: ${[...result.moves].sort().join(', ')}\n`);
  if (result.finding !== null) say(result.finding.problem, result.finding.path);
} else {
  const result = wander({ flaw: flaw as Flaw, walks: Number(count), firstSeed: Number(firstSeed), bounds, from });
  process.stdout.write(`${flaw} from ${rootName}: ${result.walks} walks, ${result.steps} steps, ${result.given} given up, ${seconds()} s\n`);
  process.stdout.write(`moves: ${[...result.moves].sort().join(', ')}\n`);
  for (const finding of result.findings) say(`seed ${finding.seed}: ${finding.problem}`, finding.path);
}

function say(problem: string, path: readonly string[]): void {
  process.stdout.write(`FOUND ${problem}\n  ${path.join('\n  ')}\n`);
  process.exitCode = 1;
}
