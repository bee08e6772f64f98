import { ByteWriter, MalformedBytes, type ByteReader } from '../wire/bytes.js';
import type { Digest, Entry, EntryKind, LeftOut, Scope } from './entry.js';
import { shown } from './names.js';

/*
 * Entries as bytes: on the link, in the record of what was kept, and under the digest of a whole tree.
 *
 *     u8    kind (0 file, 1 folder, 2 link), + 8 when a digest follows
 *     u16   length of what the path shares with the one before it; 0 for the first of a frame
 *     text  the rest of the path
 *     u16   permission bits
 *     u64   time, microseconds
 *     u64   size
 *     16    digest, when it is known
 *     text  target, of a link
 */

export const DIGEST_BYTES = 16;
/** Years 1970 to 2255: what can be told from a wrong number, and stays a whole number in JavaScript. */
const MTIME_US_MAX = Number.MAX_SAFE_INTEGER;
const KINDS: readonly EntryKind[] = ['file', 'folder', 'link'];
const WITH_DIGEST = 8;
export const MODE_MAX = 0o7777;
const SET_IDS = 0o6000;

/**
 * Permissions that no server of ours sends. Of files neither set-user-ID nor set-group-ID: what the other server brings must not run here as the user that
 * Lockstep runs as.
 */
export function isForeignMode(mode: number, kind: EntryKind): boolean {
  return mode > MODE_MAX || (kind === 'file' && (mode & SET_IDS) !== 0);
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const DIGITS = new Uint8Array(128).fill(255);
for (let value = 0; value < 16; value += 1) DIGITS[value.toString(16).charCodeAt(0)] = value;

const DIGITS_PER_WORD = 8;

export function writeDigest(writer: ByteWriter, digest: Digest): void {
  // In words: many digests are written, and none needs a memory of its own.
  for (let at = 0; at < DIGEST_BYTES * 2; at += DIGITS_PER_WORD) {
    let word = 0;
    for (let digit = at; digit < at + DIGITS_PER_WORD; digit += 1) word = (word << 4) | (DIGITS[digest.charCodeAt(digit)] ?? 0);
    writer.u32(word >>> 0);
  }
}

export function readDigest(reader: ByteReader): Digest {
  const bytes = reader.raw(DIGEST_BYTES);
  let digest = '';
  for (const byte of bytes) digest += HEX[byte] ?? '';
  return digest;
}

/** Writes entries one after the other, each by its difference to the one before. */
export class EntryWriter {
  private before = '';

  constructor(private readonly writer: ByteWriter) {}

  /** The next entry is written whole: a new frame begins. */
  restart(): void {
    this.before = '';
  }

  write(entry: Entry): void {
    const { path } = entry;
    let shared = 0;
    const most = Math.min(path.length, this.before.length, 0xffff);
    while (shared < most && path.charCodeAt(shared) === this.before.charCodeAt(shared)) shared += 1;
    // Never in the middle of a pair of surrogates: each text is UTF-8 for itself.
    if (shared > 0 && (path.charCodeAt(shared - 1) & 0xfc00) === 0xd800) shared -= 1;
    this.before = path;
    const { writer } = this;
    writer.u8(KINDS.indexOf(entry.kind) + (entry.digest === null ? 0 : WITH_DIGEST)).u16(shared).text(path.slice(shared));
    writer.u16(entry.mode).u64(entry.mtimeUs).u64(entry.size);
    if (entry.digest !== null) writeDigest(writer, entry.digest);
    if (entry.kind === 'link') writer.text(entry.target);
  }
}

/** @throws MalformedBytes. What a path or a target says is not judged here: `ManifestCheck` does that. */
export function readEntries(reader: ByteReader, each: (entry: Entry) => void): void {
  let before = '';
  while (reader.left > 0) {
    const head = reader.u8();
    const kind = KINDS[head & ~WITH_DIGEST];
    if (kind === undefined) throw new MalformedBytes('an entry of an unknown kind');
    const shared = reader.u16();
    if (shared > before.length) throw new MalformedBytes('an entry that shares more than there is');
    const path = before.slice(0, shared) + reader.text();
    const mode = reader.u16();
    const mtimeUs = reader.u64();
    const size = reader.u64();
    const digest = head & WITH_DIGEST ? readDigest(reader) : null;
    const target = kind === 'link' ? reader.text() : '';
    if (isForeignMode(mode, kind) || mtimeUs > MTIME_US_MAX) throw new MalformedBytes(`permissions or time of ${shown(path)} out of range`);
    if (kind !== 'file' && (size !== 0 || digest !== null)) throw new MalformedBytes(`${shown(path)} is no file and has a content`);
    before = path;
    each({ path, kind, mode, mtimeUs, size, digest, target });
  }
}

/** Entries as bytes in pieces, for the digest of a whole tree: equal manifests give equal bytes. */
export function* manifestBytes(entries: readonly Entry[]): Generator<Uint8Array> {
  const writer = new ByteWriter(PIECE_BYTES + 1024);
  const pieces = new EntryWriter(writer);
  for (const entry of entries) {
    pieces.write(entry);
    if (writer.length < PIECE_BYTES) continue;
    pieces.restart();
    yield writer.lend();
  }
  if (writer.length > 0) yield writer.lend();
}
const PIECE_BYTES = 64 * 1024;

const SCOPE_FOLDERS_MAX = 10_000;

export function writeScope(writer: ByteWriter, scope: Scope | null): void {
  writer.u8(scope === null ? 0 : 1);
  if (scope === null) return;
  for (const list of [scope.folders, scope.deep]) {
    writer.u16(list.length);
    for (const path of list) writer.text(path);
  }
}

export function readScope(reader: ByteReader): Scope | null {
  if (reader.u8() === 0) return null;
  const list = (): string[] => {
    const count = reader.u16();
    if (count > SCOPE_FOLDERS_MAX) throw new MalformedBytes(`a scope of ${count} folders, ${SCOPE_FOLDERS_MAX} allowed`);
    return Array.from({ length: count }, () => reader.text());
  };
  return { folders: list(), deep: list() };
}

/** Of what is left out so many are named, of so many characters together: a frame holds them whatever they are called. */
export const LEFT_OUT_MAX = 1000;
const LEFT_OUT_CHARS_MAX = 100_000;

/** The first of them, as far as they fit. */
export function writeLeftOut(writer: ByteWriter, leftOut: readonly LeftOut[]): void {
  let chars = 0;
  const named = leftOut.slice(0, LEFT_OUT_MAX).filter(({ path, what }) => (chars += path.length + what.length) <= LEFT_OUT_CHARS_MAX);
  writer.u16(named.length);
  for (const { path, what } of named) writer.text(path).text(what);
}

export function readLeftOut(reader: ByteReader): LeftOut[] {
  return Array.from({ length: reader.u16() }, () => ({ path: reader.text(), what: reader.text() }));
}
