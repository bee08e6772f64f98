import type { SubscribePacket } from './packets.js';

/** Of MQTT 5 (§4.8.2); some brokers offer it to clients of 3.1.1 as well. */
const PREFIX = '$share/';
/** The return code of a filter that is not granted (§3.9.3). */
const NOT_GRANTED = 0x80;

/**
 * Shared subscriptions are not offered. Taken for ordinary filters they would be granted and never match, since nobody may publish to such a name: the
 * client is told 0x80 for each instead, and the broker hears of the others only.
 */
export class SharedFilters {
  /** What was asked for under a packet id that is not answered yet, oldest first: true for each filter that is not granted. */
  private readonly asked = new Map<number, (readonly boolean[])[]>();

  /** The same without them, which may leave nothing; `filter`: the first of them, `null` where there is none. */
  without(packet: SubscribePacket): { readonly rest: SubscribePacket; readonly filter: string | null } {
    const { packetId, subscriptions } = packet;
    const shared = subscriptions.map(({ filter }) => filter.startsWith(PREFIX));
    const filter = subscriptions[shared.indexOf(true)]?.filter ?? null;
    // Under an id that is used again unanswered, answers must not be taken for each other.
    if (filter === null && !this.asked.has(packetId)) return { rest: packet, filter };
    const before = this.asked.get(packetId);
    if (before === undefined) this.asked.set(packetId, [shared]);
    else before.push(shared);
    return { rest: { packetId, subscriptions: subscriptions.filter((_, at) => shared[at] !== true) }, filter };
  }

  /** The broker's answer, with one for each filter of the packet. */
  answer(packetId: number, granted: readonly number[]): readonly number[] {
    const due = this.asked.get(packetId);
    const shared = due?.shift();
    if (due === undefined || shared === undefined) return granted;
    if (due.length === 0) this.asked.delete(packetId);
    const codes = granted[Symbol.iterator]();
    return shared.map((isShared) => (isShared ? NOT_GRANTED : ((codes.next().value as number | undefined) ?? NOT_GRANTED)));
  }
}
