import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Bench } from '../bench.js';
import { budgetOf, STAGES, type Budget, type Span } from '../cpu-profile.js';
import { markdownTable } from '../document.js';
import { round } from '../latencies.js';
import { LoadClients, type LoadResult } from '../load.js';
import type { Pair } from '../peers/pair.js';
import type { Row, Table } from '../row.js';
import { pause } from '../waiting.js';
import type { Step } from './comparison.js';
import { PROFILED } from './loads.js';

const FOLDERS_SHOWN = 14;
const FUNCTIONS_SHOWN = 20;
/** Until the code of the brokers is compiled. */
const WARM_MS = 2_000;

interface Profiled {
  readonly label: string;
  readonly result: LoadResult;
  /** Acknowledged in the span that was profiled. */
  readonly messages: number;
  readonly serving: Budget;
  readonly passive: Budget;
}

/** Where the time goes: both brokers under load with a sampling profiler, which slows them a little. */
export const budget: Row = {
  name: 'budget',
  what: 'Processor time of the brokers for one message of the main load and of those that stay below 0.5 × Mosquitto, by stage and by folder of src (--cpu-prof)',
  reach: 'reported',
  run: async (bench) => {
    const all: Profiled[] = [];
    for (const one of PROFILED) {
      bench.say(`budget: ${one.label}`);
      all.push(await bench.inFolder('profile', (folder) => profiled(bench, one, folder)));
    }
    return {
      reached: all.map(inWords).join('; '),
      verdict: 'reported',
      lost: all.reduce((sum, one) => sum + one.result.lost, 0),
      tables: all.flatMap(tablesOf),
      plots: [],
      document: documentOf(all),
      figures: all.map(({ label, result, messages, serving, passive }) => ({ label, result, messages, stages: { serving: serving.stages, passive: passive.stages }, folders: serving.folders, functions: serving.functions.slice(0, FUNCTIONS_SHOWN) })),
    };
  },
};

async function profiled(bench: Bench, { label, load }: Step, folder: string): Promise<Profiled> {
  let messages = 0;
  let pids: readonly number[] = [];
  let span: Span = { from: 0, to: 0 };
  const work = async (pair: Pair): Promise<LoadResult> => {
    const broker = await pair.broker();
    pids = broker.pids;
    const clients = new LoadClients(broker, load);
    try {
      await clients.open();
      clients.start();
      await pause(WARM_MS);
      const [from, before] = [nowMicros(), clients.acknowledged];
      const measured = await clients.measure(bench.size(6, 30));
      span = { from, to: nowMicros() };
      messages = clients.acknowledged - before;
      return measured;
    } finally {
      clients.close();
    }
  };
  const result = await bench.withPair({}, work, { brokerNodeOptions: ['--cpu-prof', `--cpu-prof-dir=${folder}`] });
  const [serving, passive] = pids.map((pid) => profileOf(folder, pid, span)) as [Budget, Budget];
  return { label, result, messages, serving, passive };
}

function inWords({ label, result, messages, serving, passive }: Profiled): string {
  const share = STAGES.map((stage) => `${stage} ${perMessage(serving.stages[stage], messages)}`);
  return `${label}: serving broker ${perMessage(serving.busyMicros, messages)} µs (${share.join(', ')}) of ${result.cpuMicros[0] ?? '?'} with the other threads; passive ${perMessage(passive.busyMicros, messages)} of ${result.cpuMicros[1] ?? '?'}`;
}

/** For docs/performance.md. */
function documentOf(all: readonly Profiled[]): string {
  const head = ['load', 'server', ...STAGES, 'main thread', 'all threads'];
  const line = (label: string, server: string, { stages, busyMicros }: Budget, messages: number, whole: number | undefined): (string | number)[] => [label, server, ...STAGES.map((stage) => perMessage(stages[stage], messages)), perMessage(busyMicros, messages), whole ?? '?'];
  return markdownTable(head, all.flatMap(({ label, result, messages, serving, passive }) => [line(label, 'serving', serving, messages, result.cpuMicros[0]), line(label, 'passive', passive, messages, result.cpuMicros[1])]));
}

/** @throws Error when a broker wrote none: it did not end by itself */
function profileOf(folder: string, pid: number, span: Span): Budget {
  const file = readdirSync(folder).find((name) => name.includes(`.${pid}.`) && name.endsWith('.cpuprofile'));
  if (file === undefined) throw new Error(`broker ${pid} wrote no profile`);
  return budgetOf(JSON.parse(readFileSync(path.join(folder, file), 'utf8')), span);
}

function nowMicros(): number {
  return Number(process.hrtime.bigint() / 1_000n);
}

function perMessage(micros: number, messages: number): number {
  return round(micros / messages);
}

function tablesOf({ label, messages, serving, passive }: Profiled): Table[] {
  const first = (all: Budget['folders'], count: number): (string | number)[][] => all.slice(0, count).map(([name, micros]) => [name, perMessage(micros, messages)]);
  return [
    { title: `${label}: main thread, µs per message, by stage`, head: ['stage', 'serving', 'passive'], rows: STAGES.map((stage) => [stage, perMessage(serving.stages[stage], messages), perMessage(passive.stages[stage], messages)]) },
    { title: `${label}: serving broker by folder of src`, head: ['folder', 'µs'], rows: first(serving.folders, FOLDERS_SHOWN) },
    { title: `${label}: serving broker by function`, head: ['function', 'µs'], rows: first(serving.functions, FUNCTIONS_SHOWN) },
    { title: `${label}: passive broker by function`, head: ['function', 'µs'], rows: first(passive.functions, FUNCTIONS_SHOWN) },
  ];
}
