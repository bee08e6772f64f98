import { appendFileSync, existsSync, mkdirSync, promises as files, statSync } from 'node:fs';
import path from 'node:path';
import { counted } from '../core/counted.js';
import { LockstepError } from '../core/errors.js';

/** Lines that wait for a slow disk; beyond it the oldest are left out, and the next line that is written says how many. */
export const WAITING_LINES_MAX = 10_000;
/** A disk that takes longer for an append hangs. Milliseconds. */
export const HANGS_MS = 500;

export interface RotatingFileOptions {
  /** Made when absent, in one that is there. */
  readonly folder: string;
  /** Without its ending: `name.jsonl` is the file in use, `name.1.jsonl` the one before it, and so on. */
  readonly name: string;
  /** A file that would grow beyond it is followed by a new one. */
  readonly bytesMax: number;
  /** So many files are kept, the one in use included. */
  readonly filesMax: number;
  /** Told when a write failed, once until one succeeds again: a log must not stop a server. */
  readonly onTrouble: (error: unknown) => void;
  /** Default: the system's. */
  readonly disk?: LogDisk;
}

export interface LogDisk {
  appendNow(file: string, text: string): void;
  append(file: string, text: string): Promise<void>;
  /** Milliseconds that only grow. */
  time(): number;
}

const SYSTEM: LogDisk = { appendNow: appendFileSync, append: files.appendFile, time: () => performance.now() };

/** By its shape: an error of Node.js can come from another realm. */
export function reasonOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
}

export function logFolderRefused(folder: string, error: unknown): LockstepError {
  return new LockstepError('LOCKSTEP_LOG_FOLDER_REFUSED', `cannot write log files in ${folder}: ${reasonOf(error)}`, 'Name a folder in the profile (log.folder) that this user may write to.', { cause: error });
}

/** Appends lines to a file that never grows beyond a size. Does not hold up its caller, except in `writeNow` on a disk that is not known to hang. */
export class RotatingFile {
  private waiting: string[] = [];
  private leftOut = 0;
  private bytes: number;
  private working: Promise<void> | null = null;
  private troubled = false;
  private busySince: number | null = null;
  private readonly disk: LogDisk;

  /** @throws LockstepError LOCKSTEP_LOG_FOLDER_REFUSED */
  constructor(private readonly options: RotatingFileOptions) {
    this.disk = options.disk ?? SYSTEM;
    try {
      if (!existsSync(options.folder)) mkdirSync(options.folder);
      appendFileSync(this.file(0), '');
      this.bytes = statSync(this.file(0)).size;
    } catch (error) {
      throw logFolderRefused(options.folder, error);
    }
  }

  write(line: string): void {
    this.waiting.push(line);
    if (this.waiting.length > WAITING_LINES_MAX) {
      this.waiting.shift();
      this.leftOut += 1;
    }
    this.working ??= this.work().finally(() => (this.working = null));
  }

  /**
   * The line, and all that wait before it, are with the operating system when this returns. May make the file exceed its size by them. Where the disk hangs, the line waits
   * like any other: whoever waited for it would hang, too, and the HA manager says its moves here.
   */
  writeNow(line: string): void {
    if (this.hangs) return this.write(line);
    this.waiting.push(line);
    const text = this.take();
    try {
      this.disk.appendNow(this.file(0), text);
      this.wrote(text);
    } catch (error) {
      this.failed(error);
    }
  }

  /** Resolves when all that was written before has been handed to the operating system, or has failed. */
  async flush(): Promise<void> {
    while (this.working !== null) await this.working;
  }

  private async work(): Promise<void> {
    // Lines of the same turn go together.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const text = this.take();
      this.busySince = this.disk.time();
      try {
        if (this.bytes > 0 && this.bytes + Buffer.byteLength(text) > this.options.bytesMax) await this.rotate();
        await this.disk.append(this.file(0), text);
        this.wrote(text);
      } catch (error) {
        this.failed(error);
      }
      this.busySince = null;
    }
  }

  private get hangs(): boolean {
    return this.busySince !== null && this.disk.time() - this.busySince > HANGS_MS;
  }

  private take(): string {
    if (this.leftOut > 0) {
      this.waiting.unshift(JSON.stringify({ time: new Date().toISOString(), level: 'warn', message: `Left out, since the disk was too slow: ${counted(this.leftOut, 'line')}` }));
      this.leftOut = 0;
    }
    const text = this.waiting.map((line) => `${line}\n`).join('');
    this.waiting = [];
    return text;
  }

  private async rotate(): Promise<void> {
    const { filesMax } = this.options;
    this.bytes = 0;
    if (filesMax === 1) {
      await files.truncate(this.file(0));
      return;
    }
    for (let number = filesMax - 2; number >= 0; number -= 1) {
      await files.rename(this.file(number), this.file(number + 1)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
    }
  }

  private wrote(text: string): void {
    this.bytes += Buffer.byteLength(text);
    this.troubled = false;
  }

  private failed(error: unknown): void {
    if (this.troubled) return;
    this.troubled = true;
    this.options.onTrouble(error);
  }

  private file(number: number): string {
    const { folder, name } = this.options;
    return path.join(folder, number === 0 ? `${name}.jsonl` : `${name}.${number}.jsonl`);
  }
}
