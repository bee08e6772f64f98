/**
 * Limits that shape the state and therefore must be equal on both servers (compared at the handshake).
 * What happens at each is said with it.
 */
export interface BrokerLimits {
  /** Messages sent to one client and not yet acknowledged; more wait in its queue. 1 to 65,535. */
  readonly inflightMessagesMax: number;
  /** Sessions, connected or not. A client that would make one more is refused (CONNACK 3). */
  readonly sessionsMax: number;
  /** Subscriptions of one session. One more is refused (SUBACK 0x80). */
  readonly subscriptionsPerSessionMax: number;
  /**
   * Messages waiting for one session, beside those in flight. At least 1. A publish that would exceed it is not accepted: its
   * publisher is disconnected, unacknowledged. A will that would exceed it is lost for that session. Retained messages that
   * follow a SUBSCRIBE may exceed it once; a session at the limit is disconnected when it subscribes again.
   */
  readonly queuedMessagesPerSessionMax: number;
  /** Payload bytes of all messages held. A publish beyond it is not accepted, as above; a will reaches only QoS 0 subscriptions. */
  readonly storedBytesMax: number;
  /** Retained messages. A further one is not accepted, as above; a will is published but not retained. */
  readonly retainedMessagesMax: number;
}
