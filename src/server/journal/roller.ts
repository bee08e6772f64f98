import type { JournalId } from '../../core/identity.js';
import type { LogPoint } from '../../core/journal/envelope.js';
import { encodeSegmentHeader, segmentName } from '../../core/journal/segment.js';
import type { DiskFile } from '../../ports/disk.js';
import { pathIn, type JournalContext } from './context.js';
import { removeIfThere, syncFile, writeFully } from './files.js';
import { Segment } from './segments.js';

/** Where a segment is made ready before it gets its name. Never read; removed at opening. */
export const SPARE_NAME = 'spare.tmp';

/** Zeros are written in steps of this size with a pause between, so that commits are hardly delayed. */
const STEP_BYTES = 1024 * 1024;
const STEPS_BETWEEN_SYNCS = 4;
const STEP_PAUSE_MS = 2;
/** The disk must have room for this many more segments, or nothing is filled in advance. */
const ROOM_SEGMENTS = 4;

export interface ActiveSegment {
  readonly segment: Segment;
  readonly file: DiskFile;
}

interface Spare {
  file: DiskFile | null;
  stop: boolean;
  readonly work: Promise<void>;
}

/** Makes segments: the next one ahead of time and filled with zeros where that is cheap, otherwise when it is needed. */
export class Roller {
  private spare: Spare | null = null;

  constructor(private readonly context: JournalContext) {}

  /** Begins to fill the next segment in the background. */
  prepare(): void {
    if (!this.context.options.preallocate || this.spare !== null) return;
    const spare: { file: DiskFile | null; stop: boolean; work: Promise<void> } = { file: null, stop: false, work: Promise.resolve() };
    spare.work = this.fill(spare);
    this.spare = spare;
  }

  /**
   * A new segment after `base`, to which the log must be durable. When it resolves, its header and its name are durable:
   * records in it cannot vanish with the file they are in.
   */
  async create(id: JournalId, base: LogPoint): Promise<ActiveSegment> {
    const { context } = this;
    const name = segmentName(base.position);
    const file = (await this.takeSpare()) ?? (await this.blank());
    try {
      await writeFully(file, [encodeSegmentHeader({ journal: id, base }, context.codec.checksum)], 0);
      await syncFile(file);
      await context.disk.rename(pathIn(context, SPARE_NAME), pathIn(context, name));
      await context.disk.syncFolder(context.folder);
      // Once more: who came to sync the whole log since (a disk that was relaxed) did not find it under this name.
      await syncFile(file);
    } catch (error) {
      await file.close();
      await this.removeSpare();
      throw error;
    }
    return { segment: new Segment(name, base, context.options.indexEveryBytes), file };
  }

  /** Ends the work in the background and removes what it made. */
  async discard(): Promise<void> {
    const file = await this.takeSpare();
    await file?.close();
    await removeIfThere(this.context.disk, pathIn(this.context, SPARE_NAME));
  }

  private async takeSpare(): Promise<DiskFile | null> {
    const spare = this.spare;
    if (spare === null) return null;
    spare.stop = true;
    await spare.work;
    this.spare = null;
    return spare.file;
  }

  private async blank(): Promise<DiskFile> {
    const path = pathIn(this.context, SPARE_NAME);
    await removeIfThere(this.context.disk, path);
    return this.context.disk.open(path, 'create');
  }

  /** A failure here only means that the segment is made when it is needed; a real trouble shows itself then. */
  private async fill(spare: Omit<Spare, 'work'>): Promise<void> {
    const { disk, options, clock } = this.context;
    try {
      if ((await disk.freeBytes()) < ROOM_SEGMENTS * options.segmentBytes) return;
      spare.file = await this.blank();
      const zeros = new Uint8Array(Math.min(STEP_BYTES, options.segmentBytes));
      for (let at = 0, step = 1; at < options.segmentBytes && !spare.stop; at += zeros.length, step++) {
        await writeFully(spare.file, [zeros.subarray(0, Math.min(zeros.length, options.segmentBytes - at))], at);
        if (step % STEPS_BETWEEN_SYNCS === 0) await syncFile(spare.file);
        await new Promise<void>((resolve) => clock.after(STEP_PAUSE_MS, resolve));
      }
      if (!spare.stop) await syncFile(spare.file);
    } catch {
      await spare.file?.close().catch(() => undefined);
      spare.file = null;
      await this.removeSpare();
    }
  }

  /** What could not be made ready gives its room back: the log may be waiting for just that. */
  private async removeSpare(): Promise<void> {
    await removeIfThere(this.context.disk, pathIn(this.context, SPARE_NAME)).catch(() => undefined);
  }
}
