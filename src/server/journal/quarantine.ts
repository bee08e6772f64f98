import type { JournalId, Position } from '../../core/identity.js';
import type { LogPoint } from '../../core/journal/envelope.js';
import { decodeSegmentHeader, encodeSegmentHeader, SEGMENT_HEADER_BYTES, segmentName } from '../../core/journal/segment.js';
import { encodeText } from '../../core/wire/bytes.js';
import { pathIn, placeOf, type JournalContext } from './context.js';
import { createSynced, readFully, removeIfThere } from './files.js';

export const QUARANTINE_NAME = 'quarantine';
export const NOTE_NAME = 'quarantine.json';

/** Why records or bytes were taken out of a log. */
export type QuarantineCause = 'torn-tail' | 'truncated' | 'restarted';

/**
 * Makes `quarantine/<n>-<term>-<position>` for what lies beyond `after`, and puts there `rest`: what the segment in which the log
 * ends holds beyond that point. A folder without quarantine.json was left by a crash before anything was removed; what it
 * holds still stands in the log. When it cannot be made whole nothing is left of it.
 * @returns its name, relative to the journal's folder
 */
export async function newQuarantine(
  context: JournalContext,
  journal: JournalId,
  cause: QuarantineCause,
  after: LogPoint,
  head: LogPoint,
  rest: readonly Uint8Array[],
): Promise<string> {
  const { disk } = context;
  const taken = (await disk.list(pathIn(context, QUARANTINE_NAME))).map((name) => Number.parseInt(name, 10)).filter(Number.isSafeInteger);
  const name = `${QUARANTINE_NAME}/${Math.max(0, ...taken) + 1}-${after.term}-${after.position}`;
  const folder = pathIn(context, name);
  try {
    await disk.makeFolder(folder);
    if (rest.length > 0) {
      const header = encodeSegmentHeader({ journal, base: after }, context.codec.checksum);
      const file = await createSynced(disk, `${folder}/${segmentName(after.position)}`, [header, ...rest]);
      await file.close();
    }
    const note = { schema: 1, journal, cause, after, head, at: new Date(context.clock.wall()).toISOString() };
    await disk.replaceFile(`${folder}/${NOTE_NAME}`, encodeText(`${JSON.stringify(note, null, 2)}\n`));
  } catch (error) {
    await discardQuarantine(context, name);
    throw error;
  }
  return name;
}

/**
 * Removes a folder for which nothing was taken out of the log. What of it cannot be removed now is, at an opening.
 * @returns whether it is gone
 */
export async function discardQuarantine(context: JournalContext, name: string): Promise<boolean> {
  const { disk } = context;
  const folder = pathIn(context, name);
  try {
    const files = await disk.list(folder);
    // The note first: without it the rest is known to be of no use.
    for (const file of [NOTE_NAME, ...files.filter((one) => one !== NOTE_NAME)]) await removeIfThere(disk, `${folder}/${file}`);
    await disk.removeFolder(folder);
    return true;
  } catch {
    return false;
  }
}

/**
 * Removes folders that a crash left unfinished; one that cannot be looked at stays. To be called when the log was read whole and is undamaged: what they hold stands in it.
 * @param id of the journal, whose log goes from `base` to `head`
 * @param named by a change that was carried out just now: what was moved there stands nowhere else
 */
export async function removeUnfinished(context: JournalContext, id: JournalId, base: LogPoint, head: LogPoint, named: string | null): Promise<void> {
  for (const name of await context.disk.list(pathIn(context, QUARANTINE_NAME)).catch(() => [])) {
    const path = `${QUARANTINE_NAME}/${name}`;
    const position = Number(/^\d+-\d+-(\d+)$/.exec(name)?.[1] ?? NaN);
    if (path === named || !(position >= base.position && position <= head.position)) continue;
    if (!(await isUnfinished(context, id, path, position).catch(() => false)) || !(await discardQuarantine(context, path))) continue;
    context.log.write('info', `${placeOf(context, path)} was left unfinished by a crash and is removed: what it was made for stands in the log`, { folder: placeOf(context, path) });
  }
}

/** Without a note, and with nothing in it but what `newQuarantine` puts there before the note. */
async function isUnfinished(context: JournalContext, id: JournalId, path: string, position: number): Promise<boolean> {
  const folder = pathIn(context, path);
  const names = await context.disk.list(folder);
  const segment = segmentName(position as Position);
  if (names.some((name) => name !== segment && !(name.startsWith(`${NOTE_NAME}.`) && name.endsWith('.tmp')))) return false;
  if (!names.includes(segment)) return true;
  const file = await context.disk.open(`${folder}/${segment}`, 'read');
  try {
    const bytes = await readFully(file, 0, SEGMENT_HEADER_BYTES);
    if (bytes.length < SEGMENT_HEADER_BYTES || bytes.every((byte) => byte === 0)) return true;
    const header = decodeSegmentHeader(bytes, id, context.codec.checksum);
    return !('kind' in header) && header.base.position === position;
  } finally {
    await file.close();
  }
}
