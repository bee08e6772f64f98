import { surelyOlder, type Account, type Sent } from './account.js';
import { surelyBefore, type Moment } from './moment.js';
import type { Session, Subscription } from './session.js';
import type { Findings } from './verdict.js';

interface Arrival {
  readonly client: string;
  readonly sent: Sent;
  readonly at: Moment;
}

/** Which retained messages came as answers to subscriptions. */
export class RetainedLog {
  readonly arrivals: Arrival[] = [];
  private readonly times = new Map<string, Moment[]>();

  add(client: string, sent: Sent, at: Moment): void {
    this.arrivals.push({ client, sent, at });
    const key = keyOf(client, sent.topic);
    const times = this.times.get(key);
    if (times === undefined) this.times.set(key, [at]);
    else times.push(at);
  }

  cameSince(client: string, topic: string, since: Moment): boolean {
    return this.times.get(keyOf(client, topic))?.some(({ at }) => at >= since.at) === true;
  }
}

/**
 * A new subscription gets the retained message of each topic that it matches (MQTT 3.1.1 §3.3.1.3): not one that another had surely replaced
 * before it was asked for, and one at all where one surely stood.
 */
export function judgeRetained(account: Account, log: RetainedLog, findings: Findings): void {
  for (const arrival of log.arrivals) {
    const newer = replacedBefore(account, arrival);
    if (newer !== null) findings.add('retained-stale', `${arrival.client} got ${arrival.sent.message} as retained on ${arrival.sent.topic}; ${newer.message} had replaced it`);
  }
  for (const session of account.sessions.values()) {
    for (const subscription of session.subscriptions) judgePresence(account, log, session, subscription, findings);
  }
}

function replacedBefore(account: Account, { client, sent, at }: Arrival): Sent | null {
  const asked = account.sessions.get(client)?.matches(sent.topic).filter((one) => one.asked.at <= at.at);
  // The oldest that could have brought it: what is queued in a session may come late.
  const first = asked?.[0]?.asked;
  if (first === undefined) return null;
  const newer = account.retained.get(sent.topic)?.find((other) => other !== sent && surelyOlder(sent, other) && acknowledgedBefore(other, first));
  return newer ?? null;
}

function judgePresence(account: Account, log: RetainedLog, session: Session, subscription: Subscription, findings: Findings): void {
  const { asked, drained, filter, qos } = subscription;
  if (qos === 0 || drained === null) return;
  for (const [topic, messages] of account.retained) {
    if (!session.matches(topic).includes(subscription) || log.cameSince(session.client, topic, asked)) continue;
    const standing = latest(messages.filter((one) => mayStand(one, asked))).find((one) => isLast(one, messages, drained));
    if (standing !== undefined) findings.add('retained-missing', `${session.client} subscribed to ${filter} and got no retained message on ${topic}, where ${standing.message} stood`);
  }
}

/** It was there to be got, unless something took it away. A server may drop what is retained at QoS 0 whenever it likes (MQTT 3.1.1 §3.3.1.3). */
function mayStand(sent: Sent, asked: Moment): boolean {
  return sent.digest !== '' && sent.qos > 0 && acknowledgedBefore(sent, asked);
}

/** The last of each sender's messages of a kind: when one of them is surely the last of its topic, or was replaced by such a one, so is this. */
function latest(messages: readonly Sent[]): Sent[] {
  const last = new Map<string, Sent>();
  for (const sent of messages) last.set(`${sent.qos} ${sent.times > 1} ${sent.sender}`, sent);
  return [...last.values()];
}

/** Whether this message, or one that replaced it, surely stands until then: nothing that may have come later took it away. */
function isLast(sent: Sent, messages: readonly Sent[], until: Moment): boolean {
  return messages.every((other) => other === sent || surelyOlder(other, sent) || (other.digest !== '' && other.qos > 0) || surelyBefore(until, { at: other.sentAt, clock: other.clock }));
}

function acknowledgedBefore(sent: Sent, moment: Moment): boolean {
  return sent.acknowledgedAt !== null && surelyBefore({ at: sent.acknowledgedAt, clock: sent.clock }, moment);
}

function keyOf(client: string, topic: string): string {
  return `${client}\n${topic}`;
}
