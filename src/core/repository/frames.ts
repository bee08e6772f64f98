import type { RunId, ServerId, Term } from '../identity.js';
import { ByteReader, ByteWriter, decodeText, encodeText, MalformedBytes } from '../wire/bytes.js';
import { encodeFrame, FRAME_HEADER_BYTES, frameHeader } from '../wire/frame.js';
import { SUM_BYTES } from './blocks.js';
import type { Digest, Entry, LeftOut, Scope } from './entry.js';
import { DIGEST_BYTES, EntryWriter, isForeignMode, readDigest, readEntries, readLeftOut, readScope, writeDigest, writeLeftOut, writeScope } from './manifest.js';

/*
 * Frames of the repository link. The receiver dials and speaks first; docs/decisions/repositories.md shows the conversation.
 * One stream carries one sync at a time; `sync` is its number, so that what was dropped cannot be taken for what came after it.
 */
export const RepositoryKind = {
  hello: 1,
  welcome: 2,
  refused: 3,
  ask: 4,
  entries: 6,
  wants: 8,
  sums: 9,
  wantsEnd: 10,
  files: 11,
  begin: 12,
  data: 13,
  copy: 14,
  finish: 15,
  end: 16,
  drop: 17,
  failed: 18,
  report: 19,
  hint: 20,
  ping: 21,
  list: 22,
  settings: 23,
  tree: 24,
  manifest: 25,
} as const;
const Kind = RepositoryKind;
/** Tree and manifest as they were before the first named what is left out: a server that sends them would have its copies called equal without a word of it. */
const RETIRED: readonly number[] = [5, 7];

/** Payload of one frame. A frame of files holds many small ones, or one of at most this less a margin. */
export const REPOSITORY_FRAME_BYTES_MAX = 1024 * 1024;
/** Files up to this size travel whole in a frame of files. */
export const SMALL_FILE_BYTES_MAX = 128 * 1024;
/** One read, one write, one piece of data. */
export const PIECE_BYTES_MAX = 256 * 1024;
/** Sums of one frame. */
export const SUMS_PER_FRAME = Math.floor((512 * 1024) / SUM_BYTES);
export const JSON_BYTES_MAX = 512 * 1024;
const TEXT_MAX = 4096;

export type Want =
  | { readonly how: 'whole'; readonly index: number }
  /** Send it only when its content is another. */
  | { readonly how: 'compare'; readonly index: number; readonly digest: Digest }
  /** As `compare`, and never send it. */
  | { readonly how: 'check'; readonly index: number; readonly digest: Digest }
  /** Block sums of an older version follow, in frames of their own. */
  | { readonly how: 'delta'; readonly index: number; readonly blockBytes: number; readonly blocks: number };

/** How the reading of a wanted file ended. `same`: its digest is the wanted one. `differs`: it is not, and no content was sent. The others: it could not be read. */
export type FileOutcome = 'sent' | 'same' | 'differs' | 'vanished' | 'unstable' | 'unreadable';

/** A file as it was when its content was read. */
export interface FileResult {
  readonly index: number;
  readonly outcome: FileOutcome;
  readonly size: number;
  readonly mtimeUs: number;
  readonly mode: number;
  /** Empty without a content. */
  readonly digest: Digest;
  /** Of `unreadable`: why. */
  readonly detail: string;
}

