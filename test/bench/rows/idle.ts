import { rangeOf, shown } from '../in-turn.js';
import { ROLES, type Role } from '../peers/pair.js';
import { cpuMicrosOf } from '../processes.js';
import { verdict, type Row } from '../row.js';
import { pause } from '../waiting.js';

const PERCENT_MAX = 2;
const WINDOWS = 5;
const SETTLE_MS = 3_000;

export const idle: Row = {
  name: 'idle',
  what: 'Idle pair, no clients: processor time of all processes of a server',
  reach: `≤ ${PERCENT_MAX} % of a core per server`,
  run: (bench) =>
    bench.withPair({}, async (pair) => {
      await pair.ready();
      await pause(SETTLE_MS);
      const seconds = bench.size(6, 60);
      const percents: Record<Role, number[]> = { primary: [], secondary: [] };
      const used = (role: Role): number => pair.processes(role).reduce((sum, pid) => sum + cpuMicrosOf(pid), 0);
      for (let window = 1; window <= WINDOWS; window++) {
        bench.say(`idle: ${window} of ${WINDOWS}`);
        const [at, before] = [performance.now(), ROLES.map(used)];
        await pause(seconds * 1_000);
        const elapsedMicros = (performance.now() - at) * 1_000;
        ROLES.forEach((role, index) => percents[role].push(((used(role) - (before[index] ?? 0)) * 100) / elapsedMicros));
      }
      const [active, passive] = ROLES.map((role) => rangeOf(percents[role])) as [ReturnType<typeof rangeOf>, ReturnType<typeof rangeOf>];
      return {
        reached: `primary ${shown(active)} %, secondary ${shown(passive)} % of a core`,
        verdict: verdict(active.median <= PERCENT_MAX && passive.median <= PERCENT_MAX),
        lost: 0,
        tables: [],
        plots: [],
        figures: percents,
      };
    }),
};
