/*
 * Finds in one file the pieces of an older version of it, at whatever offset they stand now (as rsync does, by Tridgell's algorithm). The older
 * version is known by the sums of its blocks. A CRC-32 finds candidates: it is native where whole blocks are summed, and linear, so that it
 * rolls byte by byte with two tables where they are searched. A 64-bit hash confirms. Both are hints: the digest of the whole decides in the end.
 */

/** The sums of one block. Given by the platform: both are native or WebAssembly. */
export interface BlockHash {
  /** CRC-32 (IEEE), as zlib has it. */
  crc32(bytes: Uint8Array): number;
  /** A good 64-bit hash, as two unsigned 32-bit halves: into `into[0]`, `into[1]`. */
  hash64(bytes: Uint8Array, into: Uint32Array): void;
}

export const BLOCK_BYTES_MIN = 2048;
export const BLOCK_BYTES_MAX = 4 * 1024 * 1024;
/** Below it, a file is sent whole: its sums and the search are not worth the trouble. */
export const DELTA_BYTES_MIN = 256 * 1024;
/** CRC and hash of one block on the wire. */
export const SUM_BYTES = 12;
/** After so much without a match, blocks are looked for only where one could begin if nothing was inserted or removed. */
export const SEARCH_BYTES_MAX = 16 * 1024 * 1024;
/** A run of copied blocks is handed on when it has become so long: the receiver works on it meanwhile. */
export const RUN_BYTES_MAX = 4 * 1024 * 1024;
/** Blocks of the same CRC and other hashes that are looked for; of honest sums hardly two have the same. A block beyond is sent anew. */
const SAME_CRC_MAX = 16;
/** Literal bytes are handed on when so many have come together. */
const LITERAL_BYTES = 128 * 1024;

/** Size of the blocks by which a file of `bytes` is summed: the power of two nearest to 2 × √bytes. */
export function blockBytesFor(bytes: number): number {
  const wanted = 2 ** Math.round(Math.log2(2 * Math.sqrt(Math.max(1, bytes))));
  return Math.min(BLOCK_BYTES_MAX, Math.max(BLOCK_BYTES_MIN, wanted));
}

/** The sums of the whole blocks of a file; what is left behind the last whole one has none. Three numbers a block: CRC, high and low half of the hash. */
export interface BlockSums {
  readonly blockBytes: number;
  readonly sums: Uint32Array;
}

export function countBlocks(bytes: number, blockBytes: number): number {
  return Math.floor(bytes / blockBytes);
}

/** Sums the blocks of a file, piece by piece. */
export class BlockSummer {
  private readonly sums: Uint32Array;
  private readonly partial: Uint8Array;
  private held = 0;
  private done = 0;
  private readonly halves = new Uint32Array(2);

  constructor(
    private readonly blockBytes: number,
    bytes: number,
    private readonly hash: BlockHash,
  ) {
    this.sums = new Uint32Array(countBlocks(bytes, blockBytes) * 3);
    this.partial = new Uint8Array(blockBytes);
  }

  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.held === 0 && bytes.length - at >= this.blockBytes) {
        this.sum(bytes.subarray(at, at + this.blockBytes));
        at += this.blockBytes;
        continue;
      }
      const take = Math.min(this.blockBytes - this.held, bytes.length - at);
      this.partial.set(bytes.subarray(at, at + take), this.held);
      this.held += take;
      at += take;
      if (this.held === this.blockBytes) {
        this.sum(this.partial);
        this.held = 0;
      }
    }
  }

  end(): BlockSums {
    return { blockBytes: this.blockBytes, sums: this.sums.subarray(0, this.done * 3) };
  }

  private sum(block: Uint8Array): void {
    const at = this.done * 3;
    if (at >= this.sums.length) return; // The file grew while it was read: the digest of the whole will tell.
    this.hash.hash64(block, this.halves);
    this.sums[at] = this.hash.crc32(block);
    this.sums[at + 1] = this.halves[0] ?? 0;
    this.sums[at + 2] = this.halves[1] ?? 0;
    this.done += 1;
  }
}

/** What the finder finds, in the file's order. */
export interface DeltaTarget {
  /** New bytes. A view that is good until the next push. */
  literal(bytes: Uint8Array): void;
  /** `length` bytes of the older version, from `offset`. Blocks that follow each other are one run. */
  copy(offset: number, length: number): void;
}

export class DeltaFinder {
  private readonly index: SumIndex;
  private readonly roll: RollingCrc;
  private buffer: Uint8Array;
  /** Of the buffer: where literal bytes begin, where the window begins, and where the bytes end. */
  private literal = 0;
  private window = 0;
  private filled = 0;
  /** The block that would follow the last match. */
  private expected = 0;
  /** Register of the window at `window`; only while rolling. */
  private register = 0;
  private rolling = false;
  private sinceMatch = 0;
  private runOffset = 0;
  private runBytes = 0;

