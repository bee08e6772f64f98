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

  resume(): void {
    for (const handler of [...this.handlers.values()]) handler.resume();
  }

  closeAll(reason: string): void {
    const all = [...this.handlers.values()];
    this.handlers.clear();
    for (const handler of all) handler.close(reason);
  }
}
