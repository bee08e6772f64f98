import { sync, write } from '../../src/server/disk-io.js';
import { DiskImage } from './disk-image.js';
import { Inode, SECTOR_BYTES } from './disk-inode.js';
import { SimulatedDisk } from './disk.js';

const BYTES = Uint8Array.of(1, 2, 3);
const CONTENT = [...BYTES];
const refused = (code: string): unknown => expect.objectContaining({ code });

function machine(random = (): number => 0.5): { image: DiskImage; disk: SimulatedDisk } {
  const image = new DiskImage();
  image.put('folder/one', BYTES);
  return { image, disk: new SimulatedDisk({ image, schedule: (_, action) => setImmediate(action), random }) };
}

describe('a machine without file descriptors', () => {
  it('opens nothing, and goes on with what is open', async () => {
    const { image, disk } = machine();
    const file = await disk.open('folder/one', 'write');
    image.fileShortage = 1;
    await expect(disk.open('folder/one', 'read')).rejects.toEqual(refused('EMFILE'));
    await expect(disk.readFile('folder/one')).rejects.toEqual(refused('EMFILE'));
    await expect(disk.list('folder')).rejects.toEqual(refused('EMFILE'));
    await expect(disk.syncFolder('folder')).rejects.toEqual(refused('EMFILE'));
    await expect(disk.replaceFile('folder/one', Uint8Array.of(9))).rejects.toEqual(refused('EMFILE'));
    await expect(disk.open('folder/two', 'create')).rejects.toEqual(refused('EMFILE'));
    expect([...(await file.read(0, 3))]).toEqual(CONTENT);
    expect(await new Promise((resolve) => file.writeSynced([BYTES], 3, resolve))).toBeNull();
    await disk.rename('folder/one', 'folder/three');
    await file.close();
    image.fileShortage = 0;
    expect([...(await disk.readFile('folder/three'))]).toEqual([...CONTENT, ...CONTENT]);
    expect(await disk.list('folder')).toEqual(['three']);
  });

  it('may put a new file in its place and not come to make its name durable', async () => {
    let asked = 0;
    const { image, disk } = machine(() => ((asked += 1) === 2 ? 0.9 : 0.1));
    image.fileShortage = 0.5;
    await expect(disk.replaceFile('folder/one', Uint8Array.of(9))).rejects.toEqual(refused('EMFILE'));
    expect([...image.content('folder/one')]).toEqual([9]);
    image.losePower(() => 0);
    expect([...image.content('folder/one')]).toEqual(CONTENT);
  });
});

describe('files that cannot be read', () => {
  it('are refused under any name and through what is open, until all can be read again', async () => {
    const { image, disk } = machine();
    image.put('folder/other', BYTES);
    const file = await disk.open('folder/one', 'write');
    image.makeUnreadable(['folder/one']);
    await disk.rename('folder/one', 'folder/two');
    await expect(disk.readFile('folder/two')).rejects.toEqual(refused('EIO'));
    await expect(file.read(0, 1)).rejects.toEqual(refused('EIO'));
    expect(await file.size()).toBe(3);
    expect([...(await disk.readFile('folder/other'))]).toEqual(CONTENT);
    image.allReadable();
    expect([...(await file.read(0, 3))]).toEqual(CONTENT);
  });

  it('can be read when the machine has started anew', async () => {
    const { image, disk } = machine();
    image.makeUnreadable(['folder/one']);
    expect(image.hasUnreadable).toBe(true);
    image.losePower(() => 0);
    expect(image.hasUnreadable).toBe(false);
    expect([...(await disk.readFile('folder/one'))]).toEqual(CONTENT);
  });
});

describe('what a system lets go of when a sync fails', () => {
  const whole = new Uint8Array(3 * SECTOR_BYTES).fill(1);

  it('is shown, is on no disk, and no other sync brings it there', () => {
    const file = new Inode();
    file.write(0, whole);
    file.failSync();
    file.syncNow();
    expect([file.isSynced, file.hasForgotten(whole.length), file.read(0, 1)[0]]).toEqual([true, true, 1]);
    file.losePower(() => 0);
    expect([file.hasForgotten(whole.length), file.read(0, 1)[0] ?? 0]).toEqual([false, 0]);
  });

  it('is only what nobody writes again', () => {
    const file = new Inode();
    file.write(0, whole.subarray(SECTOR_BYTES));
    file.syncNow();
    file.write(SECTOR_BYTES + 7, whole.subarray(0, 1));
    file.failSync();
    // A sector that the durable part fills only in part is written again with what comes next.
    expect([SECTOR_BYTES, 2 * SECTOR_BYTES - 1, 2 * SECTOR_BYTES].map((end) => file.hasForgotten(end))).toEqual([false, false, true]);
    file.write(SECTOR_BYTES, whole.subarray(0, 8));
    expect(file.hasForgotten(2 * SECTOR_BYTES)).toBe(false);
  });

  it('is told at a sync where the disk may do that, and never where all was synced before', async () => {
    const { image, disk } = machine();
    const file = await disk.open('folder/one', 'write');
    image.failNext('syncOfWrite', 'ENOSPC');
    await sync(file);
    await write(file, [Uint8Array.of(9)], 0);
    image.failNext('syncOfWrite', 'EIO', 1, 'elsewhere/');
    image.letsGo = () => false;
    await sync(file);
    const asked: string[] = [];
    image.letsGo = (path) => asked.push(path) > 0;
    await sync(file);
    await write(file, [Uint8Array.of(8)], 0);
    await disk.rename('folder/one', 'folder/two');
    await expect(sync(file)).rejects.toMatchObject({ code: 'ENOSPC' });
    await write(file, [Uint8Array.of(7)], 0);
    expect(asked).toEqual(['folder/two']);
    await sync(file);
  });
});

describe('two syncs of one file that end in the other order', () => {
  const put = (file: Inode, at: number, value: number): void => file.write(at, Uint8Array.of(value));

  it('take nothing back: neither the size nor what a sector holds', () => {
    const file = new Inode();
    put(file, 0, 1);
    const first = file.beginSync();
    put(file, 1, 2);
    put(file, SECTOR_BYTES, 3);
    const second = file.beginSync();
    file.endSync(second);
    file.endSync(first);
    expect(file.isSynced).toBe(true);
    file.losePower(() => 0);
    expect([file.size, ...file.read(0, 2), ...file.read(SECTOR_BYTES, 1)]).toEqual([SECTOR_BYTES + 1, 1, 2, 3]);
  });

  it('leave unsynced what was written after the later one began', () => {
    const file = new Inode();
    put(file, 0, 1);
    const first = file.beginSync();
    put(file, 0, 2);
    const second = file.beginSync();
    put(file, 0, 3);
    file.endSync(second);
    file.endSync(first);
    expect(file.isSynced).toBe(false);
    file.losePower(() => 0);
    expect([...file.read(0, 1)]).toEqual([2]);
  });
});
