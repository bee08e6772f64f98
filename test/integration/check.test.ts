import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLocalState, STATE_FILE } from '../../src/adapters/local-state.js';
import type { Term } from '../../src/core/identity.js';
import { encodeShareIdentity } from '../../src/core/terms/codec.js';
import { termFileName } from '../../src/core/terms/names.js';
import { lockstep } from './support/cli.js';
import { fillUp, MAY_MOUNT, onTmpfs } from './support/mounts.js';
import { pairTest } from './support/pair.js';
import { freePorts } from './support/ports.js';
import { writeProfile } from './support/profiles.js';

pairTest('check leaves nothing behind, also where the folders are not there yet', async ({ primary, layout }) => {
  const { code, out } = await lockstep('check', primary.profile);
  expect(code).toBe(0);
  expect(out).toMatch(/ok +folder +data\.folder .* has \d+ MiB of room/);
  expect(out).toContain(`ha.lockFile ${join(layout.share, 'lockstep.lck')} is not there yet`);
  expect(readdirSync(join(layout.folder, 'primary'))).toEqual(['lockstep.yaml']);
  expect(readdirSync(layout.share)).toEqual([]);
});

pairTest('a data folder that others can read is a warning; one that a start made is for its user alone', async (pair) => {
  const { primary } = pair;
  mkdirSync(primary.data, { mode: 0o755 });
  const { code, out } = await lockstep('check', primary.profile);
  expect(code).toBe(0);
  expect(out).toMatch(/WARNING +folder +data\.folder .* is open to other users of this machine \(mode 755\).*chmod 700/);
  rmSync(primary.data, { recursive: true });

  const { active } = await pair.start();
  expect((await lockstep('check', active.profile)).out).not.toContain('is open to other users');
  for (const { data } of pair.servers) {
    const made = readdirSync(data, { recursive: true, encoding: 'utf8' }).filter((path) => path.startsWith(join('broker', 'journal')) || path.startsWith(join('broker', 'snapshots')));
    expect(made.length).toBeGreaterThan(3);
    const open = ['.', 'broker', ...made].filter((path) => (statSync(join(data, path)).mode & 0o077) !== 0);
    expect(open).toEqual([]);
  }
});

pairTest('a server that runs and is paused is not taken for another program; what was asked of it meanwhile, by one who gave up, is not done when it goes on', async (pair) => {
  const { passive } = await pair.start();
  const pid = passive.send('manager', 'SIGSTOP');
  const { code, out } = await lockstep('check', passive.profile);
  const asked = fetch(`http://127.0.0.1:${passive.ports.admin}/stop`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}', signal: AbortSignal.timeout(300) });
  await expect(asked).rejects.toMatchObject({ name: 'TimeoutError' });
  const before = passive.console.length;
  passive.send('manager', 'SIGCONT');
  expect(code).toBe(1);
  expect(out).toContain(`FAILS    ports     this server runs (process ${pid}, so says ${join(passive.data, 'manager.pid')}) and does not answer: `);
  expect(out).not.toContain('another program');
  expect(out).toMatch(/ok +ports +ha\.port .* is in use while this server runs/);
  await passive.says('Dropped /stop: whoever asked for it had hung up', before);
  await pair.inStep();
});

pairTest('a link that is closed while the other server runs is what the pair cannot do its work without', async (pair) => {
  const { passive } = await pair.start();
  const { layout } = pair;
  const right = await lockstep('check', passive.profile);
  expect(right).toMatchObject({ code: 0, out: expect.stringMatching(/ok +peer +backupReplicationPort .* accepts connections/) });
  expect(right.out).not.toContain('backupRepositoryPort');
  const [nobodys, another, own] = await freePorts(3);
  const folder = join(layout.folder, 'applications');
  mkdirSync(folder);
  await writeProfile(layout, passive.role, { peer: { backupReplicationPort: nobodys, backupRepositoryPort: another }, ha: { repositoryPort: own }, repositories: { applicationRepositoryPath: folder } });
  const { code, out } = await lockstep('check', passive.profile);
  expect(code).toBe(1);
  expect(out).toMatch(new RegExp(`FAILS +peer +backupReplicationPort 127\\.0\\.0\\.1:${nobodys} is closed, though the other server runs: the two never come into step\\. Make it the ha\\.replicationPort`));
  expect(out).toMatch(new RegExp(`WARNING +peer +backupRepositoryPort 127\\.0\\.0\\.1:${another} is closed, though the other server runs: no repository is synced`));
});

