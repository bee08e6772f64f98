import { KeptLines } from '../../../src/repository/kept-lines.js';
import type { KeptVersion } from '../../../src/ports/repository.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';

function version(name: string, files: number): KeptVersion {
  return { name, at: 0, term: 3, reason: 'a change', files, bytes: 0, paths: Array.from({ length: Math.min(100, files) }, (_, at) => `f${at}`) };
}

test('what continuous changes keep is said at once, and then once a minute with its count; a joining always', () => {
  const clock = new FakeClock();
  const log = new FakeLog();
  const lines = new KeptLines(clock, log);
  for (let files = 1; files <= 60; files += 1) {
    lines.say('apps', version('one', files), true);
    clock.advance(300);
  }
  lines.say('apps', version('two', 2), true);
  expect(log.from('info')).toEqual(['Repository apps: kept as one, since what differed here was replaced or removed, 1 file: f0']);
  clock.advance(60_000);
  expect(log.from('info').slice(1)).toEqual([expect.stringMatching(/^Repository apps: kept as one and two, since .*, 62 files: f0, .*f19, …$/)]);
  lines.say('apps', version('three', 1), false);
  expect(log.from('info').slice(2)).toEqual([expect.stringContaining('kept as three')]);
  clock.advance(60_000);
  clock.advance(60_000);
  lines.say('apps', version('four', 1), true);
  lines.say('apps', version('four', 2), true);
  lines.close();
  expect(log.from('info').slice(3)).toEqual([expect.stringMatching(/kept as four, .* 1 file:/), expect.stringMatching(/kept as four, .* 2 files:/)]);
  clock.advance(600_000);
  expect(log.from('info')).toHaveLength(5);
});
