import { BLOCK_BYTES_MAX, BLOCK_BYTES_MIN, SUM_BYTES, type BlockSums } from '../core/repository/blocks.js';
import type { Entry, Manifest, Scope } from '../core/repository/entry.js';
import { encodeRepositoryFrame, FilesFrame, SMALL_FILE_BYTES_MAX, type FileResult, type RepositoryFrame, type Want } from '../core/repository/frames.js';
import type { Term } from '../core/identity.js';
import type { Hashing } from '../ports/hashing.js';
import type { ContentFile, RepositoryFolder, Slices } from '../ports/repository.js';
import { failedRead, FileSending, openWanted, READS_MAX, resultOf, unread } from './file-sending.js';
import { treeDigest, treeDigestIfKnown } from './tree-digest.js';

/** Entries of one frame. */
const ENTRIES_PER_FRAME = 512;
/** Wants and sums that a receiver may have under way; a peer that sends more is none of ours. */
export const WANTS_MAX = 8192;
export const SUM_BYTES_MAX = 64 * 1024 * 1024;

export class SyncRefused extends Error {}

export interface SyncSendingParts {
  readonly sync: number;
  readonly scope: Scope | null;
  readonly checksum: boolean;
  readonly folder: RepositoryFolder;
  readonly hashing: Hashing;
  readonly send: (bytes: Uint8Array) => void;
  /** The term that we serve in, if we may send now. */
  readonly term: () => Term | null;
}

interface Wanted {
  readonly want: Want;
  readonly sums: Uint32Array | null;
  got: number;
}

/**
 * The sender's half of one sync: a state machine that is given frames and turns. `step` does one small piece of work and says whether
 * there is more that does not need a frame first.
 */
export class SyncSending {
  private scan: Slices<Manifest> | null;
  private isScanned = false;
  private entries: Entry[] = [];
  private listed = -1;
  private readonly wanted: Wanted[] = [];
  private next = 0;
  private sending: FileSending | null = null;
  private files: FilesFrame | null = null;
  private sumBytes = 0;
  private wantsEnded = false;
  private ended_ = false;

  constructor(private readonly parts: SyncSendingParts) {
    this.scan = parts.folder.scan({ scope: parts.scope, checksum: parts.checksum });
  }

  /** Everything was sent. */
  get ended(): boolean {
    return this.ended_;
  }

  close(): void {
    this.scan?.close();
    this.sending?.close();
    this.sending = null;
  }

  /** @throws SyncRefused on what no receiver of ours sends */
  take(frame: Extract<RepositoryFrame, { kind: 'list' | 'wants' | 'sums' | 'wantsEnd' }>): void {
    switch (frame.kind) {
      case 'list':
        if (!this.isScanned || this.listed >= 0) throw new SyncRefused('a manifest was asked for out of turn');
        this.listed = 0;
        return;
      case 'wants':
        for (const want of frame.wants) this.takeWant(want);
        return;
      case 'sums':
        this.takeSums(frame.sums);
        return;
      case 'wantsEnd':
        this.wantsEnded = true;
        return;
    }
  }

  /** One small piece of work. False: nothing can be done before a frame comes. @throws Error of the file system from a scan */
  step(): boolean {
    if (this.scan !== null) this.scanOn(this.scan);
    else if (this.listed >= 0 && this.listed < this.entries.length) this.list();
    else if (this.listed === this.entries.length) this.endList();
    else if (this.sending !== null) this.sendOn(this.sending);
    else return this.nextWant();
    return true;
  }

  private scanOn(scan: Slices<Manifest>): void {
    const manifest = scan.step();
    if (manifest === null) return;
    this.scan = null;
    this.isScanned = true;
    this.entries = [...manifest.entries];
    const { sync, hashing } = this.parts;
    this.send({ kind: 'tree', sync, term: this.term(), tree: treeDigestIfKnown(this.entries, hashing), leftOut: manifest.leftOut });
  }

  private list(): void {
    this.send({ kind: 'entries', sync: this.parts.sync, entries: this.entries.slice(this.listed, this.listed + ENTRIES_PER_FRAME) });
    this.listed = Math.min(this.entries.length, this.listed + ENTRIES_PER_FRAME);
  }

  private endList(): void {
    const { sync, hashing } = this.parts;
    this.listed += 1;
    this.send({ kind: 'manifest', sync, term: this.term(), count: this.entries.length, tree: treeDigest(this.entries, hashing) });
  }

  private takeWant(want: Want): void {
    const entry = this.entries[want.index];
    if (entry?.kind !== 'file' || this.listed <= this.entries.length) throw new SyncRefused('something was wanted that is not in the manifest');
    if (this.wanted.length - this.next >= WANTS_MAX) throw new SyncRefused('more was wanted than may be under way');
    if (want.how === 'delta' && (want.blockBytes < BLOCK_BYTES_MIN || want.blockBytes > BLOCK_BYTES_MAX)) throw new SyncRefused(`sums of blocks of ${want.blockBytes} bytes were announced`);
    const count = want.how === 'delta' ? want.blocks * (SUM_BYTES / 4) : 0;
    this.sumBytes += count * 4;
    if (this.sumBytes > SUM_BYTES_MAX) throw new SyncRefused('more block sums were announced than may be under way');
    this.wanted.push({ want, sums: want.how === 'delta' ? new Uint32Array(count) : null, got: 0 });
  }

