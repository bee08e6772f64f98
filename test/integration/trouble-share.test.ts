import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { judgeMount, parseMounts } from '../../src/adapters/mount-options.js';
import { renderFinding } from '../../src/cli/check/finding.js';
import { mountFindings } from '../../src/cli/check/share.js';
import { troubleOf } from '../../src/share/failure.js';
import { lockstep } from './support/cli.js';
import { fillUp, MAY_MOUNT, onFreezable, onTmpfs } from './support/mounts.js';
import { pairTest, type Pair } from './support/pair.js';
import type { TestServer } from './support/server.js';

const LONG_ENOUGH_MS = 2_500;

function lockFileOf(pair: Pair): string {
  return join(pair.layout.share, 'lockstep.lck');
}

function newestRecord(pair: Pair): string {
  const folder = `${lockFileOf(pair)}.terms`;
  return join(folder, readdirSync(folder).filter((name) => name.endsWith('.json')).sort().at(-1) ?? 'none');
}

async function staysInSync(active: TestServer, passive: TestServer): Promise<void> {
  await Promise.all([active.staysIn('ACTIVE', LONG_ENOUGH_MS), passive.staysIn('PASSIVE', LONG_ENOUGH_MS)]);
}

describe('the share is not there', () => {
  pairTest('at the start: both wait and say why; the pair serves when it appears', async (pair) => {
    rmSync(pair.layout.share, { recursive: true });
    for (const server of pair.servers) server.start();
    const status = await pair.primary.reaches('the share is missed', ({ lock }) => lock.share === 'absent');
    expect(status).toMatchObject({ state: 'WAITING', lock: { detail: `the folder of the lockfile ${lockFileOf(pair)} is not there: is the share mounted?` } });
    await pair.primary.says(`WARN  The share is absent: the folder of the lockfile ${lockFileOf(pair)} is not there: is the share mounted?`);
    const shown = await lockstep('status', pair.primary.profile);
    expect(shown.out).toMatch(/lock: +not held; share absent \(the folder of the lockfile .* is not there: is the share mounted\?\)/);
    mkdirSync(pair.layout.share);
    await pair.inStep();
    await pair.primary.says('INFO  The share is well again');
  });

  pairTest('any more, and comes back: the pair in sync goes on without it, and can change roles again afterwards', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    renameSync(pair.layout.share, `${pair.layout.share}.away`);
    await active.reaches('the share is missed', ({ lock }) => lock.share === 'absent' && !lock.held);
    await active.says('Lost lock on:');
    await staysInSync(active, passive);
    await active.reaches('advice', ({ advice }) => advice?.includes(`cannot go on alone when the ${passive.role} server is lost`) ?? false);
    await passive.reaches('advice', ({ advice }) => advice?.includes(`cannot take over when the ${active.role} server is lost`) ?? false);
    await traffic.flows();
    renameSync(`${pair.layout.share}.away`, pair.layout.share);
    await active.reaches('the lock is back, and no advice', ({ lock, advice }) => lock.held && advice === null);
    await active.killWhole();
    await passive.reachesState('STANDALONE');
    await traffic.settle();
  });

  pairTest('any more when the broker of the ACTIVE server dies: nobody serves, both say so and what to do, and the pair goes on when it is back', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    renameSync(pair.layout.share, `${pair.layout.share}.away`);
    for (const server of pair.servers) await server.reaches('the share is missed', ({ lock }) => lock.share === 'absent' && !lock.held);
    active.send('broker', 'SIGKILL');
    const why = `obody serves: this server cannot take over without the share (the folder of the lockfile ${lockFileOf(pair)} is not there: is the share mounted?)`;
    for (const server of [active, passive]) {
      await server.reaches('advice', ({ advice }) => advice?.includes(`n${why}`) ?? false);
      await server.says(`WARN  N${why}`);
    }
    renameSync(`${pair.layout.share}.away`, pair.layout.share);
    await pair.inStep();
    await traffic.settle();
  });

  pairTest('and an empty folder stands in its place: neither serves on it alone, both together begin a term above all that they know', async (pair) => {
    const { active } = await pair.start();
    const traffic = await pair.traffic();
    const before = (await active.status())?.term ?? 0;
    rmSync(pair.layout.share, { recursive: true });
    mkdirSync(pair.layout.share);
    await active.says('the share was replaced: it lacks records that this server has kept');
    const after = await pair.inStep();
    expect((await after.active.status())?.term).toBeGreaterThan(before);
    await traffic.settle();
  });
});

