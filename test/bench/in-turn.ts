import type { Bench } from './bench.js';
import { median, round } from './latencies.js';
import { runLoad, type Load, type LoadResult } from './load.js';
import type { Broker } from './peers/broker.js';
import type { Table } from './row.js';

/** The middle of several values and the two ends. */
export interface Range {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function rangeOf(values: readonly number[]): Range {
  return { median: round(median(values)), min: round(Math.min(...values)), max: round(Math.max(...values)) };
}

/** `0.93 (0.88 to 0.97)` */
export function shown({ median: middle, min, max }: Range, digits = 2): string {
  return `${middle.toFixed(digits)} (${min.toFixed(digits)} to ${max.toFixed(digits)})`;
}

/** One broker under one load, several times. */
export interface Series {
  readonly broker: string;
  readonly promise: string;
  readonly perSecond: Range;
  readonly p50Ms: Range;
  readonly p99Ms: Range;
  readonly cpuMicros: readonly number[];
  readonly clientCpuMicros: number;
  /** Of each round, the first broker's rate to this one's. */
  readonly ratio: Range;
  readonly lost: number;
  readonly duplicates: number;
  readonly rounds: readonly LoadResult[];
}

/** The same load on each broker in turn, A B A B …, so that noise falls on all. Ratios are of the first broker to each, round by round. */
export async function inTurn(bench: Bench, brokers: readonly Broker[], load: Load, rounds: number, seconds: number, what: string): Promise<Series[]> {
  const results = brokers.map((): LoadResult[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [at, broker] of brokers.entries()) {
      bench.say(`${what}, ${broker.name}, ${round + 1} of ${rounds}`);
      results[at]?.push(await runLoad(broker, load, seconds));
    }
  }
  return brokers.map((broker, at) => seriesOf(broker, results[at] ?? [], results[0] ?? []));
}

function seriesOf(broker: Broker, rounds: readonly LoadResult[], first: readonly LoadResult[]): Series {
  const cpus = rounds[0]?.cpuMicros.map((_, process) => median(rounds.map((one) => one.cpuMicros[process] ?? 0))) ?? [];
  return {
    broker: broker.name,
    promise: broker.promise,
    perSecond: rangeOf(rounds.map((one) => one.perSecond)),
    p50Ms: rangeOf(rounds.map((one) => one.ackMs.p50)),
    p99Ms: rangeOf(rounds.map((one) => one.ackMs.p99)),
    cpuMicros: cpus.map(round),
    clientCpuMicros: round(median(rounds.map((one) => one.clientCpuMicros))),
    ratio: rangeOf(rounds.map((one, at) => (first[at]?.perSecond ?? 0) / Math.max(1, one.perSecond))),
    lost: rounds.reduce((sum, one) => sum + one.lost, 0),
    duplicates: rounds.reduce((sum, one) => sum + one.duplicates, 0),
    rounds,
  };
}

export const SERIES_HEAD = ['load', 'broker', 'ratio to it', 'per second', 'p50 ms', 'p99 ms', 'µs CPU', 'µs CPU of clients', 'lost', 'duplicates'];

export function seriesRows(what: string, series: readonly Series[]): (string | number)[][] {
  return series.map((one, at) => [
    what,
    one.broker,
    at === 0 ? '' : shown(one.ratio),
    shown(one.perSecond, 0),
    one.p50Ms.median,
    shown(one.p99Ms),
    one.cpuMicros.join(' + '),
    one.clientCpuMicros,
    one.lost,
    one.duplicates,
  ]);
}

export function seriesTable(title: string, rows: readonly (readonly (string | number)[])[]): Table {
  return { title, head: SERIES_HEAD, rows };
}

/** The ratio to a broker by name; `null` when it was not measured. */
export function ratioTo(series: readonly Series[], name: string): Range | null {
  return series.find((one) => one.broker === name)?.ratio ?? null;
}
