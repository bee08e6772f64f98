import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { identityOf, identityText, stillLives } from '../../../src/adapters/process-identity.js';
import { becomeSoleWriter } from '../../../src/adapters/sole-writer.js';
import { FakeLog } from '../../unit/support/fake-log.js';

let folder: string;
let file: string;
let other: ChildProcess;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'lockstep-sole-'));
  file = path.join(folder, 'broker.pid');
  other = spawn(process.execPath, ['-e', "process.stdout.write('up'); setInterval(() => undefined, 1000)"], { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(other.stdout as NodeJS.ReadableStream, 'data');
});

afterEach(async () => {
  other.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

const pid = (): number => other.pid ?? 0;

test('an earlier process is gone before this one is named, also one that is stopped and could wake up later', async () => {
  await writeFile(file, identityText(identityOf(pid())));
  other.kill('SIGSTOP');
  const ended = once(other, 'exit');
  await becomeSoleWriter(file, new FakeLog(), () => false);
  expect(await readFile(file, 'utf8')).toBe(identityText(identityOf(process.pid)));
  expect((await ended)[1]).toBe('SIGKILL');
  expect(stillLives(identityOf(pid()))).toBe(false);
});

test('a program that was given the number since is left alone', async () => {
  await writeFile(file, `${pid()} ${identityOf(pid()).begun}0\n`);
  await becomeSoleWriter(file, new FakeLog(), () => false);
  expect(await readFile(file, 'utf8')).toBe(identityText(identityOf(process.pid)));
  expect(stillLives(identityOf(pid()))).toBe(true);
});

test.each(['', 'garbage', '123456789 x'])('a file that names nobody who is there is replaced: "%s"', async (text) => {
  await writeFile(file, text);
  await becomeSoleWriter(file, new FakeLog(), () => false);
  expect(await readFile(file, 'utf8')).toBe(identityText(identityOf(process.pid)));
});

test('an orphan ends nobody and is named nowhere: the one that is named may be its successor', async () => {
  const named = identityText(identityOf(pid()));
  await writeFile(file, named);
  const log = new FakeLog();
  expect(await becomeSoleWriter(file, log, () => true)).toBe(false);
  expect(await readFile(file, 'utf8')).toBe(named);
  expect(stillLives(identityOf(pid()))).toBe(true);
  expect(log.lines).toEqual([]);
});

test('orphaned while the earlier one was on its way out, it is not named', async () => {
  const named = identityText(identityOf(pid()));
  await writeFile(file, named);
  let asked = 0;
  expect(await becomeSoleWriter(file, new FakeLog(), () => (asked += 1) > 1)).toBe(false);
  expect(await readFile(file, 'utf8')).toBe(named);
});

test.each(['dist/server/main.js', 'dist/repository/main.js'])('%s without a parent leaves a living process and its folder alone', async (module) => {
  const named = identityText(identityOf(pid()));
  for (const name of ['broker.pid', 'keeper.pid']) await writeFile(path.join(folder, name), named);
  const config = { broker: { cluster: 'test', server: 'one' }, cluster: 'test', server: 'one', folder, durability: 'both', secretFile: null, clients: { host: '127.0.0.1', port: 1, tls: null, usersFile: null } };
  const orphan = spawn(process.execPath, [path.resolve(module), JSON.stringify(config)], { stdio: 'ignore' });
  await once(orphan, 'exit');
  expect(stillLives(identityOf(pid()))).toBe(true);
  expect(other.exitCode ?? other.signalCode).toBeNull();
  expect((await readdir(folder)).sort()).toEqual(['broker.pid', 'keeper.pid']);
});
