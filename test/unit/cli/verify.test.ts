import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockstep } from './listening-console.js';
import { begun, type File } from '../core/history/told.js';

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'lockstep-verify-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function written(text: string | File): string {
  const path = join(folder, 'history.jsonl');
  const lines = typeof text === 'string' ? [text] : [{ lockstep: 'history', version: 1, ...text.header }, ...text.events].map((line) => JSON.stringify(line));
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

const whole = (): File => begun().mark('killed').sends('p', 'm').acknowledged('p', 'm').receives('c', 'm').drained('c').file;

test('a history that holds ends with 0 and says what it saw', async () => {
  const { out, err, code } = await lockstep('verify', written(whole()));
  expect(out).toContain('messages:     1 sent, 1 acknowledged, 0 unanswered');
  expect(out.at(-1)).toBe('verdict:      holds');
  expect(out.filter((line) => line.startsWith('outage:'))).toHaveLength(2);
  expect({ err, code }).toEqual({ err: [], code: 0 });
});

test('one that is broken ends with 1 and names what is missing', async () => {
  const { out, err, code } = await lockstep('verify', written(begun().sends('p', 'm').acknowledged('p', 'm').drained('c').file));
  expect(out.join('\n')).toContain('VIOLATED:     lost, 1 time:');
  expect(out.join('\n')).toContain('m (QoS 2, t), acknowledged to p at 6, did not come to c');
  expect(err.join('\n')).toContain('LOCKSTEP_HISTORY_VIOLATED');
  expect(code).toBe(1);
});

test('the verdict comes as JSON, too', async () => {
  const { out, code } = await lockstep('verify', '--json', written(whole()));
  expect(JSON.parse(out.join('\n'))).toMatchObject({ holds: true, figures: { owed: 1, lost: 0 } });
  expect(code).toBe(0);
});

test.each([
  ['nothing', 'line 1: not JSON'],
  ['{"lockstep":"history","version":1,"clock":"a","uncertaintyMs":0}\n{"event":"end"}', 'line 2: at is missing'],
  ['{"lockstep":"history","version":1,"clock":"a","uncertaintyMs":0}\n{"event":"mark","at":1,"text":"x"}', 'line 2: the last line is no end event'],
  [`{"lockstep":"history","version":1,"clock":"a","uncertaintyMs":0}\n${'x'.repeat(300_000)}`, 'line 2: the line has'],
])('a file that is wrong ends with 2 and names the line', async (text, why) => {
  const { out, err, code } = await lockstep('verify', written(text));
  expect(err.join('\n')).toContain(why);
  expect(err.join('\n')).toContain('LOCKSTEP_HISTORY_MALFORMED');
  expect({ out, code }).toEqual({ out: [], code: 2 });
});

test('a file that is not there, and one that proves nothing, end with 2', async () => {
  const missing = await lockstep('verify', join(folder, 'none'));
  expect(missing.err.join('\n')).toContain('LOCKSTEP_HISTORY_UNREADABLE');
  expect(missing.code).toBe(2);
  const idle = await lockstep('verify', written(begun().file));
  expect(idle.err.join('\n')).toContain('LOCKSTEP_HISTORY_PROVES_NOTHING');
  expect(idle.code).toBe(2);
});
