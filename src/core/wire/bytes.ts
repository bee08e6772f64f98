import { assertionFailed, LockstepError } from '../errors.js';

// The only two globals that the core uses beside the language itself; every JavaScript platform has them.
declare const TextEncoder: new () => { encode(text: string): Uint8Array; encodeInto(text: string, target: Uint8Array): { written: number } };
declare const TextDecoder: new (label: string, options: { fatal: boolean; ignoreBOM: boolean }) => { decode(bytes: Uint8Array): string };

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const POW32 = 0x1_0000_0000;
/** Characters. */
const SHORT_TEXT = 64;

/** Bytes that do not say what they should: too short, a length beyond its limit, text that is not UTF-8. */
export class MalformedBytes extends LockstepError {
  constructor(what: string) {
    super('LOCKSTEP_BYTES_MALFORMED', `malformed bytes: ${what}`, 'The sender speaks another version, or the bytes were damaged; see the line before.');
  }
}

/** Writes big-endian fields into a buffer that grows. `take` hands the bytes over and starts afresh. */
export class ByteWriter {
  private bytes: Uint8Array;
  private view: DataView;
  private at = 0;

  constructor(initialBytes = 256) {
    this.bytes = new Uint8Array(initialBytes);
    this.view = new DataView(this.bytes.buffer);
  }

  get length(): number {
    return this.at;
  }

  u8(value: number): this {
    this.room(1);
    this.bytes[this.at++] = value;
    return this;
  }

  u16(value: number): this {
    this.room(2);
    this.view.setUint16(this.at, value);
    this.at += 2;
    return this;
  }

  u32(value: number): this {
    this.room(4);
    this.view.setUint32(this.at, value);
    this.at += 4;
    return this;
  }

  /** A whole number below 2^53: another would come back as another one, or not at all. @throws AssertionFailure */
  u64(value: number): this {
    if (!(value >= 0 && Number.isSafeInteger(value))) assertionFailed(`${value} is no whole number below 2^53`);
    this.u32(Math.floor(value / POW32));
    return this.u32(value >>> 0);
  }

  /** UTF-8 with a u16 length before it. @throws MalformedBytes above 65,535 bytes */
  text(value: string): this {
    this.room(2 + value.length * 3);
    if (value.length <= SHORT_TEXT && this.ascii(value)) return this;
    const { written } = encoder.encodeInto(value, this.bytes.subarray(this.at + 2));
    if (written > 0xffff) throw new MalformedBytes(`text of ${written} bytes, 65535 allowed`);
    this.view.setUint16(this.at, written);
    this.at += 2 + written;
    return this;
  }

  /** A short text of ASCII alone: quicker than to ask the encoder, which takes a view of its own. False: nothing was written. */
  private ascii(value: string): boolean {
    const { bytes } = this;
    let at = this.at + 2;
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) return false;
      bytes[at++] = code;
    }
    this.view.setUint16(this.at, value.length);
    this.at = at;
    return true;
  }

  /** Bytes with a u32 length before them. */
  blob(value: Uint8Array): this {
    this.u32(value.length);
    return this.raw(value);
  }

  raw(value: Uint8Array): this {
    this.room(value.length);
    this.bytes.set(value, this.at);
    this.at += value.length;
    return this;
  }

  /** The bytes written so far, as a copy of their own. The writer is empty afterwards and keeps its buffer. */
  take(): Uint8Array {
    const taken = this.bytes.slice(0, this.at);
    this.at = 0;
    return taken;
  }

  /** As `take`, without the copy: a view that is good until the writer is written to again. For what is copied at once. */
  lend(): Uint8Array {
    const lent = this.bytes.subarray(0, this.at);
    this.at = 0;
    return lent;
  }

  private room(bytes: number): void {
    if (this.at + bytes <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.at + bytes));
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}

/** Reads what `ByteWriter` wrote. Every read beyond the end throws MalformedBytes; nothing is ever guessed. */
export class ByteReader {
  private readonly view: DataView;
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  u8(): number {
    this.need(1);
    return this.view.getUint8(this.at++);
  }

  u16(): number {
    this.need(2);
    const value = this.view.getUint16(this.at);
    this.at += 2;
    return value;
  }

  u32(): number {
    this.need(4);
    const value = this.view.getUint32(this.at);
    this.at += 4;
    return value;
  }

  u64(): number {
    const high = this.u32();
    if (high > 0x1f_ffff) throw new MalformedBytes('a number above 2^53');
    return high * POW32 + this.u32();
  }

  text(): string {
    const bytes = this.raw(this.u16());
    try {
      return decoder.decode(bytes);
    } catch {
      throw new MalformedBytes('text that is not UTF-8');
    }
  }

  /** A view, not a copy. */
  blob(): Uint8Array {
    return this.raw(this.u32());
  }

  raw(length: number): Uint8Array {
    this.need(length);
    const value = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return value;
  }

  /** @throws MalformedBytes when bytes are left over */
  end(): void {
    if (this.left !== 0) throw new MalformedBytes(`${this.left} bytes left over`);
  }

  private need(bytes: number): void {
    if (this.left < bytes) throw new MalformedBytes(`${bytes} bytes wanted, ${this.left} there`);
  }
}

export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i += 1) if (one[i] !== other[i]) return false;
  return true;
}

export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}

/**
 * Texts that come again and again: the bytes are compared with those of the one that stood in its place last, and the same string is handed out again,
 * whose hash the engine has computed already. Bounded: a place for each of so many, and long ones have none.
 */
export class TextCache {
  private readonly known: { readonly bytes: Uint8Array; readonly text: string }[] = [];

  /** @throws MalformedBytes when the bytes from `start` to `end` are not UTF-8 */
  read(bytes: Uint8Array, start: number, end: number): string {
    const length = end - start;
    if (length === 0 || length > CACHED_TEXT_BYTES) return decodeText(bytes.subarray(start, end));
    // Names of one kind mostly differ at their ends.
    const place = (length * 7 + (bytes[end - 1] as number) + (bytes[end - 2] as number) * 31) & (CACHED_TEXTS - 1);
    const known = this.known[place];
    if (known !== undefined && known.bytes.length === length && isAt(known.bytes, bytes, start)) return known.text;
    const own = bytes.slice(start, end);
    const text = decodeText(own);
    while (this.known.length <= place) this.known.push(NO_TEXT);
    this.known[place] = { bytes: own, text };
    return text;
  }
}

const CACHED_TEXTS = 256;
const CACHED_TEXT_BYTES = 128;
const NO_TEXT = { bytes: new Uint8Array(0), text: '' };

/** Whether `wanted` stands in `bytes` at `start`. Looks from the end: names of one kind mostly differ there. */
export function isAt(wanted: Uint8Array, bytes: Uint8Array, start: number): boolean {
  for (let at = wanted.length - 1; at >= 0; at--) if (bytes[start + at] !== wanted[at]) return false;
  return true;
}

/** @throws MalformedBytes when `bytes` is not UTF-8 */
export function decodeText(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new MalformedBytes('text that is not UTF-8');
  }
}
