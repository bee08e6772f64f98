import type { ServerId } from '../identity.js';
import type { ConnectionId, Qos } from './effects.js';
import type { BrokerLimits } from './limits.js';

/*
 * What may happen to the broker's state. The serving server turns each client packet into one operation, encodes it as a
 * record's payload (records.ts), appends it, and applies it; the passive server applies the same bytes. An operation
 * carries everything that is not in the state already: no clock, no random number is asked when it is applied.
 */

export interface Will {
  readonly topic: string;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly payload: Uint8Array;
}

/** MQTT 3.1.1 §3.1. An empty client id was replaced by a generated one before. */
export interface ConnectOperation {
  readonly kind: 'connect';
  readonly connection: ConnectionId;
  readonly clientId: string;
  readonly clean: boolean;
  readonly will: Will | null;
  readonly user: string | null;
}

/** The network connection ended. `publishWill` is false after a DISCONNECT packet (§3.14). */
export interface DisconnectOperation {
  readonly kind: 'disconnect';
  readonly connection: ConnectionId;
  readonly publishWill: boolean;
}

export interface SubscribeOperation {
  readonly kind: 'subscribe';
  readonly connection: ConnectionId;
  readonly packetId: number;
  readonly subscriptions: readonly { readonly filter: string; readonly qos: Qos }[];
}

export interface UnsubscribeOperation {
  readonly kind: 'unsubscribe';
  readonly connection: ConnectionId;
  readonly packetId: number;
  readonly filters: readonly string[];
}

/** QoS 1 and 2, and QoS 0 with retain. A QoS 0 message without retain never enters the log. */
export interface PublishOperation {
  readonly kind: 'publish';
  readonly connection: ConnectionId;
  readonly packetId: number;
  readonly topic: string;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly payload: Uint8Array;
}

/**
 * The four answers of the QoS handshakes: `acknowledge` PUBACK and `received` PUBREC and `complete` PUBCOMP from a subscriber,
 * `release` PUBREL from a publisher.
 */
export interface HandshakeOperation {
  readonly kind: 'acknowledge' | 'received' | 'release' | 'complete';
  readonly connection: ConnectionId;
  readonly packetId: number;
}

/** First record of every term that a server begins to serve in: the connections of the server before are gone. */
export interface TermStartOperation {
  readonly kind: 'term-start';
  readonly server: ServerId;
  /** In force from here on, on whichever server the record is applied; `null` (a record of version 1): those before stay. */
  readonly limits: BrokerLimits | null;
}

/** The grace after a failover is over for these clients: their wills are published, their clean sessions end. */
export interface OrphansGoneOperation {
  readonly kind: 'orphans-gone';
  readonly clientIds: readonly string[];
}

export type Operation =
  | ConnectOperation
  | DisconnectOperation
  | SubscribeOperation
  | UnsubscribeOperation
  | PublishOperation
  | HandshakeOperation
  | TermStartOperation
  | OrphansGoneOperation;

/** Record types in the log. A number is never used for anything else. 1 to 63 change the broker's state by `apply`. */
export const RecordType = {
  connect: 1,
  disconnect: 2,
  subscribe: 3,
  unsubscribe: 4,
  publish: 5,
  acknowledge: 6,
  received: 7,
  release: 8,
  complete: 9,
  termStart: 10,
  orphansGone: 11,
} as const;

/** The connection that an operation names; `undefined` for one of the server's own. */
export function connectionOf(operation: Operation): ConnectionId | undefined {
  return 'connection' in operation ? operation.connection : undefined;
}
