import type { Position } from '../../core/identity.js';
import { blockOf, samePoint } from '../../core/journal/codec.js';
import type { LogPoint } from '../../core/journal/envelope.js';
import type { Scan } from '../../core/journal/scan.js';
import { baseOfName, decodeSegmentHeader } from '../../core/journal/segment.js';
import type { Epoch } from './api.js';
import { carryOut, cutAt, takeBack } from './change.js';
import { pathIn, placeOf, scannerFor, type JournalContext } from './context.js';
import { isPassing, readFully, readWhole, reasonOf, removeIfThere, syncFile, writeFully } from './files.js';
import { writeMeta, type JournalMeta } from './meta.js';
import { newQuarantine } from './quarantine.js';
import { SPARE_NAME, type ActiveSegment } from './roller.js';
import { Segment } from './segments.js';
import { foreign, newer, unreadable } from './troubles.js';

/** So many segments of so many. An opening makes all durable, then reads those that count. */
export type SegmentsDone = (done: number, total: number, what: 'made durable' | 'read') => void;

/** A log as it was found on the disk, checked record by record. */
export interface FoundLog {
  readonly segments: Segment[];
  readonly epochs: Epoch[];
  /** The last record that is intact with all before it. */
  readonly head: LogPoint;
  /** Up to here the segments themselves say that the log was durable. */
  readonly vouched: Position;
  readonly damage: string | null;
  /** The end of the last segment, when it was found undamaged. */
  readonly tail: FoundTail | null;
}

/** The first segments of a log, and where it goes on behind them. */
export interface KnownLog {
  readonly segments: readonly Segment[];
  readonly epochs: readonly Epoch[];
  readonly end: LogPoint;
}

export interface FoundTail {
  readonly segment: Segment;
  readonly scan: Scan;
  /** Bytes of a commit that never became durable: up to this offset. `null`: the segment ends cleanly. */
  readonly tornTo: number | null;
  readonly bytes: Uint8Array;
}

/** Finishes what a crash interrupted: the change that was decided, segments about to be removed (those that cannot be stay, and are passed over), a segment half made. */
export async function tidy(context: JournalContext, meta: JournalMeta): Promise<JournalMeta> {
  await removeIfThere(context.disk, pathIn(context, SPARE_NAME));
  const tidied = await carryOut(context, meta);
  await removeSurplus(context, tidied).catch((error: unknown) => {
    context.log.write('warn', `Old segments in ${placeOf(context)} stay for now: ${reasonOf(error)}`);
  });
  return tidied;
}

