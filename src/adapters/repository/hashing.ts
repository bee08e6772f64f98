import { createHash, hash, type Hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import xxhash from 'xxhash-wasm';
import type { DigestStream, Hashing } from '../../ports/hashing.js';

const LOW_HALF = 0xffff_ffffn;

/** SHA-256 and CRC-32 of Node.js, XXH64 in WebAssembly. */
export async function createHashing(): Promise<Hashing> {
  const { h64Raw } = await xxhash();
  return {
    crc32: (bytes) => crc32(bytes),
    hash64(bytes, into) {
      const value = h64Raw(bytes);
      into[0] = Number(value >> 32n);
      into[1] = Number(value & LOW_HALF);
    },
    digest: (bytes) => hash('sha256', bytes, 'hex'),
    begin: () => new Sha256(),
  };
}

class Sha256 implements DigestStream {
  private readonly hash: Hash = createHash('sha256');

  update(bytes: Uint8Array): void {
    this.hash.update(bytes);
  }

  digest(): string {
    return this.hash.digest('hex');
  }
}
