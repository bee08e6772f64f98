import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { EVENTS, runEvent, summarise, type FailoverRun } from './failover.js';
import { runLevel, type Level, type LoadResult } from './load.js';
import { PAYLOAD_BYTES } from './load-client.js';
import { Pair } from './pair.js';
import { findProgram, probeDisk, startMosquitto, type DiskProbe } from './references.js';
import { ratios, tables, type Report } from './report.js';
import { Started } from './started.js';

interface Options {
  readonly quick: boolean;
  readonly keep: boolean;
  readonly repeat?: number;
  readonly seconds?: number;
  readonly only?: 'throughput' | 'failover';
  readonly level?: number;
  readonly inflight?: number;
  readonly json?: string;
}

const LEVELS: readonly Level[] = [
  { name: '1 connection, 1 in flight', connections: 1, window: 1, subscriberQos: 1 },
  { name: '4 connections, 16 in flight each', connections: 4, window: 16, subscriberQos: 1 },
  { name: '4 connections, 64 in flight each', connections: 4, window: 64, subscriberQos: 1 },
  { name: '4 connections, 256 in flight each', connections: 4, window: 256, subscriberQos: 1 },
  { name: '4 connections, 64 in flight each, consumer at QoS 0', connections: 4, window: 64, subscriberQos: 0 },
  { name: '4 connections, 256 in flight each, consumer at QoS 0', connections: 4, window: 256, subscriberQos: 0 },
];
const QUICK_LEVELS: readonly string[] = [LEVELS[0], LEVELS[3], LEVELS[5]].map((level) => level?.name ?? '');

/** The project's folder, seen from the compiled file. */
const ROOT = path.resolve(fileURLToPath(new URL('../../..', import.meta.url)));

class Run {
  private readonly skipped: string[] = [];
  private pair: Pair | null = null;

  constructor(
    private readonly options: Options,
    private readonly started: Started,
    private readonly folder: string,
  ) {}

  async report(): Promise<Report> {
    const { only } = this.options;
    const machine = { node: process.version, platform: `${os.platform()} ${os.release()}`, cores: os.cpus().length, cpu: os.cpus()[0]?.model ?? 'unknown', loadAtStart: Math.round((os.loadavg()[0] ?? 0) * 10) / 10 };
    const disk = only === 'failover' ? [] : this.disk();
    const mosquitto = only === 'failover' ? [] : await this.mosquitto();
    say('starting the pair');
    this.pair = await Pair.start(this.started, path.join(ROOT, 'dist', 'cli', 'main.js'), this.folder, this.options.inflight ?? null);
    const throughput = only === 'failover' ? [] : await this.throughput(this.pair);
    const failover = only === 'throughput' ? [] : summarise(await this.failover(this.pair));
    await this.pair.stop();
    if (only !== 'failover') this.skipped.push('other brokers (NATS, RabbitMQ): their protocols or their promises differ; Mosquitto is the reference here');
    const lost = [...throughput, ...failover].reduce((sum, one) => sum + one.lost, 0);
    return { schema: 1, at: new Date().toISOString(), machine, payloadBytes: PAYLOAD_BYTES, disk, throughput, mosquitto, ratios: ratios(throughput, mosquitto, disk), failover, skipped: this.skipped, lost };
  }

  private get levels(): readonly Level[] {
    const { level } = this.options;
    if (level !== undefined) return LEVELS.slice(level - 1, level);
    return this.options.quick ? LEVELS.filter((level) => QUICK_LEVELS.includes(level.name)) : LEVELS;
  }

  private get seconds(): number {
    return this.options.seconds ?? (this.options.quick ? 2 : 5);
  }

  private disk(): DiskProbe[] {
    say('probing the disk');
    const seconds = this.options.quick ? 0.5 : 2;
    return [probeDisk(this.folder, 4_096, seconds), probeDisk(this.folder, 65_536, seconds)];
  }

  private async mosquitto(): Promise<LoadResult[]> {
    const program = findProgram('mosquitto');
    if (program === null) {
      this.skipped.push('Mosquitto: it is not installed');
      return [];
    }
    const { port, pid } = await startMosquitto(this.started, program, this.folder);
    return this.loads('mosquitto', port, [pid]);
  }

