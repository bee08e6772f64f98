import { LockstepError } from '../core/errors.js';
import { RECORD_PAYLOAD_BYTES_MAX, type Checksum, type LogPoint } from '../core/journal/envelope.js';
import { SnapshotEntryType, type EncodedEntry } from '../core/broker/snapshot.js';
import { ByteReader, ByteWriter, MalformedBytes } from '../core/wire/bytes.js';
import type { Position, Term } from '../core/identity.js';
import type { DiskFile } from '../ports/disk.js';
import { write } from './disk-io.js';

/*
 * A snapshot: the broker's whole state at one point of the log, as one file of blocks.
 *
 *     0  u32  length of the content
 *     4  u8   kind: 1 head, 2 entry, 3 end
 *     5  u32  checksum of these five bytes and the content, seeded with the checksum of the block before
 *     9       content
 *
 * First the head, then the state's entries (u16 type, u8 version, the entry's payload; core/broker/snapshot.ts), then the end with
 * the count of the blocks before it. A file without its end, or with a wrong checksum anywhere, is no snapshot.
 */
const MAGIC = 'lockstep-snapshot';
const VERSION = 1;
const BLOCK_HEADER_BYTES = 9;
const BLOCK_BYTES_MAX = RECORD_PAYLOAD_BYTES_MAX + 64 * 1024;
const BUFFER_BYTES = 256 * 1024;
const BlockKind = { head: 1, entry: 2, end: 3 } as const;
const ENTRY_HEADER_BYTES = 3;
/** Of a message, beside its payload and its topic: see `placeOf`. */
export const MESSAGE_BYTES_MIN = BLOCK_HEADER_BYTES + ENTRY_HEADER_BYTES + 11;

export interface SnapshotHead {
  readonly cluster: string;
  readonly point: LogPoint;
  /** The state's digest at that point. */
  readonly digest: string;
}

/** Writes a snapshot from its first byte to its last. Nothing is durable before the caller syncs. */
export class SnapshotWriter {
  private parts: Uint8Array[] = [];
  private buffered = 0;
  private offset = 0;
  private chain = 0;
  private blocks = 0;

  constructor(
    private readonly file: DiskFile,
    private readonly checksum: Checksum,
  ) {}

  get bytes(): number {
    return this.offset + this.buffered;
  }

  head(head: SnapshotHead): Promise<void> {
    const writer = new ByteWriter().text(MAGIC).u16(VERSION).text(head.cluster);
    writer.u32(head.point.term).u64(head.point.position).u32(head.point.chain).text(head.digest);
    return this.block(BlockKind.head, [writer.take()]);
  }

  /** @returns where the message's payload will stand, when the entry is a message */
  async entry(entry: EncodedEntry): Promise<MessagePlace | null> {
    const at = this.bytes + BLOCK_HEADER_BYTES + ENTRY_HEADER_BYTES;
    await this.block(BlockKind.entry, [new ByteWriter(ENTRY_HEADER_BYTES).u16(entry.type).u8(entry.version).take(), entry.payload]);
    return placeOf(entry, at, this.checksum);
  }

  async end(): Promise<void> {
    await this.block(BlockKind.end, [new ByteWriter(8).u64(this.blocks).take()]);
    await this.flush();
  }

  private async block(kind: number, contents: readonly Uint8Array[]): Promise<void> {
    const length = contents.reduce((sum, part) => sum + part.length, 0);
    const header = new Uint8Array(BLOCK_HEADER_BYTES);
    const view = new DataView(header.buffer);
    view.setUint32(0, length);
    view.setUint8(4, kind);
    this.chain = this.checksum(header.subarray(0, 5), this.chain);
    for (const part of contents) this.chain = this.checksum(part, this.chain);
    view.setUint32(5, this.chain >>> 0);
    this.parts.push(header, ...contents);
    this.buffered += BLOCK_HEADER_BYTES + length;
    this.blocks += 1;
    if (this.buffered >= BUFFER_BYTES) await this.flush();
  }

  private async flush(): Promise<void> {
    if (this.parts.length === 0) return;
    const parts = this.parts;
    const bytes = this.buffered;
    this.parts = [];
    this.buffered = 0;
    await write(this.file, parts, this.offset);
    this.offset += bytes;
  }
}

/** Where a payload stands in the file. */
export interface PayloadPlace {
  readonly offset: number;
  readonly length: number;
  /** Checksum of the payload alone: who reads only that cannot check the chain of the blocks. */
  readonly sum: number;
}

