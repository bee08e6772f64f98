import { connect } from 'node:net';
import type { Bench } from '../bench.js';
import { Ledger } from '../clients/ledger.js';
import { MqttSubscriber } from '../clients/mqtt-subscriber.js';
import { LoadClients, MAIN_LOAD, runLoad } from '../load.js';
import { ROLES, type Pair, type Role } from '../peers/pair.js';
import { residentBytesTogether } from '../processes.js';
import { verdict, type Outcome, type Row } from '../row.js';
import { until } from '../waiting.js';

const PAYLOAD_BYTES = 1024;
const MIB = 1024 * 1024;
const RESIDENT_MIB_MAX = 600;
const DRAIN_RATIO_MIN = 0.5;
const RESTART_MS_AIM = 5_000;
const SAMPLE_MS = 500;
const LIMIT_MS = 600_000;

export const queuedMessages: Row = {
  name: 'queued',
  what: '1,000,000 queued messages of 1 KB (short form: 100,000) for an offline session; both servers restarted; then drained',
  reach: `resident memory per server ≤ ${RESIDENT_MIB_MAX} MB; drained at ≥ ${DRAIN_RATIO_MIN} × the live rate; restart to serving: aim ≤ 5 s; none lost`,
  run: (bench) => bench.withPair({ queuedMessagesPerSessionMax: 2_000_000 }, (pair) => measure(bench, pair)),
};

async function measure(bench: Bench, pair: Pair): Promise<Outcome> {
  const count = bench.size(100_000, 1_000_000);
  const load = { ...MAIN_LOAD, payloadBytes: PAYLOAD_BYTES };
  const live = await runLoad(await pair.broker(), load, bench.size(3, 10));
  const ledger = new Ledger(load.publishers);
  const resident = new Resident(pair);
  const filler = new LoadClients(await pair.broker(), { ...load, subscribers: 0 });
  try {
    (await consumer(pair, ledger)).close();
    await filler.open();
    bench.say(`queued: ${count} messages for the offline session`);
    filler.start();
    await until(LIMIT_MS, () => `${count} queued messages`, () => (filler.acknowledged >= count ? true : null));
    await filler.settle();
    const filledMiB = resident.take();
    bench.say('queued: both servers stop and start');
    const restartMs = await restart(pair);
    await pair.ready();
    const restartedMiB = resident.take();
    bench.say('queued: drains');
    const drained = await drain(pair, ledger, filler.acknowledged);
    const drainedMiB = resident.take();
    const lost = filler.acknowledgedOf.reduce((sum, acknowledged, index) => sum + ledger.missing(index, acknowledged), 0);
    return outcomeOf({ count: filler.acknowledged, live: live.perSecond, drained, restartMs, memory: { filledMiB, restartedMiB, drainedMiB }, received: ledger.count, lost: lost + live.lost });
  } finally {
    resident.stop();
    filler.close();
  }
}

async function consumer(pair: Pair, ledger: Ledger): Promise<MqttSubscriber> {
  const role = await pair.ready();
  const port = pair.addresses[ROLES.indexOf(role)]?.port ?? 0;
  return MqttSubscriber.open({ port, clientId: 'bench-offline', clean: false, filters: ['bench/load/#'], qos: 1, ledger });
}

/** Messages a second, from CONNECT until the last. */
async function drain(pair: Pair, ledger: Ledger, count: number): Promise<number> {
  const begun = performance.now();
  const subscriber = await consumer(pair, ledger);
  try {
    await until(LIMIT_MS, () => `the last of ${count} messages (${ledger.count} came)`, () => (ledger.count >= count || subscriber.failure !== null ? true : null));
    return Math.round((ledger.count * 1_000) / (performance.now() - begun));
  } finally {
    subscriber.close();
  }
}

/** Stops both and starts both. @returns milliseconds from the start of both until a client is accepted */
async function restart(pair: Pair): Promise<number> {
  await Promise.all(ROLES.map((role) => pair.stopServer(role)));
  const begun = performance.now();
  for (const role of ROLES) pair.startServer(role);
  await until(LIMIT_MS, () => 'a server to accept clients', async () => ((await Promise.all(pair.addresses.map(({ port }) => accepts(port)))).includes(true) ? true : null));
  return Math.round(performance.now() - begun);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

type PerServer = Readonly<Record<Role, number>>;

/** The largest resident memory of all processes of each server, looked at twice a second. */
class Resident {
  private peak: Record<Role, number> = { primary: 0, secondary: 0 };
  private readonly timer = setInterval(() => this.look(), SAMPLE_MS);

  constructor(private readonly pair: Pair) {}

  /** MiB, since it was last taken. */
  take(): PerServer {
    this.look();
    const { peak } = this;
    this.peak = { primary: 0, secondary: 0 };
    return { primary: Math.round(peak.primary / MIB), secondary: Math.round(peak.secondary / MIB) };
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    for (const role of ROLES) this.peak[role] = Math.max(this.peak[role], residentBytesTogether(this.pair.processes(role)));
  }
}

interface Figures {
  readonly count: number;
  readonly live: number;
  readonly drained: number;
  readonly restartMs: number;
  readonly memory: { readonly filledMiB: PerServer; readonly restartedMiB: PerServer; readonly drainedMiB: PerServer };
  readonly received: number;
  readonly lost: number;
}

function outcomeOf(figures: Figures): Outcome {
  const { count, live, drained, restartMs, memory, received, lost } = figures;
  const peaks = Object.entries(memory).map(([when, { primary, secondary }]) => [when.replace('MiB', ''), primary, secondary] as const);
  const peak = Math.max(...peaks.flatMap(([, primary, secondary]) => [primary, secondary]));
  const ratio = drained / live;
  return {
    reached: `${count} queued: peak memory ${peak} MiB per server; drained at ${ratio.toFixed(2)} × the live rate (${drained} of ${live} a second); restart to serving ${(restartMs / 1_000).toFixed(1)} s${restartMs > RESTART_MS_AIM ? ' (above the aim)' : ''}; received ${received}, lost ${lost}`,
    verdict: verdict((peak * MIB) / 1e6 <= RESIDENT_MIB_MAX && ratio >= DRAIN_RATIO_MIN && lost === 0),
    lost,
    tables: [{ title: 'Largest resident memory of all processes of a server, MiB', head: ['until', 'primary', 'secondary'], rows: peaks }],
    plots: [],
    figures,
  };
}
