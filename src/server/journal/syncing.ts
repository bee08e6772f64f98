import { pathIn, placeOf, type JournalContext } from './context.js';
import { codeOf, isNoRoom, isPassing, reasonOf, syncFile } from './files.js';
import { segmentNames } from './recovery.js';
import { SPARE_NAME } from './roller.js';
import { unreadable } from './troubles.js';

/**
 * Of a log that is being opened. What is found counts as durable; a profile that went without syncing until now, or somebody who copied the folder here, may have left it to the system, and what is
 * promised from now on would be lost with it. So would damage be that is found in the last segment: what a loss of power leaves of it can pass for an unfinished write.
 * @returns what could not be synced, and will not be
 * @throws LockstepError LOCKSTEP_JOURNAL_UNREADABLE, or an Error of a full disk (rejects)
 */
export async function syncFound(context: JournalContext): Promise<string | null> {
  try {
    return await syncAll(context, await segmentNames(context));
  } catch (error) {
    throw isPassing(error) ? unreadable(placeOf(context), error) : error;
  }
}

/**
 * Of a log that may be appended to meanwhile: of what is appended the committer syncs itself.
 * @returns what could not be synced, and will not be; rejects with the Error of what passes by itself
 */
export async function syncLog(context: JournalContext): Promise<string | null> {
  for (;;) {
    const names = await segmentNames(context);
    const failure = (await syncAll(context, [SPARE_NAME])) ?? (await syncAll(context, names));
    // The spare that got its name meanwhile is in the next list.
    if (failure !== null || (await segmentNames(context)).join() === names.join()) return failure;
  }
}

async function syncAll(context: JournalContext, names: readonly string[]): Promise<string | null> {
  for (const name of names) {
    try {
      await syncSegment(context, name);
    } catch (error) {
      if (name === SPARE_NAME && codeOf(error) === 'ENOENT') continue;
      if (isNoRoom(error) || isPassing(error)) throw error;
      return `segment ${name} could not be made durable: ${reasonOf(error)}`;
    }
  }
  return null;
}

async function syncSegment(context: JournalContext, name: string): Promise<void> {
  const file = await context.disk.open(pathIn(context, name), 'write');
  try {
    await syncFile(file);
  } finally {
    await file.close();
  }
}
