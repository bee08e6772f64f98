import { printable, printableLines } from '../../../src/core/printable.js';

const WILD = 'é\u001b[2J\u009b31m\u007f\u202e\u2028\tx\ny';

test('what a terminal acts on is shown as an escape, and everything else as it is', () => {
  expect(printable(WILD)).toBe('é\\u001b[2J\\u009b31m\\u007f\\u202e\\u2028\\u0009x\\u000ay');
  expect(printableLines(WILD)).toBe('é\\u001b[2J\\u009b31m\\u007f\\u202e\\u2028\tx\ny');
});

test('JSON stays what it was', () => {
  const text = JSON.stringify({ [WILD]: WILD });
  expect(JSON.parse(printable(text))).toEqual({ [WILD]: WILD });
  expect(JSON.parse(printableLines(JSON.stringify({ WILD }, null, 2)))).toEqual({ WILD });
});
