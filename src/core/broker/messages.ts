import { BigMap } from '../big-map.js';
import { assert } from '../errors.js';
import type { Position } from '../identity.js';
import type { Message, Qos } from './effects.js';
import type { Digest, Hash } from './digest.js';
import { countMessage } from './digest-entries.js';

/** What the owner of the core hears about messages, so that it can decide which payloads stay in memory. */
export interface MessageHooks {
  /**
   * A message has its first reference, or came from a snapshot. The owner may set `payload` to `null` here or later, if it
   * can read it back by `id`. Mind that a will's `id` names the CONNECT's record, which can be older than the journal's base.
   */
  stored(message: Message): void;
  /** Nothing in the state refers to the message any more. Effects that are still held may: leave its payload as it is. */
  released(message: Message): void;
}

/** A message that the state may refer to. */
export class StoredMessage implements Message {
  references = 0;

  constructor(
    readonly id: Position,
    readonly topic: string,
    readonly topicHash: Hash,
    readonly qos: Qos,
    readonly size: number,
    public payload: Uint8Array | null,
  ) {}
}

/** The messages that a queue, a window or the retained store refers to. */
export class MessageStore {
  /** In the order in which they were stored. */
  readonly byId: BigMap<Position, StoredMessage>;
  /** Payload bytes of all of them, in memory or not. */
  bytes = 0;

  constructor(
    private readonly digest: Digest,
    private readonly hooks: MessageHooks,
    entriesMax?: number,
  ) {
    this.byId = new BigMap(entriesMax);
  }

  /** One more reference. The first one stores the message. */
  acquire(message: StoredMessage): void {
    if (message.references++ > 0) return;
    assert(!this.byId.has(message.id), 'two messages of one id');
    this.byId.set(message.id, message);
    this.bytes += message.size;
    countMessage(this.digest, 1, message);
    this.hooks.stored(message);
  }

  /** One reference fewer. With the last one the message is forgotten. */
  release(message: StoredMessage): void {
    assert(message.references > 0, 'a message released more often than it was referred to');
    if (--message.references > 0) return;
    this.byId.delete(message.id);
    this.bytes -= message.size;
    countMessage(this.digest, -1, message);
    this.hooks.released(message);
  }
}
