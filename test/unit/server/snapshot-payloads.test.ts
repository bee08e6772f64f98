import type { Message } from '../../../src/core/broker/effects.js';
import { encodeMessageEntry } from '../../../src/core/broker/snapshot.js';
import type { Position } from '../../../src/core/identity.js';
import { EMPTY_LOG } from '../../../src/core/journal/envelope.js';
import type { Disk } from '../../../src/ports/disk.js';
import { SnapshotWriter } from '../../../src/server/snapshot-file.js';
import { PayloadIndex } from '../../../src/server/payload-index.js';
import { SNAPSHOT_FOLDER, snapshotPath, SnapshotShelf } from '../../../src/server/snapshot-shelf.js';
import { write } from '../../../src/server/disk-io.js';
import { FakeLog } from '../support/fake-log.js';
import { checksum, Rig } from './journal/rig.js';

const PATH = snapshotPath(7 as Position);
const HEAD = { cluster: 'c', point: { ...EMPTY_LOG, position: 7 as Position }, digest: '' };

/** A snapshot with `bytes` behind its head, in which a payload of `size` bytes begins at every `size`. */
async function shelved(bytes: Uint8Array, size: number): Promise<{ shelf: SnapshotShelf; reads: () => number; replace: (with_: Uint8Array) => Promise<void>; rot: (id: number) => void; cut: (bytes: number) => Promise<void>; log: FakeLog }> {
  const rig = new Rig(undefined, 1, true);
  let reads = 0;
  const log = new FakeLog();
  const disk: Disk = Object.assign(Object.create(rig.disk) as Disk, {
    open: (path: string, mode: 'create' | 'write' | 'read') => {
      if (mode === 'read') reads += 1;
      return rig.disk.open(path, mode);
    },
  });
  await rig.disk.makeFolder(SNAPSHOT_FOLDER);
  const make = async (content: Uint8Array): Promise<PayloadIndex> => {
    const file = await rig.disk.open(PATH, 'create');
    const writer = new SnapshotWriter(file, checksum);
    await writer.head(HEAD);
    await writer.end();
    const start = writer.bytes;
    await write(file, [content], start);
    await file.close();
    const index = new PayloadIndex();
    for (let at = 0; at + size <= content.length; at += size) index.add((at / size + 1) as Position, { offset: start + at, length: size, sum: checksum(content.subarray(at, at + size), 0) });
    return index;
  };
  const index = await make(bytes);
  const shelf = await SnapshotShelf.open(disk, checksum, 'c', log);
  shelf.setIndex(PATH, index);
  reads = 0;
  const replace = async (content: Uint8Array): Promise<void> => {
    await shelf.keepOnly(null);
    const added = await make(content);
    shelf.add({ path: PATH, head: HEAD, bytes: content.length }, added);
    reads = 0;
  };
  const rot = (id: number): void => rig.image.flipBit(PATH, (index.find(id as Position)?.offset ?? 0) + size - 1, 0);
  const cut = async (by: number): Promise<void> => {
    const file = await rig.disk.open(PATH, 'write');
    await file.truncate((await file.size()) - by);
    await file.close();
  };
  return { shelf, reads: () => reads, replace, rot, cut, log };
}

function numbered(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, at) => (at * 7 + (at >> 8) * 13 + seed) & 0xff);
}

test('payloads that stand one behind the other are read by the piece, wherever they lie', async () => {
  const [bytes, size] = [numbered(1_200_000, 1), 1_000];
  const { shelf, reads } = await shelved(bytes, size);
  for (let id = 1; id <= 1_200; id++) expect(Buffer.compare((await shelf.payload(id as Position)) ?? Buffer.alloc(0), bytes.subarray((id - 1) * size, id * size))).toBe(0);
  // Five pieces, and those few that lie in two.
  expect(reads()).toBeLessThan(12);
  expect(await shelf.payload(1_201 as Position)).toBeNull();
});

test('a payload that is longer than a piece, and the last one, are read whole', async () => {
  const [bytes, size] = [numbered(900_000, 2), 300_000];
  const { shelf } = await shelved(bytes, size);
  for (let id = 1; id <= 3; id++) expect(Buffer.compare((await shelf.payload(id as Position)) ?? Buffer.alloc(0), bytes.subarray((id - 1) * size, id * size))).toBe(0);
});

test('what was read of a snapshot that is gone is not given for one that has its name', async () => {
  const { shelf, replace } = await shelved(numbered(5_000, 3), 1_000);
  await shelf.payload(2 as Position);
  const other = numbered(5_000, 4);
  await replace(other);
  expect(Buffer.compare((await shelf.payload(2 as Position)) ?? Buffer.alloc(0), other.subarray(1_000, 2_000))).toBe(0);
});

