import { RecordCodec } from '../../core/journal/codec.js';
import { EMPTY_LOG, type Checksum } from '../../core/journal/envelope.js';
import type { JournalId } from '../../core/identity.js';
import type { Clock } from '../../ports/clock.js';
import type { Disk } from '../../ports/disk.js';
import type { Log } from '../../ports/log.js';
import type { Random } from '../../ports/random.js';
import type { Journal } from './api.js';
import { placeOf, type JournalContext } from './context.js';
import { isNoRoom, isPassing, reasonOf } from './files.js';
import { FileJournal } from './journal.js';
import { META_SCHEMA, readMeta, writeMeta, type JournalMeta } from './meta.js';
import { completeOptions, type JournalOptions } from './options.js';
import { removeUnfinished } from './quarantine.js';
import { findLog, mendTail, segmentNames, tidy, type FoundLog, type SegmentsDone } from './recovery.js';
import type { ActiveSegment } from './roller.js';
import { syncFound } from './syncing.js';
import { diskFull, metaMissing, unreadable } from './troubles.js';

export interface JournalSetup {
  readonly disk: Disk;
  /** The journal's own folder on that disk. Made when it is not there. */
  readonly folder: string;
  readonly checksum: Checksum;
  readonly random: Random;
  readonly clock: Clock;
  readonly options: Partial<JournalOptions> & Pick<JournalOptions, 'cluster'>;
  /** Hears what opening found and mended. */
  readonly log?: Log;
  /** Told after each segment that was made durable, or read. */
  readonly told?: SegmentsDone;
}

/**
 * Opens a journal, or creates an empty one. Every record kept is checked. An ordinary torn tail is cut off, with a copy in
 * quarantine. With damage beyond that it resolves all the same, with `damage` set: such a journal can be read up to the
 * damage and begun anew by `restart`, and takes no records.
 * @throws LockstepError LOCKSTEP_JOURNAL_FOREIGN, LOCKSTEP_JOURNAL_NEWER, LOCKSTEP_JOURNAL_META_MISSING,
 * LOCKSTEP_JOURNAL_META_DAMAGED, LOCKSTEP_DISK_FULL (opening needs a little room; try again later); or an Error of the disk
 */
export async function openJournal(setup: JournalSetup): Promise<Journal> {
  const context: JournalContext = {
    disk: setup.disk,
    folder: setup.folder,
    codec: new RecordCodec(setup.checksum),
    clock: setup.clock,
    random: setup.random,
    log: setup.log ?? { write: () => undefined },
    options: completeOptions(setup.options),
  };
  try {
    return await openIn(context, setup.told);
  } catch (error) {
    throw isNoRoom(error) ? diskFull(placeOf(context), 0) : error;
  }
}

async function openIn(context: JournalContext, told?: SegmentsDone): Promise<Journal> {
  const read = (await readMeta(context)) ?? (await createMeta(context));
  const unsynced = (await syncNames(context)) ?? (await syncFound(context, read, told));
  const known = unsynced === null ? read : { ...read, failed: read.failed ?? unsynced };
  // At once, so that the next opening, which may be told that all is well, does not believe it either. On a full disk with the room of what is tidied up.
  const note = async (noted: JournalMeta): Promise<boolean> => unsynced === null || writeMeta(context, noted).then(() => true, () => false);
  const isNoted = await note(known);
  const meta = await tidy(context, known);
  const isUnnoted = !isNoted && !(await note(meta));
  const found = await findLog(context, meta, null, told);
  if (found.damage === null && meta.failed === undefined) await removeUnfinished(context, meta.id, meta.base, found.head, read.change?.quarantine ?? null);
  const { damage, active } = unsynced === null ? await makeReady(context, meta, found) : { damage: unsynced, active: null };
  if (damage !== null) context.log.write('error', `The journal is damaged: ${damage}`, { folder: placeOf(context), damage });
  return new FileJournal(context, meta, found, damage, active, isUnnoted);
}

/**
 * A process that was killed may have given a file its name and not made that durable: what is gone by must outlive the power.
 * @returns what is damaged when the disk refuses it: a second try can succeed without having done anything
 */
async function syncNames(context: JournalContext): Promise<string | null> {
  try {
    await context.disk.syncFolder(context.folder);
    return null;
  } catch (error) {
    if (isNoRoom(error)) throw error;
    if (isPassing(error)) throw unreadable(placeOf(context), error);
    return `the names of its files could not be made durable: ${reasonOf(error)}`;
  }
}

async function createMeta(context: JournalContext): Promise<JournalMeta> {
  await context.disk.makeFolder(context.folder);
  if ((await segmentNames(context)).length > 0) throw metaMissing(placeOf(context));
  const id = context.random.id() as JournalId;
  const change = { kind: 'begin', move: [], remove: [], quarantine: null } as const;
  const meta: JournalMeta = { schema: META_SCHEMA, id, cluster: context.options.cluster, base: EMPTY_LOG, change };
  await writeMeta(context, meta);
  return meta;
}

async function makeReady(context: JournalContext, meta: JournalMeta, found: FoundLog): Promise<{ damage: string | null; active: ActiveSegment | null }> {
  if (meta.failed !== undefined) return { damage: `it failed before: ${meta.failed}`, active: null };
  if (found.damage !== null || found.tail === null) return { damage: found.damage ?? 'no segment can be continued', active: null };
  try {
    return { damage: null, active: await mendTail(context, meta, found.tail) };
  } catch (error) {
    // A full disk has not lost anything: this copy must not cease to count for it.
    if (isNoRoom(error)) throw error;
    if (isPassing(error)) throw unreadable(placeOf(context, found.tail.segment.name), error);
    return { damage: `segment ${found.tail.segment.name} could not be made ready: ${reasonOf(error)}`, active: null };
  }
}
