import { topicMatches } from '../broker/topics.js';
import type { Qos } from './events.js';
import { surelyBefore, type Moment } from './moment.js';

/** One subscription of one client, from SUBACK to whatever ended it. */
export interface Subscription {
  readonly filter: string;
  readonly asked: Moment;
  readonly granted: Moment;
  readonly qos: Qos;
  ended: Moment | null;
  /** When it stood and everything acknowledged before had come, if it comes at all; the last time of several. */
  drained: Moment | null;
}

/** What one client's session is from outside: which subscriptions it had, when. */
export class Session {
  readonly subscriptions: Subscription[] = [];
  /** Everything acknowledged before has come, if it comes at all. */
  drained: Moment | null = null;
  private readonly asked = new Map<string, Moment>();
  private kept = false;
  private clean = true;
  private up = false;
  private isInherited = false;
  private readonly matching = new Map<string, readonly Subscription[]>();

  constructor(readonly client: string) {}

  /** Gives back what is wrong with it, or `null`. */
  connected(at: Moment, clean: boolean, sessionPresent: boolean): string | null {
    const expected = this.kept && !clean;
    if (!expected) this.endAll(at);
    if (!expected && sessionPresent) this.isInherited = true;
    this.clean = clean;
    this.up = true;
    this.kept = !clean;
    if (!expected || sessionPresent) return null;
    this.endAll(at);
    return `${this.client}: the server knew nothing of a session that was to be kept`;
  }

  /** A clean session ends with its connection. */
  disconnected(at: Moment): void {
    this.up = false;
    if (this.clean) this.endAll(at);
  }

  /** Gives back what is wrong with it, or `null`. */
  drain(at: Moment): string | null {
    if (!this.up) return `client ${this.client} is drained and not connected; what is there for it cannot have come`;
    this.drained = at;
    for (const one of this.subscriptions) if (one.ended === null) one.drained = at;
    return null;
  }

  /** It was there before this history began, with subscriptions that nobody has told of. */
  get inherited(): boolean {
    return this.isInherited;
  }

  subscribe(at: Moment, filter: string): void {
    this.asked.set(filter, at);
  }

  /** Gives back what is wrong with it, or `null`. */
  subscribed(at: Moment, filter: string, qos: Qos | null): string | null {
    const asked = this.asked.get(filter);
    if (asked === undefined) return `client ${this.client} was granted ${filter} without having asked for it`;
    this.asked.delete(filter);
    if (qos === null) return null;
    const before = this.subscriptions.find((one) => one.filter === filter && one.ended === null);
    // The same once more changes nothing that was promised; another QoS begins anew.
    if (before !== undefined && before.qos !== qos) before.ended = asked;
    this.subscriptions.push({ filter, asked, granted: before?.qos === qos ? before.granted : at, qos, ended: null, drained: null });
    if (before?.qos === qos) before.ended = at;
    return null;
  }

  unsubscribe(at: Moment, filter: string): void {
    for (const one of this.subscriptions) if (one.filter === filter && one.ended === null) one.ended = at;
  }

  /** All subscriptions that a topic ever matched. Ask only when the session is told to its end. */
  matches(topic: string): readonly Subscription[] {
    let found = this.matching.get(topic);
    if (found === undefined) {
      found = this.subscriptions.filter(({ filter }) => topicMatches(filter, topic));
      this.matching.set(topic, found);
    }
    return found;
  }

  /**
   * Whether a message that was sent and acknowledged at these moments must have come to this client: a subscription stood from before it was sent
   * until the client was drained. What is still queued when a subscription or a session ends need not come any more.
   */
  mustHave(topic: string, sent: Moment, acknowledged: Moment): boolean {
    return this.matches(topic).some(({ granted, qos, drained }) => qos > 0 && drained !== null && surelyBefore(granted, sent) && surelyBefore(acknowledged, drained));
  }

  /** Whether a subscription to the topic surely stood at that moment, granted and not ended since. */
  stood(topic: string, sent: Moment): boolean {
    return this.matches(topic).some(({ granted, ended }) => surelyBefore(granted, sent) && (ended === null || surelyBefore(sent, ended)));
  }

  private endAll(at: Moment): void {
    for (const one of this.subscriptions) one.ended ??= at;
  }
}
