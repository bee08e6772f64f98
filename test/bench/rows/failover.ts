import type { Bench } from '../bench.js';
import type { DiskWatch } from '../disk-watch.js';
import { FailoverLoad, type Books } from '../failover-load.js';
import { rangeOf, shown } from '../in-turn.js';
import { timingMs } from '../intervals.js';
import { other, ROLES, type Pair, type Role } from '../peers/pair.js';
import { verdict, type Outcome, type Row } from '../row.js';
import { pause, until } from '../waiting.js';

/** `handover`: from the old server's last acknowledgement to the new one's first. `gap`: the longest time without any acknowledgement. */
type Measure = 'handover' | 'gap';

interface Happening {
  readonly name: string;
  readonly what: string;
  readonly reach: string;
  readonly times: { readonly short: number; readonly long: number };
  readonly measure: Measure;
  readonly limitMs: number;
  /** Does it to the pair. */
  cause(pair: Pair, active: Role): Promise<void>;
  /** Brings back what was taken away, once the clients go on. */
  restore(pair: Pair, active: Role): Promise<void>;
}

interface Run {
  readonly loadPerSecond: number;
  readonly outageMs: number;
  /** So long of it the disk itself stood still: both servers' journals are on one. */
  readonly diskMs: number;
  /** From the event to the first acknowledgement by the server that serves after it. */
  readonly firstAckMs: number;
  /** From the event until the pair was ACTIVE and PASSIVE again. */
  readonly wholeAgainMs: number;
  /** Counts since the run before. */
  readonly acknowledged: number;
  readonly received: number;
  readonly lost: number;
  readonly qos2Duplicates: number;
  readonly qos1Duplicates: number;
}

const CALM_MS = 1_000;
const REST_MS = 5_000;
const GO_ON_MS_MAX = 60_000;
/** Longer than the peer's limits: it is given up meanwhile, and comes back. */
const FREEZE_MS = 5_000;
const LOAD = { publishers: 2, window: 16, payloadBytes: 256, perSecond: null };
const LOAD_TEXT = '4 publishers with 16 in flight, half at QoS 1 and half at QoS 2, 256 B, each half with a kept-session subscriber';

const nothing = (): Promise<void> => Promise.resolve();

const HAPPENINGS: readonly Happening[] = [
  {
    name: 'broker-killed',
    what: 'Broker process of the serving server killed (-9) under load: last acknowledgement by the old to the first by the new server',
    reach: 'p99 ≤ 500 ms, none lost',
    times: { short: 5, long: 50 },
    measure: 'handover',
    limitMs: 500,
    cause: (pair, active) => pair.killBroker(active),
    restore: nothing,
  },
  {
    name: 'server-killed',
    what: 'All processes of the serving server killed (-9) under load',
    reach: '≤ passiveLockAcquisitionInterval + 1 s, none lost',
    times: { short: 3, long: 20 },
    measure: 'handover',
    limitMs: timingMs('passiveLockAcquisitionInterval') + 1_000,
    cause: (pair, active) => Promise.resolve(pair.killServer(active)),
    restore: (pair, active) => Promise.resolve(pair.startServer(active)),
  },
  {
    name: 'switchover',
    what: 'Switchover asked for under load',
    reach: '≤ 250 ms, none lost',
    times: { short: 5, long: 20 },
    measure: 'handover',
    limitMs: 250,
    cause: (pair, active) => pair.switchover(active),
    restore: nothing,
  },
  {
    name: 'passive-killed',
    what: 'Broker process of the passive server killed (-9) under load: longest time without an acknowledgement',
    reach: '≤ 300 ms, none lost',
    times: { short: 5, long: 20 },
    measure: 'gap',
    limitMs: 300,
    cause: (pair, active) => pair.killBroker(other(active)),
    restore: nothing,
  },
  {
    name: 'passive-frozen',
    what: `All processes of the passive server stopped for ${FREEZE_MS / 1_000} s under load: longest time without an acknowledgement`,
    reach: '≤ heartbeat limit (pingInterval × pingMissLimit) + 300 ms, none lost',
    times: { short: 3, long: 10 },
    measure: 'gap',
    limitMs: timingMs('pingInterval') * timingMs('pingMissLimit') + 300,
    cause: (pair, active) => Promise.resolve(pair.freeze(other(active))),
    restore: async (pair, active) => {
      await pause(FREEZE_MS);
      pair.thaw(other(active));
    },
  },
];

export const failovers: readonly Row[] = HAPPENINGS.map((happening) => ({ name: happening.name, what: happening.what, reach: happening.reach, run: (bench) => bench.watchingDisk((disk) => bench.withPair({}, (pair) => measure(bench, pair, disk, happening))) }));

