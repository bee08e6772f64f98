import { leaveLastWords } from '../../../src/run/last-words.js';
import { FakeLog } from '../support/fake-log.js';

test('a broken assumption is in the log before the process ends', () => {
  const log = new FakeLog();
  const ends: unknown[] = [];
  const before = process.listeners('uncaughtException');
  const takeBack = leaveLastWords(log, (code) => void ends.push(code, ...log.lines.map(({ message }) => message)));
  const own = process.listeners('uncaughtException').filter((listener) => !before.includes(listener));
  const error = new Error('a term went down');
  for (const listener of own) listener(error, 'uncaughtException');
  expect(ends).toEqual([1, 'The HA manager met a broken assumption, and ends: a term went down']);
  expect(log.lines[0]).toMatchObject({ level: 'error', fields: { code: 'LOCKSTEP_MANAGER_BROKEN', critical: true, stack: error.stack } });
  takeBack();
  expect(process.listeners('uncaughtException')).toEqual(before);
});
