import { decodeText } from '../../core/wire/bytes.js';
import { ProtocolFault } from './fault.js';

/**
 * The text in `bytes` from `start` to `end`, which mqtt-packet would decode with replacements.
 * @throws ProtocolFault when it is not well-formed UTF-8 (MQTT-1.5.3-1) or has U+0000 in it (MQTT-1.5.3-2)
 */
export function strictText(bytes: Uint8Array, start: number, end: number, what: string): string {
  for (let i = start; i < end; i++) {
    if (bytes[i] === 0) throw new ProtocolFault(`U+0000 in the ${what}`, 'MQTT-1.5.3-2');
  }
  try {
    return decodeText(bytes.subarray(start, end));
  } catch {
    throw new ProtocolFault(`the ${what} is not well-formed UTF-8`, 'MQTT-1.5.3-1');
  }
}

/** Walks over the fields of one packet's body and checks that each lies in it. */
export class BodyWalk {
  constructor(
    private readonly bytes: Uint8Array,
    private at: number,
    private readonly end: number,
    private readonly packet: string,
  ) {}

  get done(): boolean {
    return this.at >= this.end;
  }

  u8(what: string): number {
    this.need(1, what);
    return this.bytes[this.at++] as number;
  }

  u16(what: string): number {
    this.need(2, what);
    const value = ((this.bytes[this.at] as number) << 8) | (this.bytes[this.at + 1] as number);
    this.at += 2;
    return value;
  }

  /** A text with its length before it (§1.5.3). */
  text(what: string): string {
    const length = this.u16(`length of the ${what}`);
    this.need(length, what);
    this.at += length;
    return strictText(this.bytes, this.at - length, this.at, what);
  }

  /** Skips binary data with its length before it. */
  skipBlob(what: string): void {
    const length = this.u16(`length of the ${what}`);
    this.need(length, what);
    this.at += length;
  }

  /** @throws ProtocolFault when the body goes on */
  finish(): void {
    if (this.at < this.end) throw new ProtocolFault(`${this.end - this.at} bytes too many in a ${this.packet} packet`, '§4.8');
  }

  private need(count: number, what: string): void {
    if (this.end - this.at < count) throw new ProtocolFault(`a ${this.packet} packet ends within its ${what}`, '§4.8');
  }
}
