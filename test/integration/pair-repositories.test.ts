import { chmod, readdir, readFile, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Pair } from './support/pair.js';
import { becomesEqual, fill, inSync, lockstep, repositoryTest, TEST_MS_MAX, differenceOf } from './support/repositories.js';

describe('repositories of a pair', () => {
  repositoryTest('FULL is equal before PASSIVE; PARTIAL adds only; NO touches nothing and warns', { apps: {}, parts: { syncType: 1 }, seen: { syncType: 'NO' } }, async ({ pair, at }) => {
    const { primary, secondary } = pair;
    await fill(at(primary, 'apps'), { 'a/b/c.txt': 'hello', 'run.sh': '#!/bin/sh\n', 'many/0': '0', 'many/1': '1' });
    await chmod(join(at(primary, 'apps'), 'run.sh'), 0o750);
    await symlink('a/b', join(at(primary, 'apps'), 'shortcut'));
    await fill(at(secondary, 'apps'), { 'a/b/c.txt': 'old', 'of the other': 'x' });
    await fill(at(primary, 'parts'), { new: 'new', both: 'of the active' });
    await fill(at(secondary, 'parts'), { both: 'of the passive', own: 'own' });
    await fill(at(primary, 'seen'), { one: '1' });
    await fill(at(secondary, 'seen'), { one: 'another' });
    primary.start();
    await primary.reachesState('STANDALONE', 'WAITING');
    secondary.start();
    const { repositories } = await secondary.reachesState('PASSIVE');
    expect(repositories.here.map(({ name, condition }) => [name, condition])).toEqual([['apps', 'in-sync'], ['parts', 'in-sync'], ['seen', 'in-sync']]);
    expect(await differenceOf(at(primary, 'apps'), at(secondary, 'apps'))).toBeNull();
    await primary.says('the repositories of the peer are not yet in sync');
    expect(await readFile(join(at(secondary, 'parts'), 'both'), 'utf8')).toBe('of the passive');
    expect(await readFile(join(at(secondary, 'parts'), 'new'), 'utf8')).toBe('new');
    expect(await readFile(join(at(secondary, 'parts'), 'own'), 'utf8')).toBe('own');
    expect(await readFile(join(at(secondary, 'seen'), 'one'), 'utf8')).toBe('another');
    await secondary.says('its type NO leaves it so: one (content)');
    await primary.reachesState('ACTIVE');
    expect(primary.console.join('\n')).not.toContain('was admitted though');
    // What FULL replaced is kept, and named.
    await secondary.says(/Repository apps: .* kept as/);
    const kept = join(at(secondary, 'apps'), '..', '.apps.lockstep', 'kept');
    const [version] = (await readdir(kept)).filter((name) => !name.endsWith('.json'));
    expect(await readFile(join(kept, version ?? '', 'of the other'), 'utf8')).toBe('x');
  });

  repositoryTest('changes on the active reach the passive; the commands tell and restore; after a failover the new active counts', { apps: {} }, async ({ pair, at }) => {
    const { primary, secondary } = pair;
    await fill(at(primary, 'apps'), { one: '1', 'deep/er/two': '2' });
    await fill(at(secondary, 'apps'), { one: '1', 'deep/er/two': '2' });
    const { active, passive } = await pair.start();
    await inSync(passive, 'apps');
    await becomesEqual('the first copy', at(active, 'apps'), at(passive, 'apps'));
    await fill(at(active, 'apps'), { three: '3', 'new/er/still': 'n' });
    await writeFile(join(at(active, 'apps'), 'one'), 'changed');
    await unlink(join(at(active, 'apps'), 'deep/er/two'));
    await becomesEqual('the changed copy', at(active, 'apps'), at(passive, 'apps'));

    expect(await lockstep('repo', 'status', passive.profile)).toMatchObject({ code: 0, out: expect.stringMatching(/apps: in sync since/) });
    expect(await lockstep('repo', 'sync', active.profile)).toMatchObject({ code: 0 });
    expect(await lockstep('repo', 'verify', active.profile, 'apps')).toMatchObject({ code: 0, out: expect.stringContaining('both are equal') });
    await fill(at(passive, 'apps'), { 'of the passive': 'x' });
    expect(await lockstep('repo', 'diff', passive.profile, 'apps')).toMatchObject({ code: 0, out: expect.stringMatching(/extra +of the passive/) });
    expect(await lockstep('repo', 'sync', active.profile, 'apps')).toMatchObject({ code: 0 });
    await becomesEqual('the synced copy', at(active, 'apps'), at(passive, 'apps'));

    // The passive serves; the old active, meanwhile changed by itself, comes back.
    await active.killWhole();
    await passive.reachesState('STANDALONE');
    await fill(at(active, 'apps'), { 'written by the old one': 'lost?' });
    await fill(at(passive, 'apps'), { 'written by the new one': 'counts' });
    const from = active.console.length;
    active.start();
    await active.reachesState('PASSIVE');
    await becomesEqual('the copy of the old active', at(passive, 'apps'), at(active, 'apps'));
    await active.says(/kept as .*written by the old one/, from);
    const status = await active.reaches('a kept version', ({ repositories }) => (repositories.here[0]?.kept.length ?? 0) > 0);
    const newest = status.repositories.here[0]?.kept[0] ?? '';
    expect(await lockstep('repo', 'restore', active.profile, 'apps', newest)).toMatchObject({ code: 4, out: expect.stringContaining('receives its repositories') });
  });

  repositoryTest('a switchover and a stop leave nothing behind that was in the folder before, and are no warning', { apps: { when: 'join' } }, async ({ pair, at }) => {
    const { primary, secondary } = pair;
    await fill(at(primary, 'apps'), { one: '1' });
    primary.start();
    await primary.reachesState('STANDALONE', 'WAITING');
    secondary.start();
    await secondary.reachesState('PASSIVE');
    await primary.reachesState('ACTIVE');
    await fill(at(primary, 'apps'), { two: '2' });
    expect(await lockstep('switchover', primary.profile)).toMatchObject({ code: 0 });
    await secondary.reachesState('ACTIVE');
    await primary.reachesState('PASSIVE');
    expect(await readFile(join(at(secondary, 'apps'), 'two'), 'utf8')).toBe('2');
    await fill(at(secondary, 'apps'), { three: '3' });
    expect(await lockstep('stop', secondary.profile)).toMatchObject({ code: 0 });
    await primary.reachesState('STANDALONE');
    expect(await readFile(join(at(primary, 'apps'), 'three'), 'utf8')).toBe('3');
    for (const server of [primary, secondary]) expect(server.console.join('\n')).not.toMatch(/was not in sync|may lack/);
  });

  repositoryTest('a keeper that is killed in the middle of it: the sync comes to its end all the same', { apps: { throttle: '512KiB' } }, async ({ pair, at }) => {
    const { primary, secondary } = pair;
    const block = 'x'.repeat(64 * 1024);
    await fill(at(primary, 'apps'), Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`f${index}`, `${index}${block}`])));
    await fill(at(secondary, 'apps'), { old: 'whole' });
    primary.start();
    await primary.reachesState('STANDALONE', 'WAITING');
    secondary.start();
    await secondary.reaches('a sync under way', ({ repositories }) => (repositories.here[0]?.progress?.bytesDone ?? 0) > 0);
    secondary.send('repositories', 'SIGKILL');
    // Nothing of it is seen before all of it is.
    expect(await readdir(at(secondary, 'apps'))).toEqual(['old']);
    await secondary.reachesState('PASSIVE');
    await becomesEqual('apps', at(primary, 'apps'), at(secondary, 'apps'));
    expect(secondary.pid('broker')).not.toBeNull();
  });

  repositoryTest('a repository that cannot be written: the peer is admitted with a warning, and the old tree stays', { apps: {} }, async ({ pair, at }) => {
    const { primary, secondary } = pair;
    await fill(at(primary, 'apps'), { one: '1' });
    // A file where the folder beside it should be: no user, not even root, can make that folder.
    await fill(join(at(secondary, 'apps'), '..'), { 'apps/old': 'stays', '.apps.lockstep': 'in the way' });
    primary.start();
    await primary.reachesState('STANDALONE', 'WAITING');
    secondary.start();
    await secondary.reachesState('PASSIVE');
    await primary.says('was admitted though its repository apps is not in sync');
    expect(await readFile(join(at(secondary, 'apps'), 'old'), 'utf8')).toBe('stays');
    await secondary.reaches('the reason', ({ repositories }) => repositories.here[0]?.condition === 'failed' && repositories.here[0].detail !== null);
    await unlink(join(at(secondary, 'apps'), '..', '.apps.lockstep'));
    await inSync(secondary, 'apps');
    await becomesEqual('apps', at(primary, 'apps'), at(secondary, 'apps'));
  });
});

test('a pair without repositories starts no fourth process', async () => {
  const pair = await Pair.make();
  try {
    const { active } = await pair.start();
    expect(active.pid('repositories')).toBeNull();
    expect((await active.status())?.repositories).toMatchObject({ pid: null, here: [], peer: [] });
  } finally {
    await pair.clear();
  }
}, TEST_MS_MAX);
