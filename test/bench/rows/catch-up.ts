import type { Bench } from '../bench.js';
import { rangeOf, shown } from '../in-turn.js';
import { LoadClients, MAIN_LOAD } from '../load.js';
import type { Pair } from '../peers/pair.js';
import { Relay } from '../relay.js';
import { verdict, type Outcome, type Row } from '../row.js';
import { pause, until } from '../waiting.js';

const MISSED = 100_000;
const PAYLOAD_BYTES = 1024;
const BYTES_RATIO_MAX = 1.2;
const THROUGHPUT_MIN = 0.5;
const CALM_MS = 3_000;
const LIMIT_MS = 180_000;

interface Round {
  /** Messages a second: with the peer, alone, and while the peer catches up. */
  readonly whole: number;
  readonly alone: number;
  readonly meanwhile: number;
  /** From the start of the returning server until it was PASSIVE. */
  readonly backMs: number;
  readonly bytesSent: number;
  /** Payload bytes of all messages that the returning server lacked, and of those that came while it caught up. */
  readonly bytesMissed: number;
  readonly acknowledged: number;
  readonly lost: number;
}

export const catchUp: Row = {
  name: 'catch-up',
  what: `Peer away for ${MISSED} messages of 1 KB, then back, under the main load with 1 KB`,
  reach: `bytes sent ≤ ${BYTES_RATIO_MAX} × payload bytes missed; throughput meanwhile ≥ 50 % of the whole pair's`,
  run: async (bench) => {
    let port = 0;
    const relay = await Relay.open(() => port);
    try {
      const settingsOf = { secondary: { backupReplicationPort: relay.port } };
      return await bench.withPair({}, (pair) => {
        port = pair.replicationPort('primary');
        return measure(bench, pair, relay);
      }, { settingsOf });
    } finally {
      relay.close();
    }
  },
};

async function measure(bench: Bench, pair: Pair, relay: Relay): Promise<Outcome> {
  const times = bench.size(5, 7);
  const rounds: Round[] = [];
  for (let number = 1; number <= times; number++) {
    bench.say(`catch-up: ${number} of ${times}`);
    rounds.push(await once(pair, relay));
  }
  const bytes = rangeOf(rounds.map((one) => one.bytesSent / one.bytesMissed));
  const throughput = rangeOf(rounds.map((one) => one.meanwhile / one.whole));
  const lost = rounds.reduce((sum, one) => sum + one.lost, 0);
  return {
    reached: `bytes ${shown(bytes)} × those missed; throughput meanwhile ${shown(throughput)} × the whole pair's; PASSIVE after ${shown(rangeOf(rounds.map((one) => one.backMs / 1_000)), 1)} s; lost ${lost}`,
    verdict: verdict(bytes.median <= BYTES_RATIO_MAX && throughput.median >= THROUGHPUT_MIN && lost === 0),
    lost,
    tables: [
      {
        title: 'The peer returns',
        head: ['round', 'whole a second', 'alone a second', 'meanwhile a second', 'back after s', 'MB sent', 'MB missed', 'acknowledged', 'lost'],
        rows: rounds.map((one, at) => [at + 1, one.whole, one.alone, one.meanwhile, (one.backMs / 1_000).toFixed(1), (one.bytesSent / 1e6).toFixed(1), (one.bytesMissed / 1e6).toFixed(1), one.acknowledged, one.lost]),
      },
    ],
    plots: [],
    figures: { bytes, throughput, rounds },
  };
}

async function once(pair: Pair, relay: Relay): Promise<Round> {
  await pair.serveAt('primary');
  const clients = new LoadClients(await pair.broker(), { ...MAIN_LOAD, payloadBytes: PAYLOAD_BYTES });
  const rate = async (milliseconds: number): Promise<number> => {
    const [at, count] = [performance.now(), clients.acknowledged];
    await pause(milliseconds);
    return Math.round(((clients.acknowledged - count) * 1_000) / (performance.now() - at));
  };
  try {
    await clients.open();
    clients.start();
    await rate(CALM_MS / 2);
    const whole = await rate(CALM_MS);
    const away = clients.acknowledged;
    pair.killServer('secondary');
    await until(LIMIT_MS, () => 'the primary server to serve alone', async () => ((await pair.status('primary'))?.state === 'STANDALONE' ? true : null));
    const alone = await rate(CALM_MS);
    await until(LIMIT_MS, () => `${MISSED} messages while the peer is away`, () => (clients.acknowledged - away >= MISSED ? true : null));
    relay.bytesBack = 0;
    const [backAt, backCount] = [performance.now(), clients.acknowledged];
    pair.startServer('secondary');
    await until(LIMIT_MS, () => 'the secondary server to be PASSIVE', async () => ((await pair.status('secondary'))?.state === 'PASSIVE' ? true : null));
    const backMs = performance.now() - backAt;
    const [bytesSent, count] = [relay.bytesBack, clients.acknowledged];
    await clients.settle();
    return {
      whole,
      alone,
      meanwhile: Math.round(((count - backCount) * 1_000) / backMs),
      backMs,
      bytesSent,
      bytesMissed: (count - away) * PAYLOAD_BYTES,
      acknowledged: clients.acknowledged,
      lost: clients.lost,
    };
  } finally {
    clients.close();
  }
}