export type RepositoryFrame =
  | { readonly kind: 'hello'; readonly cluster: string; readonly server: ServerId; readonly run: RunId; readonly senderRun: RunId; readonly term: Term }
  | { readonly kind: 'welcome'; readonly server: ServerId; readonly run: RunId; readonly term: Term }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'ask'; readonly sync: number; readonly repository: string; readonly checksum: boolean; readonly scope: Scope | null }
  /** Digest of the sender's tree; `null` when some content was not read yet. `leftOut`: the first of them. */
  | { readonly kind: 'tree'; readonly sync: number; readonly term: Term; readonly tree: Digest | null; readonly leftOut: readonly LeftOut[] }
  /** The trees differ: send the manifest. */
  | { readonly kind: 'list'; readonly sync: number }
  | { readonly kind: 'entries'; readonly sync: number; readonly entries: readonly Entry[] }
  | { readonly kind: 'manifest'; readonly sync: number; readonly term: Term; readonly count: number; readonly tree: Digest }
  | { readonly kind: 'wants'; readonly sync: number; readonly wants: readonly Want[] }
  | { readonly kind: 'sums'; readonly sync: number; readonly sums: Uint32Array }
  | { readonly kind: 'wantsEnd'; readonly sync: number }
  /** Bytes are views. */
  | { readonly kind: 'files'; readonly sync: number; readonly files: readonly { readonly result: FileResult; readonly content: Uint8Array }[] }
  | { readonly kind: 'begin'; readonly sync: number; readonly index: number }
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'copy'; readonly offset: number; readonly length: number }
  | { readonly kind: 'finish'; readonly sync: number; readonly result: FileResult }
  | { readonly kind: 'end'; readonly sync: number; readonly term: Term; readonly tree: Digest }
  /** The receiver gives the sync up. */
  | { readonly kind: 'drop'; readonly sync: number }
  /** The sender cannot go on with the sync. */
  | { readonly kind: 'failed'; readonly sync: number; readonly reason: string }
  /** JSON; what it must hold is judged by who reads it. */
  | { readonly kind: 'report'; readonly json: string }
  | { readonly kind: 'hint'; readonly json: string }
  /** JSON, before the welcome: what the sender's profile says of its repositories. */
  | { readonly kind: 'settings'; readonly json: string }
  | { readonly kind: 'ping' };

const OUTCOMES: readonly FileOutcome[] = ['sent', 'same', 'differs', 'vanished', 'unstable', 'unreadable'];
const HOWS = ['whole', 'compare', 'check', 'delta'] as const;

/** The whole frame, header included; of `data` and `files` there are writers that copy less. */
export function encodeRepositoryFrame(frame: RepositoryFrame): Uint8Array {
  const writer = new ByteWriter(frame.kind === 'sums' ? frame.sums.length * 4 + 64 : 256);
  encodeFields(writer, frame);
  return encodeFrame(Kind[frame.kind], writer.lend());
}

function encodeFields(writer: ByteWriter, frame: RepositoryFrame): void {
  switch (frame.kind) {
    case 'hello':
      writer.text(frame.cluster).text(frame.server).text(frame.run).text(frame.senderRun).u32(frame.term);
      return;
    case 'welcome':
      writer.text(frame.server).text(frame.run).u32(frame.term);
      return;
    case 'refused':
      writer.text(cut(frame.reason));
      return;
    case 'ask':
      writer.u32(frame.sync).text(frame.repository).u8(frame.checksum ? 1 : 0);
      writeScope(writer, frame.scope);
      return;
    case 'tree':
      optionalDigest(writer.u32(frame.sync).u32(frame.term), frame.tree);
      writeLeftOut(writer, frame.leftOut);
      return;
    case 'entries': {
      writer.u32(frame.sync);
      const entries = new EntryWriter(writer);
      for (const entry of frame.entries) entries.write(entry);
      return;
    }
    case 'manifest':
      writer.u32(frame.sync).u32(frame.term).u32(frame.count);
      writeDigest(writer, frame.tree);
      return;
    case 'list':
    case 'wantsEnd':
    case 'drop':
      writer.u32(frame.sync);
      return;
    case 'report':
    case 'hint':
    case 'settings':
      writer.raw(encodeText(frame.json));
      return;
    default:
      encodeContent(writer, frame);
  }
}

type ContentFrame = Extract<RepositoryFrame, { kind: 'wants' | 'sums' | 'files' | 'begin' | 'data' | 'copy' | 'finish' | 'end' | 'failed' | 'ping' }>;

function encodeContent(writer: ByteWriter, frame: ContentFrame): void {
  switch (frame.kind) {
    case 'wants':
      writer.u32(frame.sync);
      for (const want of frame.wants) writeWant(writer, want);
      return;
    case 'sums':
      writer.u32(frame.sync);
      for (const value of frame.sums) writer.u32(value);
      return;
    case 'files':
      writer.u32(frame.sync);
      for (const { result, content } of frame.files) {
        writeResult(writer, result);
        writer.blob(content);
      }
      return;
    case 'begin':
      writer.u32(frame.sync).u32(frame.index);
      return;
    case 'data':
      writer.raw(frame.bytes);
      return;
    case 'copy':
      writer.u64(frame.offset).u64(frame.length);
      return;
    case 'finish':
      writeResult(writer.u32(frame.sync), frame.result);
      return;
    case 'end':
      writeDigest(writer.u32(frame.sync).u32(frame.term), frame.tree);
      return;
    case 'failed':
      writer.u32(frame.sync).text(cut(frame.reason));
      return;
    case 'ping':
      return;
  }
}

