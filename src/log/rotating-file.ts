import { close, closeSync, existsSync, fstat, fstatSync, mkdirSync, open, openSync, promises as files, read, readdirSync, readSync, rmSync, write, writeSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { counted } from '../core/counted.js';
import { LockstepError } from '../core/errors.js';

/** Lines that wait for a slow disk; beyond it the oldest are left out, and the next line that is written says how many. */
export const WAITING_LINES_MAX = 10_000;
const LINE_END = 0x0a;
/** More than the line about lines that were left out. */
const NOTICE_BYTES = 256;
/** To append, and to read how it ends. */
const OPEN_FLAGS = 'a+';

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
  /** Writes at the end of the file, perhaps only a first part. @returns the bytes that were written. The system has them, or is about to, when the call itself returns */
  append(handle: number, bytes: Uint8Array): Promise<number>;
}

const system = { close: promisify(close), fstat: promisify(fstat), open: promisify(open), read: promisify(read), write: promisify(write) };
const SYSTEM: LogDisk = { append: async (handle, bytes) => (await system.write(handle, bytes)).bytesWritten };

/** By its shape: an error of Node.js can come from another realm. */
export function reasonOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
}

export function logFolderRefused(folder: string, error: unknown): LockstepError {
  return new LockstepError('LOCKSTEP_LOG_FOLDER_REFUSED', `cannot write log files in ${folder}: ${reasonOf(error)}`, 'Name a folder in the profile (log.folder) that this user may write to.', { cause: error });
}

/** Lines that go to the disk together. */
interface Batch {
  readonly lines: readonly string[];
  /** So many were left out before them. */
  readonly leftOut: number;
}

/** A batch that is being written. */
interface InHand {
  readonly bytes: Uint8Array;
  written: number;
  /** The system was given what is not written yet. */
  isHanded: boolean;
}

/** Appends lines, in their order, to a file that never grows beyond a size. Never holds up its caller, whatever the disk does. `flushNow` alone is otherwise. */
export class RotatingFile {
  private waiting: string[] = [];
  private leftOut = 0;
  /** Of the file in use; after files that could not be renamed: since then. */
  private bytes = 0;
  /** `null`: to be opened anew. */
  private handle: number | null = null;
  private working: Promise<void> | null = null;
  private inHand: InHand | null = null;
  private troubled = false;
  private readonly disk: LogDisk;

  /** @throws LockstepError LOCKSTEP_LOG_FOLDER_REFUSED */
  constructor(private readonly options: RotatingFileOptions) {
    this.disk = options.disk ?? SYSTEM;
    try {
      if (!existsSync(options.folder)) mkdirSync(options.folder);
      closeSync(openSync(this.file(0), OPEN_FLAGS));
    } catch (error) {
      throw logFolderRefused(options.folder, error);
    }
    this.removeSurplus();
  }

  /** With the lines of the same turn. */
  write(line: string): void {
    this.add(line);
    queueMicrotask(() => this.begin());
  }

  /**
   * The line, and all that wait before it, are handed to the operating system before this returns, where the disk is not busy with others: a process that breaks
   * right after leaves them in the file all the same. Where it is, they follow.
   */
  writeNow(line: string): void {
    this.add(line);
    this.begin();
  }

  /** Resolves when all that was written before has been handed to the operating system, or has failed. */
  async flush(): Promise<void> {
    for (this.begin(); this.working !== null; this.begin()) await this.working;
  }

  /**
   * All that was written before is handed to the operating system before this returns, however long that takes; what it was given already and has not begun may follow it. The file
   * may grow beyond its size by this. For a process that ends by `process.exit` right after, which waits for what the system was given.
   */
  flushNow(): void {
    const { inHand } = this;
    const [rest, isWithin] = inHand === null || inHand.isHanded ? [new Uint8Array(0), false] : [inHand.bytes.subarray(inHand.written), inHand.written > 0];
    const batch: Batch = { lines: this.waiting.splice(0), leftOut: this.leftOut };
    this.leftOut = 0;
    if (inHand !== null && !inHand.isHanded) inHand.written = inHand.bytes.length;
    if (rest.length + batch.lines.length === 0) return;
    try {
      appendNow(this.file(0), Buffer.concat([rest, bytesOf(batch)]), isWithin);
    } catch (error) {
      this.failed(error);
    }
  }

  private add(line: string): void {
    this.waiting.push(line);
    if (this.waiting.length <= WAITING_LINES_MAX) return;
    this.waiting.shift();
    this.leftOut += 1;
  }

  private begin(): void {
    if (this.waiting.length > 0) this.working ??= this.work();
  }

  private async work(): Promise<void> {
    while (this.waiting.length > 0) {
      const lines = this.waiting.splice(0, fitting(this.waiting, this.options.bytesMax - (this.leftOut > 0 ? NOTICE_BYTES : 0)));
      const batch: Batch = { lines, leftOut: this.leftOut };
      this.leftOut = 0;
      await this.put(batch);
    }
    this.working = null;
  }

