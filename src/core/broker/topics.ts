/*
 * Topic names and filters, MQTT 3.1.1 §4.7. A name is what a message is published to; a filter may hold wildcards.
 */

/** Levels of a topic name or filter. One with more is refused: each level of a filter costs memory for as long as it is subscribed to. */
export const TOPIC_LEVELS_MAX = 200;

/** UTF-8 bytes of a topic name or filter (§4.7.3). */
export const TOPIC_BYTES_MAX = 65_535;

/** What is wrong with a topic name, as words to log; `null` when it is valid (§4.7.1, §4.7.3, §3.3.2.1). */
export function topicNameFault(topic: string): string | null {
  const fault = commonFault(topic, 'topic name');
  if (fault !== null) return fault;
  if (topic.includes('+') || topic.includes('#')) return 'a topic name must not hold the wildcards + and # (MQTT-3.3.2-2)';
  return null;
}

/** What is wrong with a topic filter, as words to log; `null` when it is valid (§4.7.1, §4.7.3). */
export function topicFilterFault(filter: string): string | null {
  const fault = commonFault(filter, 'topic filter');
  if (fault !== null) return fault;
  const many = filter.indexOf('#');
  if (many >= 0 && (many !== filter.length - 1 || (many > 0 && filter[many - 1] !== '/'))) {
    return '# must be the last character of a topic filter and stand alone in its level (MQTT-4.7.1-2)';
  }
  for (let at = filter.indexOf('+'); at >= 0; at = filter.indexOf('+', at + 1)) {
    const before = at === 0 || filter[at - 1] === '/';
    const after = at === filter.length - 1 || filter[at + 1] === '/';
    if (!before || !after) return '+ must stand alone in its level (MQTT-4.7.1-3)';
  }
  return null;
}

/** True for a name or the first level of a filter that wildcards in the first level do not match (MQTT-4.7.2-1). */
export function isReserved(topic: string): boolean {
  return topic.charCodeAt(0) === 0x24;
}

export function hasWildcard(filter: string): boolean {
  return filter.includes('+') || filter.endsWith('#');
}

/** Whether a valid filter matches a valid name. One pair at a time: the trees of this folder answer for many. */
export function topicMatches(filter: string, topic: string): boolean {
  const wanted = filter.split('/');
  const levels = topic.split('/');
  if (isReserved(topic) && (wanted[0] === '+' || wanted[0] === '#')) return false;
  for (let at = 0; at < wanted.length; at++) {
    if (wanted[at] === '#') return true;
    if (at >= levels.length) return false;
    if (wanted[at] !== '+' && wanted[at] !== levels[at]) return false;
  }
  return wanted.length === levels.length;
}

function commonFault(text: string, what: string): string | null {
  if (text.length === 0) return `a ${what} must have at least one character (MQTT-4.7.3-1)`;
  if (text.includes('\0')) return `a ${what} must not hold the null character (MQTT-4.7.3-2)`;
  if (text.length * 3 > TOPIC_BYTES_MAX && utf8Bytes(text) > TOPIC_BYTES_MAX) return `a ${what} must not be longer than ${TOPIC_BYTES_MAX} bytes (MQTT-4.7.3-3)`;
  let levels = 1;
  for (let at = text.indexOf('/'); at >= 0; at = text.indexOf('/', at + 1)) levels++;
  if (levels > TOPIC_LEVELS_MAX) return `a ${what} must not have more than ${TOPIC_LEVELS_MAX} levels here; this one has ${levels}`;
  return null;
}

function utf8Bytes(text: string): number {
  let bytes = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    // Each half of a surrogate pair stands for two of the pair's four bytes.
    bytes += unit < 0x80 ? 1 : unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 2 : 3;
  }
  return bytes;
}

/** One level of a tree of topics or filters. */
export interface Level {
  readonly children: ReadonlyMap<string, Level>;
}

/** Whether a path can be added below `root`, with no level that comes to have more than `levelMax` children. */
export function hasRoomBelow(root: Level, path: string, levelMax: number): boolean {
  let node = root;
  for (const level of path.split('/')) {
    const child = node.children.get(level);
    if (child === undefined) return node.children.size < levelMax;
    node = child;
  }
  return true;
}
