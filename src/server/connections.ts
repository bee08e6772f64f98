import { assert } from '../core/errors.js';
import type { ConnectionId, Effect } from '../core/broker/effects.js';
import type { Term } from '../core/identity.js';
import type { ClientHandler } from './edge.js';

/** A term's connections are numbered from term × this on. */
const PER_TERM = 2 ** 32;

/** The clients' connections that the broker knows, by number. Numbers are never used twice, in no term and by no server. */
export class Connections {
  private readonly handlers = new Map<ConnectionId, ClientHandler>();
  private term = 0;
  private count = 0;
  /** Whose turn it was when there was no more room. */
  private last: ConnectionId = 0;

  get size(): number {
    return this.handlers.size;
  }

  /** Connections that come from now on belong to `term`. */
  beginTerm(term: Term): void {
    if (term === this.term) return;
    this.term = term;
    this.count = 0;
  }

  add(handler: ClientHandler): ConnectionId {
    this.count += 1;
    assert(this.count < PER_TERM, 'a term has too many connections');
    const connection = this.term * PER_TERM + this.count;
    this.handlers.set(connection, handler);
    return connection;
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
