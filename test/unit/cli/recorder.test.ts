import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Recorder } from '../../../src/cli/exercise/recorder.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'lockstep-recorder-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a history in which nothing happened can be discarded, and its name is free again', async () => {
  const path = join(folder, 'history');
  const recorder = await Recorder.create(path, 'c');
  await expect(Recorder.create(path, 'c')).rejects.toMatchObject({ code: 'EEXIST' });
  expect(recorder.isEmpty).toBe(true);
  await recorder.discard();
  expect(existsSync(path)).toBe(false);
});

test('one in which something did is written to its end', async () => {
  const path = join(folder, 'history');
  const recorder = await Recorder.create(path, 'c');
  recorder.tell({ event: 'mark', text: 'a cable is pulled' });
  expect(recorder.isEmpty).toBe(false);
  await recorder.end();
  expect(readFileSync(path, 'utf8').trim().split('\n').map((line) => (JSON.parse(line) as { event?: string }).event)).toEqual([undefined, 'mark', 'end']);
});
