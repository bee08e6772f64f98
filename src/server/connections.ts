import type { ConnectionId, Effect } from '../core/broker/effects.js';
import type { ClientHandler } from './edge.js';

/** The clients' connections that the broker knows, by number. Numbers are given in their order, each once in the life of this process. */
export class Connections {
  private readonly handlers = new Map<ConnectionId, ClientHandler>();
  private newest: ConnectionId = 0;
  /** Whose turn it was when there was no more room. */
  private last: ConnectionId = 0;

  get size(): number {
    return this.handlers.size;
  }

  /** Connections that come from now on have numbers above that one. */
  beginAbove(connection: ConnectionId): void {
    this.newest = Math.max(this.newest, connection);
  }

  add(handler: ClientHandler): ConnectionId {
    this.newest += 1;
    this.handlers.set(this.newest, handler);
    return this.newest;
  }

  remove(connection: ConnectionId): void {
    this.handlers.delete(connection);
  }

  deliver(effect: Effect): void {
    this.handlers.get(effect.connection)?.effect(effect);
  }

  /** The turn after this one's is the first of the next `resume`. */
  hadTurn(connection: ConnectionId): void {
    this.last = connection;
  }

  /** Gives each a turn, beginning behind the last one that had one, until `isOver`. */
  resume(isOver: () => boolean): void {
    // They are in the order of their numbers.
    const all = [...this.handlers];
    const from = Math.max(0, all.findIndex(([connection]) => connection > this.last));
    for (let at = 0; at < all.length && !isOver(); at++) {
      const [connection, handler] = all[(from + at) % all.length] as (typeof all)[number];
      this.last = connection;
      handler.resume();
    }
  }

  closeAll(reason: string): void {
    const all = [...this.handlers.values()];
    this.handlers.clear();
    for (const handler of all) handler.close(reason);
  }
}
