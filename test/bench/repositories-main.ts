import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { median, round } from './latencies.js';
import { findProgram } from './peers/programs.js';
import { changeInTheMiddle, digestOf, makeLargeFile, makeSmallFiles } from './repository-trees.js';
import { Lockstep, Rsync, type Taken, type Tool } from './repository-tools.js';
import { pairRows, type PairRow } from './repository-pair.js';
import { Started } from './started.js';

/* Repositories against rsync: the same folders, over loopback, both with fsync of what they write; each result compared by digest. */

interface Options {
  readonly quick: boolean;
  readonly repeat: number;
  readonly json?: string;
  readonly only?: string;
}

interface Row {
  readonly what: string;
  readonly goal: string;
  readonly lockstep: readonly Taken[];
  readonly rsync: readonly Taken[];
  readonly timeRatio: number | null;
  readonly cpuRatio: number | null;
  readonly wireRatio: number | null;
  readonly peakMiB: number | null;
}

const MIB = 1024 * 1024;
/** Of one pair of trees: it takes so little that one run says little. */
const UNCHANGED_RUNS = 5;
const ROOT = path.resolve(fileURLToPath(new URL('../../..', import.meta.url)));

class Run {
  private count = 0;
  readonly differing: string[] = [];

  constructor(
    private readonly options: Options,
    private readonly folder: string,
    private readonly tools: readonly Tool[],
  ) {}

  async rows(): Promise<Row[]> {
    const { quick, only } = this.options;
    const small = quick ? 2_000 : 10_000;
    const large = (quick ? 128 : 1_024) * MIB;
    const many = quick ? 10_000 : 100_000;
    const rows: Row[] = [];
    if (only === undefined || only === 'small') rows.push(...(await this.small(small)));
    if (only === undefined || only === 'large') rows.push(...(await this.large(large)));
    if (only === undefined || only === 'many') rows.push(...(await this.many(many)));
    return rows;
  }

  private async small(files: number): Promise<Row[]> {
    const from = this.fresh('small');
    makeSmallFiles(from, files, 4_096);
    const first = this.taken();
    const unchanged = this.taken();
    for (let at = 0; at < this.options.repeat; at++) {
      for (const tool of this.tools) {
        const to = this.fresh(`small-${tool.name}`);
        await tool.prepare(from, to);
        first.add(tool, await this.timed(tool, `${files} files of 4 KB, first copy`));
        this.compare(from, to, tool);
        for (let again = 0; again < UNCHANGED_RUNS; again++) unchanged.add(tool, await this.timed(tool, 'nothing changed'));
        await tool.stop();
        fs.rmSync(to, { recursive: true });
      }
    }
    return [first.row(`${files} files of 4 KB, first copy`, 'time ≤ 1.0'), unchanged.row('the same tree, nothing changed', 'time ≤ 1.0')];
  }

  private async large(bytes: number): Promise<Row[]> {
    const from = this.fresh('large');
    const file = path.join(from, 'large');
    const first = this.taken();
    const changed = this.taken();
    for (let at = 0; at < this.options.repeat; at++) {
      for (const tool of this.tools) {
        makeLargeFile(file, bytes);
        const to = this.fresh(`large-${tool.name}`);
        await tool.prepare(from, to);
        first.add(tool, await this.timed(tool, `${bytes / MIB} MB, first copy`));
        this.compare(from, to, tool);
        changeInTheMiddle(file, MIB);
        changed.add(tool, await this.timed(tool, `${bytes / MIB} MB, 1 MB changed`));
        this.compare(from, to, tool);
        await tool.stop();
        fs.rmSync(to, { recursive: true });
      }
    }
    fs.rmSync(from, { recursive: true });
    return [first.row(`${bytes / MIB} MB file, first copy`, 'time ≤ 1.2'), changed.row(`${bytes / MIB} MB file, 1 MB changed in the middle`, 'bytes ≤ 1.5, time ≤ 1.2')];
  }

  /** For the memory of each side: once, and of Lockstep alone. */
  private async many(files: number): Promise<Row[]> {
    const from = this.fresh('many');
    makeSmallFiles(from, files, 64);
    const first = this.taken();
    for (const tool of this.tools.filter(({ name }) => name === 'lockstep')) {
      const to = this.fresh(`many-${tool.name}`);
      await tool.prepare(from, to);
      first.add(tool, await this.timed(tool, `${files} files`));
      this.compare(from, to, tool);
      await tool.stop();
      fs.rmSync(to, { recursive: true });
    }
    return [first.row(`${files} files of 64 bytes, first copy`, 'memory ≤ 300 MB')];
  }

  private fresh(name: string): string {
    this.count += 1;
    const folder = path.join(this.folder, `${this.count}-${name}`);
    fs.mkdirSync(folder, { recursive: true });
    return folder;
  }

  private async timed(tool: Tool, what: string): Promise<Taken> {
    spawnSync('sync'); // What was made or left by the run before is not this one's to write.
    const taken = await tool.sync();
    say(`${tool.name}: ${what}: ${round(taken.ms / 1000)} s, ${taken.wireBytes} bytes`);
    return taken;
  }

