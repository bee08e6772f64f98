import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { createServer, connect, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { becomesEqual, fill, inSync, lockstep, repositoryTest, treeOf, type Case } from './support/repositories.js';
import type { Part } from './support/server.js';
import { until } from './support/until.js';

/* Repositories of two whole servers: an authenticated link, a disk that is full, a serving server that stood still. */

const MIB = 1024 * 1024;
const SENTENCE = 'this sentence is not to be read on the way';

/** Hands on what comes, and remembers it. */
class Listener {
  readonly heard: Buffer[] = [];
  private readonly sockets = new Set<Socket>();
  private server: Server | null = null;
  port = 0;

  async listen(to: () => number): Promise<void> {
    this.server = createServer((near) => {
      const far = connect(to(), '127.0.0.1');
      for (const socket of [near, far]) {
        this.sockets.add(socket);
        socket.on('error', () => socket.destroy()).on('close', () => [near, far].forEach((one) => one.destroy()));
      }
      near.on('data', (bytes: Buffer) => (this.heard.push(bytes), far.write(bytes)));
      far.on('data', (bytes: Buffer) => (this.heard.push(bytes), near.write(bytes)));
    });
    await new Promise<void>((resolve) => this.server?.listen(0, '127.0.0.1', resolve));
    const address = this.server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
  }

  close(): void {
    this.server?.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

/** The passive server's repository lies where 8 MiB have room. */
async function onSmallDisk({ pair, at }: Case): Promise<void> {
  const { primary, secondary } = pair;
  await fill(at(primary, 'apps'), { one: '1' });
  await writeFile(join(at(primary, 'apps'), 'large'), randomBytes(12 * MIB));
  await fill(at(secondary, 'apps'), { old: 'stays' });
  primary.start();
  await primary.reachesState('STANDALONE', 'WAITING');
  secondary.start();
  await secondary.says(/Repository apps is not in sync: ENOSPC.* The disk is full: make room/);
  expect(await treeOf(at(secondary, 'apps'))).toMatchObject({ old: expect.stringContaining('stays') });
  await secondary.reachesState('PASSIVE');
  await primary.says('was admitted though its repository apps is not in sync');
  expect(Object.keys(await treeOf(at(secondary, 'apps')))).toEqual(['old']);
  await unlink(join(at(primary, 'apps'), 'large'));
  // By itself only after a while, which has grown by now.
  expect(await lockstep('repo', 'sync', primary.profile, 'apps')).toMatchObject({ code: 0 });
  await inSync(secondary, 'apps');
  await becomesEqual('apps', at(primary, 'apps'), at(secondary, 'apps'));
}

describe('repositories of a pair, in trouble', () => {
  const listener = new Listener();
  let target = 0;
  afterAll(() => listener.close());

  repositoryTest(
    'with a secret the link is TLS: nothing can be read on the way, and who has another secret gets nothing',
    { apps: {} },
    async ({ pair, at, ports, base }) => {
      const { primary, secondary } = pair;
      target = ports.primary;
      await fill(at(primary, 'apps'), { 'a/file': SENTENCE });
      await fill(at(secondary, 'apps'), { old: 'x' });
      primary.start();
      await primary.reachesState('STANDALONE', 'WAITING');
      secondary.start();
      await secondary.reachesState('PASSIVE');
      await becomesEqual('apps', at(primary, 'apps'), at(secondary, 'apps'));
      const heard = Buffer.concat(listener.heard);
      expect(heard.length).toBeGreaterThan(SENTENCE.length);
      // A handshake of TLS, and nothing in clear.
      expect([heard[0], heard[1]]).toEqual([0x16, 0x03]);
      for (const word of [SENTENCE, 'a/file', 'apps']) expect(heard.includes(word)).toBe(false);
      await secondary.stop();
      await writeFile(join(base, 'secondary', 'pair.secret'), randomBytes(32).toString('hex'), { mode: 0o600 });
      await fill(at(primary, 'apps'), { later: 'only here' });
      const from = primary.console.length;
      secondary.start();
      await primary.says(/secret|did not prove|TLS/i, from);
      expect(existsSync(join(at(secondary, 'apps'), 'later'))).toBe(false);
    },
    {},
    async (base) => {
      const secret = randomBytes(32).toString('hex');
      for (const role of ['primary', 'secondary']) await writeFile(join(base, role, 'pair.secret'), secret, { mode: 0o600 });
      await listener.listen(() => target);
      return {
        primary: { ha: { secretFile: join(base, 'primary', 'pair.secret') } },
        secondary: { ha: { secretFile: join(base, 'secondary', 'pair.secret') }, peer: { backupRepositoryPort: listener.port } },
      };
    },
  );

  const small = { mounted: null as string | null };

  repositoryTest(
    'a disk that is full: the sync fails and says so, the old tree stays, the peer is admitted, and it goes on when there is room',
    { apps: {} },
    async (given) => {
      if (small.mounted === null) {
        process.stderr.write('Not tried: a full disk takes a small file system of its own, which only root can mount.\n');
        return;
      }
      try {
        await onSmallDisk(given);
      } finally {
        execFileSync('umount', ['-l', small.mounted]); // Lazily: the servers end after this.
        small.mounted = null;
      }
    },
    {},
    async (base) => {
      if (process.getuid?.() !== 0) return {};
      const mount = join(base, 'secondary', 'small');
      await mkdir(mount);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', mount]);
      small.mounted = mount;
      return { secondary: { folders: { apps: { path: join(mount, 'apps') } } } };
    },
  );

  repositoryTest('a serving server that stood still in the midst of a sync changes nothing when it wakes; what it alone had is kept, and a kept version can be brought back', { apps: { throttle: '512KiB' } }, async ({ pair, at }) => {
    const { primary, secondary } = pair;
    await fill(at(primary, 'apps'), { one: 'first', two: '2' });
    await fill(at(secondary, 'apps'), { one: 'first', two: '2' });
    const { active, passive } = await pair.start();
    await inSync(passive, 'apps');
    await writeFile(join(at(active, 'apps'), 'one'), 'second');
    await becomesEqual('a change', at(active, 'apps'), at(passive, 'apps'));
    await writeFile(join(at(active, 'apps'), 'large'), randomBytes(16 * MIB));
    await passive.reaches('a sync under way', ({ repositories }) => (repositories.here[0]?.progress?.bytesDone ?? 0) > 0);
    const parts: readonly Part[] = ['manager', 'keeper', 'broker', 'repositories'];
    for (const part of parts) active.send(part, 'SIGSTOP');
    await passive.reachesState('STANDALONE');
    await fill(at(passive, 'apps'), { 'of the new one': 'counts' });
    const before = await treeOf(at(passive, 'apps'));
    expect(Object.keys(before).sort()).toEqual(['of the new one', 'one', 'two']);
    const from = active.console.length;
    for (const part of [...parts].reverse()) active.send(part, 'SIGCONT');
    await active.reachesState('PASSIVE');
    await becomesEqual('the old one', at(passive, 'apps'), at(active, 'apps'));
    expect(await treeOf(at(passive, 'apps'))).toEqual(before);
    await active.says(/kept as .*large/, from);

    // Of when it was passive.
    const status = await passive.reaches('a kept version', ({ repositories }) => (repositories.here[0]?.kept.length ?? 0) > 0);
    const version = status.repositories.here[0]?.kept[0] ?? '';
    expect(await lockstep('repo', 'restore', passive.profile, 'apps', version, 'one')).toMatchObject({ code: 0 });
    expect(await readFile(join(at(passive, 'apps'), 'one'), 'utf8')).toBe('first');
    await until('the other one follows', async () => (await readFile(join(at(active, 'apps'), 'one'), 'utf8')) === 'first');
  });
});
