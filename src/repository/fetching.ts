import { DELTA_BYTES_MIN, SUM_BYTES, type BlockSums } from '../core/repository/blocks.js';
import type { Entry } from '../core/repository/entry.js';
import { encodeRepositoryFrame, PIECE_BYTES_MAX, SUMS_PER_FRAME, type FileResult, type RepositoryFrame, type Want } from '../core/repository/frames.js';
import { shown } from '../core/repository/names.js';
import { LockstepError } from '../core/errors.js';
import type { DigestStream, Hashing } from '../ports/hashing.js';
import type { Applier, ContentFile, ContentWriter } from '../ports/repository.js';
import { readDigestOf, readSumsOf, type OwnReading } from './reading.js';

/** Wants on their way. Beyond it the next step waits for contents. */
export const WANTS_IN_FLIGHT_MAX = 4096;
export const SUM_BYTES_IN_FLIGHT_MAX = 4 * 1024 * 1024;
/** Open older versions. */
const BASES_MAX = 64;
const WANTS_PER_FRAME = 256;
/**
 * Of a large file: when so many bytes are not synced and no sync is under way, one begins while the next are written. So the disk does not wait for
 * the end, and where little comes, because messages flow, it gets it in small pieces that theirs need not wait for.
 */
const SYNC_BYTES = 1024 * 1024;
/** Beyond so many that are not synced, beside those that are being synced, nothing is taken from the link. */
export const UNSYNCED_BYTES_MAX = 256 * 1024 * 1024;

interface Pending {
  readonly entry: Entry;
  /** What an interrupted sync had staged is compared first. */
  readonly fromLeft: boolean;
  readonly basis: ContentFile | null;
  readonly sumBytes: number;
}

export interface FetchingParts {
  readonly sync: number;
  readonly applier: Applier;
  readonly hashing: Hashing;
  readonly send: (bytes: Uint8Array) => void;
  /** A file is in its place. */
  readonly fetched: (index: number, entry: Entry) => void;
  readonly received: (contentBytes: number) => void;
  /** It is not there any more: the manifest is out of date. */
  readonly vanished: (entry: Entry) => void;
  /** Something must be made durable before more is taken from the link. */
  readonly hold: (work: Promise<void>) => void;
}

/** Gets contents from the sender and hands them to the applier. */
export class Fetching {
  private readonly pending = new Map<number, Pending>();
  private readonly wants: Want[] = [];
  /** To be asked for in another way, after what is under way. */
  private readonly again: { readonly entry: Entry; readonly index: number; readonly whole: boolean }[] = [];
  private reading: OwnReading | null = null;
  private syncing: Promise<void> | null = null;
  private syncFailure: Error | null = null;
  private sumBytes = 0;
  private bases = 0;
  private writing: { readonly index: number; readonly pending: Pending; readonly writer: ContentWriter; readonly digest: DigestStream; bytes: number } | null = null;

  constructor(private readonly parts: FetchingParts) {}

  /** Everything that was asked for is in its place. @throws what the disk said of a large file */
  get idle(): boolean {
    if (this.syncFailure !== null) throw this.syncFailure;
    return this.pending.size === 0 && this.again.length === 0 && this.reading === null && this.wants.length === 0;
  }

  /** What the disk is still busy with; `null`: nothing. */
  get unfinished(): Promise<void> | null {
    return this.syncing;
  }

  get hasRoom(): boolean {
    return this.pending.size < WANTS_IN_FLIGHT_MAX && this.sumBytes < SUM_BYTES_IN_FLIGHT_MAX && this.bases < BASES_MAX && this.reading === null;
  }

  /** Work that needs no frame: true when some was done. */
  step(): boolean {
    if (this.reading !== null) {
      const reading = this.reading;
      if (reading.step() && this.reading === reading) this.reading = null;
      return true;
    }
    const next = this.hasRoom ? this.again.shift() : undefined;
    if (next === undefined) return false;
    if (next.whole) this.want({ how: 'whole', index: next.index }, { entry: next.entry, fromLeft: false, basis: null, sumBytes: 0 });
    else this.fetchChanged(next.entry, next.index);
    return true;
  }

