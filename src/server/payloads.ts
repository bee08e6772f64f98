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
    this.heldBytes += message.size;
    if (this.heldBytes > this.bytesMax) this.letGo();
  }

  released(message: Message): void {
    if (this.inMemory.delete(message.id)) this.heldBytes -= message.size;
  }

  private letGo(): void {
    for (const [id, message] of this.inMemory) {
      if (this.heldBytes <= this.bytesMax) return;
      this.inMemory.delete(id);
      this.heldBytes -= message.size;
      message.payload = null;
    }
  }
}
