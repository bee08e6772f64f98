import type { ConnectionId } from '../core/broker/effects.js';
import type { Operation } from '../core/broker/operations.js';

/** Ends of connections of which no record tells yet, in the order in which they came: in the same state such a connection would count as connected for ever. */
export class UnsaidEnds {
  private readonly ends = new Map<ConnectionId, Operation>();

  /** @param write false: there is no room for it now */
  constructor(private readonly write: (operation: Operation) => boolean) {}

  get isEmpty(): boolean {
    return this.ends.size === 0;
  }

  add(connection: ConnectionId, operation: Operation): void {
    this.ends.set(connection, operation);
  }

  clear(): void {
    this.ends.clear();
  }

  /** As many as `more` lets go. */
  sayAll(more: () => boolean): void {
    for (const connection of this.ends.keys()) if (!more() || !this.say(connection)) return;
  }

  /** @returns false when there is no room for it now */
  say(connection: ConnectionId): boolean {
    const operation = this.ends.get(connection);
    if (operation === undefined) return true;
    if (!this.write(operation)) return false;
    this.ends.delete(connection);
    return true;
  }
}
