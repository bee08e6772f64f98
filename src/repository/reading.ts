import { BlockSummer, blockBytesFor, type BlockSums } from '../core/repository/blocks.js';
import type { Digest } from '../core/repository/entry.js';
import { PIECE_BYTES_MAX } from '../core/repository/frames.js';
import type { Hashing } from '../ports/hashing.js';
import type { ContentFile } from '../ports/repository.js';

/** A file of this server's own that is read piece by piece, for its digest or its block sums. */
export class OwnReading {
  private readonly buffer: Uint8Array;
  private at = 0;

  constructor(
    private readonly file: ContentFile,
    private readonly each: (bytes: Uint8Array) => void,
    private readonly done: (changed: boolean) => void,
  ) {
    this.buffer = new Uint8Array(Math.min(PIECE_BYTES_MAX, Math.max(1, file.size)));
  }

  /** True when it has ended. */
  step(): boolean {
    const bytes = this.file.read(this.buffer, this.at);
    if (bytes === 0) {
      this.done(this.file.changed());
      return true;
    }
    this.each(this.buffer.subarray(0, bytes));
    this.at += bytes;
    return false;
  }

  close(): void {
    this.file.close();
  }
}

/** Reads for the digest, records it, and closes the file. `null`: it changed meanwhile. */
export function readDigestOf(file: ContentFile, hashing: Hashing, done: (digest: Digest | null) => void): OwnReading {
  const stream = hashing.begin();
  return new OwnReading(
    file,
    (bytes) => stream.update(bytes),
    (changed) => {
      const digest = stream.digest();
      if (!changed) file.record(digest);
      file.close();
      done(changed ? null : digest);
    },
  );
}

/** Reads for the block sums. The file stays open: what stays as it was is copied from it. */
export function readSumsOf(file: ContentFile, hashing: Hashing, done: (sums: BlockSums) => void): OwnReading {
  const summer = new BlockSummer(blockBytesFor(file.size), file.size, hashing);
  return new OwnReading(
    file,
    (bytes) => summer.push(bytes),
    () => done(summer.end()),
  );
}
