import { createLog } from '../../src/log/log.js';
import type { Log, LogLevel } from '../../src/ports/log.js';
import { FakeLog } from '../unit/support/fake-log.js';

interface Ground {
  readonly log: Log;
  /** Lines so far: level and message. */
  lines(): string[];
}

function realGround(): Ground {
  const printed: string[] = [];
  const log = createLog({ server: 'primary', folder: null, console: 'json', level: 'debug', output: { write: (text) => printed.push(text) } });
  const lines = (): string[] =>
    printed.map((text) => {
      const { level, message } = JSON.parse(text) as { level: string; message: string };
      return `${level} ${message}`;
    });
  return { log, lines };
}

function fakeGround(): Ground {
  const log = new FakeLog();
  return { log, lines: () => log.lines.map(({ level, message }) => `${level} ${message}`) };
}

describe.each([
  ['of a server', realGround],
  ['of a unit test', fakeGround],
])('Log %s', (_, make) => {
  it('has each line once, in order, with its level', () => {
    const { log, lines } = make();
    const levels: LogLevel[] = ['info', 'error', 'debug', 'warn'];
    for (let i = 0; i < 40; i += 1) log.write(levels[i % 4] as LogLevel, `line ${i}`, { i });
    expect(lines()).toEqual(Array.from({ length: 40 }, (_unused, i) => `${levels[i % 4]} line ${i}`));
  });

  it('takes any fields, and never throws', () => {
    const ring: Record<string, unknown> = {};
    ring['self'] = ring;
    const { log, lines } = make();
    for (const fields of [undefined, {}, { error: new Error('x') }, ring, { big: 10n }, { bytes: new Uint8Array(3) }, { fn: () => 1 }, { message: 'other', level: 'other' }]) log.write('info', 'a line', fields);
    expect(lines()).toEqual(new Array(8).fill('info a line'));
  });

  it('keeps a line that has line ends and control characters in it one line', () => {
    const { log, lines } = make();
    log.write('warn', 'from a client: \n\u001b[31m"');
    expect(lines()).toHaveLength(1);
  });
});
