import type { Message } from '../../core/broker/effects.js';
import type { Monotonic } from '../../core/identity.js';
import type { Stream } from '../../ports/stream.js';
import { OUTGOING_BYTES_FREE, WRITE_BYTES_MAX } from './limits.js';
import type { MqttLimits } from './limits.js';
import type { Outgoing, PacketEncoder } from './encoder.js';
import { WAITING_PACKET_BYTES, type WaitingPackets } from './waiting.js';

/** A payload of so many bytes is not copied on its way to the stream. */
const AS_IT_IS_BYTES = 16 * 1024;

function goesAsItIs(item: Outgoing): item is Outgoing & { kind: 'deliver' } {
  return item.kind === 'deliver' && item.message.size >= AS_IT_IS_BYTES;
}

/** `dropped`: a QoS 0 message for which there is no room. `no-memory`: one that nobody has memory for. `no-room`: one for which there is none, as too much waits for all clients. `full`: more packets wait than the limit allows; the connection must go. */
export type Added = 'waiting' | 'dropped' | 'no-memory' | 'no-room' | 'full';

export interface OutboxWorld {
  /** See `ClientEdge.scarce`. */
  isScarce(): boolean;
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
 * - Nothing overtakes: while a payload is being loaded, what was added later waits. Those behind it that are to be loaded too are asked for together with
 *   it, up to `WRITE_BYTES_MAX` bytes, and leave together.
 * - Packets that wait together leave in one write (of at most `WRITE_BYTES_MAX` bytes, or one packet).
 * - After a write that the stream did not take at once, nothing is handed over until `drained`. So a reader that takes nothing costs
 *   its stream one such write beyond the high-water mark, and here `outgoingBytesMax` of QoS 0 messages, each counted as the memory that it takes (none while memory is scarce, and few while too many wait for others); QoS 1 and 2 messages wait as references to what
 *   the broker holds anyway, and there are at most an in-flight window of them.
 */
export class Outbox {
  private items: Outgoing[] = [];
  private sizes: number[] = [];
  private head = 0;
  private bytes = 0;
  /** Items that are gone: the first one that waits has this number. */
  private gone = 0;
  /** By number: payloads that had to be loaded, and `null` for one that cannot be. */
  private readonly loaded = new Map<number, Uint8Array | null>();
  private loading = 0;
  private closed = false;
  /** The stream takes nothing more. */
  private isBlocked = false;
  /** What a blocked stream had taken, and since when it is no more. */
  private stall: { readonly bytes: number; readonly since: Monotonic } | null = null;

  constructor(
    private readonly stream: Stream,
    private readonly encoder: PacketEncoder,
    private readonly waiting: WaitingPackets,
    private readonly limits: MqttLimits,
    private readonly world: OutboxWorld,
  ) {}

  /** Bytes that wait, here and in the stream. */
  get waitingBytes(): number {
    return this.bytes + this.stream.bufferedBytes;
  }

  /**
   * Bytes that wait for a reader that may be slow: none of those that the stream took at once, of whose end nothing is told. So each time in which this is more
   * than nothing ends with a flush, with `moved`, or with `drained`.
   */
  get heldBytes(): number {
    return this.isBlocked ? this.waitingBytes : this.bytes;
  }

  get waitingPackets(): number {
    return this.items.length - this.head;
  }

  /** True when the stream has taken nothing of what waits for `stalledReaderMs`, by the times at which this was asked. */
  isStalled(now: Monotonic): boolean {
    const bytes = this.stream.takenBytes;
    if (!this.isBlocked) this.stall = null;
    else if (this.stall === null || this.stall.bytes !== bytes) this.stall = { bytes, since: now };
    return this.stall !== null && now - this.stall.since >= this.limits.stalledReaderMs;
  }

  add(item: Outgoing): Added {
    const size = this.encoder.size(item);
    // What a SUBSCRIBE brings must all be sent (MQTT-3.3.1-6): it waits as references to what the retained store holds.
    const retained = item.kind === 'deliver' && item.retain;
    if (item.kind === 'deliver' && item.qos === 0 && !retained) {
      // What may leave does: only a reader that does not take it loses something.
      if (!this.hasRoomFor(size)) this.flush();
      if (!this.hasRoomFor(size)) return 'dropped';
      if (this.isBlocked && this.world.isScarce()) return 'no-memory';
      if (this.isHeld && this.waiting.isFull && this.memoryWith(size) > OUTGOING_BYTES_FREE) return 'no-room';
    }
    if (!retained && this.waitingPackets >= this.limits.outgoingPacketsMax) return 'full';
    this.items.push(this.isHeld ? this.waiting.of(item) : item);
    this.sizes.push(size);
    this.bytes += size;
    // A long group does not wait for its end: its first part may be under way while the rest is added.
    if (this.bytes >= WRITE_BYTES_MAX) this.flush();
    return 'waiting';
  }