/** Data as a frame in two pieces: what is large is not copied. */
export function dataPieces(bytes: Uint8Array): Uint8Array[] {
  return [frameHeader(Kind.data, bytes.length), bytes];
}

/** Room for small files in one frame: each is read straight into it. */
export class FilesFrame {
  private readonly bytes = new Uint8Array(FILES_FRAME_BYTES);
  private readonly fields = new ByteWriter(512);
  private at = FRAME_HEADER_BYTES + 4;
  private count_ = 0;

  constructor(private readonly sync: number) {}

  get count(): number {
    return this.count_;
  }

  get length(): number {
    return this.at;
  }

  /** Where the content of the next file goes; `null` when so much does not fit any more. */
  room(contentBytes: number): Uint8Array | null {
    const from = this.at + RESULT_BYTES;
    return from + contentBytes > this.bytes.length ? null : this.bytes.subarray(from, from + contentBytes);
  }

  /** The file whose first `contentBytes` were put into the room. False: the frame is full, and it is not in it. */
  add(result: FileResult, contentBytes: number): boolean {
    writeResult(this.fields, result);
    this.fields.u32(contentBytes);
    const fields = this.fields.lend();
    if (this.at + Math.max(RESULT_BYTES, fields.length) + contentBytes > this.bytes.length) return false;
    // With a long detail there is no content; otherwise the fields are a few bytes shorter than the room that was left for them.
    this.bytes.copyWithin(this.at + fields.length, this.at + RESULT_BYTES, this.at + RESULT_BYTES + contentBytes);
    this.bytes.set(fields, this.at);
    this.at += fields.length + contentBytes;
    this.count_ += 1;
    return true;
  }

  take(): Uint8Array {
    const payload = this.at - FRAME_HEADER_BYTES;
    this.bytes.set(frameHeader(Kind.files, payload), 0);
    new DataView(this.bytes.buffer).setUint32(FRAME_HEADER_BYTES, this.sync);
    return this.bytes.subarray(0, this.at);
  }
}
const FILES_FRAME_BYTES = 256 * 1024;
/** Fields of a file's result with a digest and no detail, and the length of its content. */
const RESULT_BYTES = 4 + 1 + 8 + 8 + 2 + 1 + DIGEST_BYTES + 2 + 4;

function writeWant(writer: ByteWriter, want: Want): void {
  writer.u32(want.index).u8(HOWS.indexOf(want.how));
  if (want.how === 'compare' || want.how === 'check') writeDigest(writer, want.digest);
  if (want.how === 'delta') writer.u32(want.blockBytes).u32(want.blocks);
}

function readWant(reader: ByteReader): Want {
  const index = reader.u32();
  const how = HOWS[reader.u8()];
  if (how === undefined) throw new MalformedBytes('a want of an unknown kind');
  if (how === 'whole') return { how, index };
  if (how === 'delta') return { how, index, blockBytes: reader.u32(), blocks: reader.u32() };
  return { how, index, digest: readDigest(reader) };
}

function writeResult(writer: ByteWriter, result: FileResult): void {
  writer.u32(result.index).u8(OUTCOMES.indexOf(result.outcome)).u64(result.size).u64(result.mtimeUs).u16(result.mode);
  optionalDigest(writer, result.digest === '' ? null : result.digest);
  writer.text(cut(result.detail));
}

function readResult(reader: ByteReader): FileResult {
  const index = reader.u32();
  const outcome = OUTCOMES[reader.u8()];
  if (outcome === undefined) throw new MalformedBytes('a file with an unknown outcome');
  const size = reader.u64();
  const mtimeUs = reader.u64();
  const mode = reader.u16();
  if (isForeignMode(mode, 'file')) throw new MalformedBytes('permissions out of range');
  const digest = readOptionalDigest(reader);
  const isRead = outcome === 'sent' || outcome === 'same' || outcome === 'differs';
  if (isRead !== (digest !== null)) throw new MalformedBytes('a digest of what was not read, or none of what was');
  return { index, outcome, size, mtimeUs, mode, digest: digest ?? '', detail: reader.text() };
}

function optionalDigest(writer: ByteWriter, digest: Digest | null): void {
  writer.u8(digest === null ? 0 : 1);
  if (digest !== null) writeDigest(writer, digest);
}

function readOptionalDigest(reader: ByteReader): Digest | null {
  const there = reader.u8();
  if (there > 1) throw new MalformedBytes('a flag that is neither 0 nor 1');
  return there === 1 ? readDigest(reader) : null;
}

