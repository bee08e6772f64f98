import { Ledger } from '../clients/ledger.js';
import { MqttSubscriber } from '../clients/mqtt-subscriber.js';
import { rangeOf, shown } from '../in-turn.js';
import { LoadClients, MAIN_LOAD, runLoad, type LoadResult } from '../load.js';
import { ROLES, type Pair } from '../peers/pair.js';
import type { Row } from '../row.js';
import { until } from '../waiting.js';

const FILL = { ...MAIN_LOAD, payloadBytes: 1024, subscribers: 0, topics: 2 };
const FILL_MS_MAX = 300_000;

/** Throughput beside what waits for a session that is away. */
export const backlog: Row = {
  name: 'backlog',
  what: 'The main load while 0 to 100,000 (--long: 1,000,000) messages of 1 KB wait for an offline session',
  reach: 'reported, and drawn',
  run: (bench) =>
    bench.withPair({ queuedMessagesPerSessionMax: 2_000_000 }, async (pair) => {
      const sizes = [0, 1_000, 10_000, 100_000, ...(bench.long ? [1_000_000] : [])];
      const measured: { queued: number; results: LoadResult[] }[] = [];
      await offline(pair);
      let queued = 0;
      for (const size of sizes) {
        queued += await fill(pair, size - queued);
        const results: LoadResult[] = [];
        for (let round = 0; round < 5; round++) {
          bench.say(`backlog: ${queued} queued, ${round + 1} of 5`);
          results.push(await runLoad(await pair.broker(), MAIN_LOAD, bench.size(2, 5)));
        }
        measured.push({ queued, results });
      }
      const points = (pick: (one: LoadResult) => number): [number, number][] => measured.map(({ queued: x, results }) => [Math.max(1, x), rangeOf(results.map(pick)).median]);
      const rates = points((one) => one.perSecond);
      return {
        reached: rates.map(([, rate], at) => `${measured[at]?.queued ?? 0} queued: ${(rate / (rates[0]?.[1] ?? 1)).toFixed(2)} ×`).join('; '),
        verdict: 'reported',
        lost: measured.reduce((sum, { results }) => sum + results.reduce((lost, one) => lost + one.lost, 0), 0),
        tables: [
          {
            title: 'Beside a backlog',
            head: ['queued', 'per second', 'p50 ms', 'p99 ms'],
            rows: measured.map(({ queued: x, results }) => [x, shown(rangeOf(results.map((one) => one.perSecond)), 0), shown(rangeOf(results.map((one) => one.ackMs.p50))), shown(rangeOf(results.map((one) => one.ackMs.p99)))]),
          },
        ],
        plots: [
          { file: 'backlog-throughput', title: 'Backlog of an offline session: throughput', x: 'queued messages (0 drawn at 1)', y: 'messages a second', xScale: 'log', lines: [{ name: 'Lockstep', points: rates }] },
          { file: 'backlog-p99', title: 'Backlog: 99th percentile of the acknowledgement', x: 'queued messages (0 drawn at 1)', y: 'milliseconds', xScale: 'log', lines: [{ name: 'Lockstep', points: points((one) => one.ackMs.p99) }] },
        ],
        figures: measured,
      };
    }),
};

/** Makes the session. What fills it goes to numbered topics below the publishers', which the main load does not use. */
async function offline(pair: Pair): Promise<void> {
  const port = pair.addresses[ROLES.indexOf(await pair.ready())]?.port ?? 0;
  const subscriber = await MqttSubscriber.open({ port, clientId: 'bench-offline', clean: false, filters: ['bench/load/+/+'], qos: 1, ledger: new Ledger(0) });
  subscriber.close();
}

async function fill(pair: Pair, count: number): Promise<number> {
  if (count <= 0) return 0;
  const clients = new LoadClients(await pair.broker(), FILL);
  try {
    await clients.open();
    clients.start();
    await until(FILL_MS_MAX, () => `${count} queued messages`, () => (clients.acknowledged >= count ? true : null));
    await clients.settle();
    return clients.acknowledged;
  } finally {
    clients.close();
  }
}
