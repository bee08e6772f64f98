import { readFileSync } from 'node:fs';
import { Latencies, round, type Spread } from './latencies.js';
import { LoadPublisher, LoadSubscriber } from './load-client.js';
import { pause, until } from './waiting.js';

/** Sent and not yet received by the subscriber; above it publishers wait, so that no queue grows without end. */
const UNRECEIVED_MAX = 10_000;
const DRAIN_MS_MAX = 30_000;

export interface Level {
  readonly name: string;
  readonly connections: number;
  /** Messages in flight for each connection. */
  readonly window: number;
  readonly subscriberQos: 0 | 1;
}

export interface LoadResult extends Level {
  readonly seconds: number;
  /** Acknowledged while it was measured. */
  readonly perSecond: number;
  /** Processor time of each broker process for one message, microseconds: steadier than the throughput on a busy machine. Empty where it is not told. */
  readonly cpuMicros: readonly number[];
  /** From the send of a message to its PUBACK, milliseconds. */
  readonly ackMs: Spread;
  readonly acknowledged: number;
  readonly received: number;
  readonly lost: number;
  readonly duplicates: number;
}

/** One level of load on one broker: warm-up, measured time, and then until everything has arrived. `brokers`: their process ids. */
export async function runLevel(port: number, level: Level, seconds: number, brokers: readonly number[]): Promise<LoadResult> {
  const publishers: LoadPublisher[] = [];
  const subscriber = await LoadSubscriber.open(port, 'bench/load/+', level.subscriberQos, level.connections);
  try {
    const sent = (): number => publishers.reduce((sum, one) => sum + one.sent, 0);
    const acknowledged = (): number => publishers.reduce((sum, one) => sum + one.acknowledged, 0);
    const credit = (): number => UNRECEIVED_MAX - (sent() - subscriber.count);
    for (let index = 0; index < level.connections; index++) publishers.push(await LoadPublisher.open(port, index, level.window, credit));
    subscriber.onProgress = () => publishers.forEach((one) => one.pump());
    for (const one of publishers) one.running = true;
    for (const one of publishers) one.pump();
    await pause(Math.min(1_000, seconds * 250));
    for (const one of publishers) one.latencies = new Latencies();
    const before = { at: performance.now(), count: acknowledged(), cpu: brokers.map(cpuMicrosOf) };
    await pause(seconds * 1_000);
    const after = { at: performance.now(), count: acknowledged(), cpu: brokers.map(cpuMicrosOf) };
    const latencies = new Latencies();
    for (const one of publishers) latencies.addAll(one.latencies);
    for (const one of publishers) one.running = false;
    const failure = (): string | null => publishers.find((one) => one.failure !== null)?.failure ?? null;
    await until(DRAIN_MS_MAX, () => 'the last acknowledgements', () => (failure() !== null || acknowledged() === sent() ? true : null));
    await until(DRAIN_MS_MAX, () => 'the last messages', () => (subscriber.count >= acknowledged() ? true : null)).catch(() => undefined);
    const broken = failure();
    if (broken !== null) throw new Error(`level "${level.name}": ${broken}`);
    const elapsed = (after.at - before.at) / 1_000;
    return {
      ...level,
      seconds: round(elapsed),
      perSecond: Math.round((after.count - before.count) / elapsed),
      cpuMicros: after.cpu.map((cpu, index) => round((cpu - (before.cpu[index] ?? 0)) / Math.max(1, after.count - before.count))).filter(Number.isFinite),
      ackMs: latencies.spread(),
      acknowledged: acknowledged(),
      received: subscriber.count,
      lost: publishers.reduce((sum, one, index) => sum + lostOf(one, index, subscriber), 0),
      duplicates: subscriber.received.reduce((sum, one) => sum + one.duplicates, 0),
    };
  } finally {
    for (const one of publishers) one.close();
    subscriber.close();
  }
}

const MICROS_PER_TICK = 10_000;

/** Processor time of a process so far; NaN where the system does not tell it as Linux does. */
function cpuMicrosOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * MICROS_PER_TICK;
  } catch {
    return NaN;
  }
}

/** Acknowledged and never received. */
function lostOf(publisher: LoadPublisher, index: number, subscriber: LoadSubscriber): number {
  let lost = 0;
  for (let sequence = 0; sequence < publisher.acknowledged; sequence++) if (subscriber.received[index]?.has(sequence) !== true) lost += 1;
  return lost;
}
