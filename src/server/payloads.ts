import type { Message } from '../core/broker/effects.js';
import type { MessageHooks } from '../core/broker/messages.js';
import type { Position } from '../core/identity.js';

/**
 * Which payloads of stored messages stay in memory.
 *
 * Invariants
 * - A payload is let go only when it can be read back by its message's id: from the record that brought it, or from a snapshot.
 *   A will's message bears the id of a CONNECT that may be older than the log, so a will's payload is never let go until it
 *   came from a snapshot.
 * - The oldest messages go first: they wait in queues of clients that are away.
 */
export class PayloadCache implements MessageHooks {
  /** The record that is being applied; 0 while a snapshot is restored. */
  applying: Position = 0 as Position;
  private readonly inMemory = new Map<Position, Message>();
  /**
   * Ids in the order of `stored`, the oldest at `head`; those that are no longer in memory are passed over. Beside the map, because looking
   * for the first entry of a map walks over all that were deleted before it: with a long queue that took 200 µs for each message.
   */
  private order: Position[] = [];
  private head = 0;
  private heldBytes = 0;

  constructor(private readonly bytesMax: number) {}

  /** Bytes of payloads that could be let go and are in memory. */
  get bytes(): number {
    return this.heldBytes;
  }

  stored(message: Message): void {
    if (message.payload === null) return;
    if (message.id !== this.applying && this.applying !== 0) return;
    this.inMemory.set(message.id, message);
    this.order.push(message.id);
    this.heldBytes += message.size;
    if (this.heldBytes > this.bytesMax) this.letGo();
  }

  released(message: Message): void {
    if (!this.inMemory.delete(message.id)) return;
    this.heldBytes -= message.size;
    if (this.order.length > 2 * this.inMemory.size + SLACK) this.tidy();
  }

  private letGo(): void {
    while (this.heldBytes > this.bytesMax && this.head < this.order.length) {
      const id = this.order[this.head++] as Position;
      const message = this.inMemory.get(id);
      if (message === undefined) continue;
      this.inMemory.delete(id);
      this.heldBytes -= message.size;
      message.payload = null;
    }
    if (this.order.length > 2 * this.inMemory.size + SLACK) this.tidy();
  }

  /** Leaves out the ids that are no longer in memory: at most as many steps as there were changes since the last time, twice over. */
  private tidy(): void {
    this.order = this.order.slice(this.head).filter((id) => this.inMemory.has(id));
    this.head = 0;
  }
}

/** So many ids may be kept in vain, however little is in memory. */
const SLACK = 4_096;
