import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RotatingFile, type RotatingFileOptions } from '../../../src/log/rotating-file.js';

/*
 * The HA manager says its moves here: a line of one outlives a process that breaks right after, and a log on a disk that hangs (a folder on a share that is
 * away) must not keep a server from serving.
 */
let folder: string;
let troubles: unknown[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-log-'));
  troubles = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function make(changes: Partial<RotatingFileOptions> = {}): RotatingFile {
  return new RotatingFile({ folder, name: 'log', bytesMax: 1e6, filesMax: 2, onTrouble: (error) => troubles.push(error), ...changes });
}

const textOf = (name: string): string => readFileSync(join(folder, name), 'utf8');

/** Has taken a first line, and hangs at the next until it is told to go on. */
async function hungDisk(changes: Partial<RotatingFileOptions> = {}): Promise<{ file: RotatingFile; handed: string[]; goOn: () => void }> {
  const handed: string[] = [];
  let hung: Promise<void> | null = null;
  let goOn = (): void => undefined;
  const append = async (handle: number, bytes: Uint8Array): Promise<number> => {
    handed.push(Buffer.from(bytes).toString());
    await hung;
    return writeSync(handle, bytes);
  };
  const file = make({ ...changes, disk: { append } });
  file.write('first');
  await file.flush();
  hung = new Promise((resolve) => (goOn = resolve));
  handed.length = 0;
  return { file, handed, goOn };
}

test('a line that must be kept is with the system when the call returns, and what came before it in that turn', async () => {
  const { file, handed } = await hungDisk();
  file.write('before');
  file.writeNow('move');
  expect(handed).toEqual(['before\nmove\n']);
});

test('a disk that hangs holds nobody up, and no line overtakes another', async () => {
  const { file, handed, goOn } = await hungDisk();
  file.write('one');
  await Promise.resolve();
  file.writeNow('move');
  file.write('two');
  file.writeNow('another move');
  expect(handed).toEqual(['one\n']);
  goOn();
  await file.flush();
  expect(textOf('log.jsonl')).toBe('first\none\nmove\ntwo\nanother move\n');
});

describe('a process that ends right after', () => {
  test('leaves what waits behind a line that the system was given, which comes to no harm by it', async () => {
    const { file, handed, goOn } = await hungDisk();
    file.write('one');
    await Promise.resolve();
    file.write('two');
    file.writeNow('last word');
    file.flushNow();
    expect(handed).toEqual(['one\n']);
    expect(textOf('log.jsonl')).toBe('first\ntwo\nlast word\n');
    goOn();
    await file.flush();
    expect(textOf('log.jsonl')).toBe('first\ntwo\nlast word\none\n');
  });

  test('leaves each line once, where the file was not open yet', async () => {
    const file = make();
    file.write('one');
    file.writeNow('last word');
    file.flushNow();
    file.flushNow();
    expect(textOf('log.jsonl')).toBe('one\nlast word\n');
    await file.flush();
    file.write('after all');
    await file.flush();
    expect(textOf('log.jsonl')).toBe('one\nlast word\nafter all\n');
  });

  test('leaves them on lines of their own, and says how many were left out', async () => {
    const file = make({ disk: { append: () => Promise.reject(new Error('no room')) } });
    file.write('lost');
    await file.flush();
    writeFileSync(join(folder, 'log.jsonl'), 'whole\npa');
    file.write('last word');
    file.flushNow();
    const [, torn, notice, last] = textOf('log.jsonl').split('\n');
    expect([torn, last]).toEqual(['pa', 'last word']);
    expect(notice).toContain('1 line');
    await file.flush();
  });

  test('ends where they cannot be written', async () => {
    const file = make();
    rmSync(folder, { recursive: true });
    file.write('last word');
    file.flushNow();
    expect(troubles).toHaveLength(1);
    await file.flush();
  });
});

test('what waited for a disk that hung is written into as many files as it takes', async () => {
  const { file, goOn } = await hungDisk({ bytesMax: 20, filesMax: 10 });
  for (let number = 1; number <= 9; number += 1) file.write(`line ${number}`);
  goOn();
  await file.flush();
  const written = readdirSync(folder).map(textOf);
  expect(written.every(({ length }) => length <= 20)).toBe(true);
  expect(written.join('').split('\n').filter((line) => line !== '').sort()).toEqual(['first', ...Array.from({ length: 9 }, (_, i) => `line ${i + 1}`)]);
});

test('lines that could not be written are counted, and what is left of one stays a line of its own', async () => {
  const room = [5, 0, 0, Infinity];
  const append = async (handle: number, bytes: Uint8Array): Promise<number> => {
    const fits = room[0] === Infinity ? Infinity : (room.shift() ?? 0);
    if (fits === 0) throw new Error('no room');
    return writeSync(handle, bytes.subarray(0, fits));
  };
  const file = make({ disk: { append } });
  for (const line of ['one', 'two', 'three']) file.write(line);
  await file.flush();
  expect(troubles).toHaveLength(1);
  file.write('four');
  await file.flush();
  file.write('five');
  await file.flush();
  const [first, part, notice, ...rest] = textOf('log.jsonl').split('\n');
  expect([first, part, rest]).toEqual(['one', 't', ['five', '']]);
  expect(JSON.parse(notice ?? '')).toMatchObject({ level: 'warn', message: 'Left out, since the disk was too slow or could not be written to: 3 lines' });
});

test('a file that ends within a line, as after a loss of power, goes on with a new one', async () => {
  writeFileSync(join(folder, 'log.jsonl'), 'whole\npa');
  const file = make();
  file.write('next');
  await file.flush();
  expect(textOf('log.jsonl')).toBe('whole\npa\nnext\n');
});

test('files that cannot be renamed cost no line, and are said', async () => {
  mkdirSync(join(folder, 'log.1.jsonl', 'inside'), { recursive: true });
  const file = make({ bytesMax: 10 });
  for (const line of ['12345678', 'abcdefgh', 'ijklmnop']) {
    file.write(line);
    await file.flush();
  }
  expect(textOf('log.jsonl')).toBe('12345678\nabcdefgh\nijklmnop\n');
  expect(troubles.length).toBeGreaterThan(0);
});

test('a file that was moved or removed is begun anew, with the line that found it so', async () => {
  const file = make();
  file.write('one');
  await file.flush();
  rmSync(join(folder, 'log.jsonl'));
  file.write('two');
  await file.flush();
  expect(textOf('log.jsonl')).toBe('two\n');
  expect(troubles).toEqual([]);
});

test('files beyond the number that is kept go at the start; others of the folder stay', () => {
  const others = ['log.1.jsonl', 'log.x.jsonl', 'other.7.jsonl', 'log.7.jsonl.gz'];
  for (const name of [...others, 'log.2.jsonl', 'log.17.jsonl']) writeFileSync(join(folder, name), 'x\n');
  make();
  expect(readdirSync(folder).sort()).toEqual([...others, 'log.jsonl'].sort());
  expect(existsSync(join(folder, 'log.2.jsonl'))).toBe(false);
});
