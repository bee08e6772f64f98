import { DeltaFinder, type BlockSums } from '../core/repository/blocks.js';
import type { Entry } from '../core/repository/entry.js';
import { dataPieces, encodeRepositoryFrame, PIECE_BYTES_MAX, type FileOutcome, type FileResult, type Want } from '../core/repository/frames.js';
import type { DigestStream, Hashing } from '../ports/hashing.js';
import type { ContentFile, RepositoryFolder } from '../ports/repository.js';
import { reasonOf } from './messages.js';

/** A file that changes while it is read is read again so many times, and then reported. */
export const READS_MAX = 3;

/** The result of a file of which nothing could be read, or nothing needs to be sent. */
export function unread(index: number, outcome: FileOutcome, detail = ''): FileResult {
  return { index, outcome, size: 0, mtimeUs: 0, mode: 0, digest: '', detail };
}

/** Opens what is wanted, or says why not. */
export function openWanted(folder: RepositoryFolder, entry: Entry, index: number): ContentFile | FileResult {
  try {
    return folder.open(entry.path);
  } catch (error) {
    return failedRead(index, error);
  }
}

export function failedRead(index: number, error: unknown): FileResult {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  if (['ENOENT', 'ENOTDIR', 'LOCKSTEP_REPOSITORY_NO_FILE', 'LOCKSTEP_REPOSITORY_LINK'].includes(code)) return unread(index, 'vanished');
  return unread(index, 'unreadable', reasonOf(error));
}

export function resultOf(index: number, outcome: FileOutcome, file: ContentFile, size: number, digest: string): FileResult {
  return { index, outcome, size, mtimeUs: file.mtimeUs, mode: file.mode, digest, detail: '' };
}

export interface SendingParts {
  readonly sync: number;
  readonly folder: RepositoryFolder;
  readonly hashing: Hashing;
  readonly entry: Entry;
  readonly want: Want;
  /** With `delta`. */
  readonly sums: BlockSums | null;
  readonly send: (bytes: Uint8Array) => void;
}

/** Sends one large file, piece by piece; or only reads it, to compare. */
export class FileSending {
  private file: ContentFile | null = null;
  private digest: DigestStream;
  private finder: DeltaFinder | null = null;
  private buffer: Uint8Array | null = null;
  private at = 0;
  private reads = 0;

  constructor(private readonly parts: SendingParts) {
    this.digest = parts.hashing.begin();
  }

  /** Reads and sends one piece. The result, when the file has ended; sending that is the caller's. */
  step(): FileResult | null {
    const { index } = this.parts.want;
    try {
      if (this.file === null) {
        const opened = openWanted(this.parts.folder, this.parts.entry, index);
        if ('outcome' in opened) return opened;
        this.begin(opened);
        return null;
      }
      return this.piece(this.file);
    } catch (error) {
      this.close();
      return failedRead(index, error);
    }
  }

  close(): void {
    this.file?.close();
    this.file = null;
  }

  private get sends(): boolean {
    const { how } = this.parts.want;
    return how === 'whole' || how === 'delta';
  }

  private begin(file: ContentFile): void {
    const { sync, want, sums, hashing, send } = this.parts;
    this.file = file;
    this.at = 0;
    this.reads += 1;
    this.digest = hashing.begin();
    if (!this.sends) return;
    send(encodeRepositoryFrame({ kind: 'begin', sync, index: want.index }));
    this.finder = sums === null ? null : new DeltaFinder(sums, hashing, { literal: (bytes) => this.data(bytes.slice()), copy: (offset, length) => send(encodeRepositoryFrame({ kind: 'copy', offset, length })) });
  }

  private piece(file: ContentFile): FileResult | null {
    const piece = this.read(file);
    if (piece.length === 0) return this.ended(file);
    this.at += piece.length;
    this.digest.update(piece);
    if (this.finder !== null) this.finder.push(piece);
    else if (this.sends) this.data(piece);
    return null;
  }

  /**
   * What is sent as it is waits in the stream, in a memory of its own; everything else is read into the same. Not beyond the end that the file had when it was
   * opened: one that grows faster than it may leave would never end.
   */
  private read(file: ContentFile): Uint8Array {
    if (this.sends && this.finder === null) return file.piece(PIECE_BYTES_MAX, this.at);
    this.buffer ??= new Uint8Array(PIECE_BYTES_MAX);
    const room = this.buffer.subarray(0, Math.min(PIECE_BYTES_MAX, file.size - this.at));
    return room.subarray(0, room.length === 0 ? 0 : file.read(room, this.at));
  }

  private ended(file: ContentFile): FileResult | null {
    const { want } = this.parts;
    this.finder?.end();
    const digest = this.digest.digest();
    const changed = file.changed();
    if (!changed) file.record(digest);
    const size = this.at;
    this.close();
    if (changed) return this.reads < READS_MAX ? null : unread(want.index, 'unstable');
    if (want.how === 'compare' || want.how === 'check') return resultOf(want.index, digest === want.digest ? 'same' : 'differs', file, size, digest);
    return resultOf(want.index, 'sent', file, size, digest);
  }

  private data(bytes: Uint8Array): void {
    for (const piece of dataPieces(bytes)) this.parts.send(piece);
  }
}
