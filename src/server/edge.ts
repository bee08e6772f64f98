import type { Operation } from '../core/broker/operations.js';
import type { ConnectionId, Effect, EffectSink, Message } from '../core/broker/effects.js';

/** What a client connection of any protocol offers to the broker server. */
export interface ClientHandler {
  /** Something that was admitted, in the order of the log. Called only while this server may acknowledge. */
  effect(effect: Effect): void;
  /** The broker wants the connection closed (it stops serving, or the broker is closing). Nothing more is said to the handler. */
  close(reason: string): void;
  /** After `congested` was true: reading may go on. Each has its turn, until `congested` is true again. */
  resume(): void;
}

export type Submitted =
  | { readonly kind: 'accepted' }
  /** Nothing was appended and nothing will be answered. */
  | { readonly kind: 'refused'; readonly reason: 'not-serving' | 'limit' | 'disk-full'; readonly detail: string };

/**
 * What the broker server offers to a protocol adapter (src/protocols). One object per broker process.
 *
 * An adapter registers each connection, turns packets into operations, and turns effects into packets. It never answers a
 * client on its own account for anything that an effect exists for.
 */
export interface ClientEdge {
  /** True while this server serves and takes operations. */
  readonly serving: boolean;
  /** More bytes wait for admission than the limit allows: stop reading from clients until `resume`. */
  readonly congested: boolean;
  /** Memory is nearly used up: nothing shall be kept that may be lost. As it was when the last operation or QoS 0 message came. */
  readonly scarce: boolean;
  register(handler: ClientHandler): ConnectionId;
  /** The network connection is gone: the handler hears nothing more. Does not submit anything. */
  unregister(connection: ConnectionId): void;
  submit(operation: Operation, origin: number): Submitted;
  /** A QoS 0 message without retain: reaches the subscribers that are connected now, after everything submitted before it, and never the log. `by`: whose it is, where a client's. */
  submitVolatile(topic: string, payload: Uint8Array, by?: ConnectionId): Submitted;
  /** Brings back a payload that is not in memory; `null` when it cannot be read (said in the log). */
  loadPayload(message: Message, done: (payload: Uint8Array | null) => void): void;
}

export type { Effect, EffectSink };
