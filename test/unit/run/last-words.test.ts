import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { leaveLastWords } from '../../../src/run/last-words.js';
import { createLog } from '../../../src/log/log.js';
import { FakeLog } from '../support/fake-log.js';

/** Of what `leave` has put there. */
function meet(error: unknown, leave: () => () => void): void {
  const before = process.listeners('uncaughtException');
  const takeBack = leave();
  const own = process.listeners('uncaughtException').filter((listener) => !before.includes(listener));
  for (const listener of own) listener(error as Error, 'uncaughtException');
  takeBack();
  expect(process.listeners('uncaughtException')).toEqual(before);
}

test('a broken assumption is in the log and on standard error before the process ends', () => {
  const log = new FakeLog();
  const steps: unknown[] = [];
  const error = new Error('a term went down');
  const flushNow = (): void => void steps.push('flushed', ...log.lines.map(({ message }) => message));
  meet(error, () => leaveLastWords({ write: (...line) => log.write(...line), flushNow }, { end: (code) => void steps.push(code), show: (stack) => void steps.push(stack) }));
  expect(steps).toEqual([error.stack, 'flushed', 'The HA manager met a broken assumption, and ends: a term went down', 1]);
  expect(log.lines[0]).toMatchObject({ level: 'error', fields: { code: 'LOCKSTEP_MANAGER_BROKEN', critical: true, stack: error.stack } });
});

test('it is in the file when the process ends, also where another line goes out just then', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-words-'));
  const log = createLog({ server: 'primary', folder, console: 'none', level: 'info' });
  try {
    log.write('warn', 'before', { critical: true });
    const atEnd: string[] = [];
    meet('no error at all', () => leaveLastWords(log, { end: () => void atEnd.push(readFileSync(join(folder, 'lockstep-primary.jsonl'), 'utf8')), show: () => undefined }));
    expect(atEnd[0]).toContain('The HA manager met a broken assumption, and ends: no error at all');
  } finally {
    await log.flush();
    rmSync(folder, { recursive: true, force: true });
  }
});