  private async throughput(pair: Pair): Promise<LoadResult[]> {
    const role = await pair.ready();
    const address = pair.addresses[role === 'primary' ? 0 : 1];
    if (address === undefined) throw new Error('the serving server has no address');
    return this.loads('the pair', address.port, await pair.brokers());
  }

  private async loads(whose: string, port: number, brokers: readonly number[]): Promise<LoadResult[]> {
    const results: LoadResult[] = [];
    for (const level of this.levels) {
      say(`${whose}: ${level.name}`);
      results.push(await runLevel(port, level, this.seconds, brokers));
    }
    return results;
  }

  private async failover(pair: Pair): Promise<FailoverRun[]> {
    const pub = findProgram('mosquitto_pub');
    const sub = findProgram('mosquitto_sub');
    const programs = pub === null || sub === null ? null : { pub, sub };
    if (programs === null) this.skipped.push('failover seen by mosquitto_pub and mosquitto_sub: they are not installed');
    const repeat = this.options.repeat ?? (this.options.quick ? 1 : 3);
    const tools = { started: this.started, pair, programs, calmMs: this.options.quick ? 500 : 1_500 };
    const runs: FailoverRun[] = [];
    for (const event of EVENTS) {
      for (let number = 1; number <= repeat; number++) {
        say(`${event}, ${number} of ${repeat}`);
        runs.push(...(await runEvent(tools, event, number)));
      }
    }
    return runs;
  }
}

function say(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number from 1 on.');
  return value;
}

function part(text: string): 'throughput' | 'failover' {
  if (text === 'throughput' || text === 'failover') return text;
  throw new InvalidArgumentError('throughput or failover.');
}

const options = new Command('bench')
  .description('Measures a pair on this machine: throughput and latency of QoS 1, and failover as clients see it. Exit code 1 when an acknowledged message was lost, or when it could not be measured.')
  .option('--quick', 'less of everything, under a minute', false)
  .option('--only <part>', 'throughput or failover', part)
  .option('--repeat <count>', 'times that each failover is repeated (3)', whole)
  .option('--seconds <count>', 'of each level of load (5)', whole)
  .option('--level <number>', `one level of load only, 1 to ${LEVELS.length}`, whole)
  .option('--inflight <count>', 'limits.inflightMessagesMax of the pair, instead of the bundled one', whole)
  .option('--json <file>', 'also writes the JSON to a file')
  .option('--keep', 'leaves the folder of the run, with the logs, where it is', false)
  .parse()
  .opts<Options>();

const folder = path.join(ROOT, 'runtime', `bench-${process.pid}`);
const started = new Started();
let interrupted = false;
/** Ends the run from outside of it: whatever fails because of that is no news. */
const interrupt = (why: string, exitCode: number): void => {
  if (interrupted) return;
  interrupted = true;
  say(`${why}; stopping what was started`);
  void started.stopAll().finally(() => {
    if (!options.keep) rmSync(folder, { recursive: true, force: true });
    process.exit(exitCode);
  });
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupt('interrupted', 130));
const broken = (error: unknown): void => interrupt(error instanceof Error ? (error.stack ?? error.message) : String(error), 1);
process.on('uncaughtException', broken).on('unhandledRejection', broken);

mkdirSync(folder, { recursive: true });
try {
  const report = await new Run(options, started, folder).report();
  const json = JSON.stringify(report, null, 2);
  if (options.json !== undefined) writeFileSync(options.json, `${json}\n`);
  process.stdout.write(`${json}\n`);
  process.stderr.write(`\n${tables(report)}\n`);
  process.exitCode = report.lost > 0 ? 1 : 0;
} catch (error) {
  if (!interrupted) say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 1;
} finally {
  if (!interrupted) {
    await started.stopAll();
    if (!options.keep && process.exitCode === 0) rmSync(folder, { recursive: true, force: true });
    else say(`the logs of the run are in ${path.relative(process.cwd(), folder)}`);
    process.exit();
  }
}