  /** Hands over what may go. */
  flush(): void {
    while (!this.closed && !this.isBlocked && this.loading === 0 && this.head < this.items.length) {
      const count = this.ready();
      if (count > 0) this.send(count);
      else if (this.loaded.has(this.gone)) this.giveUp(this.items[this.head] as Outgoing & { kind: 'deliver' });
      else this.load();
    }
  }

  drained(): void {
    this.isBlocked = false;
    this.flush();
  }

  /** Forgets everything; nothing is sent after. */
  close(): void {
    this.closed = true;
    for (let at = this.head; at < this.items.length; at++) this.waiting.leave(this.items[at] as Outgoing);
    this.items = [];
    this.sizes = [];
    this.head = 0;
    this.bytes = 0;
    this.loaded.clear();
  }

  /** For a QoS 0 message. One alone always has room. */
  private hasRoomFor(size: number): boolean {
    return this.waitingBytes === 0 || this.stream.bufferedBytes + this.memoryWith(size) <= this.limits.outgoingBytesMax;
  }

  /** What waits here would take so much with one more of that size. */
  private memoryWith(size: number): number {
    return this.bytes + size + WAITING_PACKET_BYTES * (this.waitingPackets + 1);
  }

  /** What comes now does not leave in this turn. */
  private get isHeld(): boolean {
    return this.isBlocked || this.loading > 0;
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
    for (let i = this.head; i < until; i++) {
      const item = this.items[i] as Outgoing;
      bytes += (this.sizes[i] as number) - (goesAsItIs(item) ? item.message.size : 0);
    }
    const buffer = new Uint8Array(bytes);
    let [from, at, taken] = [0, 0, true];
    for (let i = this.head; i < until; i++) {
      const item = this.items[i] as Outgoing;
      const payload = item.kind === 'deliver' ? this.payloadOf(item, i) : null;
      if (payload === null || !goesAsItIs(item)) {
        at = this.encoder.write(item, payload, buffer, at);
        continue;
      }
      at = this.encoder.writeHead(item, buffer, at);
      this.stream.write(buffer.subarray(from, at));
      taken = this.stream.write(payload);
      from = at;
    }
    this.forget(count);
    if (from < at) taken = this.stream.write(buffer.subarray(from, at));
    this.isBlocked = !taken;
  }

  private payloadOf(item: Outgoing & { kind: 'deliver' }, at: number): Uint8Array | null {
    return item.message.payload ?? this.loaded.get(this.gone + at - this.head) ?? null;
  }

  /** Asks for the first one's payload and for those of some behind it. */
  private load(): void {
    // One more than is asked for: an answer that comes at once is no end of it.
    this.loading = 1;
    let bytes = 0;
    for (let at = this.head; at < this.items.length && (bytes === 0 || bytes + (this.sizes[at] as number) <= WRITE_BYTES_MAX); at++) {
      const item = this.items[at] as Outgoing;
      bytes += this.sizes[at] as number;
      if (item.kind === 'deliver' && item.message.payload === null) this.ask(item.message, this.gone + at - this.head);
    }
    this.loading -= 1;
  }

  private ask(message: Message, number: number): void {
    this.loading += 1;
    let answered = false;
    let inside = true;
    this.world.load(message, (payload) => {
      if (answered || this.closed) return;
      answered = true;
      this.loading -= 1;
      this.loaded.set(number, payload !== null && payload.length === message.size ? payload : null);
      if (inside || this.loading > 0) return;
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
    for (let at = this.head; at < this.head + count; at++) {
      this.bytes -= this.sizes[at] as number;
      this.waiting.leave(this.items[at] as Outgoing);
    }
    this.head += count;
    for (let i = 0; i < count && this.loaded.size > 0; i++) this.loaded.delete(this.gone + i);
    this.gone += count;
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
