import { AckClock } from '../../bench/clients/ack-clock.js';
import { Ledger, stamp } from '../../bench/clients/ledger.js';
import { budgetOf } from '../../bench/cpu-profile.js';
import { stoodStillMs } from '../../bench/disk-watch.js';
import { withBlock, withRow } from '../../bench/document.js';
import { niceTicks, renderPlot } from '../../bench/plot.js';
import { timingMs } from '../../bench/intervals.js';

test('an outage is from the last acknowledgement by the old server to the first by the new one', () => {
  const clock = new AckClock();
  clock.note(0, 100);
  clock.note(0, 110);
  clock.event(115);
  // What was under way still comes from the old one.
  clock.note(0, 120);
  expect(clock.handover(0, 1)).toBeNull();
  clock.note(1, 400);
  clock.note(1, 405);
  expect(clock.handover(0, 1)).toEqual({ from: 120, to: 400 });
  expect(clock.firstAckMs(1)).toBe(285);
  expect(clock.longestGap).toEqual({ from: 120, to: 400 });
  clock.event(500);
  clock.note(1, 505);
  expect(clock.longestGap).toEqual({ from: 405, to: 505 });
});

test('what the disk stood still counts as far as it lies in the span', () => {
  const waits = [{ from: 0, to: 50 }, { from: 90, to: 130 }, { from: 150, to: 160 }, { from: 190, to: 400 }];
  expect(stoodStillMs(waits, 100, 200)).toBe(30 + 10 + 10);
  expect(stoodStillMs(waits, 60, 80)).toBe(0);
  expect(stoodStillMs(waits, 200, 300)).toBe(100);
});

test('what never came is missing, what came twice is a duplicate, and strangers are left out', () => {
  const ledger = new Ledger(2);
  const bytes = Buffer.alloc(16);
  for (const [publisher, sequence] of [[0, 0], [0, 2], [0, 2], [1, 5_000], [7, 1]] as const) {
    stamp(bytes, 3, publisher, sequence);
    ledger.note(bytes, 3);
  }
  expect(ledger.count).toBe(3);
  expect(ledger.duplicates).toBe(1);
  expect(ledger.missing(0, 4)).toBe(2);
  expect(ledger.missing(1, 1)).toBe(1);
});

test('time in Node.js counts for the function of ours that called it; idle time, and time outside of the span, for nobody', () => {
  const frame = (functionName: string, url = ''): { functionName: string; url: string } => ({ functionName, url });
  const profile = {
    startTime: 1_000,
    nodes: [
      { id: 1, callFrame: frame('(root)'), children: [2, 3, 5, 6] },
      { id: 2, callFrame: frame('(idle)') },
      { id: 3, callFrame: frame('flush', 'file:///x/dist/protocols/mqtt/outbox.js'), children: [4] },
      { id: 4, callFrame: frame('writev') },
      { id: 5, callFrame: frame('onread', 'node:internal/streams') },
      { id: 6, callFrame: frame('(garbage collector)') },
    ],
    samples: [3, 2, 4, 5, 6, 3],
    timeDeltas: [10, 20, 30, 40, 50, 60],
  };
  const { busyMicros, stages, folders } = budgetOf(profile, { from: 1_015, to: 1_200 });
  expect(busyMicros).toBe(30 + 40 + 50);
  expect(stages).toMatchObject({ write: 30, engine: 40, collector: 50, core: 0 });
  expect(folders[0]).toEqual(['(garbage collector)', 50]);
});

test('a row takes its place in the table of the document, and leaves the others', () => {
  const order = ['one', 'two', 'three'];
  const row = (name: string, reached: string): Parameters<typeof withRow>[1] => ({ name, what: 'w', reach: 'r', reached, verdict: 'reached' });
  let text = 'Before.\n<!-- bench:table -->\n<!-- /bench:table -->\n<!-- bench:two -->\n<!-- /bench:two -->\nBehind.\n';
  text = withRow(text, row('three', '3'), {}, order);
  text = withRow(text, row('two', '2'), { document: 'a | b' }, order);
  text = withRow(text, row('three', '4 | 5'), {}, order);
  const lines = text.split('\n');
  expect(lines.filter((line) => line.startsWith('| `'))).toEqual(['| `two` | w | r | 2 | reached |', '| `three` | w | r | 4 \\| 5 | reached |']);
  expect(text).toMatch(/^Before\.\n/);
  expect(text).toContain('<!-- bench:two -->\na | b\n<!-- /bench:two -->\nBehind.');
  expect(() => withBlock(text, 'absent', '')).toThrow('bench:absent');
});

test('a plot has axes with round numbers, units, and every line', () => {
  expect(niceTicks(0.9)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(niceTicks(93_000)).toEqual([0, 20_000, 40_000, 60_000, 80_000, 100_000]);
  const svg = renderPlot({ file: 'f', title: 'A & B', x: 'bytes', y: 'messages a second', xScale: 'log', lines: [{ name: 'one', points: [[16, 5], [256, 10]] }, { name: 'none', points: [] }] });
  expect(svg.match(/<polyline/g)).toHaveLength(1);
  expect(svg).toContain('A &amp; B');
  expect(svg).toContain('messages a second');
  expect(svg).not.toContain('NaN');
});

test('the intervals are those of the bundled profiles', () => {
  expect(timingMs('passiveLockAcquisitionInterval')).toBe(2_500);
  expect(timingMs('pingInterval')).toBe(500);
  expect(timingMs('pingMissLimit')).toBe(3);
});