describe('what stands on the share is not what it should be', () => {
  pairTest('a folder in the place of the lockfile: said by name, the pair in sync goes on, and all is well when it is removed', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    const lockFile = lockFileOf(pair);
    renameSync(lockFile, `${lockFile}.kept`);
    mkdirSync(lockFile);
    const { lock } = await active.reaches('the folder is noticed', (status) => status.lock.share === 'failed');
    expect(lock.detail).toBe(`the lockfile ${lockFile} is a folder; remove or rename it, or choose another lockFile`);
    await staysInSync(active, passive);
    rmSync(lockFile, { recursive: true });
    renameSync(`${lockFile}.kept`, lockFile);
    // For a moment nothing was in its place: where the serving server looked just then, it gave way, and the other one serves.
    await active.reaches('the share is well', (status) => status.lock.share === 'ok');
    const now = await pair.inStep();
    await now.active.reaches('the lock', (status) => status.lock.share === 'ok' && status.lock.held);
    await traffic.settle();
  });

  pairTest('garbage in the newest term record, and in one above it: named with what to do; nobody serves on a guess, and the pair goes on when it is mended', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    const above = newestRecord(pair).replace(/(\d+)\.json$/, (_all, digits: string) => `${String(Number(digits) + 1).padStart(digits.length, '0')}.json`);
    writeFileSync(above, 'garbage');
    const { lock } = await active.reaches('the garbage is noticed', (status) => status.lock.share === 'failed');
    expect(lock.detail).toContain(`${above.split('/').slice(-2).join('/')} cannot be believed`);
    await staysInSync(active, passive);
    await traffic.flows();
    // Its number is used, whatever it says: nobody can go on alone.
    passive.send('broker', 'SIGKILL');
    const waiting = await active.reachesState('WAITING');
    expect(waiting.serving).toBe(false);
    rmSync(above);
    await pair.inStep();
    await traffic.settle();
  });
});

describe(MAY_MOUNT ? 'a share in trouble, on real mounts' : 'a share in trouble (without the right to mount: how it is judged)', () => {
  if (!MAY_MOUNT) {
    test.each([['EROFS', 'read-only'], ['EACCES', 'denied'], ['EPERM', 'denied'], ['ENOSPC', 'full'], ['EDQUOT', 'full'], ['ESTALE', 'absent']])('%s is %s', (code, condition) => {
      expect(troubleOf(Object.assign(new Error(code), { code }), 'trying', 'uid 1000').condition).toBe(condition);
    });
    return;
  }

  pairTest('read-only under way: the pair in sync goes on and says so; the lock comes back when it can be written', async (pair) => {
    await onTmpfs(pair.layout.share, '1m', async (mount) => {
      const { active, passive } = await pair.start();
      const traffic = await pair.traffic();
      mount.remount('ro');
      await active.reaches('read-only is noticed', ({ lock }) => lock.share === 'read-only' && !lock.held);
      await active.says(/WARN {2}The share is read-only: EROFS/);
      await staysInSync(active, passive);
      await traffic.flows();
      mount.remount('rw');
      await active.reaches('the lock is back', ({ lock }) => lock.share === 'ok' && lock.held);
      await traffic.settle();
    });
  });

  pairTest('full when a term must be claimed: nobody serves, it is said, and the server goes on by itself when there is room', async (pair) => {
    await onTmpfs(pair.layout.share, '256k', async () => {
      const { active, passive } = await pair.start();
      const traffic = await pair.traffic();
      const makeRoom = fillUp(pair.layout.share);
      await passive.killWhole();
      const status = await active.reachesState('WAITING');
      expect(status.serving).toBe(false);
      const full = await active.reaches('full is told', ({ lock }) => lock.share === 'full');
      expect(full.lock.detail).toMatch(/ENOSPC|no space/i);
      await active.says(/WARN {2}The share is full/);
      makeRoom();
      await active.reachesState('STANDALONE');
      passive.start();
      await pair.inStep();
      await traffic.settle();
    });
  });

  pairTest('hung, so that not even SIGKILL ends the keeper: serving goes on, a stop is not held up, and all is well when it answers again', async (pair) => {
    await onFreezable(pair.layout.share, async ({ freeze, thaw }) => {
      const { active, passive } = await pair.start();
      const traffic = await pair.traffic();
      freeze();
      await active.says(/The share keeper hangs \(the share has not answered for \d+ ms/);
      const { lock } = await active.reaches('the lock is gone', (status) => !status.lock.held);
      expect(lock.held).toBe(false);
      await staysInSync(active, passive);
      await traffic.flows();
      thaw();
      await active.reaches('the lock is back', (status) => status.lock.share === 'ok' && status.lock.held);
      await traffic.flows();
      freeze();
      await passive.stop();
      expect(passive.exit).toBe(0);
      thaw();
      await active.reachesState('STANDALONE');
      await traffic.settle();
    });
  });
});

pairTest('a share keeper that is stopped dead: killed and started anew, and clients notice nothing', async (pair) => {
  const { active } = await pair.start();
  const traffic = await pair.traffic();
  const pid = active.send('keeper', 'SIGSTOP');
  await active.says(/The share keeper gave no answer for \d+ ms; it is killed and started anew/);
  await active.reaches('the lock is back', ({ lock }) => lock.held);
  expect(active.pid('keeper')).not.toBe(pid);
  expect((await active.status())?.history.filter(({ to }) => to === 'WAITING')).toEqual([]);
  await traffic.settle();
});

test('a mount whose options allow stale reads: refused, and check says which options are missing (the judgement; no NFS server is at hand here)', () => {
  const [mount] = parseMounts('36 35 0:42 / /mnt/s rw,relatime shared:1 - nfs4 gateway:/srv rw,vers=4.2,hard,proto=tcp');
  if (mount === undefined) throw new Error('no mount');
  const lines = mountFindings(judgeMount(mount)).map(renderFinding);
  expect(lines.join('\n')).toMatch(/^FAILS +share +\/mnt\/s \(nfs4 of gateway:\/srv\): .*(noac|actimeo=0)/m);
});
