import { assert, LockstepError } from '../../core/errors.js';
import type { JournalId, Position } from '../../core/identity.js';
import type { DiskFile } from '../../ports/disk.js';
import { blockOf, isFlaw } from '../../core/journal/codec.js';
import type { LogPoint } from '../../core/journal/envelope.js';
import { GROUP_HEADER_BYTES, readGroupHeader, stampOf, writeGroupHeader, type GroupHeader } from '../../core/journal/group.js';
import type { Scan } from '../../core/journal/scan.js';
import { pathIn, placeOf, scannerFor, type JournalContext } from './context.js';
import { codeOf, readWhole, removeIfThere, syncFile, writeFully } from './files.js';
import { META_NAME, readMeta, writeMeta, type BeginChange, type CutChange, type JournalMeta } from './meta.js';
import { discardQuarantine, newQuarantine } from './quarantine.js';
import { Roller } from './roller.js';
import type { Segment } from './segments.js';
import { damaged, metaDamaged } from './troubles.js';

/** How a segment is cut at the end of a scan. The log must be changed by `carryOut`. */
export function cutAt(context: JournalContext, journal: JournalId, segment: string, scan: Scan, move: readonly string[], quarantine: string | null): CutChange {
  const patch = scan.partial === null ? null : { offset: scan.partial.offset, hex: toHex(headerBytes(context, journal, scan.partial.header)) };
  return { kind: 'cut', segment, length: scan.end, patch, move, quarantine };
}

/**
 * How the log is cut after a record that `segment` holds. What lies beyond is in quarantine by then, as far as it is of this segment; `later` segments are to be moved there.
 * @param head where the log ends now
 * @throws LockstepError LOCKSTEP_JOURNAL_DAMAGED where the segment cannot be read up to there; or an Error of the disk (rejects)
 */
export async function decideCut(context: JournalContext, journal: JournalId, segment: Segment, position: Position, head: LogPoint, later: readonly string[]): Promise<{ change: CutChange; quarantine: string }> {
  const { checksum } = context.codec;
  const bytes = await readWhole(context.disk, pathIn(context, segment.name));
  const source = blockOf(bytes);
  const scan = scannerFor(context, journal).scan(source, segment.base, () => undefined, position);
  if (scan.point.position !== position) throw damaged(`segment ${segment.name}, offset ${scan.end}: position ${position} cannot be read`);
  const whole = scan.partial === null ? null : readGroupHeader(source, scan.partial.offset, stampOf(journal, checksum), checksum);
  assert(whole === null || !isFlaw(whole), 'a group that was read has no header');
  const rest = segment.last > position ? restBeyond(context, journal, bytes, scan, whole, segment.end) : [];
  const quarantine = await newQuarantine(context, journal, 'truncated', scan.point, head, rest);
  return { change: cutAt(context, journal, segment.name, scan, later, quarantine), quarantine };
}

/**
 * What a segment holds beyond a scan that ended at a record: as groups of its own.
 * @param end of what is in use
 */
function restBeyond(context: JournalContext, journal: JournalId, bytes: Uint8Array, scan: Scan, whole: GroupHeader | null, end: number): Uint8Array[] {
  if (scan.partial === null || whole === null) return end > scan.end ? [bytes.subarray(scan.end, end)] : [];
  const kept = scan.partial.header;
  const header = { ...whole, before: scan.point, records: whole.records - kept.records, bytes: whole.bytes - kept.bytes };
  return [headerBytes(context, journal, header), bytes.subarray(scan.end, end)];
}

/**
 * Takes back a change that could not be written down: its quarantine folder is removed again.
 * @returns true where `journal.json` is as it was: nothing has happened. Otherwise the next opening may find the change, and carries it out
 */
export async function takeBack(context: JournalContext, before: JournalMeta, decided: JournalMeta): Promise<boolean> {
  const { change } = decided;
  try {
    // It may have got its new content, and only not have made that durable.
    if (JSON.stringify(await readMeta(context)) === JSON.stringify(decided)) await writeMeta(context, before);
  } catch {
    return false;
  }
  if (change !== undefined && change.quarantine !== null) await discardQuarantine(context, change.quarantine);
  return true;
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
