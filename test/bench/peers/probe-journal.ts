import { closeSync, fdatasync, fdatasyncSync, openSync, write, writeSync } from 'node:fs';

const FILE_BYTES = 128 * 1024 * 1024;
const FILL_BYTES = 1024 * 1024;

/** Appends to a file that was filled before and is gone round in: what a log takes of the disk at the least. */
export class ProbeJournal {
  private readonly file: number;
  private at = 0;

  /** Blocks until the file is filled. */
  constructor(path: string) {
    this.file = openSync(path, 'w');
    const zeros = Buffer.alloc(FILL_BYTES);
    for (let at = 0; at < FILE_BYTES; at += FILL_BYTES) writeSync(this.file, zeros, 0, FILL_BYTES, at);
    fdatasyncSync(this.file);
  }

  /** Writes and syncs; then calls. A disk that fails ends the process: this is a probe. */
  append(bytes: Buffer, done: () => void): void {
    if (this.at + bytes.length > FILE_BYTES) this.at = 0;
    const from = this.at;
    this.at += bytes.length;
    this.write(bytes, 0, from, () =>
      fdatasync(this.file, (error) => {
        if (error !== null) throw error;
        done();
      }),
    );
  }

  close(): void {
    closeSync(this.file);
  }

  private write(bytes: Buffer, start: number, at: number, done: () => void): void {
    write(this.file, bytes, start, bytes.length - start, at, (error, written) => {
      if (error !== null) throw error;
      if (start + written < bytes.length) this.write(bytes, start + written, at + written, done);
      else done();
    });
  }
}