  private async put(batch: Batch): Promise<void> {
    const bytes = bytesOf(batch);
    const inHand: InHand = { bytes, written: 0, isHanded: false };
    this.inHand = inHand;
    try {
      if (this.handle === null) await this.open();
      if (this.bytes > 0 && this.bytes + bytes.length > this.options.bytesMax) await this.rotate();
      await this.append(inHand);
      // Somebody moved or removed it meanwhile: what was written is not in the log.
      if (!(await this.isInPlace())) {
        inHand.written = 0;
        await this.append(inHand);
      }
      this.troubled = false;
    } catch (error) {
      this.leftOut += lost(batch, bytes.subarray(0, inHand.written));
      this.failed(error);
      await this.close();
    }
    this.inHand = null;
  }

  private async append(inHand: InHand): Promise<void> {
    const handle = this.handle ?? (await this.open());
    while (inHand.written < inHand.bytes.length) {
      inHand.isHanded = true;
      try {
        const written = await this.disk.append(handle, inHand.bytes.subarray(inHand.written));
        inHand.written += written;
        this.bytes += written;
      } finally {
        inHand.isHanded = false;
      }
    }
  }

  /** A file that ends within a line, as a full disk or a crash leaves it, gets the line's end first. */
  private async open(): Promise<number> {
    const handle = await system.open(this.file(0), OPEN_FLAGS);
    this.handle = handle;
    const { size } = await system.fstat(handle);
    this.bytes = size;
    const last = new Uint8Array(1);
    const isWithin = size > 0 && (await system.read(handle, last, 0, 1, size - 1)).bytesRead === 1 && last[0] !== LINE_END;
    if (isWithin) await system.write(handle, Uint8Array.of(LINE_END));
    return handle;
  }

  /** The open file is the one of that name. Else it is closed. By its size, too: some file systems number their files anew at every look. */
  private async isInPlace(): Promise<boolean> {
    if (this.handle === null) return false;
    const [ours, named] = await Promise.all([system.fstat(this.handle), files.stat(this.file(0)).catch(() => null)]);
    if (named !== null && (named.ino === ours.ino || named.size === ours.size)) return true;
    await this.close();
    return false;
  }

  private async close(): Promise<void> {
    const { handle } = this;
    this.handle = null;
    if (handle !== null) await system.close(handle).catch(() => undefined);
  }

  /** Where the files cannot be renamed the one in use goes on, and they are tried again when it has grown as much once more. */
  private async rotate(): Promise<void> {
    const { filesMax } = this.options;
    try {
      if (filesMax === 1) await files.truncate(this.file(0));
      for (let number = filesMax - 2; number >= 0; number -= 1) {
        await files.rename(this.file(number), this.file(number + 1)).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') throw error;
        });
      }
      await this.close();
    } catch (error) {
      this.failed(error);
    }
    this.bytes = 0;
  }

  /** Files with a number that is not kept any more, since fewer are than were. */
  private removeSurplus(): void {
    const { folder, name, filesMax } = this.options;
    try {
      for (const found of readdirSync(folder)) {
        const number = found.startsWith(`${name}.`) ? /^(\d{1,9})\.jsonl$/.exec(found.slice(name.length + 1))?.[1] : undefined;
        if (number !== undefined && Number(number) >= filesMax) rmSync(path.join(folder, found), { force: true });
      }
    } catch {
      return; // They take room, and no more than that: the next start tries again.
    }
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

/** @param isWithin they go on with a line that the file ends in. Else such a line is ended first */
function appendNow(file: string, bytes: Uint8Array, isWithin: boolean): void {
  const handle = openSync(file, OPEN_FLAGS);
  try {
    const { size } = fstatSync(handle);
    const last = new Uint8Array(1);
    const isTorn = !isWithin && size > 0 && readSync(handle, last, 0, 1, size - 1) === 1 && last[0] !== LINE_END;
    const all = isTorn ? Buffer.concat([Uint8Array.of(LINE_END), bytes]) : bytes;
    for (let at = 0; at < all.length; ) at += writeSync(handle, all, at);
  } finally {
    closeSync(handle);
  }
}

/** How many of the first lines, one at least, a file has room for. */
function fitting(lines: readonly string[], bytesMax: number): number {
  let bytes = 0;
  const first = lines.findIndex((line) => (bytes += Buffer.byteLength(line) + 1) > bytesMax);
  return first === -1 ? lines.length : Math.max(1, first);
}

function bytesOf({ lines, leftOut }: Batch): Uint8Array {
  const message = `Left out, since the disk was too slow or could not be written to: ${counted(leftOut, 'line')}`;
  const said = leftOut === 0 ? [] : [JSON.stringify({ time: new Date().toISOString(), level: 'warn', message })];
  return Buffer.from([...said, ...lines].map((line) => `${line}\n`).join(''));
}

/** Lines of a batch of which `written` is the part that is in the file, and those it was to tell of. */
function lost({ lines, leftOut }: Batch, written: Uint8Array): number {
  const whole = written.reduce((sum, byte) => (byte === LINE_END ? sum + 1 : sum), 0);
  if (leftOut === 0) return lines.length - whole;
  return whole === 0 ? leftOut + lines.length : lines.length - (whole - 1);
}