/** Removes the segments that end at or before the base, each durably. @throws the first failure, when all have been tried */
export async function removeSurplus(context: JournalContext, meta: JournalMeta): Promise<void> {
  const failures: unknown[] = [];
  for (const name of surplus(await segmentNames(context), meta.base)) {
    try {
      await removeIfThere(context.disk, pathIn(context, name));
      await context.disk.syncFolder(context.folder);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** Of the segments those that end at or before the base. */
export function surplus(names: readonly string[], base: LogPoint): string[] {
  return names.filter((_, at) => (baseOfName(names[at + 1] ?? '') ?? Infinity) <= base.position);
}

export async function segmentNames(context: JournalContext): Promise<string[]> {
  return (await context.disk.list(context.folder)).filter((name) => baseOfName(name) !== null).sort();
}

/**
 * Reads the log.
 * @param known segments that were read before and have not changed, from the first on: they are not read again
 * @param told after each segment
 * @throws LockstepError LOCKSTEP_JOURNAL_FOREIGN, LOCKSTEP_JOURNAL_NEWER, LOCKSTEP_JOURNAL_UNREADABLE
 */
export async function findLog(context: JournalContext, meta: JournalMeta, known: KnownLog | null = null, told: SegmentsDone = () => undefined): Promise<FoundLog> {
  const finder = new LogFinder(context, meta, known);
  const all = await segmentNames(context);
  const passed = new Set(surplus(all, meta.base));
  const from = known?.end.position ?? 0;
  const names = all.filter((name) => !passed.has(name) && (baseOfName(name) ?? 0) >= from);
  for (const [at, name] of names.entries()) {
    const damage = await finder.segment(name, at === names.length - 1);
    if (damage !== null) return finder.found(damage);
    told(at + 1, names.length, 'read');
  }
  return finder.found(names.length === 0 ? `no segment is there; the log should begin after position ${meta.base.position}` : null);
}

/**
 * Makes the end of an undamaged log fit to be continued: a torn tail is copied to quarantine and cut off, and what no mark
 * vouches for is written once more and synced. It may stand in the system's cache only, after a sync that failed unseen or
 * never came, and must not be promised to anybody before it is on the disk.
 */
export async function mendTail(context: JournalContext, meta: JournalMeta, tail: FoundTail): Promise<ActiveSegment> {
  const { segment, scan, tornTo } = tail;
  if (tornTo !== null) await cutTorn(context, meta, tail, tornTo);
  const file = await context.disk.open(pathIn(context, segment.name), 'write');
  try {
    const from = Math.min(scan.unvouchedFrom, segment.end);
    const again = await readFully(file, from, segment.end - from);
    if (again.length > 0) await writeFully(file, [again], from);
    await syncFile(file);
    return { segment, file };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function cutTorn(context: JournalContext, meta: JournalMeta, tail: FoundTail, tornTo: number): Promise<void> {
  const { segment, scan, bytes } = tail;
  const torn = bytes.subarray(scan.end, tornTo);
  let quarantine: string | null = null;
  if (torn.length > 0) quarantine = await newQuarantine(context, meta.id, 'torn-tail', scan.point, scan.point, [torn]);
  const change = cutAt(context, meta.id, segment.name, scan, [], quarantine);
  const decided = { ...meta, change };
  try {
    await writeMeta(context, decided);
  } catch (error) {
    await takeBack(context, meta, decided);
    throw error;
  }
  await carryOut(context, decided);
  context.log.write('warn', `Journal segment ${placeOf(context, segment.name)} ended in an unfinished write at offset ${scan.end}; its ${torn.length} bytes were cut off`, {
    segment: segment.name,
    offset: scan.end,
    bytes: torn.length,
    quarantine: quarantine === null ? null : placeOf(context, quarantine),
  });
}

class LogFinder {
  private readonly segments: Segment[];
  private readonly epochs: Epoch[];
  private point: LogPoint;
  private vouched: Position;
  private tail: FoundTail | null = null;
  /** What stopped the reading of the segment before; it is damage when another segment follows. */
  private stopped: string | null = null;

  constructor(
    private readonly context: JournalContext,
    private readonly meta: JournalMeta,
    known: KnownLog | null,
  ) {
    this.segments = [...(known?.segments ?? [])];
    this.epochs = [...(known?.epochs ?? [])];
    this.point = known?.end ?? meta.base;
    this.vouched = this.point.position;
  }

  found(damage: string | null): FoundLog {
    return { segments: this.segments, epochs: this.epochs, head: this.point, vouched: Math.min(this.vouched, this.point.position) as Position, damage, tail: damage === null ? this.tail : null };
  }

  /** @returns what is damaged; `null` when the log reaches to the end of this segment */
  async segment(name: string, isLast: boolean): Promise<string | null> {
    let bytes: Uint8Array;
    try {
      bytes = await readWhole(this.context.disk, pathIn(this.context, name));
    } catch (error) {
      if (isPassing(error)) throw unreadable(placeOf(this.context, name), error);
      return `segment ${name} cannot be read: ${reasonOf(error)}`;
    }
    const header = decodeSegmentHeader(bytes, this.meta.id, this.context.codec.checksum);
    if ('kind' in header) {
      const what = `segment ${name}, offset 0: ${header.what}`;
      if (header.kind === 'foreign') throw foreign(`${what} (journal folder ${placeOf(this.context)})`);
      if (header.kind === 'newer') throw newer(`${what} (journal folder ${placeOf(this.context)})`);
      return what;
    }
    if (header.base.position !== baseOfName(name)) return `segment ${name}, offset 0: it begins after position ${header.base.position}, which is not what its name says`;
    if (!samePoint(header.base, this.point)) return this.gap(name, header.base);
    return this.read(name, bytes, isLast);
  }

  private read(name: string, bytes: Uint8Array, isLast: boolean): string | null {
    const segment = new Segment(name, this.point, this.context.options.indexEveryBytes);
    const scanner = scannerFor(this.context, this.meta.id);
    const source = blockOf(bytes);
    let chainBefore = this.point.chain;
    const scan = scanner.scan(source, this.point, (record, offset) => {
      segment.index(record.position, offset, chainBefore);
      chainBefore = record.chain;
      if (this.epochs[this.epochs.length - 1]?.term !== record.term) this.epochs.push({ term: record.term, first: record.position });
    });
    segment.end = scan.end;
    segment.last = scan.point.position;
    this.segments.push(segment);
    this.point = scan.point;
    this.vouched = scan.durable;
    this.stopped = scan.flaw === null ? null : `segment ${name}, offset ${scan.flaw.offset}: ${scan.flaw.what}`;
    if (!isLast) return null;
    if (scan.sealed) return `segment ${name} says that another one follows, and none is there`;
    const verdict = scanner.judge(source, scan);
    if (verdict.kind === 'damage') return `segment ${name}, offset ${verdict.offset}: ${verdict.what}`;
    this.tail = { segment, scan, tornTo: verdict.kind === 'torn' ? verdict.to : null, bytes };
    return null;
  }

  private gap(name: string, base: LogPoint): string {
    const next = (this.point.position + 1) as Position;
    if (this.stopped !== null && base.position > this.point.position) return this.stopped;
    if (base.position > this.point.position) return `positions ${next} to ${base.position} are missing before segment ${name}`;
    return `segment ${name}, offset 0: it follows position ${base.position} with another term or checksum than the log before it, which ends at ${this.point.position}`;
  }
}
