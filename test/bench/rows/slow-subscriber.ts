import type { Bench } from '../bench.js';
import { Ledger } from '../clients/ledger.js';
import { MqttSubscriber } from '../clients/mqtt-subscriber.js';
import { FailoverLoad } from '../failover-load.js';
import { rangeOf, shown, type Range } from '../in-turn.js';
import { LoadClients, MAIN_LOAD } from '../load.js';
import { ROLES, type Pair } from '../peers/pair.js';
import { residentBytesOf } from '../processes.js';
import { verdict, type Outcome, type Row } from '../row.js';
import { pause } from '../waiting.js';

const MIB = 1024 * 1024;
const RATIO_MIN = 0.9;
/** What a reader that does not read may cost: what waits for it, the payloads' cache, and the memory that Node.js has not given back. */
const GROWTH_MIB_MAX = 512;

interface Half {
  readonly perSecond: number;
  readonly residentMiB: number;
  readonly lost: number;
}

export const slowSubscriber: Row = {
  name: 'slow-subscriber',
  what: 'The main load, beside a subscriber of everything that never reads (at QoS 0); at QoS 1 what happens at the limit of its queue',
  reach: `memory bounded (serving broker grows ≤ ${GROWTH_MIB_MAX} MiB), others ≥ ${RATIO_MIN} ×`,
  run: (bench) => bench.withPair({}, (pair) => measure(bench, pair)),
};

async function measure(bench: Bench, pair: Pair): Promise<Outcome> {
  const rounds = bench.size(5, 11);
  const seconds = bench.size(3, 10);
  await half(pair, false, seconds);
  const pairs: { without: Half; beside: Half }[] = [];
  for (let number = 1; number <= rounds; number++) {
    bench.say(`slow-subscriber: ${number} of ${rounds}`);
    pairs.push({ without: await half(pair, false, seconds), beside: await half(pair, true, seconds) });
  }
  const ratio = rangeOf(pairs.map(({ without, beside }) => beside.perSecond / without.perSecond));
  const growth = rangeOf(pairs.map(({ without, beside }) => beside.residentMiB - without.residentMiB));
  const lost = pairs.reduce((sum, { without, beside }) => sum + without.lost + beside.lost, 0);
  bench.say('slow-subscriber: at QoS 1');
  const limited = await atQos1(pair, bench.size(8, 30));
  return outcomeOf(ratio, growth, lost, pairs, limited);
}

async function half(pair: Pair, beside: boolean, seconds: number): Promise<Half> {
  const broker = await pair.broker();
  const slow = beside ? await stalled(pair, 0, 'bench/load/#') : null;
  const clients = new LoadClients(broker, MAIN_LOAD);
  try {
    await clients.open();
    clients.start();
    await pause(1_000);
    const { perSecond, lost } = await clients.measure(seconds);
    return { perSecond, lost, residentMiB: Math.round(residentBytesOf(broker.pids[0] ?? 0) / MIB) };
  } finally {
    clients.close();
    slow?.close();
  }
}

async function stalled(pair: Pair, qos: 0 | 1, filter: string): Promise<MqttSubscriber> {
  const port = pair.addresses[ROLES.indexOf(await pair.ready())]?.port ?? 0;
  const subscriber = await MqttSubscriber.open({ port, clientId: `bench-slow-${qos}`, clean: true, filters: [filter], qos, ledger: new Ledger(0) });
  subscriber.stall(true);
  return subscriber;
}

interface Limited {
  /** Messages a second of the others in each second beside it. */
  readonly perSecond: readonly number[];
  readonly residentMiB: number;
  readonly lost: number;
}

/** Messages for it are kept until its queue is full; then publishers are refused until it is disconnected (docs/mqtt.md, limits). */
async function atQos1(pair: Pair, seconds: number): Promise<Limited> {
  const broker = await pair.broker();
  const slow = await stalled(pair, 1, 'bench/slow/#');
  const load = new FailoverLoad({ name: 'slow', addresses: pair.addresses, publishers: 2, window: 64, payloadBytes: MAIN_LOAD.payloadBytes, perSecond: null });
  try {
    await load.start();
    const perSecond: number[] = [];
    for (let second = 0; second < seconds; second++) {
      const before = load.acknowledged;
      await pause(1_000);
      perSecond.push(load.acknowledged - before);
    }
    const residentMiB = Math.round(residentBytesOf(broker.pids[0] ?? 0) / MIB);
    // Its session ends with it, and with the session its queue.
    slow.close();
    const { lost } = await load.settle();
    return { perSecond, residentMiB, lost };
  } finally {
    slow.close();
    load.close();
  }
}

function outcomeOf(ratio: Range, growth: Range, lost: number, pairs: readonly { without: Half; beside: Half }[], limited: Limited): Outcome {
  const stopped = limited.perSecond.findIndex((count) => count === 0);
  const after = stopped < 0 ? 'publishers went on' : `publishers were refused from second ${stopped + 1} on, until it went`;
  return {
    reached: `QoS 0: others ${shown(ratio)} ×, memory ${shown(growth, 0)} MiB more; QoS 1: ${after}, ${limited.residentMiB} MiB, lost ${limited.lost}`,
    verdict: verdict(ratio.median >= RATIO_MIN && growth.max <= GROWTH_MIB_MAX && lost + limited.lost === 0),
    lost: lost + limited.lost,
    tables: [
      {
        title: 'Beside a subscriber at QoS 0 that never reads',
        head: ['round', 'without a second', 'beside a second', 'MiB without', 'MiB beside'],
        rows: pairs.map(({ without, beside }, at) => [at + 1, without.perSecond, beside.perSecond, without.residentMiB, beside.residentMiB]),
      },
      { title: 'Beside one at QoS 1', head: ['second', 'acknowledged'], rows: limited.perSecond.map((count, at) => [at + 1, count]) },
    ],
    plots: [],
    figures: { ratio, growth, rounds: pairs, qos1: limited },
  };
}
