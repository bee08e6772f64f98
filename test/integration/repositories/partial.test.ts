import * as fs from 'node:fs';
import { NODE_FILES, type FileSystem } from '../../../src/adapters/repository/file-system.js';
import type { Term } from '../../../src/core/identity.js';
import { openStore, Pair, Places } from './support.js';

/* PARTIAL adds, and leaves what is there: also what comes while the new tree is made. */

const pairs: Pair[] = [];

afterEach(() => {
  for (const pair of pairs.splice(0)) pair.stop();
  Places.removeAll();
});

/** Does something once, when the new tree is there and is made durable. */
function whenStaged(action: () => void): FileSystem {
  let isDone = false;
  return {
    ...NODE_FILES,
    fsync: ((fd: number, done: (error: Error | null) => void) => {
      if (!isDone && fs.readlinkSync(`/proc/self/fd/${fd}`).includes('/stage/')) {
        isDone = true;
        action();
      }
      fs.fsync(fd, done);
    }) as typeof fs.fsync,
  };
}

const onLinux = process.platform === 'linux' ? it : it.skip;

onLinux.each([5, 0])('what this server\'s own users make or save while a sync of the whole is made stays as they left it (%i versions kept)', async (keep) => {
  const places = new Places();
  places.write('a/theirs.conf', 'from a');
  places.write('a/made.conf', 'from a');
  places.write('b/own.conf', 'as it was');
  places.write('b/folder/inner', 'as it was');
  const files = whenStaged(() => {
    places.write('b/own.conf.tmp', 'saved');
    fs.renameSync(places.at('b/own.conf.tmp'), places.at('b/own.conf'));
    places.write('b/new.conf', 'new');
    places.write('b/made.conf', 'made here');
    places.write('b/folder/new', 'new');
    places.write('b/new folder/x', 'new');
  });
  const pair = new Pair(await openStore({ path: places.folder('a') }), await openStore({ path: places.folder('b'), keep, fs: files }));
  pairs.push(pair);
  await pair.connect();
  expect(await pair.sync({ type: 'PARTIAL' })).toMatchObject({ outcome: 'changed' });
  const read = (name: string): string => places.read(`b/${name}`);
  expect(['own.conf', 'new.conf', 'made.conf', 'theirs.conf', 'folder/inner', 'folder/new', 'new folder/x'].map(read)).toEqual(['saved', 'new', 'made here', 'from a', 'as it was', 'new', 'new']);
  expect(await pair.sync({ type: 'PARTIAL' })).toMatchObject({ outcome: 'same' });
});

it('what they make while a single change is fetched stays as well', async () => {
  const places = new Places();
  const store = await openStore({ path: places.folder('b') });
  const applier = store.apply('live', { term: 3 as Term, mayChange: () => true, reason: 'a change', at: Date.UTC(2026, 0, 2), type: 'PARTIAL' });
  const theirs = new TextEncoder().encode('from a');
  for (const path of ['made', 'theirs']) applier.put({ path, kind: 'file', mode: 0o644, mtimeUs: 1, size: theirs.length, digest: null, target: '' }, theirs);
  places.write('b/made', 'made here');
  expect(await applier.commit()).toEqual({ kind: 'done', kept: null });
  expect([places.read('b/made'), places.read('b/theirs')]).toEqual(['made here', 'from a']);
  expect(fs.readdirSync(places.at('.b.lockstep/parts'))).toEqual([]);
});
