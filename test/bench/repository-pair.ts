import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import path from 'node:path';
import { median, round } from './latencies.js';
import { LoadClients, MAIN_LOAD, type Load, type LoadResult } from './load.js';
import { Pair, ROLES, type Role } from './peers/pair.js';
import { makeLargeFile } from './repository-trees.js';
import type { Started } from './started.js';
import { pause } from './waiting.js';

/* Repositories on a whole pair: what a large sync does to acknowledgements, and how long a change takes to reach the passive server. */

const MIB = 1024 * 1024;
/** Below what the machine can do, so that it is the sync that is seen and not the queue of a machine that is full. */
const LOAD: Load = { ...MAIN_LOAD, publishers: 2, window: 4 };
const WARM_MS = 2_000;
const SYNC_MS_MAX = 600_000;
const CHANGE_MS_MAX = 60_000;
const CHANGES = 20;
/** Between two changes: the first hint of the second shall not meet the end of the first. */
const CHANGE_PAUSE_MS = 300;
const POLL_MS = 10;

export interface PairRow {
  readonly what: string;
  readonly goal: string;
  readonly reached: string;
  readonly figures: Readonly<Record<string, number | readonly number[]>>;
}

export interface PairRun {
  readonly started: Started;
  readonly command: string;
  readonly folder: string;
  /** Of the file that is synced under load. */
  readonly bytes: number;
  readonly rounds: number;
  readonly say: (line: string) => void;
}

export async function pairRows(run: PairRun): Promise<PairRow[]> {
  const at = (role: Role): string => path.join(run.folder, role, 'apps');
  for (const role of ROLES) fs.mkdirSync(at(role), { recursive: true });
  const folder = path.join(run.folder, 'pair');
  fs.mkdirSync(folder);
  const settingsOf = { primary: { applicationRepositoryPath: at('primary') }, secondary: { applicationRepositoryPath: at('secondary') } };
  const pair = await Pair.start(run.started, { command: run.command, folder, settings: {}, settingsOf, brokerNodeOptions: [] });
  try {
    const active = await pair.ready();
    const between = { from: at(active), to: at(active === 'primary' ? 'secondary' : 'primary') };
    return [await changes(run, between), await underLoad(run, pair, between)];
  } finally {
    await pair.stop();
  }
}

interface Between {
  readonly from: string;
  readonly to: string;
}

/** From the end of the write to its being seen on the passive server. */
async function changes(run: PairRun, { from, to }: Between): Promise<PairRow> {
  const took: number[] = [];
  for (let at = 0; at < CHANGES; at++) {
    const name = at % 2 === 0 ? `file-${at}` : path.join(`folder-${at}`, 'file');
    fs.mkdirSync(path.dirname(path.join(from, name)), { recursive: true });
    fs.writeFileSync(path.join(from, name), `change ${at}`);
    const begun = performance.now();
    await seen(path.join(to, name), Buffer.byteLength(`change ${at}`), CHANGE_MS_MAX);
    took.push(round(performance.now() - begun));
    await pause(CHANGE_PAUSE_MS);
  }
  const most = Math.max(...took);
  run.say(`a change on the active server is seen on the passive one after ${Math.round(median(took))} ms, at most ${Math.round(most)} ms`);
  return { what: `a change reaches the passive server (${CHANGES} of them, half in new folders)`, goal: '≤ 2 s', reached: `median ${Math.round(median(took))} ms, at most ${Math.round(most)} ms`, figures: { took } };
}

/** In turn without and with a sync, in the same pair. */
async function underLoad(run: PairRun, pair: Pair, between: Between): Promise<PairRow> {
  const without: number[] = [];
  const during: number[] = [];
  const seconds: number[] = [];
  for (let at = 0; at < run.rounds; at++) {
    const ready = path.join(path.dirname(between.from), `ready-${at}`);
    makeLargeFile(ready, run.bytes);
    spawnSync('sync'); // What was made for it is not the sync's to write.
    let syncMs = 0;
    // A file that the other server has nothing of: it comes as fast as the disk takes it.
    const name = `large-${at}`;
    const synced = async (): Promise<void> => {
      const begun = performance.now();
      fs.renameSync(ready, path.join(between.from, name));
      await seen(path.join(between.to, name), run.bytes, SYNC_MS_MAX, fs.statSync(path.join(between.from, name)).mtimeMs);
      syncMs = performance.now() - begun;
    };
    const loaded = await measured(pair, synced);
    // As long without one as with one.
    const plain = await measured(pair, () => pause(Math.max(3_000, syncMs)));
    during.push(loaded.ackMs.p99);
    without.push(plain.ackMs.p99);
    seconds.push(round(syncMs / 1_000));
    run.say(`p99 of acknowledgements ${plain.ackMs.p99} ms, during a sync of ${run.bytes / MIB} MB (${round(syncMs / 1_000)} s) ${loaded.ackMs.p99} ms; ${plain.perSecond} and ${loaded.perSecond} a second`);
    if (plain.lost + loaded.lost > 0) throw new Error(`${plain.lost + loaded.lost} acknowledged messages were not received`);
  }
  const ratio = round(median(during.map((value, at) => value / (without[at] ?? value))));
  return {
    what: `p99 of acknowledgements during a sync of ${run.bytes / MIB} MB`,
    goal: '≤ 2 × without',
    reached: `${ratio} × (${median(during)} ms and ${median(without)} ms)`,
    figures: { during, without, seconds, ratio },
  };
}

async function measured(pair: Pair, work: () => Promise<void>): Promise<LoadResult> {
  const clients = new LoadClients(await pair.broker(), LOAD);
  try {
    await clients.open();
    clients.start();
    await pause(WARM_MS);
    return await clients.measure(work);
  } finally {
    await clients.end();
  }
}

async function seen(place: string, bytes: number, limitMs: number, mtimeMs: number | null = null): Promise<void> {
  const begun = performance.now();
  for (;;) {
    const stats = fs.statSync(place, { throwIfNoEntry: false });
    // Times are set to the microsecond.
    if (stats?.size === bytes && (mtimeMs === null || Math.abs(stats.mtimeMs - mtimeMs) < 0.01)) return;
    if (performance.now() - begun > limitMs) throw new Error(`${place} was not synced within ${limitMs / 1_000} s`);
    await pause(POLL_MS);
  }
}
