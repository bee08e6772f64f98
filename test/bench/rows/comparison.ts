import type { Bench, PeerName } from '../bench.js';
import { inTurn, ratioTo, seriesRows, seriesTable, shown, type Series } from '../in-turn.js';
import type { Load } from '../load.js';
import type { Broker } from '../peers/broker.js';
import { verdict, type Outcome, type Row } from '../row.js';
import type { Plot } from '../plot.js';

/** One load with the value that it differs in. */
export interface Step {
  readonly label: string;
  readonly value: number;
  readonly load: Load;
  /** The row `budget` has its profile: it may stay below the ratio, and is then marked so. */
  readonly profiled?: boolean;
}

export interface Measured extends Step {
  readonly series: readonly Series[];
}

export interface Comparison {
  readonly name: string;
  readonly what: string;
  readonly reach: string;
  readonly peers: readonly PeerName[];
  readonly steps: readonly Step[];
  /** The ratio to Mosquitto that every step shall reach that has no profile; `null`: reported only. */
  readonly ratio: number | null;
  /** Draws throughput and p99 over the steps' values; `null`: no plot. */
  readonly plot: Pick<Plot, 'file' | 'title' | 'x' | 'xScale'> | null;
}

/** Rounds and seconds for each broker and step. */
const SHORT = { rounds: 5, seconds: 1.5 };
const LONG = { rounds: 7, seconds: 4 };

/** Each step on Lockstep and its peers in turn. */
export async function measureSteps(bench: Bench, brokers: readonly Broker[], what: string, steps: readonly Step[]): Promise<Measured[]> {
  const { rounds, seconds } = bench.long ? LONG : SHORT;
  const all: Measured[] = [];
  for (const step of steps) {
    all.push({ ...step, series: await inTurn(bench, brokers, step.load, rounds, seconds, `${what}: ${step.label}`) });
  }
  return all;
}

export function comparisonRow(comparison: Comparison): Row {
  const { name, what, reach } = comparison;
  return {
    name,
    what,
    reach,
    run: (bench) => bench.withBrokers(comparison.peers, async (brokers) => outcomeOf(comparison, await measureSteps(bench, brokers, name, comparison.steps))),
  };
}

export function lostOf(measured: readonly Measured[]): number {
  return measured.reduce((sum, { series }) => sum + (series[0]?.lost ?? 0), 0);
}

function outcomeOf({ what, ratio, plot }: Comparison, measured: readonly Measured[]): Outcome {
  const ratios = measured.map(({ label, profiled, series }) => {
    const to = ratioTo(series, 'Mosquitto');
    const below = to !== null && ratio !== null && to.median < ratio;
    return { label, to, excused: below && profiled === true, below };
  });
  const known = ratios.filter(({ to }) => to !== null);
  const said = ratios.map(({ label, to, excused }) => `${label}: ${to === null ? 'no Mosquitto' : shown(to)}${excused ? ' (below, profiled)' : ''}`);
  return {
    reached: `× Mosquitto: ${said.join('; ')}`,
    verdict: ratio === null || known.length === 0 ? 'reported' : verdict(known.every(({ below, excused }) => !below || excused)),
    lost: lostOf(measured),
    tables: [seriesTable(what, measured.flatMap(({ label, series }) => seriesRows(label, series)))],
    plots: plot === null ? [] : plotsOf(plot, measured),
    figures: measured,
  };
}

/** Throughput of each broker, and p99 of each. */
export function plotsOf(plot: Pick<Plot, 'file' | 'title' | 'x' | 'xScale'>, measured: readonly Measured[]): Plot[] {
  const names = [...new Set(measured.flatMap(({ series }) => series.map((one) => one.broker)))];
  const lines = (pick: (series: Series) => number): Plot['lines'] =>
    names.map((name) => ({ name, points: measured.flatMap(({ value, series }) => series.filter((one) => one.broker === name).map((one) => [value, pick(one)] as const)) }));
  return [
    { ...plot, file: `${plot.file}-throughput`, title: `${plot.title}: throughput`, y: 'messages a second', lines: lines((one) => one.perSecond.median) },
    { ...plot, file: `${plot.file}-p99`, title: `${plot.title}: 99th percentile of the acknowledgement`, y: 'milliseconds', lines: lines((one) => one.p99Ms.median) },
  ];
}
