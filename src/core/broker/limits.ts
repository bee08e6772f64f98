import { MalformedBytes, type ByteReader, type ByteWriter } from '../wire/bytes.js';

/**
 * Limits that shape the state and therefore must be equal on both servers (compared at the handshake), and for every record
 * what they were when it was written: a term begins with those of the server that serves in it.
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
  /**
   * Payload bytes of all messages held. A publish beyond it is not accepted, as above; a will reaches only QoS 0 subscriptions. The wills of clients that are
   * connected, or have not come back yet, may have as many again: a CONNECT that leads beyond that is refused (CONNACK 3), but for one whose will is no larger
   * than the one that its client had.
   */
  readonly storedBytesMax: number;
  /** Retained messages. A further one is not accepted, as above; a will is published but not retained. */
  readonly retainedMessagesMax: number;
}

/** Why these cannot be limits; `null` when they can. */
export function limitsFault({ inflightMessagesMax, queuedMessagesPerSessionMax }: BrokerLimits): string | null {
  if (inflightMessagesMax < 1 || inflightMessagesMax > 65_535) return 'inflightMessagesMax must be 1 to 65535';
  return queuedMessagesPerSessionMax < 1 ? 'queuedMessagesPerSessionMax must be 1 or more' : null;
}

/** u32 in flight · u32 sessions · u32 subscriptions · u32 queued · u64 stored bytes · u32 retained */
export function writeLimits(writer: ByteWriter, limits: BrokerLimits): void {
  writer.u32(limits.inflightMessagesMax).u32(limits.sessionsMax).u32(limits.subscriptionsPerSessionMax).u32(limits.queuedMessagesPerSessionMax);
  writer.u64(limits.storedBytesMax).u32(limits.retainedMessagesMax);
}

/** @throws MalformedBytes */
export function readLimits(reader: ByteReader): BrokerLimits {
  const limits: BrokerLimits = {
    inflightMessagesMax: reader.u32(),
    sessionsMax: reader.u32(),
    subscriptionsPerSessionMax: reader.u32(),
    queuedMessagesPerSessionMax: reader.u32(),
    storedBytesMax: reader.u64(),
    retainedMessagesMax: reader.u32(),
  };
  const fault = limitsFault(limits);
  if (fault !== null) throw new MalformedBytes(fault);
  return limits;
}
