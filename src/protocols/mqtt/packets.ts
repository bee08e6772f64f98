import type { Qos } from '../../core/broker/effects.js';
import type { Will } from '../../core/broker/operations.js';

/** What a CONNECT said (MQTT 3.1.1 §3.1), checked. The client id may be empty, with `clean`. */
export interface ConnectPacket {
  /** Protocol level: 4 of MQTT 3.1.1, 3 of MQTT 3.1. */
  readonly level: 3 | 4;
  readonly clientId: string;
  readonly clean: boolean;
  /** Seconds; 0: none. */
  readonly keepAlive: number;
  readonly will: Will | null;
  readonly user: string | null;
  readonly password: Uint8Array | null;
}

/** A CONNECT that is answered with a CONNACK of a code other than 0 (§3.2.2.3). */
export interface ConnectRefusal {
  readonly code: ConnackCode;
  readonly why: string;
}

export const ConnackCode = {
  accepted: 0,
  unacceptableVersion: 1,
  identifierRejected: 2,
  unavailable: 3,
  badCredentials: 4,
  notAuthorized: 5,
} as const;
export type ConnackCode = (typeof ConnackCode)[keyof typeof ConnackCode];

export interface PublishPacket {
  readonly topic: string;
  readonly qos: Qos;
  readonly retain: boolean;
  /** 0 for QoS 0. */
  readonly packetId: number;
  /** A view into what was received; never changed afterwards. */
  readonly payload: Uint8Array;
}

export interface SubscribePacket {
  readonly packetId: number;
  readonly subscriptions: readonly { readonly filter: string; readonly qos: Qos }[];
}

export interface UnsubscribePacket {
  readonly packetId: number;
  readonly filters: readonly string[];
}
