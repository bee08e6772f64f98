import type { Position } from '../identity.js';
import { DeliveryQueue } from './delivery.js';
import type { Delivery } from './delivery.js';
import { hashText } from './digest.js';
import type { Hash } from './digest.js';
import type { ConnectionId, Qos } from './effects.js';

/** A session's `connection` while it has none. No connection ever has this number: they begin at 1. */
export const NO_CONNECTION: ConnectionId = 0;

/** A will while its connection lasts. */
export interface HeldWill {
  /** Position of the CONNECT's record: becomes the message's id. */
  readonly position: Position;
  readonly topic: string;
  readonly qos: Qos;
  readonly retain: boolean;
  /** A copy of its own. */
  readonly payload: Uint8Array;
  readonly hash: Hash;
}

/** What the broker remembers of one client id (§3.1.2.4). Changed by `BrokerState` and `Outbound` only, which keep the digest in step. */
export class Session {
  readonly key: Hash;
  connection: ConnectionId = NO_CONNECTION;
  /** Its connection was lost with the server that held it, and the client has not come back yet. */
  orphaned = false;
  will: HeldWill | null = null;
  user: string | null = null;
  /** `order` of the next delivery. */
  nextOrder = 0;
  /** Where the search for a free packet id begins. 1 to 65,535. */
  nextPacketId = 1;
  readonly subscriptions = new Map<string, Qos>();
  /** `removalWork` of all of them. */
  subscriptionsWork = 0;
  /** Sent and not yet done with, by packet id, in the order of sending. */
  readonly inflight = new Map<number, Delivery>();
  readonly queue = new DeliveryQueue();
  /** Deliveries in `queue` that are retained messages, which followed a SUBSCRIBE. */
  retainedQueued = 0;
  /** Packet ids of QoS 2 messages that the client published and has not released yet (§4.3.3, method B). */
  readonly unreleased = new Set<number>();

  constructor(
    readonly clientId: string,
    /** Grows with every session made: the order in which sessions are served. */
    readonly serial: number,
    readonly clean: boolean,
  ) {
    this.key = hashText(clientId);
  }

  get connected(): boolean {
    return this.connection !== NO_CONNECTION;
  }

  /** How long it takes to remove it with all that it has, in deliveries that are dropped. */
  get removalWork(): number {
    return this.subscriptionsWork + this.queue.length + this.inflight.size + this.unreleased.size;
  }

  /** Whether QoS 1 and 2 messages are kept for it: a clean session without its connection only waits to be removed. */
  get keeps(): boolean {
    return this.connection !== NO_CONNECTION || !this.clean;
  }
}