pairTest('a backchannel port that is not the other server’s: closed while another one answers, and the two ports the wrong way round', async (pair) => {
  const { passive } = await pair.start();
  const { layout } = pair;
  const other = pair.other(passive).ports;
  const [nobodys] = await freePorts(1);
  await writeProfile(layout, passive.role, { peer: { backupHaPort: nobodys } });
  const closed = await lockstep('check', passive.profile);
  expect(closed.code).toBe(1);
  expect(closed.out).toMatch(new RegExp(`FAILS +peer +backupHaPort 127\\.0\\.0\\.1:${nobodys} is closed, though another port of that server answers \\(backupAdminPort 127\\.0\\.0\\.1:${other.admin}\\): .*peer\\.backupHaPort of this profile and ha\\.port of the other one`));
  expect(closed.out).not.toContain('the other server does not run');
  await writeProfile(layout, passive.role, { peer: { backupHaPort: nobodys, backupAdminPort: nobodys } });
  expect((await lockstep('check', passive.profile)).out).toMatch(new RegExp(`FAILS +peer +backupHaPort .* answers \\(backupReplicationPort 127\\.0\\.0\\.1:${other.replication}\\)`));
  await writeProfile(layout, passive.role, { peer: { backupHaPort: other.replication, backupReplicationPort: other.ha } });
  expect((await lockstep('check', passive.profile)).out).toMatch(/WARNING +peer +backupHaPort .* accepts connections, and it says nothing within 3000 ms; .* or it is another port of that server: compare peer\.backupHaPort with ha\.port of the other profile/);
});

pairTest('names that have no address, of the other server and of the gateway', async ({ primary, layout }) => {
  const secretFile = join(layout.folder, 'secret');
  writeFileSync(secretFile, 'x'.repeat(64), { mode: 0o600 });
  await writeProfile(layout, 'primary', { peer: { backupHaIpAddress: 'no-such-peer.invalid' }, ha: { gatewayServerIpAddress: 'no-such-gateway.invalid', secretFile } });
  const { code, out } = await lockstep('check', primary.profile);
  expect(code).toBe(1);
  expect(out).toMatch(/FAILS +gateway +ha\.gatewayServerIpAddress: the name no-such-gateway\.invalid cannot be resolved: .* \((ENOTFOUND|EAI_AGAIN)\)\. Correct it/);
  expect(out.split('\n').filter((line) => /^\S+ +peer /.test(line))).toEqual([expect.stringMatching(/^WARNING +peer +peer\.backupHaIpAddress: the name no-such-peer\.invalid cannot be resolved: /)]);
  expect(out).not.toContain('getaddrinfo');
});

pairTest('a share that is not mounted is one readable line', async ({ primary, layout }) => {
  rmSync(layout.share, { recursive: true });
  const { code, out } = await lockstep('check', primary.profile);
  expect(code).toBe(1);
  expect(out.split('\n').filter((line) => / share /.test(line) && !/ok|profile/.test(line))).toEqual([`FAILS    share     ha.lockFile ${join(layout.share, 'lockstep.lck')}: the folder ${layout.share} is not there: is the share mounted?`]);
  expect(out).not.toContain('ENOENT');
});