export interface MessagePlace extends PayloadPlace {
  readonly id: Position;
}

/** A message's entry: u64 id, u8 QoS, u16 length of the topic, topic, and the payload to the end. */
function placeOf(entry: EncodedEntry, at: number, checksum: Checksum): MessagePlace | null {
  if (entry.type !== SnapshotEntryType.message) return null;
  const reader = new ByteReader(entry.payload);
  const id = reader.u64() as Position;
  reader.u8();
  reader.raw(reader.u16());
  const length = reader.left;
  return { id, offset: at + entry.payload.length - length, length, sum: checksum(reader.raw(length), 0) >>> 0 };
}

export interface SnapshotVisitor {
  head(head: SnapshotHead): void;
  /** The entry's payload is a view that is good during the call. `message`: where a message's payload stands. */
  entry(entry: EncodedEntry, message: MessagePlace | null): void;
  /** Now and then: a promise that lets others run, and the bytes read so far. */
  pause(bytesDone: number): Promise<void>;
}

/**
 * Reads a whole snapshot and checks every byte of it.
 * @throws LockstepError LOCKSTEP_SNAPSHOT_DAMAGED naming the file and the offset (rejects)
 */
export async function scanSnapshot(file: DiskFile, name: string, checksum: Checksum, visitor: SnapshotVisitor): Promise<void> {
  const input = new BlockInput(file, name);
  let chain = 0;
  let blocks = 0;
  let pauseAt = BUFFER_BYTES;
  for (;;) {
    const at = input.offset;
    const header = await input.take(BLOCK_HEADER_BYTES);
    const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
    const length = view.getUint32(0);
    const kind = view.getUint8(4);
    const sum = view.getUint32(5);
    if (length > BLOCK_BYTES_MAX) throw damaged(name, at, `a block of ${length} bytes`);
    chain = checksum(header.subarray(0, 5), chain);
    const content = await input.take(length);
    chain = checksum(content, chain) >>> 0;
    if (chain !== sum) throw damaged(name, at, 'a wrong checksum');
    if ((blocks === 0) !== (kind === BlockKind.head)) throw damaged(name, at, 'no head, or a second one');
    if (visit(visitor, kind, content, at, blocks, name, checksum)) break;
    blocks += 1;
    if (input.offset >= pauseAt) {
      pauseAt = input.offset + BUFFER_BYTES;
      await visitor.pause(input.offset);
    }
  }
  if (!(await input.ended())) throw damaged(name, input.offset, 'bytes after the end');
}

/** @returns true at the end */
function visit(visitor: SnapshotVisitor, kind: number, content: Uint8Array, at: number, blocks: number, name: string, checksum: Checksum): boolean {
  try {
    switch (kind) {
      case BlockKind.head:
        visitor.head(readHead(content));
        return false;
      case BlockKind.entry: {
        const reader = new ByteReader(content);
        const entry = { type: reader.u16(), version: reader.u8(), payload: reader.raw(reader.left) };
        visitor.entry(entry, placeOf(entry, at + BLOCK_HEADER_BYTES + ENTRY_HEADER_BYTES, checksum));
        return false;
      }
      case BlockKind.end:
        if (new ByteReader(content).u64() !== blocks) throw damaged(name, at, 'blocks are missing');
        return true;
      default:
        throw damaged(name, at, `a block of unknown kind ${kind}`);
    }
  } catch (error) {
    if (error instanceof MalformedBytes) throw damaged(name, at, error.message);
    throw error;
  }
}

/** The head of a snapshot without reading the rest. */
export async function readSnapshotHead(file: DiskFile, name: string, checksum: Checksum): Promise<SnapshotHead> {
  const input = new BlockInput(file, name);
  const header = await input.take(BLOCK_HEADER_BYTES);
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  if (view.getUint8(4) !== BlockKind.head || view.getUint32(0) > BUFFER_BYTES) throw damaged(name, 0, 'no head');
  const content = await input.take(view.getUint32(0));
  if (checksum(content, checksum(header.subarray(0, 5), 0)) >>> 0 !== view.getUint32(5)) throw damaged(name, 0, 'a wrong checksum');
  return readHead(content);
}

function readHead(content: Uint8Array): SnapshotHead {
  const reader = new ByteReader(content);
  if (reader.text() !== MAGIC) throw new MalformedBytes('not a snapshot');
  const version = reader.u16();
  if (version !== VERSION) throw new MalformedBytes(`a snapshot of version ${version}; this server reads version ${VERSION}`);
  const cluster = reader.text();
  const point = { term: reader.u32() as Term, position: reader.u64() as Position, chain: reader.u32() };
  const digest = reader.text();
  reader.end();
  return { cluster, point, digest };
}