async function measure(bench: Bench, pair: Pair, disk: DiskWatch, happening: Happening): Promise<Outcome> {
  const times = bench.size(happening.times.short, happening.times.long);
  const stillAtRestMs = await restOf(disk);
  await pair.ready();
  const load = new FailoverLoad({ name: happening.name, addresses: pair.addresses, ...LOAD });
  const runs: Run[] = [];
  let violations: readonly string[] = [];
  try {
    await load.start();
    let before = await load.settle();
    for (let number = 1; number <= times; number++) {
      bench.say(`${happening.name}: ${number} of ${times}`);
      const { run, books } = await once(pair, disk, load, happening, before);
      runs.push(run);
      before = books;
      violations = books.violations;
    }
  } finally {
    load.close();
  }
  return outcomeOf(happening, runs, stillAtRestMs, violations);
}

/** Before there is load: what the disk does by itself, for as long as a run takes. */
async function restOf(disk: DiskWatch): Promise<number> {
  const from = performance.now();
  await pause(REST_MS);
  return Math.round(disk.longestMs(from, performance.now()));
}

async function once(pair: Pair, disk: DiskWatch, load: FailoverLoad, happening: Happening, before: Books): Promise<{ run: Run; books: Books }> {
  const active = await pair.ready();
  const [from, to] = happening.measure === 'handover' ? [active, other(active)] : [active, active];
  load.resume();
  const begun = { at: performance.now(), acknowledged: load.acknowledged };
  await pause(CALM_MS);
  const loadPerSecond = Math.round(((load.acknowledged - begun.acknowledged) * 1_000) / (performance.now() - begun.at));
  const eventAt = performance.now();
  load.clock.event(eventAt);
  await happening.cause(pair, active);
  const goesOn = (): number | null => load.clock.firstAckMs(ROLES.indexOf(to));
  const firstAckMs = await until(GO_ON_MS_MAX, () => `an acknowledgement after ${happening.name}`, goesOn);
  // Not read later: the old server may come back.
  const handover = load.clock.handover(ROLES.indexOf(from), ROLES.indexOf(to));
  await happening.restore(pair, active);
  // The broker that was killed may not be missed yet.
  await pause(CALM_MS);
  await pair.ready();
  const wholeAgainMs = performance.now() - eventAt;
  await pause(CALM_MS);
  const outage = happening.measure === 'handover' && handover !== null ? handover : load.clock.longestGap;
  const books = await load.settle();
  const run: Run = {
    loadPerSecond,
    outageMs: Math.round(outage.to - outage.from),
    diskMs: Math.round(disk.stoodStillMs(outage.from, outage.to)),
    firstAckMs: Math.round(firstAckMs),
    wholeAgainMs: Math.round(wholeAgainMs),
    acknowledged: books.acknowledged - before.acknowledged,
    received: books.received - before.received,
    lost: books.lost - before.lost,
    qos2Duplicates: books.qos2Duplicates - before.qos2Duplicates,
    qos1Duplicates: books.qos1Duplicates - before.qos1Duplicates,
  };
  return { run, books };
}

/** The value that 99 of 100 do not exceed. */
function p99Of(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.ceil(0.99 * values.length) - 1] ?? 0;
}

function outcomeOf({ what, limitMs }: Happening, runs: readonly Run[], stillAtRestMs: number, violations: readonly string[]): Outcome {
  const sum = (pick: (run: Run) => number): number => runs.reduce((total, run) => total + pick(run), 0);
  const outages = runs.map((run) => run.outageMs);
  const p99 = p99Of(outages);
  // Nobody can acknowledge what is durable while the disk makes nothing durable.
  const own = p99Of(runs.map((run) => run.outageMs - run.diskMs));
  const [lost, duplicates] = [sum((run) => run.lost), sum((run) => run.qos2Duplicates)];
  const wrong = violations.length === 0 ? '' : `; VIOLATIONS: ${violations.slice(0, 5).join('; ')}`;
  return {
    reached: `p99 ${p99} ms of ${runs.length} (limit ${limitMs}; median ${shown(rangeOf(outages), 0)}), ${own} ms without what the disk itself stood still; acknowledged ${sum((run) => run.acknowledged)}, received ${sum((run) => run.received)}, lost ${lost}, QoS 2 duplicates ${duplicates}${wrong}`,
    verdict: verdict(own <= limitMs && lost === 0 && duplicates === 0 && violations.length === 0),
    lost,
    tables: [
      {
        title: `${what}. Load: ${LOAD_TEXT}. In ${REST_MS / 1_000} s before the load the disk stood still for ${stillAtRestMs} ms at the longest.`,
        head: ['run', 'load a second', 'outage ms', 'of it the disk stood still', 'first ack after ms', 'whole again ms', 'acknowledged', 'received', 'lost', 'QoS 2 duplicates', 'QoS 1 duplicates'],
        rows: runs.map((run, at) => [at + 1, run.loadPerSecond, run.outageMs, run.diskMs, run.firstAckMs, run.wholeAgainMs, run.acknowledged, run.received, run.lost, run.qos2Duplicates, run.qos1Duplicates]),
      },
    ],
    plots: [],
    figures: { limitMs, load: LOAD_TEXT, p99Ms: p99, p99WithoutDiskMs: own, diskAtRestLongestMs: stillAtRestMs, runs, violations },
  };
}
