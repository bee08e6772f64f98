import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HANGS_MS, RotatingFile } from '../../../src/log/rotating-file.js';

/*
 * The HA manager waits for its log at a move, so that the line outlives it. A log on a disk that hangs (a folder on a share that is away) must not
 * keep a server from serving.
 */
let folder: string;

beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'lockstep-log-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Answers an append when it is told to. */
function slowDisk(): { at: number; written: string; answer: () => Promise<void>; file: RotatingFile } {
  let done: () => void = () => undefined;
  const disk = {
    at: 0,
    written: '',
    answer: async (): Promise<void> => {
      done();
      for (let i = 0; i < 10; i += 1) await Promise.resolve();
    },
  };
  const system = {
    appendNow: (_: string, text: string) => void (disk.written += `now:${text}`),
    append: async (_: string, text: string) => {
      await new Promise<void>((resolve) => (done = resolve));
      disk.written += text;
    },
    time: () => disk.at,
  };
  return Object.assign(disk, { file: new RotatingFile({ folder, name: 'log', bytesMax: 1e6, filesMax: 2, onTrouble: () => undefined, disk: system }) });
}

test('a line that must be written now is, while the disk is only slow', async () => {
  const disk = slowDisk();
  disk.file.write('one');
  await Promise.resolve();
  disk.at = HANGS_MS;
  disk.file.writeNow('move');
  expect(disk.written).toBe('now:move\n');
});

test('a line that must be written now waits as any other where the disk hangs, and comes when it goes on', async () => {
  const disk = slowDisk();
  disk.file.write('one');
  await Promise.resolve();
  disk.at = HANGS_MS + 1;
  disk.file.writeNow('move');
  expect(disk.written).toBe('');
  await disk.answer();
  await disk.answer();
  expect(disk.written).toBe('one\nmove\n');
  disk.file.writeNow('another move');
  expect(disk.written).toBe('one\nmove\nnow:another move\n');
});
