import { crc32 } from 'node:zlib';
import { createXXHash128, type IHasher } from 'hash-wasm';
import type { DigestStream, Hashing } from '../../ports/hashing.js';

/** CRC-32 of Node.js, XXH128 in WebAssembly. */
export async function createHashing(): Promise<Hashing> {
  const shared = new SharedHasher(await createXXHash128());
  return {
    crc32: (bytes) => crc32(bytes),
    hash64(bytes, into) {
      const digest = shared.whole(bytes).digest('binary');
      const view = new DataView(digest.buffer, digest.byteOffset);
      into[0] = view.getUint32(0);
      into[1] = view.getUint32(4);
    },
    digest: (bytes) => shared.whole(bytes).digest('hex'),
    begin: () => new Xxh128(shared),
  };
}

/** One hasher for all streams, since each is a memory of its own: whoever goes on with another stream puts the state of the last one aside. */
class SharedHasher {
  private user: Xxh128 | null = null;

  constructor(private readonly hasher: IHasher) {}

  whole(bytes: Uint8Array): IHasher {
    this.setAside();
    return this.hasher.init().update(bytes);
  }

  for(stream: Xxh128): IHasher {
    if (this.user === stream) return this.hasher;
    this.setAside();
    this.user = stream;
    if (stream.state === null) this.hasher.init();
    else this.hasher.load(stream.state);
    return this.hasher;
  }

  end(stream: Xxh128): string {
    const digest = this.for(stream).digest('hex');
    this.user = null;
    return digest;
  }

  private setAside(): void {
    if (this.user !== null) this.user.state = this.hasher.save();
    this.user = null;
  }
}

class Xxh128 implements DigestStream {
  /** Where it stands while another is at work. */
  state: Uint8Array | null = null;

  constructor(private readonly shared: SharedHasher) {}

  update(bytes: Uint8Array): void {
    this.shared.for(this).update(bytes);
  }

  digest(): string {
    return this.shared.end(this);
  }
}
