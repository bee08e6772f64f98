import type { Bench } from '../bench.js';
import { Ledger } from '../clients/ledger.js';
import { MqttSubscriber } from '../clients/mqtt-subscriber.js';
import { timingMs } from '../intervals.js';
import { LoadClients, MAIN_LOAD } from '../load.js';
import { ROLES, type Pair } from '../peers/pair.js';
import { descriptorsMax, residentBytesOf } from '../processes.js';
import { verdict, type Outcome, type Row } from '../row.js';
import { pause } from '../waiting.js';

const CLIENTS = 10_000;
const BYTES_PER_CLIENT_AIM = 20 * 1024;
const OPENED_AT_ONCE = 100;
/** Of a process with so many connections, at most. */
const OTHER_DESCRIPTORS = 500;
const SETTLE_MS = 5_000;
const LOOK_MS = 100;
/** The few that are not idle. */
const BUSY = { ...MAIN_LOAD, publishers: 10, window: 1 };

export const manyClients: Row = {
  name: 'clients',
  what: `${CLIENTS} connected clients with a subscription each, all but 11 of them idle`,
  reach: 'memory per client reported, aim ≤ 20 KB; no missed heartbeat between the servers',
  run: (bench) => bench.withPair({ connectionsMax: CLIENTS + 1_000 }, (pair) => measure(bench, pair)),
};

async function measure(bench: Bench, pair: Pair): Promise<Outcome> {
  const needed = CLIENTS + OTHER_DESCRIPTORS;
  if (descriptorsMax() < needed) throw new Error(`a process may have ${descriptorsMax()} descriptors here, and ${needed} are needed: raise the limit (ulimit -Hn)`);
  const broker = await pair.broker();
  const port = pair.addresses[ROLES.indexOf(await pair.ready())]?.port ?? 0;
  // Warm, so that the first messages' memory is not taken for the clients'.
  await busy(pair, bench.size(2, 10));
  const before = broker.pids.map(residentBytesOf);
  const heartbeats = new Heartbeats(pair);
  const clients: MqttSubscriber[] = [];
  try {
    const ledger = new Ledger(0);
    const openedAt = performance.now();
    while (clients.length < CLIENTS) {
      const first = clients.length;
      const some = Array.from({ length: OPENED_AT_ONCE }, (_, at) => MqttSubscriber.open({ port, clientId: `bench-idle-${first + at}`, clean: true, filters: [`bench/idle/${first + at}`], qos: 1, ledger }));
      clients.push(...(await Promise.all(some)));
    }
    const openMs = performance.now() - openedAt;
    bench.say(`clients: ${clients.length} connected`);
    await pause(SETTLE_MS);
    const after = broker.pids.map(residentBytesOf);
    const { perSecond, lost } = await busy(pair, bench.size(5, 60));
    const dropped = clients.filter((one) => one.failure !== null).length;
    return outcomeOf({ perClient: after.map((bytes, at) => Math.round((bytes - (before[at] ?? 0)) / CLIENTS)), openPerSecond: Math.round((CLIENTS * 1_000) / openMs), heardMsMax: heartbeats.longestMs, moves: await heartbeats.moves(), dropped, perSecond, lost });
  } finally {
    heartbeats.stop();
    for (const one of clients) one.close();
  }
}

async function busy(pair: Pair, seconds: number): Promise<{ perSecond: number; lost: number }> {
  const clients = new LoadClients(await pair.broker(), BUSY);
  try {
    await clients.open();
    clients.start();
    return await clients.measure(seconds);
  } finally {
    clients.close();
  }
}

/** How long each server had not heard the other at the worst, as both tell. */
class Heartbeats {
  longestMs = 0;
  private readonly timer: NodeJS.Timeout;
  private readonly since = Date.now();

  constructor(private readonly pair: Pair) {
    this.timer = setInterval(() => void this.look(), LOOK_MS);
  }

  /** Moves between states since the beginning, of both servers. */
  async moves(): Promise<number> {
    const all = await Promise.all(ROLES.map((role) => this.pair.status(role)));
    return all.reduce((sum, status) => sum + (status?.history.filter(({ at }) => Date.parse(at) > this.since).length ?? 0), 0);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    const all = await Promise.all(ROLES.map((role) => this.pair.status(role)));
    for (const status of all) this.longestMs = Math.max(this.longestMs, status?.backchannel.heardMs ?? 0);
  }
}

interface Figures {
  /** Bytes of memory for each client: at the serving broker, at the passive one. */
  readonly perClient: readonly number[];
  readonly openPerSecond: number;
  readonly heardMsMax: number;
  readonly moves: number;
  readonly dropped: number;
  readonly perSecond: number;
  readonly lost: number;
}

function outcomeOf(figures: Figures): Outcome {
  const { perClient, openPerSecond, heardMsMax, moves, dropped, perSecond, lost } = figures;
  const kilobytes = perClient.map((bytes) => (bytes / 1024).toFixed(1));
  // The second heartbeat is due after twice the interval: later than that, one was missed.
  const missed = heardMsMax > 2 * timingMs('pingInterval');
  return {
    reached: `${kilobytes[0] ?? '?'} KiB per client at the serving broker, ${kilobytes[1] ?? '?'} KiB at the passive one; longest silence between the servers ${Math.round(heardMsMax)} ms (pingInterval ${timingMs('pingInterval')} ms), ${moves} moves, ${dropped} clients dropped; ${openPerSecond} connections a second, then ${perSecond} messages a second`,
    verdict: verdict(!missed && moves === 0 && dropped === 0 && (perClient[0] ?? 0) <= BYTES_PER_CLIENT_AIM),
    lost,
    tables: [],
    plots: [],
    figures,
  };
}
