import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { Bench } from './bench.js';
import { fileSystemOf, probeDisk } from './disk.js';
import { withBlock, withRow } from './document.js';
import { renderPlot } from './plot.js';
import { intervals, machine, preamble, rowReport, showTable, summary, type Report, type RowReport } from './report.js';
import type { Outcome, Row } from './row.js';
import { ROWS } from './rows.js';
import { Started } from './started.js';

interface Options {
  readonly long: boolean;
  readonly list: boolean;
  readonly keep: boolean;
  readonly json?: string;
  readonly plots?: string;
  readonly document?: string;
  readonly folder?: string;
}

/** The project's folder, seen from the compiled file. */
const ROOT = path.resolve(fileURLToPath(new URL('../../..', import.meta.url)));
const PROBES: readonly number[] = [4_096, 65_536];

function rowNamed(name: string, before: readonly Row[] = []): readonly Row[] {
  const row = ROWS.find((one) => one.name === name);
  if (row === undefined) throw new InvalidArgumentError(`no row has that name; --list tells them.`);
  return [...before, row];
}

async function measure(rows: readonly Row[], bench: Bench, options: Options, folder: string): Promise<Report> {
  const form = options.long ? 'long' : 'short';
  const disk = { fileSystem: fileSystemOf(folder), probes: PROBES.map((bytes) => probeDisk(folder, bytes, options.long ? 2 : 0.5)) };
  const head = { machine: machine(), disk, intervals: intervals(), form } as const;
  process.stderr.write(`${preamble(head)}\n`);
  const { document } = options;
  if (document !== undefined) updateDocument(document, (text) => withBlock(text, 'machine', `\`\`\`\n${preamble(head)}\n\`\`\``));
  const done: RowReport[] = [];
  const failed: { name: string; why: string }[] = [];
  for (const row of rows) {
    bench.say(`${row.name}: ${row.what}`);
    const begun = performance.now();
    try {
      const outcome = await row.run(bench);
      show(outcome, options.plots);
      const made = rowReport(row, outcome, (performance.now() - begun) / 1_000);
      done.push(made);
      if (document !== undefined) updateDocument(document, (text) => withRow(text, made, outcome, ROWS.map(({ name }) => name)));
    } catch (error) {
      if (interrupted) throw error;
      const why = error instanceof Error ? error.message : String(error);
      bench.say(`${row.name} could not be measured: ${why}`);
      failed.push({ name: row.name, why });
    }
  }
  return { schema: 2, at: new Date().toISOString(), ...head, rows: done, failed, skipped: bench.skipped, lost: done.reduce((sum, one) => sum + one.lost, 0) };
}

function updateDocument(file: string, change: (text: string) => string): void {
  writeFileSync(file, change(readFileSync(file, 'utf8')));
}

function show(outcome: Outcome, plots: string | undefined): void {
  for (const table of outcome.tables) process.stderr.write(`\n${showTable(table)}\n\n`);
  if (plots === undefined) return;
  mkdirSync(plots, { recursive: true });
  for (const plot of outcome.plots) writeFileSync(path.join(plots, `${plot.file}.svg`), renderPlot(plot));
}

const command = new Command('bench')
  .description('Measures a pair on this machine beside what people would use instead. Exit code 1 when an acknowledged message was lost, or a row could not be measured.')
  .argument('[row...]', 'the rows to measure; all without one', rowNamed)
  .option('--long', 'the sizes of the published table; an hour and a half for all rows', false)
  .option('--list', 'tells the rows and ends', false)
  .option('--json <file>', 'also writes the JSON to a file')
  .option('--plots <folder>', 'writes the plots of the measured rows there, as SVG')
  .option('--document <file>', 'writes machine, table and budget into the marked places of a Markdown file, and leaves the rows that were not measured')
  .option('--folder <folder>', 'where journals go; must be on a disk (the project\'s folder runtime)')
  .option('--keep', 'leaves the folder of the run, with the logs, where it is', false)
  .parse();
const options = command.opts<Options>();
const rows = (command.processedArgs[0] as readonly Row[] | undefined) ?? ROWS;

if (options.list) {
  for (const { name, what, reach } of ROWS) process.stdout.write(`${name.padEnd(16)} ${what}\n${' '.repeat(17)}to reach: ${reach}\n`);
  process.exit(0);
}

const folder = path.join(path.resolve(options.folder ?? path.join(ROOT, 'runtime')), `bench-${process.pid}`);
const started = new Started();
let interrupted = false;
/** Ends the run from outside of it: whatever fails because of that is no news. */
const interrupt = (why: string, exitCode: number): void => {
  if (interrupted) return;
  interrupted = true;
  process.stderr.write(`bench: ${why}; stopping what was started\n`);
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
  fileSystemOf(folder);
} catch (error) {
  rmSync(folder, { recursive: true });
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
try {
  const bench = new Bench(started, { long: options.long, folder, command: path.join(ROOT, 'dist', 'cli', 'main.js') });
  const report = await measure(rows, bench, options, folder);
  const json = JSON.stringify(report, null, 2);
  if (options.json !== undefined) writeFileSync(options.json, `${json}\n`);
  process.stdout.write(`${json}\n`);
  process.stderr.write(`\n${summary(report)}\n`);
  process.exitCode = report.lost > 0 || report.failed.length > 0 ? 1 : 0;
} catch (error) {
  if (!interrupted) process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  if (!interrupted) {
    await started.stopAll();
    if (!options.keep && process.exitCode === 0) rmSync(folder, { recursive: true, force: true });
    else process.stderr.write(`bench: the logs of the run are in ${path.relative(process.cwd(), folder)}\n`);
    process.exit();
  }
}
