import os from 'node:os';
import { TIMING_KEYS, timingOf } from './intervals.js';
import type { DiskProbe } from './disk.js';
import type { Outcome, Row, Table } from './row.js';

/** What of a row is in the JSON. */
export interface RowReport extends Pick<Outcome, 'reached' | 'verdict' | 'lost' | 'figures'> {
  readonly name: string;
  readonly what: string;
  readonly reach: string;
  readonly seconds: number;
}

/** The JSON of a whole run. `schema` grows when a field changes its meaning or goes. */
export interface Report {
  readonly schema: 2;
  readonly at: string;
  readonly form: 'short' | 'long';
  readonly machine: { readonly node: string; readonly platform: string; readonly cores: number; readonly cpu: string; readonly memoryGiB: number; readonly loadAtStart: number };
  readonly disk: { readonly fileSystem: string; readonly probes: readonly DiskProbe[] };
  /** The bundled profiles' intervals, which the pairs here have. */
  readonly intervals: Readonly<Record<string, string>>;
  readonly rows: readonly RowReport[];
  /** Rows that could not be measured, and why. */
  readonly failed: readonly { readonly name: string; readonly why: string }[];
  readonly skipped: readonly string[];
  /** Acknowledged by a pair and never received, over all rows. */
  readonly lost: number;
}

export function machine(): Report['machine'] {
  const [cpu] = os.cpus();
  return {
    node: process.version,
    platform: `${os.platform()} ${os.release()}`,
    cores: os.cpus().length,
    cpu: cpu?.model ?? 'unknown',
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    loadAtStart: Math.round((os.loadavg()[0] ?? 0) * 10) / 10,
  };
}

export function intervals(): Report['intervals'] {
  return Object.fromEntries(TIMING_KEYS.map((key) => [key, timingOf(key)]));
}

export function rowReport(row: Row, outcome: Outcome, seconds: number): RowReport {
  const { name, what, reach } = row;
  const { reached, verdict, lost, figures } = outcome;
  return { name, what, reach, reached, verdict, lost, seconds: Math.round(seconds), figures };
}

/** The first lines for people: machine, disk, intervals. */
export function preamble({ machine: m, disk, intervals: all, form }: Pick<Report, 'machine' | 'disk' | 'intervals' | 'form'>): string {
  const probes = disk.probes.map((one) => `${one.bytes} bytes ${Math.round(one.syncsPerSecond)} a second (p50 ${one.ms.p50} ms, p99 ${one.ms.p99} ms)`);
  return [
    `Node.js ${m.node}, ${m.platform}, ${m.cores} cores (${m.cpu}), ${m.memoryGiB} GiB, load at the start ${m.loadAtStart}; ${form} form`,
    `File system ${disk.fileSystem}; append + fdatasync: ${probes.join(', ')}`,
    `Intervals as bundled: ${Object.entries(all).map(([key, value]) => `${key} ${value}`).join(', ')}`,
  ].join('\n');
}

/** What to reach, and what was reached. */
export function summary({ rows, failed, skipped, lost }: Pick<Report, 'rows' | 'failed' | 'skipped' | 'lost'>): string {
  const lines = rows.map((row) => `${row.name} [${row.verdict}]\n  what:    ${row.what}\n  reach:   ${row.reach}\n  reached: ${row.reached}`);
  for (const { name, why } of failed) lines.push(`${name} [NOT MEASURED]\n  ${why}`);
  for (const one of skipped) lines.push(`Not measured: ${one}`);
  lines.push(lost === 0 ? 'Nothing acknowledged was lost.' : `LOST: ${lost} acknowledged messages.`);
  return lines.join('\n');
}

export function showTable({ title, head, rows }: Table): string {
  const lines = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  const show = (line: readonly string[]): string => line.map((cell, column) => (typeof rows[0]?.[column] === 'number' ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0))).join('  ').trimEnd();
  return [title, ...lines.map(show)].join('\n');
}
