import type { BlockHash } from '../core/repository/blocks.js';
import type { Digest } from '../core/repository/entry.js';

export interface DigestStream {
  update(bytes: Uint8Array): void;
  digest(): Digest;
}

/** Digests of contents, and the sums of blocks. */
export interface Hashing extends BlockHash {
  digest(bytes: Uint8Array): Digest;
  begin(): DigestStream;
}