  private takeSums(sums: Uint32Array): void {
    const last = this.wanted.at(-1);
    if (last?.sums == null || last.got + sums.length > last.sums.length) throw new SyncRefused('block sums came that were not announced');
    last.sums.set(sums, last.got);
    last.got += sums.length;
  }

  private nextWant(): boolean {
    const wanted = this.wanted[this.next];
    if (wanted === undefined) {
      this.flushFiles();
      if (this.wantsEnded && !this.ended_) this.end();
      return false;
    }
    if (wanted.sums !== null && wanted.got < wanted.sums.length) return false;
    this.next += 1;
    if (this.next >= WANTS_MAX / 2) this.wanted.splice(0, this.next), (this.next = 0);
    const entry = this.entries[wanted.want.index];
    if (entry === undefined) return true;
    if (wanted.sums === null && entry.size <= SMALL_FILE_BYTES_MAX) this.sendSmall(entry, wanted.want);
    else this.beginLarge(entry, wanted);
    return true;
  }

  private beginLarge(entry: Entry, { want, sums }: Wanted): void {
    this.flushFiles();
    const { sync, folder, hashing, send } = this.parts;
    const blocks: BlockSums | null = sums === null || want.how !== 'delta' ? null : { blockBytes: want.blockBytes, sums };
    this.sumBytes -= (sums?.length ?? 0) * 4;
    this.sending = new FileSending({ sync, folder, hashing, entry, want, sums: blocks, send });
  }

  private sendOn(sending: FileSending): void {
    const result = sending.step();
    if (result === null) return;
    this.sending = null;
    this.note(result);
    this.send({ kind: 'finish', sync: this.parts.sync, result });
  }

  /** Whole, in a frame that it shares with others. One that has grown meanwhile goes the way of large ones. */
  private sendSmall(entry: Entry, want: Want): void {
    for (let reads = 1; ; reads += 1) {
      const file = openWanted(this.parts.folder, entry, want.index);
      if ('outcome' in file) return this.addResult(file, 0);
      let result: FileResult | 'large' | 'changed';
      try {
        result = this.readSmall(file, want);
      } catch (error) {
        result = failedRead(want.index, error);
      } finally {
        file.close();
      }
      if (result === 'large') {
        const grown: Want = want.how === 'delta' ? { how: 'whole', index: want.index } : want;
        return this.beginLarge(entry, { want: grown, sums: null, got: 0 });
      }
      if (result !== 'changed') return this.addResult(result, result.outcome === 'sent' ? result.size : 0);
      if (reads === READS_MAX) return this.addResult(unread(want.index, 'unstable'), 0);
    }
  }

  private readSmall(file: ContentFile, want: Want): FileResult | 'large' | 'changed' {
    if (file.size > SMALL_FILE_BYTES_MAX) return 'large';
    const room = this.roomFor(file.size);
    let at = 0;
    while (at < room.length) {
      const bytes = file.read(room.subarray(at), at);
      if (bytes === 0) break;
      at += bytes;
    }
    if (at !== file.size || file.changed()) return 'changed';
    const digest = this.parts.hashing.digest(room);
    file.record(digest);
    if (want.how === 'check' || want.how === 'compare') {
      if (digest === want.digest) return resultOf(want.index, 'same', file, at, digest);
      if (want.how === 'check') return resultOf(want.index, 'differs', file, at, digest);
    }
    return resultOf(want.index, 'sent', file, at, digest);
  }

  private roomFor(bytes: number): Uint8Array {
    this.files ??= new FilesFrame(this.parts.sync);
    const room = this.files.room(bytes);
    if (room !== null) return room;
    this.flushFiles();
    return this.roomFor(bytes);
  }

  private addResult(result: FileResult, contentBytes: number): void {
    this.note(result);
    this.files ??= new FilesFrame(this.parts.sync);
    if (this.files.add(result, contentBytes)) return;
    this.flushFiles();
    this.addResult(result, contentBytes);
  }

  private flushFiles(): void {
    if (this.files !== null && this.files.count > 0) this.parts.send(this.files.take());
    this.files = null;
  }

  /** The manifest as both sides shall have it in the end. */
  private note(result: FileResult): void {
    const entry = this.entries[result.index];
    if (entry === undefined || result.digest === '') return;
    this.entries[result.index] = { ...entry, size: result.size, mtimeUs: result.mtimeUs, mode: result.mode, digest: result.digest };
  }

  private end(): void {
    const { sync, hashing } = this.parts;
    this.ended_ = true;
    this.send({ kind: 'end', sync, term: this.term(), tree: treeDigest(this.entries, hashing) });
  }

  private term(): Term {
    const term = this.parts.term();
    if (term === null) throw new SyncRefused('this server does not serve any more');
    return term;
  }

  private send(frame: RepositoryFrame): void {
    this.parts.send(encodeRepositoryFrame(frame));
  }
}
