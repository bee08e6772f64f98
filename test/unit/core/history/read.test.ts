import { Account } from '../../../../src/core/history/account.js';
import type { HistoryEvent } from '../../../../src/core/history/events.js';
import { LineRefused, readEvent, readHeader } from '../../../../src/core/history/read.js';
import { begun, CLOCK, Teller, type File } from './told.js';

function account(...files: readonly File[]): Account {
  const account = new Account();
  for (const { header, events } of files) {
    account.beginFile(header);
    for (const event of events) account.add(event);
    account.endFile();
  }
  return account;
}

const SEND = { event: 'send', at: 1, client: 'p', message: 'm', topic: 't', qos: 1, retain: false, digest: 'd' };

test.each([
  ['', 'not JSON'],
  ['[]', 'an object is expected'],
  ['{"event":"melt","at":1}', 'one of connected, disconnected'],
  [JSON.stringify({ ...SEND, at: undefined }), 'at is missing'],
  [JSON.stringify({ ...SEND, at: -1 }), 'at is -1'],
  [JSON.stringify({ ...SEND, qos: 3 }), 'a whole number from 0 to 2'],
  [JSON.stringify({ ...SEND, topic: 'a/#' }), 'wildcards'],
  [JSON.stringify({ ...SEND, message: '' }), 'a name is expected'],
  [JSON.stringify({ ...SEND, client: 'x'.repeat(300) }), 'at most 256 characters'],
  [JSON.stringify({ ...SEND, retain: 'yes' }), 'true or false'],
  [JSON.stringify({ event: 'subscribe', at: 1, client: 'c', filter: 'a/#/b' }), '# must be the last'],
])('a line that cannot be read is refused: %s', (line, why) => {
  expect(() => readEvent(line)).toThrow(LineRefused);
  expect(() => readEvent(line)).toThrow(why);
});

test.each([
  ['{}', 'the first line must be the header'],
  ['{"lockstep":"history","version":2,"clock":"a","uncertaintyMs":0}', 'version 2'],
  ['{"lockstep":"history","version":1,"clock":"a"}', 'uncertaintyMs is missing'],
  ['{"lockstep":"history","version":1,"clock":"","uncertaintyMs":0}', 'a name is expected'],
])('a header that cannot be read is refused: %s', (line, why) => {
  expect(() => readHeader(line)).toThrow(why);
});

const cut = (file: File): File => ({ ...file, events: file.events.slice(0, -1) });
const with_ = (file: File, ...more: HistoryEvent[]): File => ({ ...file, events: [...file.events, ...more] });

test.each<[string, readonly File[], string]>([
  ['that was cut off', [cut(begun().file)], 'was cut off'],
  ['that goes on behind its end', [with_(begun().file, { event: 'end', at: 99 })], 'behind the end event'],
  ['whose clock goes back', [begun().at(1).drained('c').file], 'at goes back from 4 to 2'],
  ['with an answer to nothing', [begun().acknowledged('p', 'm').file], 'which it has not sent'],
  ["with an answer to another's message", [begun().sends('p', 'm').acknowledged('c', 'm').file], 'c was acknowledged message m, which it has not sent'],
  ['with an answer at QoS 0', [begun().sends('p', 'm', { qos: 0 }).acknowledged('p', 'm').file], 'QoS 0'],
  ['with an id used twice', [begun().sends('p', 'm').sends('p', 'm', { digest: 'other' }).file], 'ids are unique'],
  ['with a grant that was not asked for', [with_(cut(begun().file), { event: 'subscribed', at: 50, client: 'c', filter: 'x', qos: 1 })], 'without having asked'],
  ['with a client that is drained while it is away', [begun().disconnected('c').drained('c').file], 'drained and not connected'],
  ['of a client of another file', [begun().file, new Teller({ ...CLOCK }).connected('c').file], 'client c is told of in another file'],
])('a history %s is refused', (_, files, why) => {
  expect(() => account(...files)).toThrow(LineRefused);
  expect(() => account(...files)).toThrow(why);
});
