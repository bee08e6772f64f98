import { explore, pairInSync } from './explore.js';
import type { Flaw } from './model.js';

/** `node … main.js [states] [flaw] [faults]`: explores and prints what was seen. */
const [states = '250000', flaw = 'none', faults = '4', root = 'in-sync'] = process.argv.slice(2);
const bounds = { logMax: 3, termsMax: 7 };
const began = process.hrtime.bigint();
const from = root === 'in-sync' ? { from: pairInSync(Number(faults), bounds) } : {};
const result = explore({ flaw: flaw as Flaw, faults: Number(faults), statesMax: Number(states), bounds, ...from });
const seconds = Number(process.hrtime.bigint() - began) / 1e9;
process.stdout.write(`${flaw}: ${result.states} states, depth ${result.depth}, ${seconds.toFixed(1)} s\n`);
process.stdout.write(`moves: ${[...result.moves].sort().join(', ')}\n`);
if (result.finding !== null) {
  process.stdout.write(`FOUND ${result.finding.problem}\n  ${result.finding.path.join('\n  ')}\n`);
  process.exitCode = 1;
}
