import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
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
  await becomeSoleWriter(file, new FakeLog());
  expect(await readFile(file, 'utf8')).toBe(identityText(identityOf(process.pid)));
  expect((await ended)[1]).toBe('SIGKILL');
  expect(stillLives(identityOf(pid()))).toBe(false);
});

test('a program that was given the number since is left alone', async () => {
  await writeFile(file, `${pid()} ${identityOf(pid()).begun}0\n`);
  await becomeSoleWriter(file, new FakeLog());
  expect(await readFile(file, 'utf8')).toBe(identityText(identityOf(process.pid)));
  expect(stillLives(identityOf(pid()))).toBe(true);
});

test.each(['', 'garbage', '123456789 x'])('a file that names nobody who is there is replaced: "%s"', async (text) => {
  await writeFile(file, text);
  await becomeSoleWriter(file, new FakeLog());
  expect(await readFile(file, 'utf8')).toBe(identityText(identityOf(process.pid)));
});
