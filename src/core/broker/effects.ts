import type { Position } from '../identity.js';

/**
 * A number that no two client connections share which the log names between one term's first record and the next one's: with such a record all connections before
 * it are over. A server never gives one twice while its process runs, and in a term that it begins none that a session still has of the term before: what that
 * one's end brings can never mean another connection. Below 2^53.
 */
export type ConnectionId = number;

export type Qos = 0 | 1 | 2;

/** An application message as the state holds it while a queue or the retained store refers to it. */
export interface Message {
  /** The position of the record that brought it; 0 for a QoS 0 message that never entered the log. */
  readonly id: Position;
  readonly topic: string;
  readonly qos: Qos;
  /** Length of the payload in bytes, also when the payload itself is not in memory. */
  readonly size: number;
  /** `null`: not in memory; the owner of the journal reads it back by `id`. */
  payload: Uint8Array | null;
  /** How many queue entries and retained entries refer to it. 0: may be forgotten. */
  references: number;
}

/**
 * What follows from a record for the clients of the serving server. Carried out only when the record is admitted, that is,
 * durable at every in-sync member; thrown away on the passive server.
 */
export type Effect =
  | { readonly kind: 'connack'; readonly connection: ConnectionId; readonly sessionPresent: boolean }
  | {
      readonly kind: 'deliver';
      readonly connection: ConnectionId;
      readonly message: Message;
      readonly qos: Qos;
      /** 0 for QoS 0. */
      readonly packetId: number;
      readonly dup: boolean;
      readonly retain: boolean;
    }
  | { readonly kind: 'suback'; readonly connection: ConnectionId; readonly packetId: number; readonly granted: readonly number[] }
  | { readonly kind: 'unsuback' | 'puback' | 'pubrec' | 'pubrel' | 'pubcomp'; readonly connection: ConnectionId; readonly packetId: number }
  /** `taken-over`: another connection took the client id. */
  | { readonly kind: 'close'; readonly connection: ConnectionId; readonly reason: 'taken-over' | 'protocol-error' | 'session-gone' };

/** Where `apply` puts effects, in order. The passive server passes one that forgets them. */
export type EffectSink = (effect: Effect) => void;
