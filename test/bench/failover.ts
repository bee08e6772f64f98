import { startJsClients, type Observers } from './js-clients.js';
import { median } from './latencies.js';
import { startMosquittoClients } from './mosquitto-clients.js';
import type { Pair, Role } from './pair.js';
import type { Started } from './started.js';
import { Tally, type Account } from './tally.js';
import { pause, until } from './waiting.js';

export type EventKind = 'broker killed' | 'server killed' | 'switchover';
export const EVENTS: readonly EventKind[] = ['broker killed', 'server killed', 'switchover'];
export type ClientKind = 'MQTT.js' | 'mosquitto_pub/sub';

export interface FailoverRun {
  readonly event: EventKind;
  readonly clients: ClientKind;
  readonly account: Account;
  /** From the event until the pair was ACTIVE and PASSIVE again, where this is waited for; milliseconds. */
  readonly wholeAgainMs: number;
}

/** All runs of one kind together. */
export interface FailoverResult {
  readonly event: EventKind;
  readonly clients: ClientKind;
  readonly runs: number;
  readonly acknowledgementGapMs: { readonly median: number; readonly max: number };
  readonly receptionGapMs: { readonly median: number; readonly max: number };
  readonly wholeAgainMs: { readonly median: number; readonly max: number };
  readonly acknowledged: number;
  readonly received: number;
  readonly lost: number;
  readonly duplicates: number;
}

export interface FailoverTools {
  readonly started: Started;
  readonly pair: Pair;
  readonly programs: { readonly pub: string; readonly sub: string } | null;
  /** Undisturbed, before the event and after the recovery. */
  readonly calmMs: number;
}

/** Messages that must have been acknowledged and received after the event before it counts as over. */
const RECOVERED_COUNT = 3;
const RECOVERY_MS_MAX = 60_000;

/** One event, watched by all clients at the same time. */
export async function runEvent({ started, pair, programs, calmMs }: FailoverTools, event: EventKind, number: number): Promise<FailoverRun[]> {
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

export function summarise(runs: readonly FailoverRun[]): FailoverResult[] {
  const groups = new Map<string, FailoverRun[]>();
  for (const run of runs) {
    const key = `${run.event}/${run.clients}`;
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  return [...groups.values()].map((group) => {
    const { event, clients } = group[0] as FailoverRun;
    const spread = (pick: (run: FailoverRun) => number): { median: number; max: number } => ({ median: Math.round(median(group.map(pick))), max: Math.max(...group.map(pick)) });
    const sum = (pick: (account: Account) => number): number => group.reduce((total, { account }) => total + pick(account), 0);
    return {
      event,
      clients,
      runs: group.length,
      acknowledgementGapMs: spread(({ account }) => account.acknowledgementGapMs),
      receptionGapMs: spread(({ account }) => account.receptionGapMs),
      wholeAgainMs: spread((run) => run.wholeAgainMs),
      acknowledged: sum((account) => account.acknowledged),
      received: sum((account) => account.received),
      lost: sum((account) => account.lost),
      duplicates: sum((account) => account.duplicates),
    };
  });
}
