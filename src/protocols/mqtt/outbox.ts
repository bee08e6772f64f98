import type { Message } from '../../core/broker/effects.js';
import type { Stream } from '../../ports/stream.js';
import { WRITE_BYTES_MAX } from './limits.js';
import type { MqttLimits } from './limits.js';
import type { Outgoing, PacketEncoder } from './encoder.js';

/** `dropped`: a QoS 0 message for which there is no room. `full`: more packets wait than the limit allows; the connection must go. */
export type Added = 'waiting' | 'dropped' | 'full';

export interface OutboxWorld {
  /** See `ClientEdge.loadPayload`. */
  load(message: Message, done: (payload: Uint8Array | null) => void): void;
  /** What waits moved on by itself: a payload came. */
  moved(): void;
  /** A QoS 0 message was dropped because its payload cannot be read. */
  lost(message: Message): void;
  /** A QoS 1 or 2 message cannot be sent because its payload cannot be read: the connection must go. */
  unreadable(message: Message): void;
}

/**
 * The packets that wait for one connection, sent in the order in which they were added.
 *
 * Invariants
 * - Nothing overtakes: while a payload is being loaded, what was added later waits.
 * - Packets that wait together leave in one write (of at most `WRITE_BYTES_MAX` bytes, or one packet).
 * - After a write that the stream did not take at once, nothing is handed over until `drained`. So a reader that takes nothing costs
 *   its stream one such write beyond the high-water mark, and here `outgoingBytesMax` of QoS 0 messages; QoS 1 and 2 messages wait as references to what
 *   the broker holds anyway, and there are at most an in-flight window of them.
 */
export class Outbox {
  private items: Outgoing[] = [];
  private sizes: number[] = [];
  private head = 0;
  private bytes = 0;
  private loading = false;
  /** The payload of the first item, when it had to be loaded. */
  private loaded: Uint8Array | null = null;
  private closed = false;
  private isBlocked = false;

  constructor(
    private readonly stream: Stream,
    private readonly encoder: PacketEncoder,
    private readonly limits: MqttLimits,
    private readonly world: OutboxWorld,
  ) {}

  /** Bytes that wait, here and in the stream. */
  get waitingBytes(): number {
    return this.bytes + this.stream.bufferedBytes;
  }

  get waitingPackets(): number {
    return this.items.length - this.head;
  }

  /** True while the stream takes nothing more. */
  get blocked(): boolean {
    return this.isBlocked;
  }

  add(item: Outgoing): Added {
    const size = this.encoder.size(item);
    if (item.kind === 'deliver' && item.qos === 0) {
      const waiting = this.waitingBytes;
      if (waiting > 0 && waiting + size > this.limits.outgoingBytesMax) return 'dropped';
    }
    if (this.waitingPackets >= this.limits.outgoingPacketsMax) return 'full';
    this.items.push(item);
    this.sizes.push(size);
    this.bytes += size;
    // A long group does not wait for its end: its first part may be under way while the rest is added.
    if (this.bytes >= WRITE_BYTES_MAX) this.flush();
    return 'waiting';
  }

  /** Hands over what may go. */
  flush(): void {
    while (!this.closed && !this.isBlocked && !this.loading && this.head < this.items.length) {
      const count = this.ready();
      if (count === 0) this.loadFirst();
      else this.send(count);
    }
  }

  drained(): void {
    this.isBlocked = false;
    this.flush();
  }

  /** Forgets everything; nothing is sent after. */
  close(): void {
    this.closed = true;
    this.items = [];
    this.sizes = [];
    this.head = 0;
    this.bytes = 0;
    this.loaded = null;
  }

  /** How many of the first items can go in one write. */
  private ready(): number {
    let at = this.head;
    let bytes = 0;
    while (at < this.items.length) {
      const item = this.items[at] as Outgoing;
      if (item.kind === 'deliver' && this.payloadOf(item, at) === null) break;
      bytes += this.sizes[at] as number;
      if (bytes > WRITE_BYTES_MAX && at > this.head) break;
      at += 1;
    }
    return at - this.head;
  }

  private send(count: number): void {
    const until = this.head + count;
    let bytes = 0;
    for (let i = this.head; i < until; i++) bytes += this.sizes[i] as number;
    const buffer = new Uint8Array(bytes);
    let at = 0;
    for (let i = this.head; i < until; i++) {
      const item = this.items[i] as Outgoing;
      at = this.encoder.write(item, item.kind === 'deliver' ? this.payloadOf(item, i) : null, buffer, at);
    }
    this.forget(count);
    this.isBlocked = !this.stream.write(buffer);
  }

  private payloadOf(item: Outgoing & { kind: 'deliver' }, at: number): Uint8Array | null {
    return item.message.payload ?? (at === this.head ? this.loaded : null);
  }

  private loadFirst(): void {
    const item = this.items[this.head] as Outgoing & { kind: 'deliver' };
    this.loading = true;
    let answered = false;
    let inside = true;
    this.world.load(item.message, (payload) => {
      if (answered || this.closed) return;
      answered = true;
      this.loading = false;
      if (payload !== null && payload.length === item.message.size) this.loaded = payload;
      else this.giveUp(item);
      if (inside || this.closed) return;
      this.flush();
      this.world.moved();
    });
    inside = false;
  }

  private giveUp(item: Outgoing & { kind: 'deliver' }): void {
    if (item.qos === 0) {
      this.forget(1);
      this.world.lost(item.message);
    } else {
      this.close();
      this.world.unreadable(item.message);
    }
  }

  private forget(count: number): void {
    for (let i = 0; i < count; i++) this.bytes -= this.sizes[this.head + i] as number;
    this.head += count;
    this.loaded = null;
    if (this.head === this.items.length) {
      this.items.length = 0;
      this.sizes.length = 0;
      this.head = 0;
    } else if (this.head > 1_024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.sizes = this.sizes.slice(this.head);
      this.head = 0;
    }
  }
}
