import { changeIn } from './journal-change.js';

test.each([
  ['begin', JSON.stringify({ schema: 1, change: { kind: 'begin', move: [] } })],
  ['begin', JSON.stringify({ schema: 1, change: { kind: 'begin', move: [] } }, null, 2)],
  ['cut', JSON.stringify({ cluster: '"kind": "begin"', change: { kind: 'cut' } })],
  [null, JSON.stringify({ schema: 1, cluster: '"kind": "begin"' })],
  [null, '{"change": {"kind": "begin"'],
])('%s is what a description of a journal says is done', (kind, text) => expect(changeIn(Buffer.from(text))).toBe(kind));
