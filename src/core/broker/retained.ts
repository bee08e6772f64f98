import { BigMap, MAP_ENTRIES_MAX } from '../big-map.js';
import type { StoredMessage } from './messages.js';
import { hasRoomBelow, hasWildcard, isReserved } from './topics.js';

/** Filters whose answers are remembered until a retained message comes or goes. At this number all are forgotten. */
const ANSWERS_MAX = 64;
/** Messages in all remembered answers together. */
const ANSWERED_MESSAGES_MAX = 262_144;

/** One level of the topics that have a retained message. */
class TopicNode {
  readonly children = new Map<string, TopicNode>();
  message: StoredMessage | null = null;

  constructor(
    readonly parent: TopicNode | null,
    readonly level: string,
  ) {}
}

/** The last retained message of each topic (§3.3.1.3). References and digest are the caller's to keep. */
export class RetainedStore {
  /** In the order in which each topic's present message came. */
  readonly byTopic: BigMap<string, StoredMessage>;
  /** Levels of topics that `match` has looked at so far: what it costs. No part of the state. */
  looked = 0;
  /** Levels of topics that were ever added. No part of the state. */
  levelsMade = 0;
  private readonly root = new TopicNode(null, '');
  private readonly answers = new Map<string, readonly StoredMessage[]>();
  private answered = 0;

  /** @param levelMax topics that may differ at one level behind the same beginning; another than the usual for tests */
  constructor(private readonly levelMax: number = MAP_ENTRIES_MAX) {
    this.byTopic = new BigMap(levelMax);
  }

  get size(): number {
    return this.byTopic.size;
  }

  /** Whether a topic may be added: no level gets more children than a Map takes. None has more of them than there are messages. */
  hasRoomFor(topic: string): boolean {
    return this.size < this.levelMax || hasRoomBelow(this.root, topic, this.levelMax);
  }

  /** Returns the message that stood in its place. */
  set(message: StoredMessage): StoredMessage | undefined {
    this.forgetAnswers();
    const before = this.byTopic.get(message.topic);
    if (before !== undefined) this.byTopic.delete(message.topic);
    this.byTopic.set(message.topic, message);
    let node = this.root;
    for (const level of message.topic.split('/')) {
      let child = node.children.get(level);
      if (child === undefined) {
        child = new TopicNode(node, level);
        node.children.set(level, child);
        this.levelsMade++;
      }
      node = child;
    }
    node.message = message;
    return before;
  }

  /** Returns the message that was there. */
  delete(topic: string): StoredMessage | undefined {
    const before = this.byTopic.get(topic);
    if (before === undefined) return undefined;
    this.forgetAnswers();
    this.byTopic.delete(topic);
    let node: TopicNode | null = this.root;
    for (const level of topic.split('/')) node = node?.children.get(level) ?? null;
    if (node !== null) node.message = null;
    while (node !== null && node.parent !== null && node.message === null && node.children.size === 0) {
      node.parent.children.delete(node.level);
      node = node.parent;
    }
    return before;
  }

  /**
   * The messages whose topics a valid filter matches, by age of their ids: the order decides over packet ids, so it must come
   * from the records alone and not from the shape of the tree.
   */
  match(filter: string): readonly StoredMessage[] {
    if (!hasWildcard(filter)) {
      const message = this.byTopic.get(filter);
      return message === undefined ? [] : [message];
    }
    const known = this.answers.get(filter);
    if (known !== undefined) return known;
    const found = this.find(filter).sort((left, right) => left.id - right.id);
    if (this.answers.size >= ANSWERS_MAX || this.answered + found.length > ANSWERED_MESSAGES_MAX) this.forgetAnswers();
    if (found.length <= ANSWERED_MESSAGES_MAX) {
      this.answers.set(filter, found);
      this.answered += found.length;
    }
    return found;
  }

  private forgetAnswers(): void {
    if (this.answers.size === 0) return;
    this.answers.clear();
    this.answered = 0;
  }

  private find(filter: string): StoredMessage[] {
    const found: StoredMessage[] = [];
    let front: TopicNode[] = [this.root];
    for (const level of filter.split('/')) {
      if (level === '#') return this.gather(front, found);
      const next: TopicNode[] = [];
      for (const node of front) {
        this.looked += level === '+' ? node.children.size : 1;
        if (level === '+') {
          for (const child of node.children.values()) if (isOpen(node, child, this.root)) next.push(child);
        } else {
          const child = node.children.get(level);
          if (child !== undefined) next.push(child);
        }
      }
      front = next;
    }
    for (const node of front) if (node.message !== null) found.push(node.message);
    return found;
  }

  /** Everything at and below the given nodes. */
  private gather(from: TopicNode[], found: StoredMessage[]): StoredMessage[] {
    const open = [...from];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      this.looked += 1;
      if (node.message !== null) found.push(node.message);
      for (const child of node.children.values()) if (isOpen(node, child, this.root)) open.push(child);
    }
    return found;
  }
}

/** Wildcards in the first level do not match topics that begin with $ (MQTT-4.7.2-1). */
function isOpen(node: TopicNode, child: TopicNode, root: TopicNode): boolean {
  return node !== root || !isReserved(child.level);
}
