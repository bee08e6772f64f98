import { isAbsolute } from 'node:path';
import type { Disk, DiskFile } from '../../src/ports/disk.js';

/** A disk under test, empty, and how to let it work. */
export interface DiskFixture {
  readonly disk: Disk;
  /** Lets the disk work until the promise is settled. */
  run<T>(promise: Promise<T>): Promise<T>;
  close(): Promise<void>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (content: Uint8Array): string => new TextDecoder().decode(content);
const write = (file: DiskFile, parts: Uint8Array[], offset: number): Promise<void> =>
  new Promise((resolve, reject) => file.write(parts, offset, (error) => (error === null ? resolve() : reject(error))));
const sync = (file: DiskFile): Promise<void> => new Promise((resolve, reject) => file.sync((error) => (error === null ? resolve() : reject(error))));

/** What `Disk` promises, for every implementation. */
export function diskContract(name: string, make: () => Promise<DiskFixture>): void {
  describe(`disk: ${name}`, () => {
    let fixture: DiskFixture;
    let disk: Disk;
    const run = <T>(promise: Promise<T>): Promise<T> => fixture.run(promise);

    beforeEach(async () => {
      fixture = await make();
      disk = fixture.disk;
    });
    afterEach(() => fixture.close());

    test('a folder that is not there has no names', async () => {
      expect(await run(disk.list('nowhere'))).toEqual([]);
    });

    test('folders are made with those above them, also when they are there', async () => {
      await run(disk.makeFolder('a/b/c'));
      await run(disk.makeFolder('a/b/c'));
      expect(await run(disk.list('a'))).toEqual(['b']);
      expect(await run(disk.list('a/b'))).toEqual(['c']);
      expect(await run(disk.list('a/b/c'))).toEqual([]);
    });

    test('a small file is replaced as a whole and leaves nothing beside it', async () => {
      await run(disk.makeFolder('a'));
      await run(disk.replaceFile('a/note', bytes('first, and long')));
      await run(disk.replaceFile('a/note', bytes('second')));
      expect(text(await run(disk.readFile('a/note')))).toBe('second');
      expect(await run(disk.list('a'))).toEqual(['note']);
    });

    test('what was written is held, whatever becomes of the memory that it came from or was read into', async () => {
      const from = Buffer.from('-note-').subarray(1, 5);
      await run(disk.replaceFile('note', from));
      const file = await run(disk.open('f', 'create'));
      await run(write(file, [from], 0));
      from.fill(0);
      (await run(disk.readFile('note'))).fill(0);
      (await run(file.read(0, 4))).fill(0);
      expect([text(await run(disk.readFile('note'))), text(await run(file.read(0, 4)))]).toEqual(['note', 'note']);
      await run(file.close());
    });

    test.each(['readFile', 'remove'] as const)('%s of what is not there: ENOENT', async (call) => {
      await expect(run(disk[call]('none') as Promise<unknown>)).rejects.toMatchObject({ code: 'ENOENT' });
    });

    test('opening: create must not exist, write and read must', async () => {
      await expect(run(disk.open('f', 'write'))).rejects.toMatchObject({ code: 'ENOENT' });
      await expect(run(disk.open('f', 'read'))).rejects.toMatchObject({ code: 'ENOENT' });
      await run((await run(disk.open('f', 'create'))).close());
      await expect(run(disk.open('f', 'create'))).rejects.toMatchObject({ code: 'EEXIST' });
      await expect(run(disk.open('no/f', 'create'))).rejects.toMatchObject({ code: 'ENOENT' });
    });

    test('parts are written one after the other, and read back in pieces', async () => {
      const file = await run(disk.open('f', 'create'));
      await run(write(file, [bytes('ab'), bytes(''), bytes('cdef')], 3));
      await run(sync(file));
      expect(await run(file.size())).toBe(9);
      expect([...(await run(file.read(0, 5)))]).toEqual([0, 0, 0, 97, 98]);
      expect(text(await run(file.read(5, 100)))).toBe('cdef');
      expect(await run(file.read(50, 10))).toHaveLength(0);
      await run(file.close());
    });

    test('more parts than the system takes at once', async () => {
      const file = await run(disk.open('f', 'create'));
      const parts = Array.from({ length: 2500 }, (_, at) => Uint8Array.of(at % 251, at % 7));
      await run(write(file, parts, 0));
      expect(Buffer.compare(await run(file.read(0, 5000)), Buffer.concat(parts))).toBe(0);
      await run(file.close());
    });

    test('a write changes only what it covers; write mode keeps what is there', async () => {
      const file = await run(disk.open('f', 'create'));
      await run(write(file, [new Uint8Array(2000).fill(1)], 0));
      await run(file.close());
      const again = await run(disk.open('f', 'write'));
      await run(write(again, [new Uint8Array(600).fill(2)], 500));
      const content = await run(again.read(0, 3000));
      expect(content).toHaveLength(2000);
      expect(content.every((byte, at) => byte === (at >= 500 && at < 1100 ? 2 : 1))).toBe(true);
      await run(again.close());
    });

    test('what is written and synced at once is there, also in a file that has another name by now', async () => {
      const file = await run(disk.open('f', 'create'));
      const synced = (parts: Uint8Array[], offset: number): Promise<void> => new Promise((resolve, reject) => file.writeSynced(parts, offset, (error) => (error === null ? resolve() : reject(error))));
      await run(disk.rename('f', 'g'));
      for (let at = 0; at < 40; at++) await run(synced([bytes('ab'), bytes(''), bytes(String(at % 10))], at * 3));
      await run(write(file, [bytes('!')], 120));
      expect(text(await run(file.read(0, 200)))).toBe(Array.from({ length: 40 }, (_, at) => `ab${at % 10}`).join('') + '!');
      await run(file.close());
      expect(text(await run(disk.readFile('g')))).toHaveLength(121);
    });

    test('a file that was cut grows again with zeros', async () => {
      const file = await run(disk.open('f', 'create'));
      await run(write(file, [new Uint8Array(1500).fill(7)], 0));
      await run(file.truncate(10));
      expect(await run(file.size())).toBe(10);
      await run(write(file, [Uint8Array.of(9)], 1200));
      const content = await run(file.read(0, 2000));
      expect(content).toHaveLength(1201);
      expect(content.every((byte, at) => byte === (at < 10 ? 7 : at === 1200 ? 9 : 0))).toBe(true);
      await run(file.close());
    });

    test('renaming replaces, moves between folders, and leaves open files usable', async () => {
      await run(disk.makeFolder('a'));
      const file = await run(disk.open('f', 'create'));
      await run(write(file, [bytes('one')], 0));
      await run(disk.replaceFile('a/g', bytes('two')));
      await run(disk.rename('f', 'a/g'));
      await run(disk.syncFolder('a'));
      await run(write(file, [bytes('!')], 3));
      await run(file.close());
      expect(text(await run(disk.readFile('a/g')))).toBe('one!');
      await expect(run(disk.readFile('f'))).rejects.toMatchObject({ code: 'ENOENT' });
      await expect(run(disk.rename('f', 'a/h'))).rejects.toMatchObject({ code: 'ENOENT' });
      await expect(run(disk.rename('a/g', 'none/h'))).rejects.toMatchObject({ code: 'ENOENT' });
    });

    test('a removed file is gone', async () => {
      await run(disk.replaceFile('f', bytes('x')));
      await run(disk.remove('f'));
      expect(await run(disk.list('.'))).toEqual([]);
    });

    test('a folder is removed when nothing is left in it', async () => {
      await run(disk.makeFolder('a/b'));
      await run(disk.replaceFile('a/b/f', bytes('x')));
      await expect(run(disk.removeFolder('a/b'))).rejects.toMatchObject({ code: 'ENOTEMPTY' });
      await run(disk.remove('a/b/f'));
      await run(disk.removeFolder('a/b'));
      expect(await run(disk.list('a'))).toEqual([]);
      await expect(run(disk.removeFolder('a/b'))).rejects.toMatchObject({ code: 'ENOENT' });
      await expect(run(disk.open('a/b/f', 'create'))).rejects.toMatchObject({ code: 'ENOENT' });
    });

    test('a place is an absolute path, whatever is asked for', () => {
      for (const path of ['a', 'a/b.segment', 'a:b']) {
        expect(isAbsolute(disk.place(path))).toBe(true);
        expect(disk.place(path).endsWith(`/${path}`)).toBe(true);
      }
    });

    test('free bytes are a number', async () => {
      expect(await run(disk.freeBytes())).toBeGreaterThan(0);
    });

    test.each(['../x', '/etc/x', 'a/../../x', 'a//b', '', 'a\\..\\x', './x', 'C:x', 'a\0b'])('the path %j does not stay in the folder', async (path) => {
      await expect(run(disk.readFile(path))).rejects.toMatchObject({ code: 'LOCKSTEP_DISK_PATH' });
      await expect(run(disk.replaceFile(path, bytes('x')))).rejects.toMatchObject({ code: 'LOCKSTEP_DISK_PATH' });
      await expect(run(disk.open(path, 'create'))).rejects.toMatchObject({ code: 'LOCKSTEP_DISK_PATH' });
      await expect(run(disk.makeFolder(path))).rejects.toMatchObject({ code: 'LOCKSTEP_DISK_PATH' });
    });
  });
}
