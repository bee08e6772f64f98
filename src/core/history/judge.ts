import type { Account, Sent } from './account.js';
import type { HistoryHeader, Received } from './events.js';
import { surelyBefore, type Moment } from './moment.js';
import { outages } from './outages.js';
import { LineRefused } from './read.js';
import { judgeRetained, RetainedLog } from './retained.js';
import type { Session } from './session.js';
import { Findings, type Verdict } from './verdict.js';

/** Bytes that the marks of what came to whom may take: one for each message and consumer. */
const CELLS_MAX = 2_000_000_000;
const COUNT_MAX = 255;

/** What one consumer got. */
interface Taken {
  readonly session: Session;
  /** Deliveries of each message that were no answer to a subscription. */
  readonly live: Uint8Array;
  /** Also those that were. */
  readonly any: Uint8Array;
  /** By sender, topic and QoS: the message that came last for the first time. */
  readonly order: Map<string, Sent>;
}

/**
 * The second reading: what was received, held against the account. It uses the order between two clients only where their clocks leave no
 * doubt, and judges nothing that a client could have missed by its own doing.
 */
export class Judge {
  private readonly findings = new Findings();
  private readonly taken = new Map<string, Taken>();
  private readonly retained = new RetainedLog();
  private received = 0;
  private duplicates = 0;

  constructor(private readonly account: Account) {
    for (const detail of account.sessionsLost) this.findings.add('session-lost', detail);
  }

  /** @throws LineRefused when the history has more consumers and messages than memory is meant for */
  add(event: Received, clock: HistoryHeader): void {
    this.received += 1;
    const { client, message, topic, digest } = event;
    const sent = this.account.messages.get(message);
    if (sent === undefined) return this.findings.add('invented', `${client} got ${message} on ${topic}, which nobody sent`);
    if (sent.topic !== topic || sent.digest !== digest) return this.findings.add('altered', `${client} got ${message} on ${topic} with digest ${digest}; sent on ${sent.topic} with digest ${sent.digest}`);
    const taken = this.takenBy(client);
    this.judgeCause(taken.session, sent, event, clock);
    const before = taken.live[sent.index] ?? 0;
    taken.any[sent.index] = 1;
    if (event.retain) return this.retained.add(client, sent, { at: event.at, clock });
    taken.live[sent.index] = Math.min(COUNT_MAX, before + 1);
    if (before === 0) this.judgeOrder(taken, sent, event);
    else this.judgeRepeat(taken.session, sent, event, before + 1);
  }

  /** Ask once, when both readings are over. */
  verdict(): Verdict {
    const { account, findings } = this;
    judgeRetained(account, this.retained, findings);
    const owed = this.judgeLosses();
    const all = [...account.messages.values()];
    const acknowledged = all.filter(({ acknowledgedAt }) => acknowledgedAt !== null).length;
    return {
      holds: findings.violations.length === 0,
      violations: findings.violations,
      figures: {
        messages: all.length,
        acknowledged,
        unanswered: all.filter(({ qos, acknowledgedAt }) => qos > 0 && acknowledgedAt === null).length,
        received: this.received,
        owed,
        lost: findings.count('lost'),
        duplicates: this.duplicates,
        repeated: findings.count('repeated'),
      },
      outages: outages(all, account.marks),
      undrained: [...account.sessions.values()].filter(({ drained, subscriptions }) => drained === null && subscriptions.length > 0).map(({ client }) => client),
    };
  }

  private takenBy(client: string): Taken {
    const found = this.taken.get(client);
    if (found !== undefined) return found;
    const session = this.account.sessions.get(client);
    const count = this.account.messages.size;
    if (session === undefined) throw new LineRefused(`client ${client} is new in the second reading: the file changed meanwhile`);
    if ((this.taken.size + 1) * count * 2 > CELLS_MAX) throw new LineRefused(`${this.taken.size + 1} consumers of ${count} messages are more than can be judged at once; judge fewer`);
    const taken: Taken = { session, live: new Uint8Array(count), any: new Uint8Array(count), order: new Map() };
    this.taken.set(client, taken);
    return taken;
  }

  /** It was sent first, and asked for, and comes at the QoS that both make (MQTT 3.1.1 §3.8.4: the lower one). */
  private judgeCause(session: Session, sent: Sent, { client, message, topic, qos, at }: Received, clock: HistoryHeader): void {
    if (surelyBefore({ at, clock }, { at: sent.sentAt, clock: sent.clock })) this.findings.add('invented', `${client} got ${message} at ${at}, before ${sent.sender} sent it at ${sent.sentAt}`);
    // Its subscriptions are not all known, or the message was published with more than one QoS.
    if (session.inherited || sent.times > 1) return;
    const asked = session.matches(topic).filter((one) => one.asked.at <= at);
    if (asked.length === 0) this.findings.add('invented', `${client} got ${message} on ${topic}, to which it had not subscribed`);
    else if (!asked.some((one) => Math.min(one.qos, sent.qos) === qos)) this.findings.add('altered', `${client} got ${message} at QoS ${qos}; sent at QoS ${sent.qos}, subscribed to at QoS ${asked.map((one) => one.qos).join(' and ')}`);
  }

  /**
   * MQTT 3.1.1 §4.6, for what came for the first time. Left out: a message that its program published again, which stands in two places; and one
   * that the consumer may have missed (at QoS 0, or without a subscription yet) and gets when its sender's library repeats it.
   */
  private judgeOrder({ order, session }: Taken, sent: Sent, { client, qos }: Received): void {
    if (sent.times > 1 || (sent.qos > 0 && (qos === 0 || !session.stood(sent.topic, { at: sent.sentAt, clock: sent.clock })))) return;
    const key = `${qos}${sent.qos} ${sent.sender}\n${sent.topic}`;
    const last = order.get(key);
    if (last !== undefined && last.number > sent.number) return this.findings.add('disordered', `${client} got ${sent.message} after ${last.message}, which ${sent.sender} sent later on ${sent.topic}`);
    order.set(key, sent);
  }

  private judgeRepeat(session: Session, sent: Sent, { client, qos }: Received, count: number): void {
    // Overlapping subscriptions may each bring a copy (MQTT 3.1.1 §3.3.5).
    const filters = new Set(session.matches(sent.topic).map(({ filter }) => filter)).size;
    if (qos < 2 || count <= Math.max(1, filters) * sent.times) this.duplicates += 1;
    else this.findings.add('repeated', `${client} got ${sent.message} ${count} times at QoS 2`);
  }

  private judgeLosses(): number {
    let owed = 0;
    for (const session of this.account.sessions.values()) {
      if (session.drained === null || session.subscriptions.length === 0) continue;
      const any = this.taken.get(session.client)?.any;
      for (const sent of this.account.messages.values()) {
        if (sent.acknowledgedAt === null || sent.qos === 0) continue;
        const acknowledged: Moment = { at: sent.acknowledgedAt, clock: sent.clock };
        if (!session.mustHave(sent.topic, { at: sent.sentAt, clock: sent.clock }, acknowledged)) continue;
        owed += 1;
        if (any?.[sent.index] === 1) continue;
        this.findings.add('lost', `${sent.message} (QoS ${sent.qos}, ${sent.topic}), acknowledged to ${sent.sender} at ${sent.acknowledgedAt}, did not come to ${session.client}`);
      }
    }
    return owed;
  }
}
