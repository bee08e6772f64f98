import type { FailoverResult } from './failover.js';
import { round } from './latencies.js';
import type { LoadResult } from './load.js';
import type { DiskProbe } from './references.js';

/** The JSON of a whole run. `schema` grows when a field changes its meaning or goes. */
export interface Report {
  readonly schema: 1;
  readonly at: string;
  readonly machine: { readonly node: string; readonly platform: string; readonly cores: number; readonly cpu: string; readonly loadAtStart: number };
  readonly payloadBytes: number;
  readonly disk: readonly DiskProbe[];
  readonly throughput: readonly LoadResult[];
  readonly mosquitto: readonly LoadResult[];
  /** The pair in relation to what was measured beside it. */
  readonly ratios: readonly { readonly what: string; readonly ratio: number }[];
  readonly failover: readonly FailoverResult[];
  /** What was not measured, and why. */
  readonly skipped: readonly string[];
  /** Acknowledged and never received, over all of the pair's measurements. */
  readonly lost: number;
}

export function ratios(throughput: readonly LoadResult[], mosquitto: readonly LoadResult[], disk: readonly DiskProbe[]): Report['ratios'] {
  const found: { what: string; ratio: number }[] = [];
  for (const level of throughput) {
    const other = mosquitto.find((one) => one.name === level.name);
    if (other !== undefined) found.push({ what: `throughput of Mosquitto in memory, ${level.name}`, ratio: round(level.perSecond / other.perSecond) });
  }
  const single = throughput.find((level) => level.connections * level.window === 1);
  const probe = disk[0];
  if (single !== undefined && probe !== undefined) found.push({ what: 'median of one bare append and sync, one message at a time', ratio: round(single.ackMs.p50 / probe.ms.p50) });
  const best = Math.max(0, ...throughput.map((level) => level.perSecond));
  if (best > 0 && probe !== undefined) found.push({ what: 'messages for each bare append and sync, best level', ratio: round(best / probe.syncsPerSecond) });
  return found;
}

/** The tables for people. */
export function tables(report: Report): string {
  const { machine, disk, throughput, mosquitto, failover, skipped } = report;
  const parts = [`Node.js ${machine.node}, ${machine.platform}, ${machine.cores} cores (${machine.cpu}), load at the start ${machine.loadAtStart}`];
  if (disk.length > 0) parts.push(table(['append + fdatasync', 'per second', 'p50 ms', 'p99 ms', 'max ms'], disk.map((one) => [`${one.bytes} bytes`, one.syncsPerSecond, one.ms.p50, one.ms.p99, one.ms.max])));
  const rows = (system: string, results: readonly LoadResult[]): (string | number)[][] =>
    results.map((one) => [system, one.name, one.perSecond, one.ackMs.p50, one.ackMs.p99, one.ackMs.p999, one.ackMs.max, one.cpuMicros.join(' + '), one.lost, one.duplicates]);
  const loads = [...rows('pair', throughput), ...rows('mosquitto', mosquitto)];
  if (loads.length > 0) parts.push(table(['QoS 1, 256 bytes', 'load', 'per second', 'p50 ms', 'p99 ms', 'p99.9 ms', 'max ms', 'µs CPU', 'lost', 'duplicates'], loads));
  if (report.ratios.length > 0) parts.push(table(['the pair, as a multiple of', 'ratio'], report.ratios.map((one) => [one.what, one.ratio])));
  const outages = failover.map((one) => [
    one.event,
    one.clients,
    one.runs,
    `${one.acknowledgementGapMs.median} / ${one.acknowledgementGapMs.max}`,
    `${one.receptionGapMs.median} / ${one.receptionGapMs.max}`,
    `${one.wholeAgainMs.median} / ${one.wholeAgainMs.max}`,
    one.acknowledged,
    one.received,
    one.lost,
    one.duplicates,
  ]);
  if (outages.length > 0) parts.push(table(['event', 'clients', 'runs', 'no ack, ms', 'no message, ms', 'whole again, ms', 'acknowledged', 'received', 'lost', 'duplicates'], outages), 'Outages and times: median / longest.');
  for (const one of skipped) parts.push(`Not measured: ${one}`);
  parts.push(report.lost === 0 ? 'Nothing acknowledged was lost.' : `LOST: ${report.lost} acknowledged messages.`);
  return parts.join('\n\n');
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const lines = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  const show = (line: readonly string[], from: readonly (readonly (string | number)[])[]): string =>
    line.map((cell, column) => (typeof from[0]?.[column] === 'number' ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0))).join('  ').trimEnd();
  return lines.map((line) => show(line, rows)).join('\n');
}
