import { LockstepError } from '../../core/errors.js';
import type { Checksum, LogPoint } from '../../core/journal/envelope.js';
import type { JournalId } from '../../core/identity.js';
import { decodeText, encodeText } from '../../core/wire/bytes.js';
import { pathIn, placeOf, type JournalContext } from './context.js';
import { codeOf } from './files.js';
import { foreign, metaDamaged, newer, unreadable } from './troubles.js';

export const META_NAME = 'journal.json';
export const META_SCHEMA = 1;

/** End the log within a segment: the segments in `move` go to quarantine, then `segment` is cut to `length` bytes. */
export interface CutChange {
  readonly kind: 'cut';
  readonly segment: string;
  readonly length: number;
  /** The header that the last group must have now, in hexadecimal; `null` when it ends there anyway. */
  readonly patch: { readonly offset: number; readonly hex: string } | null;
  readonly move: readonly string[];
  /** `null` when nothing is moved. */
  readonly quarantine: string | null;
}

/** Begin the log anew at the journal's `base`: all segments in `move` go to quarantine, those in `remove` hold nothing. */
export interface BeginChange {
  readonly kind: 'begin';
  readonly remove: readonly string[];
  readonly move: readonly string[];
  readonly quarantine: string | null;
}

export type Change = CutChange | BeginChange;

/**
 * The journal's own description, in `journal.json`, replaced as a whole, with a checksum as its last key: a change that was decided, and a sync that
 * failed, must not be lost or altered by a bit that was turned.
 *
 * A change to more than one file is written here first. That write is the moment at which it happens: a crash before it
 * leaves the old log; after it the change is carried out to its end at the next opening, as often as need be.
 */
export interface JournalMeta {
  readonly schema: typeof META_SCHEMA;
  readonly id: JournalId;
  readonly cluster: string;
  /** The first segment kept begins here. Segments that end at or before it may still be about to be removed. */
  readonly base: LogPoint;
  /**
   * A sync that failed. Kept because the next opening may see in the system's cache what never reached the disk.
   */
  readonly failed?: string;
  readonly change?: Change;
}

/** @returns `null` when there is none. @throws LockstepError LOCKSTEP_JOURNAL_META_DAMAGED, _NEWER, _FOREIGN, LOCKSTEP_JOURNAL_UNREADABLE when the disk did not let it be read */
export async function readMeta(context: JournalContext): Promise<JournalMeta | null> {
  const [path, place] = [pathIn(context, META_NAME), placeOf(context, META_NAME)];
  let bytes: Uint8Array;
  try {
    bytes = await context.disk.readFile(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw unreadable(place, error);
  }
  const meta = parseMeta(place, bytes, context.codec.checksum);
  if (meta.cluster !== context.options.cluster) throw foreign(`the journal in ${placeOf(context)} belongs to cluster ${meta.cluster}, not to ${context.options.cluster}`);
  return meta;
}

export async function writeMeta(context: JournalContext, meta: JournalMeta): Promise<void> {
  await context.disk.replaceFile(pathIn(context, META_NAME), encodeText(`${JSON.stringify({ ...meta, sum: sumOf(meta, context.codec.checksum) }, null, 2)}\n`));
}

/** Over what stands there, not over what we make of it. */
function sumOf(meta: object, checksum: Checksum): string {
  return checksum(encodeText(JSON.stringify(meta)), 0).toString(16).padStart(8, '0');
}

function parseMeta(place: string, bytes: Uint8Array, checksum: Checksum): JournalMeta {
  let all: unknown;
  try {
    all = JSON.parse(decodeText(bytes));
  } catch (error) {
    throw metaDamaged(place, error instanceof LockstepError || error instanceof Error ? error.message : 'no JSON', error);
  }
  if (!isObject(all)) throw metaDamaged(place, 'it is not an object');
  const { sum, ...found } = all;
  const agrees = sum === sumOf(found, checksum);
  if (typeof found.schema === 'number' && found.schema > META_SCHEMA && (agrees || sum === undefined)) throw newer(`${place} has schema ${found.schema}; this Lockstep reads schema ${META_SCHEMA}`);
  if (!agrees) throw metaDamaged(place, 'its checksum does not agree with its content');
  if (found.schema !== META_SCHEMA) throw metaDamaged(place, 'its schema is missing');
  if (typeof found.id !== 'string' || !/^[0-9a-f]{32}$/.test(found.id)) throw metaDamaged(place, 'its id is not 32 hexadecimal digits');
  if (typeof found.cluster !== 'string') throw metaDamaged(place, 'its cluster is missing');
  if (!isPoint(found.base)) throw metaDamaged(place, 'its base is not a point of a log');
  if (found.change !== undefined && !isChange(found.change)) throw metaDamaged(place, 'its change is not one that this Lockstep knows');
  return found as unknown as JournalMeta;
}

function isPoint(value: unknown): boolean {
  return isObject(value) && isCount(value.term) && isCount(value.position) && isCount(value.chain);
}

function isChange(value: unknown): boolean {
  if (!isObject(value) || !isNames(value.move)) return false;
  if (value.quarantine !== null && typeof value.quarantine !== 'string') return false;
  if (value.kind === 'begin') return isNames(value.remove);
  if (value.kind !== 'cut' || typeof value.segment !== 'string' || !isCount(value.length)) return false;
  return value.patch === null || (isObject(value.patch) && isCount(value.patch.offset) && typeof value.patch.hex === 'string');
}

function isNames(value: unknown): boolean {
  return Array.isArray(value) && value.every((name) => typeof name === 'string');
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
