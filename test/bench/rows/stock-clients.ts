import type { Bench } from '../bench.js';
import { startJsClients, type Observers } from '../clients/js-clients.js';
import { startMosquittoClients } from '../clients/mosquitto-clients.js';
import { Tally, type Account } from '../clients/tally.js';
import { median } from '../latencies.js';
import type { Pair, Role } from '../peers/pair.js';
import { findProgram } from '../peers/programs.js';
import { verdict, type Row } from '../row.js';
import type { Started } from '../started.js';
import { pause, until } from '../waiting.js';

type EventKind = 'broker killed' | 'server killed' | 'switchover';
const EVENTS: readonly EventKind[] = ['broker killed', 'server killed', 'switchover'];
type ClientKind = 'MQTT.js' | 'mosquitto_pub/sub';

interface FailoverRun {
  readonly event: EventKind;
  readonly clients: ClientKind;
  readonly account: Account;
  /** From the event until the pair was ACTIVE and PASSIVE again; milliseconds. */
  readonly wholeAgainMs: number;
}

interface FailoverTools {
  readonly started: Started;
  readonly pair: Pair;
  readonly programs: { readonly pub: string; readonly sub: string } | null;
  /** Undisturbed, before the event and after the recovery. */
  readonly calmMs: number;
}

/** Messages that must have been acknowledged and received after the event before it counts as over. */
const RECOVERED_COUNT = 3;
const RECOVERY_MS_MAX = 60_000;

/** Failover as clients see it that others have written: with their own ideas of reconnecting. */
export const stockClients: Row = {
  name: 'stock-clients',
  what: 'Failover seen by MQTT.js and by mosquitto_pub/sub: longest time without an acknowledgement, and without a message',
  reach: 'reported; none lost',
  run: (bench) => bench.withPair({}, (pair) => measure(bench, pair)),
};

async function measure(bench: Bench, pair: Pair): ReturnType<Row['run']> {
  const [pub, sub] = [findProgram('mosquitto_pub'), findProgram('mosquitto_sub')];
  const programs = pub === null || sub === null ? null : { pub, sub };
  if (programs === null) bench.skip('failover seen by mosquitto_pub and mosquitto_sub: they are not installed');
  const times = bench.size(1, 5);
  const tools = { started: bench.started, pair, programs, calmMs: bench.size(500, 1_500) };
  const runs: FailoverRun[] = [];
  for (const event of EVENTS) {
    for (let number = 1; number <= times; number++) {
      bench.say(`stock-clients: ${event}, ${number} of ${times}`);
      runs.push(...(await runEvent(tools, event, number)));
    }
  }
  return outcomeOf(runs);
}

/** One event, watched by all clients at the same time. */
async function runEvent({ started, pair, programs, calmMs }: FailoverTools, event: EventKind, number: number): Promise<FailoverRun[]> {
  const role = await pair.ready();
  const name = `${event.replace(' ', '-')}-${number}`;
  const observers = new Map<ClientKind, Observers>();
  try {
    observers.set('MQTT.js', await startJsClients(pair.addresses, `js-${name}`, new Tally()));
    if (programs !== null) observers.set('mosquitto_pub/sub', await startMosquittoClients(started, programs, pair.addresses, `command-${name}`, new Tally()));
    await allProgress(observers, performance.now());
    await pause(calmMs);
    const eventAt = performance.now();
    await cause(pair, event, role);
    await allProgress(observers, eventAt + 100);
    if (event === 'server killed') pair.startServer(role);
    await pair.ready();
    const wholeAgainMs = Math.round(performance.now() - eventAt);
    await pause(calmMs);
    await Promise.all([...observers.values()].map((one) => one.settle()));
    return [...observers].map(([clients, { tally }]) => ({ event, clients, account: tally.account(eventAt), wholeAgainMs }));
  } finally {
    await Promise.all([...observers.values()].map((one) => one.close()));
  }
}

async function cause(pair: Pair, event: EventKind, role: Role): Promise<void> {
  if (event === 'broker killed') await pair.killBroker(role);
  else if (event === 'server killed') pair.killServer(role);
  else await pair.switchover(role);
}

async function allProgress(observers: ReadonlyMap<ClientKind, Observers>, since: number): Promise<void> {
  for (const [clients, { tally }] of observers) {
    await until(RECOVERY_MS_MAX, () => `messages through ${clients}`, () => (tally.progressSince(since) >= RECOVERED_COUNT ? true : null));
  }
}

function outcomeOf(runs: readonly FailoverRun[]): Awaited<ReturnType<Row['run']>> {
  const groups = new Map<string, FailoverRun[]>();
  for (const run of runs) {
    const key = `${run.event}, ${run.clients}`;
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  const spread = (group: readonly FailoverRun[], pick: (run: FailoverRun) => number): string => `${Math.round(median(group.map(pick)))} / ${Math.max(...group.map(pick))}`;
  const sum = (group: readonly FailoverRun[], pick: (account: Account) => number): number => group.reduce((total, { account }) => total + pick(account), 0);
  const lost = sum(runs, (account) => account.lost);
  const rows = [...groups].map(([key, group]) => [
    key,
    group.length,
    spread(group, ({ account }) => account.acknowledgementGapMs),
    spread(group, ({ account }) => account.receptionGapMs),
    spread(group, ({ wholeAgainMs }) => wholeAgainMs),
    sum(group, (account) => account.acknowledged),
    sum(group, (account) => account.received),
    sum(group, (account) => account.lost),
    sum(group, (account) => account.duplicates),
  ]);
  return {
    reached: `${rows.map(([key, , gap]) => `${String(key)}: no acknowledgement for ${String(gap)} ms`).join('; ')} (median / longest); acknowledged ${sum(runs, (account) => account.acknowledged)}, lost ${lost}`,
    verdict: verdict(lost === 0),
    lost,
    tables: [{ title: 'Failover seen by stock clients; times: median / longest, ms', head: ['event and clients', 'runs', 'no ack', 'no message', 'whole again', 'acknowledged', 'received', 'lost', 'duplicates'], rows }],
    plots: [],
    figures: runs,
  };
}