  private compare(from: string, to: string, tool: Tool): void {
    if (digestOf(from) !== digestOf(to)) this.differing.push(`${tool.name}: ${path.basename(to)}`);
  }

  private taken(): Results {
    return new Results();
  }
}

class Results {
  private readonly lockstep: Taken[] = [];
  private readonly rsync: Taken[] = [];

  add(tool: Tool, taken: Taken): void {
    (tool.name === 'rsync' ? this.rsync : this.lockstep).push(taken);
  }

  row(what: string, goal: string): Row {
    const { lockstep, rsync } = this;
    const ratio = (of: (taken: Taken) => number | null): number | null => {
      const values = (all: readonly Taken[]): number[] => all.flatMap((one) => of(one) ?? []);
      const other = median(values(rsync));
      return values(lockstep).length === 0 || other === 0 ? null : round(median(values(lockstep)) / other);
    };
    const peak = Math.max(...lockstep.map((one) => one.peakBytes ?? 0));
    return { what, goal, lockstep, rsync, timeRatio: ratio((one) => one.ms), cpuRatio: ratio((one) => one.cpuMs), wireRatio: ratio((one) => one.wireBytes), peakMiB: peak === 0 ? null : Math.round(peak / MIB) };
  }
}

function say(line: string): void {
  process.stderr.write(`bench: ${line}\n`);
}

function tableOf(rows: readonly Row[]): string {
  const times = (taken: readonly Taken[]): string => (taken.length === 0 ? '' : `${round(median(taken.map((one) => one.ms)) / 1000)} s`);
  const cells = [
    ['what', 'to reach', 'lockstep', 'rsync', 'time ×', 'processor ×', 'bytes ×', 'memory MiB'],
    ...rows.map((row) => [row.what, row.goal, times(row.lockstep), times(row.rsync), ...[row.timeRatio, row.cpuRatio, row.wireRatio, row.peakMiB].map((value) => (value === null ? '' : String(value)))]),
  ];
  const widths = cells[0]?.map((_, column) => Math.max(...cells.map((line) => (line[column] ?? '').length))) ?? [];
  return cells.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd()).join('\n');
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number from 1 on.');
  return value;
}

const options = new Command('bench repositories')
  .description('Measures syncs of repositories against rsync on this machine. Exit code 1 when two trees differ at the end, or when it could not be measured.')
  .option('--quick', 'less of everything', false)
  .option('--repeat <count>', 'times that each is repeated; medians are compared', whole, 3)
  .option('--only <part>', 'small, large, many or pair')
  .option('--json <file>', 'also writes the JSON to a file')
  .parse()
  .opts<Options>();

const folder = path.join(ROOT, 'runtime', `bench-repositories-${process.pid}`);
const started = new Started();
const lockstep = new Lockstep(folder);
const program = findProgram('rsync');
let interrupted = false;
const end = async (): Promise<void> => {
  await Promise.all([lockstep.stop(), started.stopAll()]);
  fs.rmSync(folder, { recursive: true, force: true });
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    if (interrupted) return;
    interrupted = true;
    say('interrupted; stopping what was started');
    void end().finally(() => process.exit(130));
  });
}

fs.mkdirSync(folder, { recursive: true });
try {
  const tools: Tool[] = [lockstep];
  if (program === null) say('rsync is not installed: measured without it');
  else tools.push(new Rsync(started, program, folder));
  const run = new Run(options, folder, tools);
  const rows = await run.rows();
  const { quick, only, repeat } = options;
  const onPair: readonly PairRow[] = only !== undefined && only !== 'pair' ? [] : await pairRows({ started, command: path.join(ROOT, 'dist/cli/main.js'), folder, bytes: (quick ? 256 : 2_048) * MIB, rounds: repeat, say });
  const machine = { node: process.version, platform: `${os.platform()} ${os.release()}`, cores: os.cpus().length, cpu: os.cpus()[0]?.model ?? 'unknown', loadAtStart: round(os.loadavg()[0] ?? 0) };
  const json = JSON.stringify({ schema: 1, at: new Date().toISOString(), machine, durability: 'both sync every file that they write', rows, onPair, differing: run.differing }, null, 2);
  if (options.json !== undefined) fs.writeFileSync(options.json, `${json}\n`);
  process.stdout.write(`${json}\n`);
  process.stderr.write(`\n${tableOf(rows)}\n\nBoth sync every file that they write. ${run.differing.length === 0 ? 'All trees are equal at the end.' : `DIFFERENT: ${run.differing.join(', ')}`}\n${onPair.map(({ what, goal, reached }) => `${what}: ${reached}; to reach: ${goal}\n`).join('')}`);
  process.exitCode = run.differing.length === 0 ? 0 : 1;
} catch (error) {
  if (!interrupted) say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 1;
} finally {
  if (!interrupted) {
    await end();
    process.exit();
  }
}
