/** Limits of MQTT connections on one server. What happens at each is said with it. */
export interface MqttLimits {
  /** A whole packet, its header included. A longer one is refused from its header, before it is held: the connection is closed. Bytes. */
  readonly packetBytesMax: number;
  /** CONNECT must have come, and must have been judged, within this time each; else the connection is closed. Milliseconds. */
  readonly connectTimeoutMs: number;
  /**
   * Bytes held of clients that are not let in yet, of all of them together, beside `STRANGER_BYTES_FREE` of each. One that brings more is closed. So whoever
   * cannot log in makes the server hold no more, however many connections he has.
   */
  readonly strangerBytesMax: number;
  /**
   * Bytes held of packets of clients that are let in, of which the rest has not come, of all of them together, beside `PARTIAL_BYTES_FREE` of each; a packet counts
   * as long as it says that it is. One for which there is no room waits: its client is not read from. So clients that begin long packets and do not end them make
   * the server hold no more, and whoever has begun can end.
   */
  readonly partialBytesMax: number;
  /**
   * A client that is let in, has begun a packet and sends not one byte more of it for so long is disconnected, whatever its keep-alive; its session stays. So is one
   * whose long packet is so far behind `LONG_PACKET_BYTES_PER_SECOND`. Time in which it is not read from does not count. Long enough for TCP to come through again
   * after a line was dead for a minute and a half. Milliseconds.
   */
  readonly stalledPacketMs: number;
  /** Client ids longer than this are refused with CONNACK 2. Bytes of UTF-8; the standard wants 23 at least. */
  readonly clientIdBytesMax: number;
  /** A client whose login failed is told so after this time, and not sooner. Milliseconds. */
  readonly failedLoginDelayMs: number;
  /**
   * Bytes that wait for one connection, in its queue here and in its stream. Beyond it, with `WAITING_PACKET_BYTES` for each packet in its queue, QoS 0
   * messages for it are dropped and counted (one alone always passes). Beyond half of it, but not before the stream's high-water mark, nothing more is read from the client. QoS 1 and 2 messages wait all the
   * same: as references to messages that the broker holds anyway, at most a session's in-flight window of them.
   */
  readonly outgoingBytesMax: number;
  /**
   * Bytes of QoS 0 messages that wait in the queues of all connections together, each message counted once, with `WAITING_PACKET_BYTES`. Beyond it they are dropped
   * and counted for a client for which `OUTGOING_BYTES_FREE` wait already.
   */
  readonly allOutgoingBytesMax: number;
  /** Packets that wait in the queue of one connection. One more, and the connection is closed; the session keeps what it has. */
  readonly outgoingPacketsMax: number;
  /** A client that takes nothing at all of what waits for it for so long is disconnected; the session keeps what it has. Milliseconds. */
  readonly stalledReaderMs: number;
  /** How long a connection that is being closed politely may take to take its last bytes; then it is cut. Milliseconds. */
  readonly lingerMs: number;
}

export const MQTT_LIMITS_DEFAULT: MqttLimits = {
  packetBytesMax: 4 * 1024 * 1024,
  connectTimeoutMs: 10_000,
  strangerBytesMax: 64 * 1024 * 1024,
  partialBytesMax: 512 * 1024 * 1024,
  stalledPacketMs: 120_000,
  clientIdBytesMax: 1_024,
  failedLoginDelayMs: 1_000,
  outgoingBytesMax: 4 * 1024 * 1024,
  allOutgoingBytesMax: 512 * 1024 * 1024,
  outgoingPacketsMax: 131_072,
  stalledReaderMs: 120_000,
  lingerMs: 2_000,
};

/** A CONNECT cannot need more: five fields of 65,537 bytes and its header. Holds for a client that is not known yet. */
export const CONNECT_BYTES_MAX = 5 * 65_537 + 32;

/** What each client may bring before it is let in, whatever the others have brought: far more than a CONNECT without a long will. */
export const STRANGER_BYTES_FREE = 4 * 1024;

/** What may be held of each client's packet that is under way, whatever is held of the others: what a connection gives in one piece. */
export const PARTIAL_BYTES_FREE = 64 * 1024;

/**
 * The least pace of a packet that takes of the room that clients share (one longer than `PARTIAL_BYTES_FREE`): so many further bytes make good for a second, and
 * never for more than has passed. Single bytes must not keep room that others wait for. Far below what a line does over which anybody sends such packets: a
 * satellite modem of 2,400 bit/s has more.
 */
export const LONG_PACKET_BYTES_PER_SECOND = 256;

/** So much of QoS 0 messages may wait for each client, whatever waits for the others. */
export const OUTGOING_BYTES_FREE = 64 * 1024;

/** Bytes handed to a stream in one piece, unless one packet alone is longer. */
export const WRITE_BYTES_MAX = 256 * 1024;

/** Topic filters in one SUBSCRIBE or UNSUBSCRIBE; a packet with more is refused by closing the connection. */
export const FILTERS_PER_PACKET_MAX = 10_000;

/**
 * What counts as a sign of life for the keep-alive is a whole packet (MQTT-3.1.2-24), or so many further bytes of a long one: a large message on
 * a slow line must not end its connection, and single bytes that never become a packet must not keep one.
 */
export const KEEP_ALIVE_PROGRESS_BYTES = 1_024;
