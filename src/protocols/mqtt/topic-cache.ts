import { isReserved, topicNameFault } from '../../core/broker/topics.js';
import { isAt } from '../../core/wire/bytes.js';
import { ProtocolFault } from './fault.js';
import { strictText } from './text.js';

const MISSING = new Uint8Array(0);
/** A longer name is not kept: each connection keeps one for as long as it lasts. */
const KEPT_BYTES_MAX = 1_024;

/**
 * Decodes and checks topic names of one connection's PUBLISH packets. Publishers repeat themselves: the last name is compared as bytes and
 * handed out again as the same string, whose hash the engine has computed already.
 */
export class TopicCache {
  private lastBytes: Uint8Array = MISSING;
  private last = '';

  /** @throws ProtocolFault when no client may publish to such a name */
  read(bytes: Uint8Array, start: number, end: number): string {
    const length = end - start;
    if (length > 0 && length === this.lastBytes.length && isAt(this.lastBytes, bytes, start)) return this.last;
    const topic = strictText(bytes, start, end, 'topic name');
    checkTopicName(topic, 'topic name');
    if (length > KEPT_BYTES_MAX) return topic;
    // A copy of its own: a view would keep all of the received bytes alive.
    this.lastBytes = new Uint8Array(bytes.subarray(start, end));
    this.last = topic;
    return topic;
  }
}

/** Where bridges, those of Mosquitto for one, say on the other broker whether they are connected: as they set it up unless told otherwise. */
const BRIDGE_STATES = '$SYS/broker/connection/';

/** @throws ProtocolFault when no client may publish to `topic`, or name it in its will */
export function checkTopicName(topic: string, what: string): void {
  const fault = topicNameFault(topic);
  if (fault !== null) throw new ProtocolFault(`a ${what} that cannot be one: ${fault}`, 'MQTT-3.3.2-2');
  if (isReserved(topic) && !topic.startsWith(BRIDGE_STATES)) throw new ProtocolFault(`a ${what} beginning with $, which is the server's own`, '§4.7.2');
}
