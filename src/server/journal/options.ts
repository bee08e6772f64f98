import { GROUP_HEADER_BYTES } from '../../core/journal/group.js';
import { SEGMENT_HEADER_BYTES } from '../../core/journal/segment.js';
import { assert } from '../../core/errors.js';

/** Sizes, limits and periods of a journal. All may differ between the servers; none changes the format. */
export interface JournalOptions {
  /** The cluster that the journal belongs to; opening it for another is refused. */
  readonly cluster: string;
  /** A segment takes no group beyond this (an idle mark and its seal may exceed it); one record that is larger gets a segment of its own. 1 KiB to 1 GiB. */
  readonly segmentBytes: number;
  /** Records are gathered into groups of at most this size (a larger record is a group of its own). */
  readonly groupBytes: number;
  /** So much appended in one event goes to the disk and to who hears of records at once, and does not wait for what else the turn of the event loop brings. */
  readonly hurryBytes: number;
  /** Groups that wait are written together, up to this size, before one sync. */
  readonly commitBytes: number;
  /** Appended and not yet durable. Beyond it `append` throws. */
  readonly pendingBytesMax: number;
  /** How long nothing was committed until an idle mark is written. Milliseconds. */
  readonly idleMarkMs: number;
  /** How long to wait between two tries when the disk is full. Milliseconds. */
  readonly fullRetryMs: number;
  /** Distance of the entries of the index in memory. Bytes. */
  readonly indexEveryBytes: number;
  /** Segments that are kept open for reading at the same time. */
  readonly readHandlesMax: number;
  /** Fill the next segment with zeros in the background: syncs into it are then about twice as fast. */
  readonly preallocate: boolean;
}

export const JOURNAL_DEFAULTS: Omit<JournalOptions, 'cluster'> = {
  segmentBytes: 64 * 1024 * 1024,
  groupBytes: 256 * 1024,
  hurryBytes: 8 * 1024,
  commitBytes: 8 * 1024 * 1024,
  pendingBytesMax: 256 * 1024 * 1024,
  idleMarkMs: 50,
  fullRetryMs: 500,
  indexEveryBytes: 16 * 1024,
  readHandlesMax: 16,
  preallocate: true,
};

export const SEGMENT_BYTES_MIN = 1024;
/** One is read and checked as a whole when a log is cut back: at 6 ms for each MiB, in far less than a broker may be silent. */
export const SEGMENT_BYTES_MAX = 256 * 1024 * 1024;

/** Fills in the defaults and holds the sizes together. */
export function completeOptions(options: Partial<JournalOptions> & Pick<JournalOptions, 'cluster'>): JournalOptions {
  const all = { ...JOURNAL_DEFAULTS, ...options };
  const { segmentBytes } = all;
  assert(segmentBytes >= SEGMENT_BYTES_MIN && segmentBytes <= SEGMENT_BYTES_MAX, `segmentBytes ${segmentBytes} is outside ${SEGMENT_BYTES_MIN} to ${SEGMENT_BYTES_MAX}`);
  // A whole group must fit beside the segment's header and its seal.
  const groupBytes = Math.min(all.groupBytes, segmentBytes - SEGMENT_HEADER_BYTES - GROUP_HEADER_BYTES);
  return { ...all, groupBytes };
}
