import type { RecordCodec } from '../../core/journal/codec.js';
import { stampOf } from '../../core/journal/group.js';
import { SegmentScanner } from '../../core/journal/scan.js';
import type { JournalId } from '../../core/identity.js';
import type { Clock } from '../../ports/clock.js';
import type { Disk } from '../../ports/disk.js';
import type { Log } from '../../ports/log.js';
import type { Random } from '../../ports/random.js';
import type { JournalOptions } from './options.js';

/** What all parts of one journal share. */
export interface JournalContext {
  readonly disk: Disk;
  /** The journal's folder; its files are named relative to it. */
  readonly folder: string;
  readonly codec: RecordCodec;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly options: JournalOptions;
}

export function pathIn(context: JournalContext, name: string): string {
  return `${context.folder}/${name}`;
}

/** The journal's folder, or a file in it, for messages: an absolute path. */
export function placeOf({ disk, folder }: JournalContext, name: string | null = null): string {
  return disk.place(name === null ? folder : `${folder}/${name}`);
}

export function scannerFor(context: JournalContext, id: JournalId): SegmentScanner {
  return new SegmentScanner(context.codec, stampOf(id, context.codec.checksum));
}
