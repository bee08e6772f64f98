import { FRAME_HEADER_BYTES, FRAME_VERSION, FrameReader, type Frame } from '../wire/frame.js';
import { REPOSITORY_FRAME_BYTES_MAX, RepositoryKind } from './frames.js';

/**
 * Bytes of a repository link in, frames out. Data is handed on as it comes, in pieces: a large file is then never put together here.
 * Every other frame comes whole. Payloads are views that are good until the next push.
 */
export class RepositoryFrameStream {
  private readonly reader: FrameReader;
  /** Of the frame under way: bytes of its payload that are to come. */
  private dataLeft = 0;
  private wholeLeft = 0;
  /** The beginning of a header whose rest has not come. */
  private readonly header = new Uint8Array(FRAME_HEADER_BYTES);
  private headerHeld = 0;

  constructor(private readonly onFrame: (frame: Frame) => void) {
    this.reader = new FrameReader(REPOSITORY_FRAME_BYTES_MAX, onFrame);
  }

  /** @throws FrameRefused on a version or length that cannot be accepted; the stream is then of no use any more */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      if (this.dataLeft > 0) {
        const end = Math.min(bytes.length, at + this.dataLeft);
        this.dataLeft -= end - at;
        this.onFrame({ kind: RepositoryKind.data, payload: bytes.subarray(at, end) });
        at = end;
      } else if (this.wholeLeft > 0) {
        const end = Math.min(bytes.length, at + this.wholeLeft);
        this.wholeLeft -= end - at;
        this.reader.push(bytes.subarray(at, end));
        at = end;
      } else at = this.begin(bytes, at);
    }
  }

  /** Reads a header. @returns where the next bytes are */
  private begin(bytes: Uint8Array, from: number): number {
    if (this.headerHeld === 0 && bytes.length - from >= FRAME_HEADER_BYTES) {
      if (this.opens(bytes, from)) return from + FRAME_HEADER_BYTES;
      this.wholeLeft += FRAME_HEADER_BYTES; // Header and payload go to the reader in one piece, where they came in one.
      return from;
    }
    const end = Math.min(bytes.length, from + FRAME_HEADER_BYTES - this.headerHeld);
    this.header.set(bytes.subarray(from, end), this.headerHeld);
    this.headerHeld += end - from;
    if (this.headerHeld < FRAME_HEADER_BYTES) return end;
    this.headerHeld = 0;
    if (!this.opens(this.header, 0)) this.reader.push(this.header.slice());
    return end;
  }

  /** True when data follows; otherwise a frame for the reader, which judges what cannot be accepted. */
  private opens(bytes: Uint8Array, at: number): boolean {
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, FRAME_HEADER_BYTES);
    const length = view.getUint32(0);
    const isData = view.getUint8(4) === FRAME_VERSION && view.getUint8(5) === RepositoryKind.data && length <= REPOSITORY_FRAME_BYTES_MAX;
    if (isData) this.dataLeft = length;
    else this.wholeLeft = length;
    return isData;
  }
}
