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
const EMPTY = new Uint8Array(0);

export interface Frame {
  readonly kind: number;
  /** A view that is good until the next `push`. */
  readonly payload: Uint8Array;
}

export class FrameRefused extends LockstepError {}

/** Header of a frame whose payload follows in one or more pieces. */
export function frameHeader(kind: number, payloadBytes: number): Uint8Array {
  const header = new Uint8Array(FRAME_HEADER_BYTES);
  writeHeader(header, kind, payloadBytes);
  return header;
}

function writeHeader(into: Uint8Array, kind: number, payloadBytes: number): void {
  into[0] = payloadBytes >>> 24;
  into[1] = payloadBytes >>> 16;
  into[2] = payloadBytes >>> 8;
  into[3] = payloadBytes;
  into[4] = FRAME_VERSION;
  into[5] = kind;
}

/** A whole frame in one piece, for small payloads. */
export function encodeFrame(kind: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  writeHeader(frame, kind, payload.length);
  frame.set(payload, FRAME_HEADER_BYTES);
  return frame;
}

/**
 * Bytes in, frames out: whatever way the bytes were cut. Holds the beginning of one frame at most, in one piece of memory that grows with what
 * has come and never with what the header announces.
 */
export class FrameReader {
  /** The beginning of a frame whose rest has not come, in the first `held` bytes. */
  private room: Uint8Array = EMPTY;
  private held = 0;

  constructor(
    private readonly payloadBytesMax: number,
    private readonly onFrame: (frame: Frame) => void,
  ) {}

  /** @throws FrameRefused on a version or length that cannot be accepted; the stream is then of no use any more */
  push(bytes: Uint8Array): void {
    let at = this.held > 0 ? this.finish(bytes) : 0;
    while (at < bytes.length) {
      const length = this.check(bytes, at, bytes.length);
      const end = at + FRAME_HEADER_BYTES + (length ?? 0);
      if (length === null || end > bytes.length) {
        this.room = bytes.slice(at);
        this.held = bytes.length - at;
        return;
      }
      this.tell(bytes, at, end);
      at = end;
    }
  }

  /** Takes from `bytes` what the frame under way lacks. @returns where the next one begins */
  private finish(bytes: Uint8Array): number {
    let at = this.take(bytes, 0, FRAME_HEADER_BYTES);
    const length = this.check(this.room, 0, this.held);
    if (length === null) return at;
    const end = FRAME_HEADER_BYTES + length;
    at = this.take(bytes, at, end);
    if (this.held < end) return at;
    const { room } = this;
    this.room = EMPTY;
    this.held = 0;
    this.tell(room, 0, end);
    return at;
  }

  /** Takes bytes until `wanted` are held. @returns where it stopped */
  private take(bytes: Uint8Array, at: number, wanted: number): number {
    const count = Math.min(wanted - this.held, bytes.length - at);
    if (count <= 0) return at;
    const needed = this.held + count;
    if (needed > this.room.length) {
      const grown = new Uint8Array(Math.max(needed, Math.min(this.room.length * 2, wanted)));
      grown.set(this.room.subarray(0, this.held));
      this.room = grown;
    }
    this.room.set(bytes.subarray(at, at + count), this.held);
    this.held = needed;
    return at + count;
  }

  private tell(bytes: Uint8Array, from: number, to: number): void {
    this.onFrame({ kind: bytes[from + 5] as number, payload: bytes.subarray(from + FRAME_HEADER_BYTES, to) });
  }

  /** Payload length of the frame that begins at `from`; `null` when its header is not whole at `to`. */
  private check(bytes: Uint8Array, from: number, to: number): number | null {
    if (to - from < FRAME_HEADER_BYTES) return null;
    const byte = (at: number): number => bytes[from + at] as number;
    const length = ((byte(0) << 24) | (byte(1) << 16) | (byte(2) << 8) | byte(3)) >>> 0;
    const version = byte(4);
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
}