  constructor(
    private readonly sums: BlockSums,
    private readonly hash: BlockHash,
    private readonly target: DeltaTarget,
  ) {
    this.index = new SumIndex(sums);
    this.roll = new RollingCrc(sums.blockBytes);
    this.buffer = new Uint8Array(sums.blockBytes * 2 + LITERAL_BYTES);
  }

  push(bytes: Uint8Array): void {
    const rest = bytes.subarray(this.unchanged(bytes));
    if (rest.length === 0) return;
    this.makeRoom(rest.length);
    this.buffer.set(rest, this.filled);
    this.filled += rest.length;
    this.search();
  }

  /** The blocks at the beginning of `bytes` that follow the last match, with nothing between: neither copied nor summed for a search. @returns their bytes */
  private unchanged(bytes: Uint8Array): number {
    const { blockBytes } = this.sums;
    if (this.filled > this.literal || this.rolling) return 0;
    let at = 0;
    while (at + blockBytes <= bytes.length && this.index.isBlock(this.expected, bytes.subarray(at, at + blockBytes), this.hash)) {
      this.addToRun(this.expected);
      at += blockBytes;
    }
    return at;
  }

  /** The file ends here. */
  end(): void {
    this.flush(this.filled);
    this.flushRun();
  }

  private makeRoom(bytes: number): void {
    if (this.filled + bytes <= this.buffer.length) return;
    const held = this.filled - this.literal;
    const into = held + bytes <= this.buffer.length ? this.buffer : new Uint8Array((held + bytes) * 2);
    if (into === this.buffer) into.copyWithin(0, this.literal, this.filled);
    else into.set(this.buffer.subarray(this.literal, this.filled));
    this.buffer = into;
    this.window -= this.literal;
    this.filled = held;
    this.literal = 0;
  }

  private search(): void {
    const { blockBytes } = this.sums;
    // The window at hand was looked at before it is rolled: then one byte more is needed.
    while (this.filled - this.window >= (this.rolling ? blockBytes + 1 : blockBytes)) {
      const found = this.rolling ? this.rollOn() : this.look(this.roll.register(this.hash.crc32(this.block())));
      if (found >= 0) this.matched(found);
      else if (!this.rolling) this.missed();
    }
    if (this.window - this.literal >= LITERAL_BYTES) this.flush(this.window);
  }

  private block(): Uint8Array {
    return this.buffer.subarray(this.window, this.window + this.sums.blockBytes);
  }

  /** Index of the block that stands in the window; -1: none. */
  private look(register: number): number {
    this.register = register;
    const crc = this.roll.crc(register);
    if (!this.index.mayHold(crc)) return -1;
    return this.index.find(crc, this.expected, (halves) => this.hash.hash64(this.block(), halves));
  }

  private missed(): void {
    if (this.sinceMatch < SEARCH_BYTES_MAX) {
      this.rolling = true;
      return;
    }
    // Nothing for long: only where a block would begin if bytes were replaced in place.
    this.window += this.sums.blockBytes;
    this.expected += 1;
    if (this.window - this.literal >= LITERAL_BYTES) this.flush(this.window);
  }

  /** Moves the window byte by byte to the next match; -1: none before the bytes at hand end. Leaves `rolling` when it has searched for too long. */
  private rollOn(): number {
    const { buffer, roll, index } = this;
    const { blockBytes } = this.sums;
    const { step, drop, zeros } = roll;
    const from = this.window;
    const end = Math.min(this.filled - blockBytes, from + SEARCH_BYTES_MAX - this.sinceMatch);
    let register = this.register;
    let at = from;
    let found = -1;
    while (at < end && found < 0) {
      // What the leaving byte has become in the register is taken out again: it is linear.
      register = (step[(register ^ (buffer[at + blockBytes] ?? 0)) & 0xff] ?? 0) ^ (register >>> 8) ^ (drop[buffer[at] ?? 0] ?? 0);
      at += 1;
      if (!index.mayHold(register ^ zeros)) continue;
      this.window = at;
      found = this.look(register >>> 0);
    }
    this.window = at;
    this.register = register >>> 0;
    this.sinceMatch += at - from;
    if (found < 0 && this.sinceMatch >= SEARCH_BYTES_MAX) {
      this.rolling = false;
      this.expected += SEARCH_BYTES_MAX / blockBytes;
    }
    return found;
  }

  private matched(found: number): void {
    const { blockBytes } = this.sums;
    this.flush(this.window);
    this.addToRun(found);
    this.window += blockBytes;
    this.literal = this.window;
    this.rolling = false;
    this.sinceMatch = 0;
  }

  private addToRun(found: number): void {
    const { blockBytes } = this.sums;
    const offset = found * blockBytes;
    if (this.runBytes > 0 && this.runBytes < RUN_BYTES_MAX && this.runOffset + this.runBytes === offset) this.runBytes += blockBytes;
    else {
      this.flushRun();
      this.runOffset = offset;
      this.runBytes = blockBytes;
    }
    this.expected = found + 1;
  }