pairTest('a share of another cluster, another share than before, a lockfile that is gone', async ({ primary, layout }) => {
  const lockFile = join(layout.share, 'lockstep.lck');
  const identity = (cluster: string, share: string): Uint8Array => encodeShareIdentity({ schema: 1, share, cluster, method: 'link' });
  writeFileSync(lockFile, identity('stranger', 'share-9'));
  expect(await lockstep('check', primary.profile)).toMatchObject({ code: 1, out: expect.stringContaining(`FAILS    share     ha.lockFile ${lockFile} belongs to the cluster "stranger", this server to "tested"; give each cluster a lockfile of its own`) });
  writeFileSync(lockFile, '');
  expect(await lockstep('check', primary.profile)).toMatchObject({ code: 1, out: expect.stringMatching(/FAILS +share +ha\.lockFile .* cannot be believed: it is empty\. On a new share, remove the file/) });

  mkdirSync(primary.data, { mode: 0o700 });
  await createLocalState(primary.data).keep({ schema: 1, record: null, shareId: 'share-1' });
  writeFileSync(lockFile, identity('tested', 'share-1'));
  expect(await lockstep('check', primary.profile)).toMatchObject({ code: 0, out: expect.stringContaining(`ok       share     ha.lockFile ${lockFile} is there\n`) });
  writeFileSync(lockFile, identity('tested', 'share-2'));
  expect(await lockstep('check', primary.profile)).toMatchObject({ code: 0, out: expect.stringMatching(/WARNING +share +ha\.lockFile .* is that of another share than the one that this server knows \(its id is share-2, not share-1/) });
  rmSync(lockFile);
  expect(await lockstep('check', primary.profile)).toMatchObject({ code: 0, out: expect.stringMatching(/WARNING +share +ha\.lockFile .* is not there, but this server has worked with a share before .*: is the share mounted\?/) });
  mkdirSync(`${lockFile}.terms`);
  writeFileSync(join(`${lockFile}.terms`, termFileName(1 as Term, 'link')), '');
  writeFileSync(join(primary.data, STATE_FILE), '{}');
  const { code, out } = await lockstep('check', primary.profile);
  expect(code).toBe(1);
  expect(out).toMatch(/FAILS +share +ha\.lockFile .* is gone, but term records stand beside it/);
  expect(out).toMatch(/FAILS +folder +cannot believe .*manager-state\.json: /);
});

pairTest('a lockfile that is a folder', async ({ primary, layout }) => {
  mkdirSync(join(layout.share, 'lockstep.lck'));
  const { code, out } = await lockstep('check', primary.profile);
  expect(code).toBe(1);
  expect(out).toMatch(/FAILS +share +ha\.lockFile .* is a folder/);
});

pairTest('a data folder on the share is a warning', async ({ primary, layout }) => {
  await writeProfile(layout, 'primary', { data: { folder: '../share/data' } });
  const { out } = await lockstep('check', primary.profile);
  expect(out).toMatch(/WARNING +profile +.* data\.folder: .* lies on the share/);
});

(process.platform === 'linux' ? pairTest : (name: string) => test.skip(name, () => undefined))('folders that cannot be made (/proc)', async ({ primary, layout }) => {
  await writeProfile(layout, 'primary', { data: { folder: '/proc/nosuch/data' }, ha: { lockFile: '/proc/nosuch/l.lck' } });
  const { code, out } = await lockstep('check', primary.profile);
  expect(code).toBe(1);
  expect(out).toContain('data.folder /proc/nosuch/data cannot be made: /proc takes no new folders');
  expect(out).toContain('the folder /proc/nosuch is not there: is the share mounted?');
});

if (MAY_MOUNT) {
  pairTest('a full disk, and one with less room than a segment', async ({ primary, layout }) => {
    await onTmpfs(primary.data, '8m', async () => {
      const short = await lockstep('check', primary.profile);
      expect(short).toMatchObject({ code: 1, out: expect.stringMatching(/FAILS +folder +data\.folder .* has 8 MiB of room, less than the next segment of the journal takes \(data\.segmentBytes, 64MiB\)/) });
      await writeProfile(layout, 'primary', { data: { folder: 'data', segmentBytes: '1MiB' } });
      expect(await lockstep('check', primary.profile)).toMatchObject({ code: 0, out: expect.stringMatching(/WARNING +folder +data\.folder .* has 8 MiB of room; the journal grows to about 1027MiB/) });
      fillUp(primary.data);
      const full = await lockstep('check', primary.profile);
      expect(full).toMatchObject({ code: 1, out: expect.stringMatching(/FAILS +folder +data\.folder .* cannot be written: there is no room \(ENOSPC\)/) });
      writeFileSync(join(primary.data, 'ballast'), '');
      expect(readdirSync(primary.data)).toEqual(['ballast']);
    });
  });
} else test.skip('a full disk (without the right to mount)', () => undefined);
