import { LockstepError } from '../../core/errors.js';
import type { JournalId } from '../../core/identity.js';
import type { DiskFile } from '../../ports/disk.js';
import { blockOf } from '../../core/journal/codec.js';
import type { LogPoint } from '../../core/journal/envelope.js';
import { GROUP_HEADER_BYTES, stampOf, writeGroupHeader, type GroupHeader } from '../../core/journal/group.js';
import type { Scan } from '../../core/journal/scan.js';
import { encodeSegmentHeader, segmentName } from '../../core/journal/segment.js';
import { encodeText } from '../../core/wire/bytes.js';
import { pathIn, placeOf, type JournalContext } from './context.js';
import { codeOf, createSynced, removeIfThere, syncFile, writeFully } from './files.js';
import { META_NAME, writeMeta, type BeginChange, type CutChange, type JournalMeta } from './meta.js';
import { Roller } from './roller.js';
import { metaDamaged } from './troubles.js';

export const QUARANTINE_NAME = 'quarantine';
export const NOTE_NAME = 'quarantine.json';

/** Why records or bytes were taken out of a log. */
export type QuarantineCause = 'torn-tail' | 'truncated' | 'restarted';

/**
 * Makes `quarantine/<n>-<term>-<position>` for what lies beyond `after`, and puts there `rest`: what the segment in which the log
 * ends holds beyond that point. A folder without quarantine.json was left by a crash before anything was removed; what it
 * holds still stands in the log.
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
  await disk.makeFolder(folder);
  if (rest.length > 0) {
    const header = encodeSegmentHeader({ journal, base: after }, context.codec.checksum);
    const file = await createSynced(disk, `${folder}/${segmentName(after.position)}`, [header, ...rest]);
    await file.close();
  }
  const note = { schema: 1, journal, cause, after, head, at: new Date(context.clock.wall()).toISOString() };
  await disk.replaceFile(`${folder}/${NOTE_NAME}`, encodeText(`${JSON.stringify(note, null, 2)}\n`));
  return name;
}

/** How a segment is cut at the end of a scan. The log must be changed by `carryOut`. */
export function cutAt(context: JournalContext, journal: JournalId, segment: string, scan: Scan, move: readonly string[], quarantine: string | null): CutChange {
  const patch = scan.partial === null ? null : { offset: scan.partial.offset, hex: toHex(headerBytes(context, journal, scan.partial.header)) };
  return { kind: 'cut', segment, length: scan.end, patch, move, quarantine };
}

/**
 * What a segment holds beyond a scan that ended at a record: as groups of its own.
 * @param end of what is in use
 */
export function restBeyond(context: JournalContext, journal: JournalId, bytes: Uint8Array, scan: Scan, whole: GroupHeader | null, end: number): Uint8Array[] {
  if (scan.partial === null || whole === null) return end > scan.end ? [bytes.subarray(scan.end, end)] : [];
  const kept = scan.partial.header;
  const header = { ...whole, before: scan.point, records: whole.records - kept.records, bytes: whole.bytes - kept.bytes };
  return [headerBytes(context, journal, header), bytes.subarray(scan.end, end)];
}

/**
 * Carries out what `journal.json` says has been decided, as often as it takes, and then strikes it out there.
 * @returns the description without the change
 */
export async function carryOut(context: JournalContext, meta: JournalMeta): Promise<JournalMeta> {
  const { change, ...done } = meta;
  if (change === undefined) return meta;
  await moveAway(context, change);
  if (change.kind === 'cut') await cut(context, change);
  else await begin(context, change, done);
  await writeMeta(context, done);
  return done;
}

async function moveAway(context: JournalContext, change: CutChange | BeginChange): Promise<void> {
  if (change.quarantine === null || change.move.length === 0) return;
  const folder = pathIn(context, change.quarantine);
  const moved = new Set(await context.disk.list(folder));
  for (const name of change.move) {
    // Moved by an earlier try: a segment of that name that is here now is the new log's.
    if (moved.has(name)) continue;
    try {
      await context.disk.rename(pathIn(context, name), `${folder}/${name}`);
    } catch (error) {
      // Somebody else removed it: it is gone from the log, as was decided.
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }
  await context.disk.syncFolder(folder);
  await context.disk.syncFolder(context.folder);
}

async function cut(context: JournalContext, change: CutChange): Promise<void> {
  const file = await toBeCut(context, change.segment);
  try {
    if (change.patch !== null) await writeFully(file, [fromHex(change.patch.hex)], change.patch.offset);
    await file.truncate(change.length);
    await syncFile(file);
  } finally {
    await file.close();
  }
}

async function toBeCut(context: JournalContext, segment: string): Promise<DiskFile> {
  try {
    return await context.disk.open(pathIn(context, segment), 'write');
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    // What was to be kept of it was acknowledged, and is gone.
    throw metaDamaged(placeOf(context, META_NAME), `segment ${segment}, which was about to be cut, is not there`, error);
  }
}

async function begin(context: JournalContext, change: BeginChange, meta: JournalMeta): Promise<void> {
  for (const name of change.remove) await removeIfThere(context.disk, pathIn(context, name));
  // Replaces what an earlier try made: it holds no records before the change is struck out.
  const { file } = await new Roller(context).create(meta.id, meta.base);
  await file.close();
}

function headerBytes(context: JournalContext, journal: JournalId, header: GroupHeader): Uint8Array {
  const target = blockOf(new Uint8Array(GROUP_HEADER_BYTES));
  writeGroupHeader(target, 0, header, stampOf(journal, context.codec.checksum), context.codec.checksum);
  return target.bytes;
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function fromHex(hex: string): Uint8Array {
  const bytes = Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  if (bytes.length !== GROUP_HEADER_BYTES || bytes.some(Number.isNaN)) {
    throw new LockstepError('LOCKSTEP_JOURNAL_META_DAMAGED', 'journal.json holds a group header that is not one', 'Move the journal folder away: the server then begins with an empty journal and copies its peer.');
  }
  return bytes;
}