  fetch(entry: Entry, index: number): void {
    const left = this.parts.applier.left(entry);
    if (left === null) return this.fetchChanged(entry, index);
    this.reading = readDigestOf(left, this.parts.hashing, (digest) => {
      this.reading = null;
      if (digest !== null && digest === entry.digest) this.takeLeft(index, entry);
      else if (digest !== null && entry.digest === null) this.want({ how: 'compare', index, digest }, { entry, fromLeft: true, basis: null, sumBytes: 0 });
      else this.fetchChanged(entry, index);
    });
  }

  /** What was not sent yet leaves now. */
  flush(): void {
    if (this.wants.length > 0) this.send({ kind: 'wants', sync: this.parts.sync, wants: this.wants.splice(0) });
  }

  take(frame: Extract<RepositoryFrame, { kind: 'files' | 'begin' | 'data' | 'copy' | 'finish' }>): void {
    switch (frame.kind) {
      case 'files':
        for (const { result, content } of frame.files) this.small(result, content);
        return;
      case 'begin':
        this.begin(frame.index);
        return;
      case 'data':
        this.write(frame.bytes);
        return;
      case 'copy':
        this.copy(frame.offset, frame.length);
        return;
      case 'finish':
        this.finish(frame.result);
        return;
    }
  }

  close(): void {
    this.reading?.close();
    this.reading = null;
    this.writing?.writer.abandon();
    this.writing = null;
    for (const { basis } of this.pending.values()) basis?.close();
    this.pending.clear();
  }

  private fetchChanged(entry: Entry, index: number): void {
    const whole: Want = { how: 'whole', index };
    const basis = entry.size < DELTA_BYTES_MIN ? null : this.parts.applier.basis(entry.path);
    if (basis === null || basis.size < DELTA_BYTES_MIN) {
      basis?.close();
      return this.want(whole, { entry, fromLeft: false, basis: null, sumBytes: 0 });
    }
    this.bases += 1;
    this.reading = readSumsOf(basis, this.parts.hashing, (sums) => {
      this.reading = null;
      this.wantDelta(entry, index, basis, sums);
    });
  }

  private wantDelta(entry: Entry, index: number, basis: ContentFile, { blockBytes, sums }: BlockSums): void {
    this.want({ how: 'delta', index, blockBytes, blocks: sums.length / 3 }, { entry, fromLeft: false, basis, sumBytes: sums.length * 4 });
    this.flush();
    const perFrame = SUMS_PER_FRAME * (SUM_BYTES / 4);
    for (let at = 0; at < sums.length; at += perFrame) this.send({ kind: 'sums', sync: this.parts.sync, sums: sums.subarray(at, at + perFrame) });
  }

  private want(want: Want, pending: Pending): void {
    this.pending.set(want.index, pending);
    this.sumBytes += pending.sumBytes;
    this.wants.push(want);
    if (this.wants.length >= WANTS_PER_FRAME) this.flush();
  }

  private settled(index: number): Pending {
    const pending = this.known(index);
    this.pending.delete(index);
    this.sumBytes -= pending.sumBytes;
    if (pending.basis !== null) this.bases -= 1;
    pending.basis?.close();
    return pending;
  }

  private known(index: number): Pending {
    const pending = this.pending.get(index);
    if (pending === undefined) throw damaged('a content came that was not asked for');
    return pending;
  }

  private small(result: FileResult, content: Uint8Array): void {
    const pending = this.settled(result.index);
    if (result.outcome !== 'sent') return this.withoutContent(result, pending);
    if (content.length !== result.size || this.parts.hashing.digest(content) !== result.digest) throw damaged(`the content of ${shown(pending.entry.path)} is not what the sender read`);
    const entry = asRead(pending.entry, result);
    this.parts.applier.put(entry, content);
    this.parts.received(content.length);
    this.parts.fetched(result.index, entry);
  }

