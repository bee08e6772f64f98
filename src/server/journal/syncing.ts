import type { LogPoint } from '../../core/journal/envelope.js';
import type { DiskFile } from '../../ports/disk.js';
import { pathIn, placeOf, type JournalContext } from './context.js';
import { codeOf, isNoRoom, isPassing, reasonOf, syncFile } from './files.js';
import type { JournalMeta } from './meta.js';
import { segmentNames, surplus } from './recovery.js';
import { unreadable } from './troubles.js';

/**
 * Of a log that is being opened. What is found counts as durable; a profile that went without syncing until now, or somebody who copied the folder here, may have left it to the system, and what is
 * promised from now on would be lost with it. So would damage be that is found in the last segment: what a loss of power leaves of it can pass for an unfinished write.
 * @returns what could not be synced, and will not be
 * @throws LockstepError LOCKSTEP_JOURNAL_UNREADABLE; or an Error of a disk that has no room for the end of the log, which is written once more by the opening that has room (rejects)
 */
export async function syncFound(context: JournalContext, meta: JournalMeta): Promise<string | null> {
  try {
    const names = await kept(context, meta.base);
    return (await syncAll(context, names.slice(0, -1))) ?? (await syncAll(context, names.slice(-1), isNoRoom));
  } catch (error) {
    throw isPassing(error) ? unreadable(placeOf(context), error) : error;
  }
}

/**
 * Of a log that may be appended to meanwhile: of what is appended the committer syncs itself.
 * @returns what could not be synced, and will not be; rejects with the Error of what passes by itself
 */
export async function syncLog(context: JournalContext, base: LogPoint): Promise<string | null> {
  for (;;) {
    const names = await kept(context, base);
    const failure = await syncAll(context, names);
    if (failure !== null || (await kept(context, base)).join() === names.join()) return failure;
  }
}

async function kept(context: JournalContext, base: LogPoint): Promise<string[]> {
  const names = await segmentNames(context);
  const passed = new Set(surplus(names, base));
  return names.filter((name) => !passed.has(name));
}

/** @param passes of the failures of a sync those that are no damage */
async function syncAll(context: JournalContext, names: readonly string[], passes: (error: unknown) => boolean = () => false): Promise<string | null> {
  for (const name of names) {
    const file = await openToSync(context, name);
    if (typeof file === 'string') return file;
    try {
      await syncFile(file);
    } catch (error) {
      if (passes(error)) throw error;
      // Whatever it says, also that there is no room: the system may have let go of what it could not write, and a second try can succeed without having done anything.
      return notDurable(name, error);
    } finally {
      await file.close();
    }
  }
  return null;
}

async function openToSync(context: JournalContext, name: string): Promise<DiskFile | string> {
  try {
    return await context.disk.open(pathIn(context, name), 'write');
  } catch (error) {
    if (isPassing(error)) throw error;
    return notDurable(name, error);
  }
}

function notDurable(name: string, error: unknown): string {
  return `segment ${name} could not be made durable: ${codeOf(error) === 'ENOENT' ? 'it is gone' : reasonOf(error)}`;
}
