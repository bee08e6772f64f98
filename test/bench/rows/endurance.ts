import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Bench } from '../bench.js';
import { FailoverLoad, type Books } from '../failover-load.js';
import { other, ROLES, type Pair, type Role } from '../peers/pair.js';
import { descriptorsOf, residentBytesOf } from '../processes.js';
import { verdict, type Outcome, type Row } from '../row.js';
import type { Plot } from '../plot.js';
import { pause } from '../waiting.js';

const SHARE = 0.7;
const ROUNDS = 8;
const MIB = 1024 * 1024;
const SAMPLE_MS = 1_000;
const CALIBRATION_MS = 5_000;
/** The second half's largest may be so much above the first half's: the journal grows and is compacted again and again. */
const GROWTH_MAX = 1.25;
const LOAD = { publishers: 2, window: 64, payloadBytes: 256 };

/** One look at both servers together. */
interface Sample {
  readonly seconds: number;
  readonly residentMiB: number;
  readonly descriptors: number;
  readonly journalMiB: number;
}

interface Failover {
  readonly kind: string;
  readonly firstAckMs: number | null;
  readonly wholeAgainMs: number;
}

const KINDS: readonly { readonly name: string; cause(pair: Pair, active: Role): Promise<void> }[] = [
  { name: 'broker killed', cause: (pair, active) => pair.killBroker(active) },
  { name: 'switchover', cause: (pair, active) => pair.switchover(active) },
  {
    name: 'server killed',
    cause: async (pair, active) => {
      pair.killServer(active);
      await pause(5_000);
      pair.startServer(active);
    },
  },
];

export const endurance: Row = {
  name: 'endurance',
  what: 'Eight minutes (short form: eight times 15 s) at 70 % load with a failover in each: broker killed, switchover, server killed, in turn',
  reach: `memory, descriptors and journal size flat (largest of the last half ≤ ${GROWTH_MAX} × the first's), none lost`,
  run: (bench) => bench.withPair({}, (pair) => measure(bench, pair)),
};

async function measure(bench: Bench, pair: Pair): Promise<Outcome> {
  await pair.ready();
  const perSecond = Math.round((await fullRate(pair)) * SHARE);
  bench.say(`endurance: ${perSecond} messages a second`);
  const load = new FailoverLoad({ name: 'endurance', addresses: pair.addresses, ...LOAD, perSecond });
  const samples: Sample[] = [];
  const failovers: Failover[] = [];
  const begun = performance.now();
  const timer = setInterval(() => samples.push(look(pair, begun)), SAMPLE_MS);
  try {
    await load.start();
    const roundMs = bench.size(15_000, 60_000);
    for (let number = 1; number <= ROUNDS; number++) {
      const endAt = begun + number * roundMs;
      bench.say(`endurance: ${number} of ${ROUNDS}`);
      await pause(Math.max(0, endAt - roundMs / 2 - performance.now()));
      failovers.push(await failover(pair, load, KINDS[(number - 1) % KINDS.length] as (typeof KINDS)[number]));
      await pause(Math.max(0, endAt - performance.now()));
    }
    clearInterval(timer);
    return outcomeOf(perSecond, samples, failovers, await load.settle(), (performance.now() - begun) / 1_000);
  } finally {
    clearInterval(timer);
    load.close();
  }
}

/** Messages a second that are acknowledged when nothing holds the publishers back. */
async function fullRate(pair: Pair): Promise<number> {
  const load = new FailoverLoad({ name: 'calibration', addresses: pair.addresses, ...LOAD, perSecond: null });
  try {
    await load.start();
    await pause(SAMPLE_MS);
    const before = load.acknowledged;
    await pause(CALIBRATION_MS);
    const rate = ((load.acknowledged - before) * 1_000) / CALIBRATION_MS;
    await load.settle();
    return rate;
  } finally {
    load.close();
  }
}

async function failover(pair: Pair, load: FailoverLoad, kind: (typeof KINDS)[number]): Promise<Failover> {
  const active = await pair.ready();
  const at = performance.now();
  load.clock.event(at);
  await kind.cause(pair, active);
  await pause(SAMPLE_MS);
  await pair.ready();
  return { kind: kind.name, firstAckMs: load.clock.firstAckMs(ROLES.indexOf(other(active))), wholeAgainMs: performance.now() - at };
}

function look(pair: Pair, begun: number): Sample {
  const pids = ROLES.flatMap((role) => pair.processes(role));
  const sum = (of: (pid: number) => number): number => pids.reduce((total, pid) => total + of(pid), 0);
  return {
    seconds: Math.round((performance.now() - begun) / 1_000),
    residentMiB: Math.round(sum(residentBytesOf) / MIB),
    descriptors: sum(descriptorsOf),
    journalMiB: Math.round(ROLES.reduce((total, role) => total + folderBytes(pair.dataFolder(role)), 0) / MIB),
  };
}

function folderBytes(folder: string): number {
  let bytes = 0;
  for (const name of readdirSync(folder)) {
    try {
      const stats = statSync(path.join(folder, name));
      bytes += stats.isDirectory() ? folderBytes(path.join(folder, name)) : stats.size;
    } catch {
      // It was removed between the listing and the look.
      continue;
    }
  }
  return bytes;
}

type Sampled = Exclude<keyof Sample, 'seconds'>;
const SAMPLED: readonly (readonly [key: Sampled, title: string, unit: string])[] = [
  ['residentMiB', 'resident memory of both servers', 'MiB'],
  ['descriptors', 'open descriptors of both servers', 'descriptors'],
  ['journalMiB', 'data folders of both servers', 'MiB'],
];

function outcomeOf(perSecond: number, samples: readonly Sample[], failovers: readonly Failover[], books: Books, seconds: number): Outcome {
  // The first quarter is warming up: nothing was compacted yet.
  const warm = samples.slice(Math.floor(samples.length / 4));
  const middle = warm.length >> 1;
  const halves = SAMPLED.map(([key, title]) => ({ title, first: Math.max(...warm.slice(0, middle).map((one) => one[key])), last: Math.max(...warm.slice(middle).map((one) => one[key])) }));
  const flat = halves.every(({ first, last }) => last <= first * GROWTH_MAX);
  const wrong = books.violations.length === 0 ? '' : `; VIOLATIONS: ${books.violations.slice(0, 5).join('; ')}`;
  return {
    reached: `${halves.map(({ title, first, last }) => `${title} ${first} → ${last}`).join('; ')}; ${Math.round(seconds)} s at ${perSecond} a second asked, ${Math.round(books.acknowledged / seconds)} reached; acknowledged ${books.acknowledged}, received ${books.received}, lost ${books.lost}, QoS 2 duplicates ${books.qos2Duplicates}${wrong}`,
    verdict: verdict(flat && books.lost === 0 && books.qos2Duplicates === 0 && books.violations.length === 0),
    lost: books.lost,
    tables: [{ title: 'A failover in each round', head: ['round', 'kind', 'first ack of the new server after ms', 'whole again ms'], rows: failovers.map((one, at) => [at + 1, one.kind, Math.round(one.firstAckMs ?? NaN), Math.round(one.wholeAgainMs)]) }],
    plots: SAMPLED.map(([key, title, unit]): Plot => ({ file: `endurance-${key}`, title: `Endurance: ${title}`, x: 'seconds', y: unit, xScale: 'linear', lines: [{ name: title, points: samples.map((one) => [one.seconds, one[key]]) }] })),
    figures: { perSecond, halves, failovers, books, samples },
  };
}