/**
 * Checks the blocks of a snapshot while its bytes pass by, however they are cut.
 * Everything throws LockstepError LOCKSTEP_SNAPSHOT_DAMAGED naming the file and the offset.
 */
export class SnapshotCheck {
  private readonly header = new Uint8Array(BLOCK_HEADER_BYTES);
  private readonly view = new DataView(this.header.buffer);
  private headerBytes = 0;
  /** Of the block's content, still to come. */
  private contentLeft = 0;
  private blockAt = 0;
  private chain = 0;
  private ended = false;

  constructor(
    private readonly name: string,
    private readonly checksum: Checksum,
  ) {}

  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.ended) throw damaged(this.name, this.blockAt, 'bytes after the end');
      at += this.headerBytes < BLOCK_HEADER_BYTES ? this.takeHeader(bytes.subarray(at)) : this.takeContent(bytes.subarray(at));
    }
  }

  /** No more bytes come. */
  end(): void {
    if (!this.ended) throw damaged(this.name, this.blockAt, 'it ends too early');
  }

  private takeHeader(bytes: Uint8Array): number {
    const part = bytes.subarray(0, BLOCK_HEADER_BYTES - this.headerBytes);
    this.header.set(part, this.headerBytes);
    this.headerBytes += part.length;
    if (this.headerBytes < BLOCK_HEADER_BYTES) return part.length;
    this.contentLeft = this.view.getUint32(0);
    if (this.contentLeft > BLOCK_BYTES_MAX) throw damaged(this.name, this.blockAt, `a block of ${this.contentLeft} bytes`);
    this.chain = this.checksum(this.header.subarray(0, 5), this.chain);
    if (this.contentLeft === 0) this.endBlock();
    return part.length;
  }

  private takeContent(bytes: Uint8Array): number {
    const part = bytes.subarray(0, this.contentLeft);
    this.chain = this.checksum(part, this.chain);
    this.contentLeft -= part.length;
    if (this.contentLeft === 0) this.endBlock();
    return part.length;
  }

  private endBlock(): void {
    if (this.chain >>> 0 !== this.view.getUint32(5)) throw damaged(this.name, this.blockAt, 'a wrong checksum');
    this.ended = this.view.getUint8(4) === BlockKind.end;
    this.blockAt += BLOCK_HEADER_BYTES + this.view.getUint32(0);
    this.headerBytes = 0;
  }
}

export function damaged(name: string, offset: number, what: string): LockstepError {
  return new LockstepError(
    'LOCKSTEP_SNAPSHOT_DAMAGED',
    `snapshot ${name} is damaged at byte ${offset}: ${what}`,
    'An older snapshot is used when there is one; otherwise this server copies everything from its peer.',
  );
}

/** Reads a file forwards in large steps and hands out exact lengths. */
class BlockInput {
  private buffer: Uint8Array = new Uint8Array(0);
  private bufferAt = 0;
  private readAt = 0;
  offset = 0;

  constructor(
    private readonly file: DiskFile,
    private readonly name: string,
  ) {}

  async take(length: number): Promise<Uint8Array> {
    while (this.buffer.length - this.bufferAt < length) await this.more(length);
    const taken = this.buffer.subarray(this.bufferAt, this.bufferAt + length);
    this.bufferAt += length;
    this.offset += length;
    return taken;
  }

  async ended(): Promise<boolean> {
    return this.buffer.length === this.bufferAt && (await this.file.read(this.readAt, 1)).length === 0;
  }

  private async more(wanted: number): Promise<void> {
    const left = this.buffer.subarray(this.bufferAt);
    // A damaged length must not take memory that the file does not fill.
    if (wanted > BUFFER_BYTES && this.offset + wanted > (await this.file.size())) throw damaged(this.name, this.offset, 'it ends too early');
    const bytes = await this.file.read(this.readAt, Math.max(BUFFER_BYTES, wanted - left.length));
    if (bytes.length === 0) throw damaged(this.name, this.readAt, 'it ends too early');
    this.readAt += bytes.length;
    const joined = new Uint8Array(left.length + bytes.length);
    joined.set(left, 0);
    joined.set(bytes, left.length);
    this.buffer = joined;
    this.bufferAt = 0;
  }
}