  private flush(to: number): void {
    if (to <= this.literal) return;
    this.flushRun();
    this.target.literal(this.buffer.subarray(this.literal, to));
    this.literal = to;
  }

  private flushRun(): void {
    if (this.runBytes === 0) return;
    this.target.copy(this.runOffset, this.runBytes);
    this.runBytes = 0;
  }
}

const POLYNOMIAL = 0xedb88320;

/** CRC-32 without its constants: linear over the bytes of a window of fixed length. */
class RollingCrc {
  /** Register after one more byte. */
  readonly step = new Int32Array(256);
  /** What a byte has become in the register when as many bytes as the window holds have come after it. */
  readonly drop = new Int32Array(256);
  /** CRC of a window of zeros: what the constants make of the register 0. */
  readonly zeros: number;

  constructor(windowBytes: number) {
    for (let byte = 0; byte < 256; byte += 1) {
      let register = byte;
      for (let bit = 0; bit < 8; bit += 1) register = register & 1 ? (register >>> 1) ^ POLYNOMIAL : register >>> 1;
      this.step[byte] = register;
    }
    // Linear: eight single bits give all 256 bytes.
    for (let bit = 0; bit < 8; bit += 1) this.drop[1 << bit] = this.past(this.step[1 << bit] ?? 0, windowBytes);
    for (let byte = 1; byte < 256; byte += 1) {
      const low = byte & -byte;
      if (byte !== low) this.drop[byte] = (this.drop[low] ?? 0) ^ (this.drop[byte ^ low] ?? 0);
    }
    this.zeros = ~this.past(-1, windowBytes) >>> 0;
  }

  register(crc: number): number {
    return (crc ^ this.zeros) >>> 0;
  }

  crc(register: number): number {
    return (register ^ this.zeros) >>> 0;
  }

  /** The register after so many zero bytes. */
  private past(register: number, zeroBytes: number): number {
    let value = register;
    for (let at = 0; at < zeroBytes; at += 1) value = (this.step[value & 0xff] ?? 0) ^ (value >>> 8);
    return value;
  }
}

/** Finds blocks by their sums. Blocks that are equal stand in it once. */
class SumIndex {
  private readonly first = new Map<number, number>();
  /** The next block of the same CRC and another hash; -1: none. Filled only where that happens. */
  private readonly next = new Map<number, number>();
  private readonly filter: Uint8Array;
  private readonly filterShift: number;
  private readonly halves = new Uint32Array(2);

  constructor(private readonly sums: BlockSums) {
    const count = sums.sums.length / 3;
    const bits = Math.min(24, Math.max(12, Math.ceil(Math.log2(count * 64 + 1))));
    this.filter = new Uint8Array(2 ** bits);
    this.filterShift = 32 - bits;
    for (let block = 0; block < count; block += 1) this.add(block);
  }

  /** Whether these bytes are this block, as far as its hash tells. */
  isBlock(block: number, bytes: Uint8Array, hash: BlockHash): boolean {
    if (this.crcOf(block) === undefined) return false;
    hash.hash64(bytes, this.halves);
    return this.hasHash(block);
  }

  /** False: surely no block has it. */
  mayHold(crc: number): boolean {
    return this.filter[crc >>> this.filterShift] === 1;
  }

  /** `hash`: puts the window's hash into its argument. `expected` is looked at first: on unchanged stretches it is the one. */
  find(crc: number, expected: number, hash: (halves: Uint32Array) => void): number {
    const { halves } = this;
    const first = this.first.get(crc);
    if (first === undefined) return -1;
    hash(halves);
    if (this.crcOf(expected) === crc && this.hasHash(expected)) return expected;
    for (let block: number | undefined = first; block !== undefined; block = this.next.get(block)) if (this.hasHash(block)) return block;
    return -1;
  }

  private add(block: number): void {
    const crc = this.crcOf(block) ?? 0;
    this.filter[crc >>> this.filterShift] = 1;
    const first = this.first.get(crc);
    if (first === undefined) {
      this.first.set(crc, block);
      return;
    }
    this.halves[0] = this.sums.sums[block * 3 + 1] ?? 0;
    this.halves[1] = this.sums.sums[block * 3 + 2] ?? 0;
    let last = first;
    let same = 0;
    for (let other: number | undefined = first; other !== undefined; other = this.next.get(other)) {
      same += 1;
      if (same === SAME_CRC_MAX || this.hasHash(other)) return;
      last = other;
    }
    this.next.set(last, block);
  }

  private crcOf(block: number): number | undefined {
    return this.sums.sums[block * 3];
  }

  private hasHash(block: number): boolean {
    return this.sums.sums[block * 3 + 1] === this.halves[0] && this.sums.sums[block * 3 + 2] === this.halves[1];
  }
}
