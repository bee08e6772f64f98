import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { readIdentity, stillLives, type ProcessIdentity } from '../adapters/process-identity.js';
import { loadProfile } from '../profile/load.js';
import { PidFile } from '../run/pid-file.js';
import { AdminClient } from './admin-client.js';
import { CLEAR_SCREEN, type Console } from './console.js';
import { ExitCode } from './exit-codes.js';
import { CommandFailure } from './failure.js';
import { renderStatus } from './status-view.js';

/*
 * Commands to a server that runs: they read the profile only to know where its admin HTTP is.
 */

const WATCH_INTERVAL_MS = 1_000;
const STOP_LOOK_INTERVAL_MS = 200;
/** The broker writes its last records and closes its journal: the disk decides how long that takes. */
const STOP_WAIT_MS = 60_000;

export async function status(console: Console, path: string, options: { readonly json?: boolean; readonly watch?: boolean }): Promise<void> {
  const client = new AdminClient(loadProfile(path, { checkFiles: false }));
  const show = async (): Promise<void> => {
    const now = await client.status();
    if (options.watch === true && options.json !== true && console.terminal) console.out(CLEAR_SCREEN);
    if (options.json === true) console.out(JSON.stringify(now, null, options.watch === true ? 0 : 2));
    else for (const text of renderStatus(now)) console.out(text);
  };
  if (options.watch !== true) return show();
  while (!console.closed) {
    await show().catch((error: unknown) => {
      if (!(error instanceof CommandFailure) || error.exitCode !== ExitCode.notRunning) throw error;
      console.err(error.message);
    });
    await pause(WATCH_INTERVAL_MS);
  }
}

export async function stop(console: Console, path: string, options: { readonly wait: boolean }): Promise<void> {
  const profile = loadProfile(path, { checkFiles: false });
  const client = new AdminClient(profile);
  const before = await client.status();
  const here = processHere(profile.data.folder, before.manager.pid);
  console.out(await client.command('stop', {}));
  if (!options.wait) return;
  if (await comesTrue(async () => !(await stillRuns(client, before.manager.pid, here)), STOP_WAIT_MS)) {
    console.out(here === null ? `The ${before.server} server answers no more; whether its process has ended is not seen from here` : `The ${before.server} server has stopped`);
    return;
  }
  throw new CommandFailure(ExitCode.failed, 'LOCKSTEP_STOP_SLOW', `the ${before.server} server (pid ${before.manager.pid}) still runs after ${STOP_WAIT_MS / 1000} s`, 'See its log for what it waits for. Killing it loses nothing that was acknowledged.');
}

export async function switchover(console: Console, path: string): Promise<void> {
  console.out(await new AdminClient(loadProfile(path, { checkFiles: false })).command('switchover', {}));
}

export async function promote(console: Console, path: string, options: { readonly acceptDataLoss?: boolean }): Promise<void> {
  if (options.acceptDataLoss !== true) {
    throw new CommandFailure(
      ExitCode.usage,
      'LOCKSTEP_PROMOTE_NOT_ACCEPTED',
      'promotion makes this server serve without the other; acknowledged messages that only the other has are lost',
      'See lockstep status for who has the newer data. If that server is gone for good: lockstep promote --accept-data-loss PROFILE',
    );
  }
  console.out(await new AdminClient(loadProfile(path, { checkFiles: false })).command('promote', { acceptDataLoss: true }));
}

/**
 * Looks again and again until what is looked for is so.
 * @param time for tests
 * @returns false: it was not so when `limitMs` had passed, the time that the looks take included; the last of them may end later
 */
export async function comesTrue(look: () => Promise<boolean>, limitMs: number, time = { now: () => performance.now(), pause: (ms: number): Promise<unknown> => pause(ms) }): Promise<boolean> {
  const end = time.now() + limitMs;
  for (;;) {
    if (await look()) return true;
    if (time.now() + STOP_LOOK_INTERVAL_MS >= end) return false;
    await time.pause(STOP_LOOK_INTERVAL_MS);
  }
}

/** The server's process, where it runs on this host with that data folder. `null`: on another one, where its number means nothing, or not to be seen. */
function processHere(folder: string, pid: number): ProcessIdentity | null {
  const known = readIdentity(PidFile.at(folder));
  return known?.pid === pid && stillLives(known) ? known : null;
}

/** The admin port closes early in a stop; the process is gone when its pid is. */
async function stillRuns(client: AdminClient, pid: number, here: ProcessIdentity | null): Promise<boolean> {
  try {
    if ((await client.status()).manager.pid === pid) return true;
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    if (here === null && error.code === 'LOCKSTEP_SERVER_SILENT') return true;
  }
  return here !== null && stillLives(here) && !isZombie(pid);
}

/** Ended, and only not yet fetched by its parent. Known on Linux only. */
function isZombie(pid: number): boolean {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false; // Gone meanwhile, or no /proc: the next look tells.
  }
}
