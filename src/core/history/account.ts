import type { HistoryEvent, HistoryHeader, Qos, Send } from './events.js';
import { LineRefused } from './read.js';
import { Session } from './session.js';
import { surelyBefore, type Moment } from './moment.js';

/** What became of one message on its sender's side. */
export interface Sent {
  /** Counts all messages of the history, from 0. */
  readonly index: number;
  readonly message: string;
  readonly sender: string;
  /** Counts the messages of this sender. */
  readonly number: number;
  readonly topic: string;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly digest: string;
  readonly sentAt: number;
  readonly clock: HistoryHeader;
  /** Of the first acknowledgement; `null`: none came. */
  acknowledgedAt: number | null;
  /** How often the program published it. */
  times: number;
}

export interface Marked extends Moment {
  readonly text: string;
}

/** Messages that a history may have. One costs about 550 bytes of memory while it is judged. */
export const MESSAGES_MAX = 4_000_000;

/**
 * The first reading: everything but what was received. Takes the events of one file after the other; afterwards it knows every message, every
 * session and every mark.
 */
export class Account {
  readonly messages = new Map<string, Sent>();
  readonly sessions = new Map<string, Session>();
  readonly marks: Marked[] = [];
  /** Messages sent to be retained, by topic. */
  readonly retained = new Map<string, Sent[]>();
  /** Sessions that were to be kept and were not. */
  readonly sessionsLost: string[] = [];
  private readonly counts = new Map<string, number>();
  private readonly fileOf = new Map<string, HistoryHeader>();
  private lastAt = 0;
  private present: HistoryHeader | null = null;
  private ended = true;

  beginFile(header: HistoryHeader): void {
    this.present = header;
    this.lastAt = 0;
    this.ended = false;
  }

  /** @throws LineRefused when the file was cut off */
  endFile(): void {
    if (!this.ended) throw new LineRefused('the last line is no end event: whoever wrote this was cut off, and what it saw last is missing');
  }

  /** @throws LineRefused for an event that cannot have happened */
  add(event: HistoryEvent): void {
    const clock = this.present;
    if (clock === null) throw new LineRefused('an event before the header');
    if (this.ended) throw new LineRefused('an event behind the end event');
    if (event.at < this.lastAt) throw new LineRefused(`at goes back from ${this.lastAt} to ${event.at}; use a clock that does not`);
    this.lastAt = event.at;
    const at: Moment = { at: event.at, clock };
    if (event.event === 'end') this.ended = true;
    else if (event.event === 'mark') this.marks.push({ ...at, text: event.text });
    else this.ofClient(event, at, this.sessionOf(event.client, clock));
  }

  private ofClient(event: Exclude<HistoryEvent, { event: 'end' | 'mark' }>, at: Moment, session: Session): void {
    switch (event.event) {
      case 'connected': {
        const wrong = session.connected(at, event.clean, event.sessionPresent);
        if (wrong !== null) this.sessionsLost.push(wrong);
        return;
      }
      case 'disconnected':
        return session.disconnected(at);
      case 'subscribe':
        return session.subscribe(at, event.filter);
      case 'subscribed': {
        const wrong = session.subscribed(at, event.filter, event.qos);
        if (wrong !== null) throw new LineRefused(wrong);
        return;
      }
      case 'unsubscribe':
        return session.unsubscribe(at, event.filter);
      case 'send':
        return this.send(event, at);
      case 'acknowledged':
        return this.acknowledge(event.client, event.message, at);
      case 'drained': {
        const wrong = session.drain(at);
        if (wrong !== null) throw new LineRefused(wrong);
        return;
      }
      case 'received':
        return;
    }
  }

  private send(event: Send, { at, clock }: Moment): void {
    const { message, client, topic, qos, retain, digest } = event;
    const before = this.messages.get(message);
    if (before !== undefined) {
      if (before.sender !== client || before.topic !== topic || before.digest !== digest) throw new LineRefused(`message ${message} was sent before by ${before.sender} to ${before.topic}; ids are unique in a history`);
      before.times += 1;
      return;
    }
    if (this.messages.size >= MESSAGES_MAX) throw new LineRefused(`a history may have ${MESSAGES_MAX} messages; judge shorter ones one after the other`);
    const number = this.counts.get(client) ?? 0;
    this.counts.set(client, number + 1);
    const sent: Sent = { index: this.messages.size, message, sender: client, number, topic, qos, retain, digest, sentAt: at, clock, acknowledgedAt: null, times: 1 };
    this.messages.set(message, sent);
    if (!retain) return;
    const ofTopic = this.retained.get(topic);
    if (ofTopic === undefined) this.retained.set(topic, [sent]);
    else ofTopic.push(sent);
  }

  private acknowledge(client: string, message: string, { at }: Moment): void {
    const sent = this.messages.get(message);
    if (sent === undefined || sent.sender !== client) throw new LineRefused(`${client} was acknowledged message ${message}, which it has not sent`);
    if (sent.qos === 0) throw new LineRefused(`message ${message} was sent at QoS 0, which is not acknowledged`);
    sent.acknowledgedAt ??= at;
  }

  private sessionOf(client: string, clock: HistoryHeader): Session {
    const found = this.sessions.get(client);
    if (found !== undefined && this.fileOf.get(client) === clock) return found;
    if (found !== undefined) throw new LineRefused(`client ${client} is told of in another file already; one client belongs to one file`);
    const session = new Session(client);
    this.sessions.set(client, session);
    this.fileOf.set(client, clock);
    return session;
  }
}

/** Whether one message was over and done with before the other was sent. */
export function surelyOlder(one: Sent, other: Sent): boolean {
  if (one.sender === other.sender && one.qos === other.qos && one.times === 1 && other.times === 1) return one.number < other.number;
  if (one.acknowledgedAt === null) return false;
  return surelyBefore({ at: one.acknowledgedAt, clock: one.clock }, { at: other.sentAt, clock: other.clock });
}
