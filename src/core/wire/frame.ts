import { LockstepError } from '../errors.js';

/**
 * Frames of the backchannel and of the replication link, 6 bytes of header, big-endian:
 *
 *     0  u32  payload length in bytes
 *     4  u8   version of the conversation
 *     5  u8   kind
 *
 * A frame of another version or above the limit ends the conversation: what follows it cannot be understood.
 */
export const FRAME_HEADER_BYTES = 6;
export const FRAME_VERSION = 1;

export interface Frame {
  readonly kind: number;
  /** A view that is good until the next `push`. */
  readonly payload: Uint8Array;
}

export class FrameRefused extends LockstepError {}

/** Header of a frame whose payload follows in one or more pieces. */
export function frameHeader(kind: number, payloadBytes: number): Uint8Array {
  const header = new Uint8Array(FRAME_HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint32(0, payloadBytes);
  view.setUint8(4, FRAME_VERSION);
  view.setUint8(5, kind);
  return header;
}

/** A whole frame in one piece, for small payloads. */
export function encodeFrame(kind: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  frame.set(frameHeader(kind, payload.length), 0);
  frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

/** Bytes in, frames out: whatever way the bytes were cut. Holds at most one frame and what came with its last piece. */
export class FrameReader {
  private pieces: Uint8Array[] = [];
  private held = 0;

  constructor(
    private readonly payloadBytesMax: number,
    private readonly onFrame: (frame: Frame) => void,
  ) {}

  /** @throws FrameRefused on a version or length that cannot be accepted; the stream is then of no use any more */
  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.pieces.push(bytes);
    this.held += bytes.length;
    if (this.held < FRAME_HEADER_BYTES || this.held < this.wanted()) return;
    let all = this.join();
    for (;;) {
      const length = this.check(all);
      if (length === null || all.length < FRAME_HEADER_BYTES + length) break;
      const kind = all[5] as number;
      const payload = all.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + length);
      all = all.subarray(FRAME_HEADER_BYTES + length);
      this.onFrame({ kind, payload });
    }
    this.pieces = all.length > 0 ? [all] : [];
    this.held = all.length;
  }

  /** Bytes of the frame under way, as far as its header is known. */
  private wanted(): number {
    const first = this.pieces[0] as Uint8Array;
    if (first.length < FRAME_HEADER_BYTES) this.pieces = [this.join()];
    const length = this.check(this.pieces[0] as Uint8Array);
    return FRAME_HEADER_BYTES + (length ?? 0);
  }

  private check(bytes: Uint8Array): number | null {
    if (bytes.length < FRAME_HEADER_BYTES) return null;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const length = view.getUint32(0);
    const version = view.getUint8(4);
    if (version !== FRAME_VERSION) {
      throw new FrameRefused(
        'LOCKSTEP_FRAME_VERSION',
        `a frame of version ${version} came; this server speaks version ${FRAME_VERSION}`,
        'Run the same version of Lockstep on both servers, and check that nothing else dials this port.',
      );
    }
    if (length > this.payloadBytesMax) {
      throw new FrameRefused(
        'LOCKSTEP_FRAME_TOO_LARGE',
        `a frame of ${length} bytes came; ${this.payloadBytesMax} are allowed here`,
        'Check that the peer is a Lockstep server of the same version and that nothing else dials this port.',
      );
    }
    return length;
  }

  private join(): Uint8Array {
    if (this.pieces.length === 1) return this.pieces[0] as Uint8Array;
    const all = new Uint8Array(this.held);
    let at = 0;
    for (const piece of this.pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }
}
