import type { Qos } from '../../src/core/broker/effects.js';
import type { World } from './world.js';

/** One message that a publisher wants delivered. */
export interface Operation {
  /** `<publisher>.<number>`; the payload begins with it. */
  readonly id: string;
  readonly publisher: string;
  readonly number: number;
  readonly topic: string;
  readonly qos: Qos;
  readonly retain: boolean;
  /** True time of the first attempt, and of the acknowledgement (PUBACK, PUBCOMP); `null` before. */
  sentAt: number | null;
  ackedAt: number | null;
}

/** What one consumer got, as its application sees it (after QoS 2's own filter). */
export interface Inbox {
  readonly consumer: string;
  readonly persistent: boolean;
  readonly qos: Qos;
  /** True for topics that the consumer wants. */
  readonly wants: (topic: string) => boolean;
  /** True time of the SUBACK after which everything must come; `null` before. */
  subscribedAt: number | null;
  readonly counts: Map<string, number>;
  /** Number of the retained message that came for each topic at the last subscription. */
  readonly retained: Map<string, number>;
  /** Highest number got from each publisher and QoS: first deliveries come in order. */
  readonly highest: Map<string, number>;
}

/** Figures of the workload; a run that did too little proves too little. */
export interface WorkloadFigures {
  published: number;
  acked: number;
  delivered: number;
  duplicates: number;
  connects: number;
  takeovers: number;
  wills: number;
}

/** Connections, messages sent and messages got. */
export function operationsIn(figures: WorkloadFigures): number {
  return figures.published + figures.delivered + figures.connects;
}

/**
 * What the clients of one run did and saw, kept outside the servers. Violations that a client can see by itself are found
 * here, at the moment they happen.
 */
export class History {
  readonly operations = new Map<string, Operation>();
  readonly inboxes: Inbox[] = [];
  readonly figures: WorkloadFigures = { published: 0, acked: 0, delivered: 0, duplicates: 0, connects: 0, takeovers: 0, wills: 0 };
  /** Connections of clients with a will, by will topic: each may bring one will, also one that the client believes to stand. */
  readonly willsDue = new Map<string, number>();
  readonly willsSeen = new Map<string, Map<string, number>>();
  /** Told of each acknowledgement, with the server that sent it. */
  onAcked: ((operation: Operation, server: string) => void) | null = null;
  /** Whether the operation was taken by a server more than once, since its publisher repeated it. */
  wasRepeated: (operation: Operation) => boolean = () => false;

  constructor(private readonly world: World) {}

  sent(operation: Operation): void {
    this.figures.published += 1;
    operation.sentAt = this.world.now;
    this.operations.set(operation.id, operation);
    this.world.transcript.detail(operation.publisher, `PUBLISH ${operation.id} qos ${operation.qos} to ${operation.topic}`);
  }

  acked(operation: Operation, server: string): void {
    if (operation.ackedAt !== null) return;
    operation.ackedAt = this.world.now;
    this.figures.acked += 1;
    this.world.transcript.detail(operation.publisher, `acknowledged ${operation.id} by ${server}`);
    this.onAcked?.(operation, server);
  }

  inbox(consumer: string, persistent: boolean, qos: Qos, wants: (topic: string) => boolean): Inbox {
    const inbox: Inbox = { consumer, persistent, qos, wants, subscribedAt: null, counts: new Map(), retained: new Map(), highest: new Map() };
    this.inboxes.push(inbox);
    return inbox;
  }

  /** A consumer's application got a message. */
  delivered(inbox: Inbox, topic: string, payload: string, qos: Qos, retained: boolean): void {
    this.figures.delivered += 1;
    this.world.transcript.detail(inbox.consumer, `got ${payload} on ${topic} qos ${qos}`);
    const operation = this.operations.get(payload);
    if (operation === undefined || operation.topic !== topic) {
      this.world.fail('unknown message', `${inbox.consumer} got "${payload}" on ${topic}, which nobody sent`);
      return;
    }
    if (retained) {
      inbox.retained.set(topic, operation.number);
      return;
    }
    const count = (inbox.counts.get(payload) ?? 0) + 1;
    inbox.counts.set(payload, count);
    if (count > 1) {
      this.figures.duplicates += 1;
      if (qos === 2) this.world.fail('QoS 2 exactly once', `${inbox.consumer} got ${payload} ${count} times`);
      return;
    }
    this.checkOrder(inbox, operation, qos);
  }

  willSeen(consumer: string, topic: string): void {
    const seen = this.willsSeen.get(consumer) ?? new Map<string, number>();
    this.willsSeen.set(consumer, seen);
    const count = (seen.get(topic) ?? 0) + 1;
    seen.set(topic, count);
    this.figures.wills += 1;
    if (count > (this.willsDue.get(topic) ?? 0)) {
      this.world.fail('will without cause', `${consumer} got the will ${topic} ${count} times; its client connected ${this.willsDue.get(topic) ?? 0} times`);
    }
  }

  /** A client with a will connects. */
  willDue(topic: string): void {
    this.willsDue.set(topic, (this.willsDue.get(topic) ?? 0) + 1);
  }

  /** A client with a persistent session was told that the broker does not know it. */
  sessionLost(client: string, server: string): void {
    this.world.fail('session lost', `${server} does not know the persistent session of ${client}, which was acknowledged before`);
  }

  /** The retained messages that a new subscription got are the last ones of their topics. To be asked when all is acknowledged and quiet. */
  checkRetained(inbox: Inbox): void {
    const last = new Map<string, Operation>();
    for (const operation of this.operations.values()) if (operation.retain && operation.qos > 0) last.set(operation.topic, operation);
    for (const [topic, operation] of last) {
      const got = inbox.retained.get(topic);
      if (got !== operation.number) this.world.fail('retained message', `${inbox.consumer} subscribed to ${topic} and got ${got === undefined ? 'none' : `${operation.publisher}.${got}`}; the last one is ${operation.id}`);
    }
  }

  /** Acknowledged messages that a persistent consumer does not have (or, with `all`, any that was sent). */
  missing(inbox: Inbox): Operation[] {
    const { subscribedAt } = inbox;
    if (!inbox.persistent || subscribedAt === null) return [];
    const missing: Operation[] = [];
    for (const operation of this.operations.values()) {
      if (operation.qos === 0 || operation.ackedAt === null || (operation.sentAt ?? 0) < subscribedAt) continue;
      if (inbox.wants(operation.topic) && !inbox.counts.has(operation.id)) missing.push(operation);
    }
    return missing;
  }

  /** MQTT 3.1.1 §4.6: messages of one publisher, topic and QoS arrive in order; repetitions may follow, and may be the first that a consumer gets. */
  private checkOrder(inbox: Inbox, operation: Operation, qos: Qos): void {
    const key = `${operation.publisher} ${operation.topic} ${operation.qos} ${qos}`;
    const before = inbox.highest.get(key) ?? 0;
    const mayBeRepetition = !this.mustGetFirst(inbox, operation, qos) && this.wasRepeated(operation);
    if (operation.number < before && !mayBeRepetition) {
      this.world.fail('order', `${inbox.consumer} got ${operation.id} for the first time after ${operation.publisher}.${before}`);
    }
    inbox.highest.set(key, Math.max(before, operation.number));
  }

  /** Whether the consumer gets a message as soon as a server has taken it: at QoS 0 it may miss it, and in a session that begins anew it may come too late for it. */
  private mustGetFirst({ persistent, subscribedAt }: Inbox, { sentAt }: Operation, qos: Qos): boolean {
    return persistent && qos > 0 && subscribedAt !== null && sentAt !== null && sentAt >= subscribedAt;
  }
}
