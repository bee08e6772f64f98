import { rangeOf, shown } from '../in-turn.js';
import { runLoad, MAIN_LOAD, type LoadResult } from '../load.js';
import { verdict, type Row } from '../row.js';

const RATIO_MIN = 0.5;

export const persistentSession: Row = {
  name: 'persistent',
  what: 'The main load with a subscriber whose session is kept: each of its acknowledgements is replicated',
  reach: '≥ 0.5 × the same with a clean session',
  run: (bench) =>
    bench.withPair({}, async (pair) => {
      const broker = await pair.broker();
      const rounds = bench.size(5, 15);
      const seconds = bench.size(2, 5);
      const kinds = [{ name: 'clean session', persistent: false, results: [] as LoadResult[] }, { name: 'kept session', persistent: true, results: [] as LoadResult[] }] as const;
      for (let round = 0; round < rounds; round++) {
        for (const { name, persistent, results } of kinds) {
          bench.say(`persistent: ${name}, ${round + 1} of ${rounds}`);
          results.push(await runLoad(broker, { ...MAIN_LOAD, persistent }, seconds));
        }
      }
      const [clean, kept] = kinds;
      const ratio = rangeOf(kept.results.map((one, at) => one.perSecond / (clean.results[at]?.perSecond ?? 1)));
      return {
        reached: `${shown(ratio)} × the clean session`,
        verdict: verdict(ratio.median >= RATIO_MIN),
        lost: kinds.reduce((sum, { results }) => sum + results.reduce((lost, one) => lost + one.lost, 0), 0),
        tables: [
          {
            title: 'Subscriber with a clean and with a kept session',
            head: ['session', 'per second', 'p50 ms', 'p99 ms'],
            rows: kinds.map(({ name, results }) => [name, shown(rangeOf(results.map((one) => one.perSecond)), 0), shown(rangeOf(results.map((one) => one.ackMs.p50))), shown(rangeOf(results.map((one) => one.ackMs.p99)))]),
          },
        ],
        plots: [],
        figures: { ratio, rounds: kinds },
      };
    }),
};
