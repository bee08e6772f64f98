/*
 * MQTT packets written byte by byte, also those that no library would write.
 */

export type Piece = number | string | Uint8Array | readonly number[];

/** A packet with the right remaining length. A text piece gets its length before it (§1.5.3), a number is one byte. */
export function packet(first: number, ...pieces: Piece[]): Buffer {
  const body = Buffer.concat(pieces.map(bytesOf));
  return Buffer.concat([Buffer.from([first, ...remainingLength(body.length)]), body]);
}

/** A text as it stands in packets, from bytes that need not be UTF-8. */
export function field(bytes: Uint8Array | readonly number[]): Buffer {
  return Buffer.concat([u16(bytes.length), Buffer.from(bytes)]);
}

export function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

export interface ConnectShape {
  readonly name?: Piece;
  readonly level?: number;
  readonly flags?: number;
  readonly keepAlive?: number;
  readonly first?: number;
}

/** CONNECT with any flags and any payload. */
export function connect({ name = 'MQTT', level = 4, flags = 2, keepAlive = 0, first = 0x10 }: ConnectShape, ...payload: Piece[]): Buffer {
  return packet(first, name, level, flags, u16(keepAlive), ...payload);
}

function bytesOf(piece: Piece): Uint8Array {
  if (typeof piece === 'number') return Uint8Array.of(piece);
  if (typeof piece === 'string') return field(Buffer.from(piece));
  return piece instanceof Uint8Array ? piece : Uint8Array.from(piece);
}

function remainingLength(length: number): number[] {
  const bytes: number[] = [];
  let left = length;
  do {
    const low = left % 128;
    left = Math.floor(left / 128);
    bytes.push(left > 0 ? low | 0x80 : low);
  } while (left > 0);
  return bytes;
}
