import type { Disk, DiskFile } from '../ports/disk.js';

/**
 * A disk whose files count as synced once they are written: the durability `bothWithoutDiskSync`. Everything about names and
 * folders stays durable, so that what is there after a loss of power can still be understood.
 */
export class UnsyncedDisk implements Disk {
  constructor(private readonly disk: Disk) {}

  list(folder: string): Promise<string[]> {
    return this.disk.list(folder);
  }
  readFile(path: string): Promise<Uint8Array> {
    return this.disk.readFile(path);
  }
  replaceFile(path: string, bytes: Uint8Array): Promise<void> {
    return this.disk.replaceFile(path, bytes);
  }
  makeFolder(path: string): Promise<void> {
    return this.disk.makeFolder(path);
  }
  rename(from: string, to: string): Promise<void> {
    return this.disk.rename(from, to);
  }
  remove(path: string): Promise<void> {
    return this.disk.remove(path);
  }
  removeFolder(path: string): Promise<void> {
    return this.disk.removeFolder(path);
  }
  syncFolder(path: string): Promise<void> {
    return this.disk.syncFolder(path);
  }
  place(path: string): string {
    return this.disk.place(path);
  }
  freeBytes(): Promise<number> {
    return this.disk.freeBytes();
  }

  async open(path: string, mode: 'create' | 'write' | 'read'): Promise<DiskFile> {
    const file = await this.disk.open(path, mode);
    return {
      size: () => file.size(),
      read: (offset, length) => file.read(offset, length),
      write: (parts, offset, done) => file.write(parts, offset, done),
      // After the write before it: an empty write waits for its turn as a sync would.
      sync: (done) => file.write([], 0, done),
      writeSynced: (parts, offset, done) => file.write(parts, offset, done),
      truncate: (length) => file.truncate(length),
      close: () => file.close(),
    };
  }
}