test.each([
  ['within a piece', 1_000],
  ['longer than a piece', 300_000],
])('a payload that has changed on the disk is not given: %s', async (_, size) => {
  const bytes = numbered(size * 3, 5);
  const { shelf, rot, log } = await shelved(bytes, size);
  rot(2);
  expect(await shelf.payload(2 as Position)).toBeNull();
  expect(shelf.newest).toBeNull();
  expect(log.from('error').join()).toContain('a payload with a wrong checksum');
  for (const id of [1, 3]) expect(Buffer.compare((await shelf.payload(id as Position)) ?? Buffer.alloc(0), bytes.subarray((id - 1) * size, id * size))).toBe(0);
});

test('a snapshot that has become shorter is damaged', async () => {
  const { shelf, cut, log } = await shelved(numbered(3_000, 6), 1_000);
  await cut(1);
  expect(await shelf.payload(3 as Position)).toBeNull();
  expect(log.from('error').join()).toContain('it ends within a payload');
});

test('an index that was not made in the order of the ids knows the checksums all the same', () => {
  const index = new PayloadIndex();
  for (let id = 3_000; id >= 1; id--) index.add(id as Position, { offset: id * 10, length: id, sum: 0xffff_ffff - id });
  for (const id of [1, 1_500, 3_000]) expect(index.find(id as Position)).toEqual({ offset: id * 10, length: id, sum: 0xffff_ffff - id });
});

describe('a snapshot that was found at start, and of which no index was made', () => {
  async function found(): Promise<{ rig: Rig; opened: string[]; log: FakeLog; shelf: SnapshotShelf }> {
    const rig = new Rig(undefined, 1, true);
    const opened: string[] = [];
    const disk: Disk = Object.assign(Object.create(rig.disk) as Disk, {
      open: (path: string, mode: 'create' | 'write' | 'read') => {
        opened.push(path);
        return rig.disk.open(path, mode);
      },
    });
    await rig.disk.makeFolder(SNAPSHOT_FOLDER);
    for (const position of [7, 20]) {
      const file = await rig.disk.open(snapshotPath(position as Position), 'create');
      const writer = new SnapshotWriter(file, checksum);
      await writer.head({ cluster: 'c', point: { ...EMPTY_LOG, position: position as Position }, digest: '' });
      for (let id = 1; id <= 5; id++) await writer.entry(encodeMessageEntry({ id: id as Position, topic: 'q', qos: 1 } as Message, new TextEncoder().encode(`payload ${id}`)));
      await writer.end();
      await file.close();
    }
    const log = new FakeLog();
    const shelf = await SnapshotShelf.open(disk, checksum, 'c', log);
    shelf.setIndex(snapshotPath(20 as Position), new PayloadIndex());
    opened.length = 0;
    return { rig, opened, log, shelf };
  }
  const text = (payload: Uint8Array | null): string | null => (payload === null ? null : new TextDecoder().decode(payload));

  test('is scanned once, however many ask at the same time', async () => {
    const { shelf, opened } = await found();
    const all = await Promise.all([1, 2, 3, 4, 5].map((id) => shelf.payload(id as Position)));
    expect(all.map(text)).toEqual(['payload 1', 'payload 2', 'payload 3', 'payload 4', 'payload 5']);
    // The scan, and the piece in which they stand.
    expect(opened).toEqual([PATH, PATH]);
    expect(await shelf.payload(6 as Position)).toBeNull();
    expect(opened).toHaveLength(2);
  });

  test('is not scanned for what is younger than it', async () => {
    const { shelf, opened } = await found();
    expect(await shelf.payload(8 as Position)).toBeNull();
    expect(opened).toEqual([]);
  });

  test('and that has changed gives the payloads before the place, and counts as damaged', async () => {
    const { rig, shelf, log } = await found();
    rig.image.flipBit(PATH, Buffer.from(rig.image.content(PATH)).indexOf('payload 4'), 0);
    expect([text(await shelf.payload(3 as Position)), text(await shelf.payload(4 as Position))]).toEqual(['payload 3', null]);
    expect(shelf.good).toHaveLength(1);
    expect(log.from('error')).toEqual([expect.stringContaining('a wrong checksum')]);
  });

  test('and cannot be read just now is tried again', async () => {
    const { rig, shelf } = await found();
    rig.image.failNext('open', 'EMFILE', 1, PATH);
    await expect(shelf.payload(1 as Position)).rejects.toMatchObject({ code: 'EMFILE' });
    expect(text(await shelf.payload(1 as Position))).toBe('payload 1');
    expect(shelf.good).toHaveLength(2);
  });
});
