import { append, labels, Rig } from './rig.js';

/*
 * A process that is killed between giving a segment its name and making that name durable leaves one that only the system's cache holds. Whoever opens the
 * journal next finds it there, and what goes into it must outlive the power (simulator seed 56336, long).
 */
const SEEDS = 30;

test('a segment that a killed process had only just named is there after a loss of power, with all that was made durable in it', async () => {
  let lives = 0;
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const rig = new Rig(undefined, seed);
    const journal = await rig.open({ preallocate: false });
    const { image } = rig;
    const change = image.change.bind(image);
    let isKilled = false;
    image.change = (...names) => {
      change(...names);
      if (isKilled || !names.some(([path, inode]) => path.endsWith('.segment') && inode !== null)) return;
      isKilled = true;
      rig.kill();
    };
    let next = 1;
    while (!isKilled) {
      append(journal, `r${next}`, 60);
      next += 1;
      await rig.pass(5);
      if (next > 200) throw new Error('no segment was begun');
    }
    image.change = change;
    const second = await rig.open({ preallocate: false });
    const kept = (await labels(rig, second)).length;
    append(second, 'later', 20);
    await rig.until(() => second.durable === kept + 1);
    rig.crash();
    const third = await rig.open({ preallocate: false });
    expect([seed, third.damage, third.head.position]).toEqual([seed, null, kept + 1]);
    expect((await labels(rig, third)).at(-1)).toBe('later');
    lives += 1;
  }
  expect(lives).toBe(SEEDS);
});

test('names that the disk refuses to make durable are damage, and no reason to try until it seems to go', async () => {
  const rig = new Rig();
  const journal = await rig.open();
  append(journal, 'one');
  await rig.until(() => journal.durable === 1);
  rig.kill();
  rig.image.failNext('syncFolder', 'EIO');
  const second = await rig.open();
  expect(second.damage).toMatch(/names of its files could not be made durable: EIO/);
  expect([second.head.position, second.durable]).toEqual([1, 0]); // Nothing is promised that the segments do not vouch for.
  rig.kill();
  expect((await rig.open()).damage).toMatch(/it failed before: the names of its files/);
});

test.each(['ENOSPC', 'EMFILE'])('%s in the same place has lost nothing: it can be tried again', async (code) => {
  const rig = new Rig();
  await rig.open();
  rig.kill();
  rig.image.failNext('syncFolder', code);
  await expect(rig.open()).rejects.toThrow();
  expect((await rig.open()).damage).toBeNull();
});
