import { BigMap } from '../core/big-map.js';
import type { Message } from '../core/broker/effects.js';
import type { MessageHooks } from '../core/broker/messages.js';
import type { Position } from '../core/identity.js';

/**
 * Which payloads of stored messages stay in memory, and where.
 *
 * Invariants
 * - A payload is let go only when it can be read back by its message's id: from the record that brought it, or from a snapshot.
 *   A will's message bears the id of a CONNECT that may be older than the log, so a will's payload is not let go before it
 *   came from a snapshot, or stands in those that are kept.
 * - The oldest messages go first: they wait in queues of clients that are away.
 * - A message comes with a view into its record's block. Most are delivered and gone soon, and their payloads are never copied. Those
 *   that stay are, so that no more blocks are kept for them than `VIEWED_BYTES_MAX` of log fill.
 * - Small payloads are copied side by side into slabs: one by one they would take twice their size, and leave the process's heap in
 *   holes. A slab counts whole as long as one of its payloads is there, so slabs take `bytesMax` at most.
 */
export class PayloadCache implements MessageHooks {
  /** The record that is being applied; 0 while a snapshot is restored. */
  applying: Position = 0 as Position;
  private readonly inMemory: BigMap<Position, Message>;
  /**
   * Ids in the order of `stored`, the oldest at `head`; those that are no longer in memory are passed over. Beside the map, because looking
   * for the first entry of a map walks over all that were deleted before it: with a long queue that took 200 µs for each message.
   */
  private order: Position[] = [];
  private head = 0;
  /** How much log had come with each of them, in bytes since the beginning. */
  private cameAt: number[] = [];
  private came = 0;
  /** From here on they may hold views. */
  private firstView = 0;
  private heldBytes = 0;
  /** Of wills that were published since the state was built, and cannot be let go yet. */
  private readonly wills = new Map<Position, Message>();
  /** How many payloads are there of each slab. */
  private readonly slabs = new Map<ArrayBufferLike, number>();
  private slab = new Uint8Array(0);
  private slabUsed = 0;

  /** @param countMax payloads, of however few bytes */
  constructor(
    private readonly bytesMax: number,
    private readonly countMax: number = COUNT_MAX,
  ) {
    this.inMemory = new BigMap(countMax);
  }

  /** Bytes of payloads that could be let go and are in memory. */
  get bytes(): number {
    return this.heldBytes;
  }

  /** A record of so many bytes is about to be applied. */
  begin(position: Position, recordBytes: number): void {
    this.applying = position;
    this.came += recordBytes;
  }

  stored(message: Message): void {
    if (message.payload === null) return;
    if (this.applying === 0) message.payload = this.copyOf(message.payload);
    else if (message.id !== this.applying) return void this.wills.set(message.id, message);
    this.take(message);
  }

  /** @param has whether the payload of that id can be read back from the snapshots, by whichever of them is lost */
  snapshotsHave(has: (id: Position) => boolean): void {
    for (const message of this.wills.values()) {
      if (!has(message.id)) continue;
      this.wills.delete(message.id);
      this.take(message);
    }
  }

  private take(message: Message): void {
    this.inMemory.set(message.id, message);
    this.order.push(message.id);
    this.cameAt.push(this.came);
    this.heldBytes += message.size;
    this.copyOld();
    if (this.isTooMuch()) this.letGo();
  }

  released(message: Message): void {
    this.wills.delete(message.id);
    if (!this.inMemory.delete(message.id)) return;
    this.heldBytes -= message.size;
    if (message.payload !== null) this.leaveSlab(message.payload);
    if (this.order.length > 2 * this.inMemory.size + SLACK) this.tidy();
  }

  private isTooMuch(): boolean {
    return this.heldBytes > this.bytesMax || this.inMemory.size > this.countMax || this.slabs.size * SLAB_BYTES > Math.max(this.bytesMax, 2 * SLAB_BYTES);
  }

  private letGo(): void {
    while (this.isTooMuch() && this.head < this.order.length) {
      const id = this.order[this.head++] as Position;
      const message = this.inMemory.get(id);
      if (message === undefined) continue;
      this.inMemory.delete(id);
      this.heldBytes -= message.size;
      if (message.payload !== null) this.leaveSlab(message.payload);
      message.payload = null;
    }
    if (this.order.length > 2 * this.inMemory.size + SLACK) this.tidy();
  }

  /** Messages that have stayed while much came after them leave their records' blocks. */
  private copyOld(): void {
    const before = this.came - VIEWED_BYTES_MAX;
    for (; this.firstView < this.order.length && (this.cameAt[this.firstView] as number) <= before; this.firstView++) {
      const message = this.inMemory.get(this.order[this.firstView] as Position);
      if (message === undefined || message.payload === null) continue;
      const { payload } = message;
      // Copied before, or half of the memory that it keeps is its own, or more: nothing is won.
      if (this.slabs.has(payload.buffer) || payload.byteLength * 2 >= payload.buffer.byteLength) continue;
      message.payload = this.copyOf(payload);
    }
  }

  private copyOf(payload: Uint8Array): Uint8Array {
    if (payload.length > SLAB_BYTES / 4) return payload.slice();
    if (this.slabUsed + payload.length > this.slab.length) {
      this.slab = new Uint8Array(SLAB_BYTES);
      this.slabUsed = 0;
    }
    const { slab, slabUsed } = this;
    slab.set(payload, slabUsed);
    this.slabUsed += payload.length;
    this.slabs.set(slab.buffer, (this.slabs.get(slab.buffer) ?? 0) + 1);
    return slab.subarray(slabUsed, this.slabUsed);
  }

  private leaveSlab(payload: Uint8Array): void {
    const left = this.slabs.get(payload.buffer);
    if (left === undefined) return;
    if (left > 1) this.slabs.set(payload.buffer, left - 1);
    else this.slabs.delete(payload.buffer);
  }

  /** Leaves out the ids that are no longer in memory: at most as many steps as there were changes since the last time, twice over. */
  private tidy(): void {
    const { order, cameAt, head, firstView } = this;
    [this.order, this.cameAt, this.head, this.firstView] = [[], [], 0, 0];
    for (let at = head; at < order.length; at++) {
      if (at === firstView) this.firstView = this.order.length;
      const id = order[at] as Position;
      if (!this.inMemory.has(id)) continue;
      this.order.push(id);
      this.cameAt.push(cameAt[at] as number);
    }
    if (firstView >= order.length) this.firstView = this.order.length;
  }
}

/** So many ids may be kept in vain, however little is in memory. */
const SLACK = 4_096;
/** So many are in memory at most: empty ones have no bytes, and an array (`order` is up to twice as long) takes no more than 2^27. */
const COUNT_MAX = 32 * 1024 * 1024;
/** So many bytes of log, of whatever records, may come after a message before it leaves its record's block. */
export const VIEWED_BYTES_MAX = 4 * 1024 * 1024;
export const SLAB_BYTES = 256 * 1024;
