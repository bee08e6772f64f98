import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { budgetOf, STAGES, type Budget, type Span } from '../cpu-profile.js';
import { round } from '../latencies.js';
import { LoadClients, MAIN_LOAD, type LoadResult } from '../load.js';
import type { Row, Table } from '../row.js';
import { pause } from '../waiting.js';

const FOLDERS_SHOWN = 14;
const FUNCTIONS_SHOWN = 20;
/** Until the code of the brokers is compiled. */
const WARM_MS = 2_000;

interface Profiled {
  readonly result: LoadResult;
  /** Acknowledged in the span that was profiled. */
  readonly messages: number;
  readonly serving: Budget;
  readonly passive: Budget;
}

/** Where the time goes: both brokers under the main load with a sampling profiler, which slows them a little. */
export const budget: Row = {
  name: 'budget',
  what: 'Processor time of the brokers for one message of the main load, by stage and by folder of src (--cpu-prof)',
  reach: 'reported',
  run: (bench) =>
    bench.inFolder('profile', async (folder) => {
      let messages = 0;
      let span: Span = { from: 0, to: 0 };
      let pids: readonly number[] = [];
      const result = await bench.withPair(
        {},
        async (pair) => {
          const broker = await pair.broker();
          pids = broker.pids;
          const clients = new LoadClients(broker, MAIN_LOAD);
          try {
            await clients.open();
            clients.start();
            await pause(WARM_MS);
            const [from, before] = [nowMicros(), clients.acknowledged];
            const measured = await clients.measure(bench.size(8, 30));
            span = { from, to: nowMicros() };
            messages = clients.acknowledged - before;
            return measured;
          } finally {
            clients.close();
          }
        },
        { brokerNodeOptions: ['--cpu-prof', `--cpu-prof-dir=${folder}`] },
      );
      const [serving, passive] = pids.map((pid) => profileOf(folder, pid, span)) as [Budget, Budget];
      const profiled = { result, messages, serving, passive };
      const share = STAGES.map((stage) => `${stage} ${perMessage(serving.stages[stage], messages)}`);
      return {
        reached: `serving broker, main thread, µs per message: ${share.join(', ')}; together ${perMessage(serving.busyMicros, messages)} of ${result.cpuMicros[0] ?? '?'} with kernel threads and disk threads; passive ${perMessage(passive.busyMicros, messages)} of ${result.cpuMicros[1] ?? '?'}`,
        verdict: 'reported',
        lost: result.lost,
        tables: tablesOf(profiled),
        plots: [],
        figures: { result, messages, stages: { serving: serving.stages, passive: passive.stages }, folders: serving.folders, functions: serving.functions.slice(0, FUNCTIONS_SHOWN) },
      };
    }),
};

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

function tablesOf({ messages, serving, passive }: Profiled): Table[] {
  const first = (all: Budget['folders'], count: number): (string | number)[][] => all.slice(0, count).map(([name, micros]) => [name, perMessage(micros, messages)]);
  return [
    { title: 'Main thread, µs per message, by stage', head: ['stage', 'serving', 'passive'], rows: STAGES.map((stage) => [stage, perMessage(serving.stages[stage], messages), perMessage(passive.stages[stage], messages)]) },
    { title: 'Serving broker by folder of src', head: ['folder', 'µs'], rows: first(serving.folders, FOLDERS_SHOWN) },
    { title: 'Serving broker by function', head: ['function', 'µs'], rows: first(serving.functions, FUNCTIONS_SHOWN) },
    { title: 'Passive broker by function', head: ['function', 'µs'], rows: first(passive.functions, FUNCTIONS_SHOWN) },
  ];
}
