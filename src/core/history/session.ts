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
}

/** What one client's session is from outside: which subscriptions it had, when. */
export class Session {
  readonly subscriptions: Subscription[] = [];
  /** Everything acknowledged before has come, if it comes at all. */
  drained: Moment | null = null;
  private readonly asked = new Map<string, Moment>();
  private kept = false;
  private clean = true;
  private readonly matching = new Map<string, readonly Subscription[]>();

  constructor(readonly client: string) {}

  /** Gives back what is wrong with it, or `null`. */
  connected(at: Moment, clean: boolean, sessionPresent: boolean): string | null {
    const expected = this.kept && !clean;
    if (!expected) this.endAll(at);
    this.clean = clean;
    this.kept = !clean;
    if (!expected || sessionPresent) return null;
    this.endAll(at);
    return `${this.client}: the server knew nothing of a session that was to be kept`;
  }

  /** A clean session ends with its connection. */
  disconnected(at: Moment): void {
    if (this.clean) this.endAll(at);
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
    this.subscriptions.push({ filter, asked, granted: before?.qos === qos ? before.granted : at, qos, ended: null });
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

  /** Whether a message that was sent and acknowledged at these moments must have come to this client. */
  mustHave(topic: string, sent: Moment, acknowledged: Moment): boolean {
    if (this.drained === null || !surelyBefore(acknowledged, this.drained)) return false;
    return this.matches(topic).some(({ granted, qos, ended }) => qos > 0 && surelyBefore(granted, sent) && (ended === null || surelyBefore(acknowledged, ended)));
  }

  private endAll(at: Moment): void {
    for (const one of this.subscriptions) one.ended ??= at;
  }
}
