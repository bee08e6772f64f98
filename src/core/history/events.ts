/*
 * A history: what clients of a pair did and met, told from outside. One file has a header and then one event a line, in the order in which
 * they happened; docs/history.md is the format in words.
 */

export const HISTORY_VERSION = 1;

/** UTF-16 units of one line. A longer one is refused. */
export const LINE_CHARS_MAX = 200_000;
/** UTF-16 units of the names that a history gives: clients, messages, clocks. */
export const NAME_CHARS_MAX = 256;
export const TEXT_CHARS_MAX = 1_000;
export const TOPIC_CHARS_MAX = 65_535;

export type Qos = 0 | 1 | 2;

/** The first line of a file. */
export interface HistoryHeader {
  /** Files with the same clock are ordered among each other by `at`. */
  readonly clock: string;
  /** So far, in milliseconds, `at` may be from the clock of any other file whose `clock` differs. */
  readonly uncertaintyMs: number;
}

/** `at`: milliseconds on the file's clock, fractions allowed; never goes back within a file. */
interface Moment {
  readonly at: number;
}

interface OfClient extends Moment {
  /** Client id as it stands in CONNECT. One client is told of in one file only. */
  readonly client: string;
}

/** CONNACK came. */
export interface Connected extends OfClient {
  readonly event: 'connected';
  readonly clean: boolean;
  readonly sessionPresent: boolean;
}

/** The connection ended, whoever ended it. */
export interface Disconnected extends OfClient {
  readonly event: 'disconnected';
}

/** SUBSCRIBE is about to leave. */
export interface Subscribe extends OfClient {
  readonly event: 'subscribe';
  readonly filter: string;
}

/** SUBACK came. `qos`: as granted; `null`: refused. */
export interface Subscribed extends OfClient {
  readonly event: 'subscribed';
  readonly filter: string;
  readonly qos: Qos | null;
}

/** UNSUBSCRIBE is about to leave. */
export interface Unsubscribe extends OfClient {
  readonly event: 'unsubscribe';
  readonly filter: string;
}

/**
 * A PUBLISH of a new packet is about to leave; the library's own repeats under the same packet id are not told. The same message again: the
 * program published it anew.
 */
export interface Send extends OfClient {
  readonly event: 'send';
  /** Unique in the whole history; stands in the payload, so that a receiver knows it. */
  readonly message: string;
  readonly topic: string;
  readonly qos: Qos;
  readonly retain: boolean;
  /** Of the payload, by whatever sum all recorders of the history use. Empty for an empty payload. */
  readonly digest: string;
}

/** PUBACK or PUBCOMP came. */
export interface Acknowledged extends OfClient {
  readonly event: 'acknowledged';
  readonly message: string;
}

/** The program got a message: QoS 2 after PUBREL, or at PUBLISH where the library remembers the packet id. */
export interface Received extends OfClient {
  readonly event: 'received';
  readonly message: string;
  readonly topic: string;
  readonly qos: Qos;
  /** The retain flag as it came: set on what was kept for a new subscription. */
  readonly retain: boolean;
  readonly digest: string;
}

/** The client has been connected and quiet for so long that everything acknowledged before has come, if it comes at all. */
export interface Drained extends OfClient {
  readonly event: 'drained';
}

/** Something was done to the pair. */
export interface Mark extends Moment {
  readonly event: 'mark';
  readonly text: string;
}

/** The last line: the recorder was not cut off. */
export interface End extends Moment {
  readonly event: 'end';
}

export type HistoryEvent = Connected | Disconnected | Subscribe | Subscribed | Unsubscribe | Send | Acknowledged | Received | Drained | Mark | End;

export type EventKind = HistoryEvent['event'];
