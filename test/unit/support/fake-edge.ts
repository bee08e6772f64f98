import type { ConnectionId, Effect, Message } from '../../../src/core/broker/effects.js';
import type { Operation } from '../../../src/core/broker/operations.js';
import type { Position } from '../../../src/core/identity.js';
import type { ClientEdge, ClientHandler, Submitted } from '../../../src/server/edge.js';

/** What the broker server offers to connections, with every answer in the test's hand. */
export class FakeEdge implements ClientEdge {
  serving = true;
  congested = false;
  scarce = false;
  readonly operations: Operation[] = [];
  readonly origins: number[] = [];
  readonly volatile: { topic: string; payload: Uint8Array }[] = [];
  /** Whose they were. */
  readonly volatileBy: (ConnectionId | undefined)[] = [];
  readonly handlers = new Map<ConnectionId, ClientHandler>();
  /** Payloads asked for and not answered. */
  readonly loads: { message: Message; done: (payload: Uint8Array | null) => void }[] = [];
  /** Answers to the next submissions; `accepted` when empty. */
  refuse: ((operation: Operation | 'volatile') => Submitted | null) | null = null;
  /** Called with every operation that is accepted. */
  onOperation: ((operation: Operation) => void) | null = null;
  private next = 1;

  register(handler: ClientHandler): ConnectionId {
    const connection = this.next++;
    this.handlers.set(connection, handler);
    return connection;
  }

  unregister(connection: ConnectionId): void {
    if (!this.handlers.delete(connection)) throw new Error(`connection ${connection} is not registered`);
  }

  submit(operation: Operation, origin: number): Submitted {
    const refused = this.refuse?.(operation) ?? null;
    if (refused !== null) return refused;
    this.operations.push(operation);
    this.origins.push(origin);
    this.onOperation?.(operation);
    return { kind: 'accepted' };
  }

  submitVolatile(topic: string, payload: Uint8Array, by?: ConnectionId): Submitted {
    const refused = this.refuse?.('volatile') ?? null;
    if (refused !== null) return refused;
    this.volatile.push({ topic, payload });
    this.volatileBy.push(by);
    return { kind: 'accepted' };
  }

  loadPayload(message: Message, done: (payload: Uint8Array | null) => void): void {
    this.loads.push({ message, done });
  }

  /** An effect was admitted. */
  emit(effect: Effect): void {
    this.handlers.get(effect.connection)?.effect(effect);
  }

  /** Reading may go on. */
  relieve(): void {
    this.congested = false;
    for (const handler of [...this.handlers.values()]) handler.resume();
  }

  /** The broker stops serving. */
  stop(reason: string): void {
    this.serving = false;
    for (const handler of [...this.handlers.values()]) handler.close(reason);
  }

  kinds(): string[] {
    return this.operations.map(({ kind }) => kind);
  }
}

/** A message as the core would hold it. With `size` alone its payload is not in memory. */
export function message(topic: string, payload: string | Uint8Array | number, id = 1): Message {
  const bytes = typeof payload === 'number' ? null : Buffer.from(payload);
  return { id: id as Position, topic, qos: 1, size: bytes?.length ?? Number(payload), payload: bytes, references: 1 };
}
