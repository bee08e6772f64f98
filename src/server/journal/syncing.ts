import type { LogPoint } from '../../core/journal/envelope.js';
import type { DiskFile } from '../../ports/disk.js';
import { pathIn, placeOf, type JournalContext } from './context.js';
import { codeOf, isPassing, reasonOf, syncFile } from './files.js';
import type { JournalMeta } from './meta.js';
import { segmentNames, surplus, type SegmentsDone } from './recovery.js';
import { unreadable } from './troubles.js';

/**
 * Of a log that is being opened. What is found counts as durable; a profile that went without syncing until now, or somebody who copied the folder here, may have left it to the system, and what is
 * promised from now on would be lost with it. So would damage be that is found in the last segment: what a loss of power leaves of it can pass for an unfinished write.
 * @param told after each segment
 * @returns what could not be synced, and will not be
 * @throws LockstepError LOCKSTEP_JOURNAL_UNREADABLE (rejects)
 */
export async function syncFound(context: JournalContext, meta: JournalMeta, told?: SegmentsDone): Promise<string | null> {
  try {
    return await syncAll(context, await segmentNames(context), meta.base, told);
  } catch (error) {
    throw isPassing(error) ? unreadable(placeOf(context), error) : error;
  }
}

/**
 * Of a log that may be appended to meanwhile, while no segment is begun: of what is appended the committer syncs itself.
 * @returns what could not be synced, and will not be; rejects with the Error of what passes by itself
 */
export async function syncLog(context: JournalContext, base: LogPoint): Promise<string | null> {
  for (;;) {
    const names = await segmentNames(context);
    const failure = await syncAll(context, names, base);
    if (failure !== null || (await segmentNames(context)).join() === names.join()) return failure;
  }
}

/** What cannot be synced of segments that are to be removed is no loss. */
async function syncAll(context: JournalContext, names: readonly string[], base: LogPoint, told: SegmentsDone = () => undefined): Promise<string | null> {
  const passed = new Set(surplus(names, base));
  for (const [at, name] of names.entries()) {
    const failure = await syncSegment(context, name);
    if (failure !== null && !passed.has(name)) return failure;
    told(at + 1, names.length, 'made durable');
  }
  return null;
}

async function syncSegment(context: JournalContext, name: string): Promise<string | null> {
  const file = await openToSync(context, name);
  if (typeof file === 'string') return file;
  try {
    await syncFile(file);
    return null;
  } catch (error) {
    // Whatever it says, also that there is no room: the system may have let go of what it could not write, and a second try can succeed without having done anything.
    return notDurable(name, error);
  } finally {
    await file.close();
  }
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
