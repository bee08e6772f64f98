import { glimpse } from '../glimpse.js';
import { Fields, MessageRefused } from '../wire/fields.js';
import { topicFilterFault, topicNameFault } from '../broker/topics.js';
import { HISTORY_VERSION, LINE_CHARS_MAX, NAME_CHARS_MAX, TEXT_CHARS_MAX, TOPIC_CHARS_MAX, type EventKind, type HistoryEvent, type HistoryHeader, type Qos } from './events.js';

const AT_MAX = Number.MAX_SAFE_INTEGER;
/** A day: two clocks further apart than that order nothing. */
const UNCERTAINTY_MS_MAX = 86_400_000;

/** A line that says something else than the format allows. The message is for whoever made the history; it names no file. */
export class LineRefused extends Error {}

/** @throws LineRefused */
export function readHeader(line: string): HistoryHeader {
  return refusing(() => {
    const fields = parse(line);
    if (fields.raw('lockstep') !== 'history') throw new LineRefused('the first line must be the header, {"lockstep":"history","version":1,…}');
    const version = fields.whole('version', 0);
    if (version !== HISTORY_VERSION) throw new LineRefused(`the history has version ${version}; this program reads version ${HISTORY_VERSION}`);
    return { clock: fields.name('clock', NAME_CHARS_MAX), uncertaintyMs: number(fields, 'uncertaintyMs', UNCERTAINTY_MS_MAX) };
  });
}

/** @throws LineRefused */
export function readEvent(line: string): HistoryEvent {
  return refusing(() => {
    const fields = parse(line);
    const kind = fields.oneOf('event', KINDS);
    return READERS[kind](fields, number(fields, 'at', AT_MAX));
  });
}

const QOS: readonly Qos[] = [0, 1, 2];

const READERS: { readonly [Kind in EventKind]: (fields: Fields, at: number) => HistoryEvent } = {
  connected: (fields, at) => ({ event: 'connected', at, client: client(fields), clean: fields.flag('clean'), sessionPresent: fields.flag('sessionPresent') }),
  disconnected: (fields, at) => ({ event: 'disconnected', at, client: client(fields) }),
  subscribe: (fields, at) => ({ event: 'subscribe', at, client: client(fields), filter: filter(fields) }),
  subscribed: (fields, at) => ({ event: 'subscribed', at, client: client(fields), filter: filter(fields), qos: fields.nullable('qos', qos) }),
  unsubscribe: (fields, at) => ({ event: 'unsubscribe', at, client: client(fields), filter: filter(fields) }),
  send: (fields, at) => ({ event: 'send', at, client: client(fields), ...messageOf(fields) }),
  acknowledged: (fields, at) => ({ event: 'acknowledged', at, client: client(fields), message: fields.name('message', NAME_CHARS_MAX) }),
  received: (fields, at) => ({ event: 'received', at, client: client(fields), ...messageOf(fields) }),
  drained: (fields, at) => ({ event: 'drained', at, client: client(fields) }),
  mark: (fields, at) => ({ event: 'mark', at, text: fields.name('text', TEXT_CHARS_MAX) }),
  end: (_, at) => ({ event: 'end', at }),
};

const KINDS = Object.keys(READERS) as EventKind[];

function messageOf(fields: Fields): { message: string; topic: string; qos: Qos; retain: boolean; digest: string } {
  const topic = fields.text('topic', TOPIC_CHARS_MAX);
  const fault = topicNameFault(topic);
  if (fault !== null) throw new LineRefused(`topic ${glimpse(topic, NAME_CHARS_MAX)}: ${fault}`);
  return { message: fields.name('message', NAME_CHARS_MAX), topic, qos: qos(fields, 'qos'), retain: fields.flag('retain'), digest: fields.text('digest', NAME_CHARS_MAX) };
}

function client(fields: Fields): string {
  return fields.name('client', NAME_CHARS_MAX);
}

function filter(fields: Fields): string {
  const value = fields.text('filter', TOPIC_CHARS_MAX);
  const fault = topicFilterFault(value);
  if (fault !== null) throw new LineRefused(`filter ${glimpse(value, NAME_CHARS_MAX)}: ${fault}`);
  return value;
}

function qos(fields: Fields, name: string): Qos {
  const found = QOS[fields.whole(name, 0, 2)];
  return found ?? 0;
}

function number(fields: Fields, name: string, max: number): number {
  const value = fields.raw(name);
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0 || value > max) throw new LineRefused(`${name} ${value === undefined ? 'is missing' : `is ${glimpse(value, NAME_CHARS_MAX)}`}; a number of milliseconds from 0 to ${max} is expected`);
  return value;
}

function parse(line: string): Fields {
  if (line.length > LINE_CHARS_MAX) throw new LineRefused(`the line has ${line.length} characters; at most ${LINE_CHARS_MAX} are allowed`);
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new LineRefused(`not JSON: ${glimpse(line, 60)}`);
  }
  return Fields.of('line', value);
}

function refusing<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (error instanceof MessageRefused) throw new LineRefused(error.message);
    throw error;
  }
}