/**
 * Reads one frame's payload. Byte fields are views into it.
 * @throws MalformedBytes on anything that no server of ours writes
 */
export function decodeRepositoryFrame(kind: number, payload: Uint8Array): RepositoryFrame {
  if (kind === Kind.data) return { kind: 'data', bytes: payload };
  const reader = new ByteReader(payload);
  const frame = decodeFields(kind, reader);
  reader.end();
  return frame;
}

function decodeFields(kind: number, reader: ByteReader): RepositoryFrame {
  switch (kind) {
    case Kind.hello:
      return { kind: 'hello', cluster: reader.text(), server: reader.text() as ServerId, run: reader.text() as RunId, senderRun: reader.text() as RunId, term: reader.u32() as Term };
    case Kind.welcome:
      return { kind: 'welcome', server: reader.text() as ServerId, run: reader.text() as RunId, term: reader.u32() as Term };
    case Kind.refused:
      return { kind: 'refused', reason: reader.text() };
    case Kind.ask:
      return { kind: 'ask', sync: reader.u32(), repository: reader.text(), checksum: reader.u8() === 1, scope: readScope(reader) };
    case Kind.tree:
      return { kind: 'tree', sync: reader.u32(), term: reader.u32() as Term, tree: readOptionalDigest(reader), leftOut: readLeftOut(reader) };
    case Kind.list:
      return { kind: 'list', sync: reader.u32() };
    case Kind.entries: {
      const sync = reader.u32();
      const entries: Entry[] = [];
      readEntries(reader, (entry) => entries.push(entry));
      return { kind: 'entries', sync, entries };
    }
    case Kind.manifest:
      return { kind: 'manifest', sync: reader.u32(), term: reader.u32() as Term, count: reader.u32(), tree: readDigest(reader) };
    case Kind.wants: {
      const sync = reader.u32();
      const wants: Want[] = [];
      while (reader.left > 0) wants.push(readWant(reader));
      return { kind: 'wants', sync, wants };
    }
    case Kind.sums:
      return { kind: 'sums', sync: reader.u32(), sums: readSums(reader) };
    default:
      return decodeContent(kind, reader);
  }
}

function decodeContent(kind: number, reader: ByteReader): RepositoryFrame {
  switch (kind) {
    case Kind.files: {
      const sync = reader.u32();
      const files: { result: FileResult; content: Uint8Array }[] = [];
      while (reader.left > 0) files.push({ result: readResult(reader), content: reader.blob() });
      return { kind: 'files', sync, files };
    }
    case Kind.begin:
      return { kind: 'begin', sync: reader.u32(), index: reader.u32() };
    case Kind.copy:
      return { kind: 'copy', offset: reader.u64(), length: reader.u64() };
    case Kind.finish:
      return { kind: 'finish', sync: reader.u32(), result: readResult(reader) };
    case Kind.end:
      return { kind: 'end', sync: reader.u32(), term: reader.u32() as Term, tree: readDigest(reader) };
    case Kind.wantsEnd:
      return { kind: 'wantsEnd', sync: reader.u32() };
    case Kind.drop:
      return { kind: 'drop', sync: reader.u32() };
    case Kind.failed:
      return { kind: 'failed', sync: reader.u32(), reason: reader.text() };
    case Kind.report:
      return { kind: 'report', json: json(reader) };
    case Kind.hint:
      return { kind: 'hint', json: json(reader) };
    case Kind.settings:
      return { kind: 'settings', json: json(reader) };
    case Kind.ping:
      return { kind: 'ping' };
    default:
      throw new MalformedBytes(RETIRED.includes(kind) ? 'a repository frame of an older version of Lockstep: run the same version on both servers' : `a repository frame of unknown kind ${kind}`);
  }
}

function readSums(reader: ByteReader): Uint32Array {
  if (reader.left % SUM_BYTES !== 0) throw new MalformedBytes('a part of a block sum');
  const sums = new Uint32Array(reader.left / 4);
  for (let at = 0; at < sums.length; at += 1) sums[at] = reader.u32();
  return sums;
}

function cut(text: string): string {
  return text.slice(0, TEXT_MAX);
}

function json(reader: ByteReader): string {
  if (reader.left > JSON_BYTES_MAX) throw new MalformedBytes(`${reader.left} bytes of JSON, ${JSON_BYTES_MAX} allowed`);
  return decodeText(reader.raw(reader.left));
}