  private withoutContent(result: FileResult, { entry, fromLeft }: Pending): void {
    switch (result.outcome) {
      case 'same':
        if (!fromLeft) throw damaged(`${shown(entry.path)} was not to be compared`);
        return this.takeLeft(result.index, asRead(entry, result));
      case 'differs':
        this.again.push({ entry, index: result.index, whole: false });
        return;
      case 'vanished':
        return this.parts.vanished(entry);
      case 'unstable':
        throw new LockstepError('LOCKSTEP_REPOSITORY_UNSTABLE', `${shown(entry.path)} changes all the time while the serving server reads it`, 'Exclude it, or let it rest; the sync is tried again by itself.');
      default:
        throw new LockstepError('LOCKSTEP_REPOSITORY_UNREADABLE', `the serving server cannot read ${shown(entry.path)}: ${result.detail}`, 'See that server\'s file; the sync is tried again by itself.');
    }
  }

  private takeLeft(index: number, entry: Entry): void {
    this.parts.applier.takeLeft(entry);
    this.parts.received(entry.size);
    this.parts.fetched(index, entry);
  }

  private begin(index: number): void {
    const pending = this.known(index);
    if (this.writing !== null && this.writing.index !== index) throw damaged('a file began before the one before it had ended');
    this.writing?.writer.abandon(); // It changed while it was read, and is sent anew.
    this.writing = { index, pending, writer: this.parts.applier.create(pending.entry), digest: this.parts.hashing.begin(), bytes: 0 };
  }

  private write(bytes: Uint8Array): void {
    const { writing } = this;
    if (writing === null) throw damaged('data came for no file');
    if (this.syncFailure !== null) throw this.syncFailure;
    writing.writer.write(bytes);
    writing.digest.update(bytes);
    writing.bytes += bytes.length;
    this.parts.received(bytes.length);
    if (this.syncing === null && writing.writer.unsyncedBytes >= SYNC_BYTES) this.syncOn(writing.writer);
    else if (this.syncing !== null && writing.writer.unsyncedBytes >= UNSYNCED_BYTES_MAX) this.parts.hold(this.syncing);
  }

  private syncOn(writer: ContentWriter): void {
    this.syncing = writer.sync().then(
      () => {
        this.syncing = null;
      },
      (error: unknown) => {
        this.syncing = null;
        this.syncFailure ??= error instanceof Error ? error : new Error(String(error)); // The system tells of it once only.
      },
    );
  }

  private copy(offset: number, length: number): void {
    const basis = this.writing?.pending.basis ?? null;
    if (basis === null || offset + length > basis.size) throw damaged('a part of an older version is referred to that is not there');
    const buffer = new Uint8Array(Math.min(length, PIECE_BYTES_MAX));
    for (let done = 0; done < length; ) {
      const bytes = basis.read(buffer.subarray(0, Math.min(buffer.length, length - done)), offset + done);
      if (bytes === 0) throw damaged('an older version became shorter while it was copied from');
      this.write(buffer.subarray(0, bytes));
      done += bytes;
    }
  }

  private finish(result: FileResult): void {
    const { writing } = this;
    const { entry } = this.known(result.index);
    const isWhole = this.known(result.index).basis === null;
    this.writing = null;
    if (result.outcome !== 'sent') {
      writing?.writer.abandon();
      return this.withoutContent(result, this.settled(result.index));
    }
    if (writing?.index !== result.index) throw damaged('a file ended that had not begun');
    this.settled(result.index);
    if (writing.bytes === result.size && writing.digest.digest() === result.digest) {
      const read = asRead(entry, result);
      writing.writer.finish(read);
      return this.parts.fetched(result.index, read);
    }
    writing.writer.abandon();
    if (isWhole) throw damaged(`the content of ${shown(entry.path)} is not what the sender read`);
    // Two blocks of equal sums, or an older version that changed meanwhile.
    this.again.push({ entry, index: result.index, whole: true });
  }

  private send(frame: RepositoryFrame): void {
    this.parts.send(encodeRepositoryFrame(frame));
  }
}

function asRead(entry: Entry, result: FileResult): Entry {
  return { ...entry, size: result.size, mtimeUs: result.mtimeUs, mode: result.mode, digest: result.digest };
}

export function damaged(what: string): LockstepError {
  return new LockstepError('LOCKSTEP_REPOSITORY_DAMAGED', `the repository link brought nonsense: ${what}`, 'The sync is tried again by itself; if it goes on, compare the versions of both servers.');
}
