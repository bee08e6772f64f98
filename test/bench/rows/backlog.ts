import type { Bench } from '../bench.js';
import { Ledger } from '../clients/ledger.js';
import { MqttSubscriber } from '../clients/mqtt-subscriber.js';
import { rangeOf, shown, type Range } from '../in-turn.js';
import { LoadClients, MAIN_LOAD, runLoad, type LoadResult } from '../load.js';
import { ROLES, type Pair } from '../peers/pair.js';
import type { Plot } from '../plot.js';
import type { Outcome, Row } from '../row.js';
import { until } from '../waiting.js';

const FILL = { ...MAIN_LOAD, payloadBytes: 1024, subscribers: 0, topics: 2 };
const FILL_MS_MAX = 300_000;

const ROUNDS = 5;
const SETTINGS = { queuedMessagesPerSessionMax: 2_000_000 };

interface Measured {
  readonly queued: number;
  readonly beside: LoadResult[];
  readonly empty: LoadResult[];
  readonly ratio: Range;
}

/** Throughput beside what waits for a session that is away. */
export const backlog: Row = {
  name: 'backlog',
  what: 'The main load while 1,000 to 100,000 (--long: 1,000,000) messages of 1 KB wait for an offline session, in turn with another pair where none wait',
  reach: 'reported, and drawn',
  run: (bench) => bench.withPair(SETTINGS, (pair) => bench.withPair(SETTINGS, (empty) => measure(bench, pair, empty))),
};

async function measure(bench: Bench, pair: Pair, empty: Pair): Promise<Outcome> {
  const sizes = [1_000, 10_000, 100_000, ...(bench.long ? [1_000_000] : [])];
  const all: Measured[] = [];
  await offline(pair);
  let queued = 0;
  for (const size of sizes) {
    queued += await fill(pair, size - queued);
    const [besides, empties]: [LoadResult[], LoadResult[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      bench.say(`backlog: ${queued} queued, ${round + 1} of ${ROUNDS}`);
      besides.push(await runLoad(await pair.broker(), MAIN_LOAD, bench.size(2, 5)));
      empties.push(await runLoad(await empty.broker(), MAIN_LOAD, bench.size(2, 5)));
    }
    all.push({ queued, beside: besides, empty: empties, ratio: rangeOf(besides.map((one, at) => one.perSecond / Math.max(1, empties[at]?.perSecond ?? 1))) });
  }
  return outcomeOf(all);
}

function outcomeOf(all: readonly Measured[]): Outcome {
  const lines = (pick: (one: LoadResult) => number): Plot['lines'] => [
    { name: 'beside the backlog', points: all.map(({ queued, beside }) => [queued, rangeOf(beside.map(pick)).median]) },
    { name: 'without', points: all.map(({ queued, empty }) => [queued, rangeOf(empty.map(pick)).median]) },
  ];
  const plot = { x: 'queued messages', xScale: 'log' } as const;
  return {
    reached: all.map(({ queued, ratio }) => `${queued} queued: ${shown(ratio)} ×`).join('; '),
    verdict: 'reported',
    lost: all.reduce((sum, { beside, empty }) => sum + [...beside, ...empty].reduce((lost, one) => lost + one.lost, 0), 0),
    tables: [
      {
        title: 'Beside a backlog, and without one',
        head: ['queued', 'ratio', 'per second', 'without', 'p99 ms', 'without'],
        rows: all.map(({ queued, ratio, beside, empty }) => [queued, shown(ratio), ...[beside, empty].map((results) => shown(rangeOf(results.map((one) => one.perSecond)), 0)), ...[beside, empty].map((results) => shown(rangeOf(results.map((one) => one.ackMs.p99))))]),
      },
    ],
    plots: [
      { ...plot, file: 'backlog-throughput', title: 'Backlog of an offline session: throughput', y: 'messages a second', lines: lines((one) => one.perSecond) },
      { ...plot, file: 'backlog-p99', title: 'Backlog: 99th percentile of the acknowledgement', y: 'milliseconds', lines: lines((one) => one.ackMs.p99) },
    ],
    figures: all,
  };
}

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
