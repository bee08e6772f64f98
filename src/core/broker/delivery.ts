import { assert } from '../errors.js';
import type { Qos } from './effects.js';
import type { StoredMessage } from './messages.js';

/**
 * One message on its way to one session, at QoS 1 or 2: waiting in the queue (`packetId` 0), or sent and not yet done with.
 * Small, because a session can have many.
 */
export class Delivery {
  packetId = 0;
  /** The next one in the queue. */
  next: Delivery | null = null;

  constructor(
    /** `null` once the subscriber has said that it received it (PUBREC): only the packet id is needed from then on (§4.3.3). */
    public message: StoredMessage | null,
    /** Grows by one with every delivery of the session: the order that the subscriber sees. */
    readonly order: number,
    readonly qos: Qos,
    readonly retain: boolean,
  ) {}
}

/** The deliveries of one session that wait for room in its in-flight window, oldest first. Every operation in constant time. */
export class DeliveryQueue {
  length = 0;
  private head: Delivery | null = null;
  private tail: Delivery | null = null;

  push(delivery: Delivery): void {
    if (this.tail === null) this.head = delivery;
    else this.tail.next = delivery;
    this.tail = delivery;
    this.length++;
  }

  /** Takes the oldest away. @throws AssertionFailure when there is none */
  shift(): Delivery {
    const first = this.head;
    assert(first !== null, 'a delivery taken from an empty queue');
    this.head = first.next;
    if (this.head === null) this.tail = null;
    first.next = null;
    this.length--;
    return first;
  }

  *[Symbol.iterator](): Generator<Delivery> {
    for (let at = this.head; at !== null; at = at.next) yield at;
  }
}
