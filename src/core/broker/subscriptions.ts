import { MAP_ENTRIES_MAX } from '../big-map.js';
import { hashText } from './digest.js';
import type { Hash } from './digest.js';
import type { Qos } from './effects.js';
import type { Session } from './session.js';
import { hasRoomBelow, hasWildcard, isReserved, topicNameFault } from './topics.js';

/** Topics whose answer is remembered. At this number, or at the next one, all are forgotten and found anew. */
export const TOPICS_CACHED_MAX = 8_192;
/** Longer topics are found anew each time: 8,192 of the longest would be half a gigabyte. */
export const TOPIC_CHARS_CACHED_MAX = 1_024;
/** Targets of all remembered topics together. */
export const TARGETS_CACHED_MAX = 262_144;

/** Who a topic's messages go to: each session once, with the highest QoS of its matching subscriptions (§3.3.5). Do not change it. */
export interface Targets {
  readonly topic: string;
  readonly hash: Hash;
  /** In the order in which the sessions were made, so that it is the same on every server, also after a restart from a snapshot. */
  readonly sessions: readonly Session[];
  /** `qos[i]` belongs to `sessions[i]`. */
  readonly qos: readonly Qos[];
}

/** One level of the subscribed filters. */
class FilterNode {
  readonly children = new Map<string, FilterNode>();
  /** No more than there are sessions, which are fewer than `MAP_ENTRIES_MAX`. */
  readonly subscribers = new Map<Session, Qos>();

  constructor(
    readonly parent: FilterNode | null,
    readonly level: string,
  ) {}
}

/** All subscriptions, by the levels of their filters. Filters must be valid (`topicFilterFault`). */
export class SubscriptionTree {
  /** Subscriptions of all sessions. */
  size = 0;
  /** Levels of filters that topics were compared with so far: what it costs. No part of the state. */
  looked = 0;
  /** Levels of filters that were ever added. No part of the state. */
  levelsMade = 0;
  private readonly root = new FilterNode(null, '');
  private readonly cache = new Map<string, Targets>();
  private cachedTargets = 0;

  /** @param levelMax filters that may differ at one level behind the same beginning; another than the usual for tests */
  constructor(private readonly levelMax: number = MAP_ENTRIES_MAX) {}

  /** Whether a filter may be added: no level gets more children than a Map takes. None has more of them than there are subscriptions. */
  hasRoomFor(filter: string): boolean {
    return this.size < this.levelMax || hasRoomBelow(this.root, filter, this.levelMax);
  }

  /** How many levels a filter would add. */
  levelsMissing(filter: string): number {
    const levels = filter.split('/');
    let node = this.root;
    for (let at = 0; at < levels.length; at++) {
      const child = node.children.get(levels[at] as string);
      if (child === undefined) return levels.length - at;
      node = child;
    }
    return 0;
  }

  /** Adds a subscription, or gives one that is there another QoS. */
  subscribe(session: Session, filter: string, qos: Qos): void {
    let node = this.root;
    for (const level of filter.split('/')) {
      let child = node.children.get(level);
      if (child === undefined) {
        child = new FilterNode(node, level);
        node.children.set(level, child);
        this.levelsMade++;
      }
      node = child;
    }
    if (!node.subscribers.has(session)) this.size++;
    node.subscribers.set(session, qos);
    this.forget(filter);
  }

  /** Removes a subscription; does nothing when there is none. */
  unsubscribe(session: Session, filter: string): void {
    let node: FilterNode | null = this.root;
    for (const level of filter.split('/')) {
      const child: FilterNode | undefined = node.children.get(level);
      if (child === undefined) return;
      node = child;
    }
    if (node.subscribers.delete(session)) this.size--;
    while (node !== null && node.parent !== null && node.subscribers.size === 0 && node.children.size === 0) {
      node.parent.children.delete(node.level);
      node = node.parent;
    }
    this.forget(filter);
  }

  /** Who gets what is published to a topic name. */
  targets(topic: string): Targets {
    const known = this.cache.get(topic);
    if (known !== undefined) return known;
    const found = this.find(topic);
    if (topic.length > TOPIC_CHARS_CACHED_MAX) return found;
    if (this.cache.size >= TOPICS_CACHED_MAX || this.cachedTargets + found.sessions.length > TARGETS_CACHED_MAX) this.forgetAll();
    if (found.sessions.length <= TARGETS_CACHED_MAX && topicNameFault(topic) === null) {
      this.cache.set(topic, found);
      this.cachedTargets += found.sessions.length;
    }
    return found;
  }

  /** True only for a valid topic name, one that was asked for before; false says nothing. */
  knows(topic: string): boolean {
    return this.cache.has(topic);
  }

  /** Every subscription, in no order that means anything: for checks. */
  *entries(): Generator<{ readonly session: Session; readonly filter: string; readonly qos: Qos }> {
    const open: { node: FilterNode; filter: string }[] = [{ node: this.root, filter: '' }];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const [session, qos] of at.node.subscribers) yield { session, filter: at.filter, qos };
      for (const child of at.node.children.values()) {
        open.push({ node: child, filter: at.node === this.root ? child.level : `${at.filter}/${child.level}` });
      }
    }
  }

  /** Walks all matching branches level by level: no recursion, whatever depth a client chooses. */
  private find(topic: string): Targets {
    const best = new Map<Session, Qos>();
    let wildcards = !isReserved(topic);
    let front: FilterNode[] = [this.root];
    for (const level of topic.split('/')) {
      const next: FilterNode[] = [];
      this.looked += front.length;
      for (const node of front) {
        if (wildcards) {
          collect(best, node.children.get('#'));
          const any = node.children.get('+');
          if (any !== undefined) next.push(any);
        }
        const same = node.children.get(level);
        if (same !== undefined) next.push(same);
      }
      wildcards = true;
      front = next;
    }
    for (const node of front) {
      collect(best, node);
      // "sport/#" matches "sport" too (§4.7.1.2).
      collect(best, node.children.get('#'));
    }
    const sorted = [...best].sort(([left], [right]) => left.serial - right.serial);
    return { topic, hash: hashText(topic), sessions: sorted.map(([session]) => session), qos: sorted.map(([, qos]) => qos) };
  }

  private forget(filter: string): void {
    if (hasWildcard(filter)) return this.forgetAll();
    const known = this.cache.get(filter);
    if (known === undefined) return;
    this.cachedTargets -= known.sessions.length;
    this.cache.delete(filter);
  }

  private forgetAll(): void {
    this.cache.clear();
    this.cachedTargets = 0;
  }
}

/** How long it takes to remove a subscription to a filter, in deliveries that are dropped, of which one takes some 0.1 µs: as measured with Node.js 20, rather more than less. */
export function removalWork(filter: string): number {
  let levels = 1;
  for (let at = filter.indexOf('/'); at >= 0; at = filter.indexOf('/', at + 1)) levels++;
  return 4 + 5 * levels + (filter.length >> 5);
}

function collect(best: Map<Session, Qos>, node: FilterNode | undefined): void {
  if (node === undefined) return;
  for (const [session, qos] of node.subscribers) {
    const before = best.get(session);
    if (before === undefined || before < qos) best.set(session, qos);
  }
}
