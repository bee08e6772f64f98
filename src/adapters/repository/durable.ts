import type { FileSystem } from './file-system.js';

/** So many files are synced at one time: the file system writes its journal once for all that wait. */
export const SYNCS_AT_ONCE = 64;
/** And of large ones so many that they have no more bytes together: all of them may end only when the last byte of all is written. */
export const SYNCED_BYTES_AT_ONCE = 256 * 1024 * 1024;

/** What is written to a large file is synced in between, whenever it is so much. */
export const SYNC_BYTES = 64 * 1024 * 1024;

export interface Unsynced {
  readonly path: string;
  /** So many at most are not on the disk yet. */
  readonly bytes: number;
}

/**
 * Makes files or folders durable. Opened here, one after the other, closed when synced.
 * Rejects with the first failure, when all that were begun have ended.
 */
export function syncAll(fs: FileSystem, paths: readonly string[]): Promise<void> {
  return syncFiles(fs, paths.map((path) => ({ path, bytes: 0 })));
}

/** The same of files that may be large. */
export function syncFiles(fs: FileSystem, files: readonly Unsynced[]): Promise<void> {
  let [next, running, bytes] = [0, 0, 0];
  let failure: unknown = null;
  return new Promise((resolve, reject) => {
    const goOn = (): void => {
      for (let file = files[next]; file !== undefined && failure === null && hasPlace(file); file = files[next]) {
        next += 1;
        begin(file);
      }
      if (running > 0) return;
      if (failure === null) resolve();
      else reject(failure instanceof Error ? failure : new Error(String(failure)));
    };
    const hasPlace = (file: Unsynced): boolean => running === 0 || (running < SYNCS_AT_ONCE && bytes + file.bytes <= SYNCED_BYTES_AT_ONCE);
    const begin = (file: Unsynced): void => {
      running += 1;
      bytes += file.bytes;
      const end = (): void => {
        running -= 1;
        bytes -= file.bytes;
        goOn();
      };
      syncPath(fs, file.path).then(end, (error: unknown) => {
        failure ??= error;
        end();
      });
    };
    goOn();
  });
}

function syncPath(fs: FileSystem, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fd = fs.openSync(path, 'r');
    fs.fsync(fd, (error) => {
      fs.closeSync(fd);
      if (error === null) resolve();
      else reject(error);
    });
  });
}

/** Windows has no such call, and keeps entries by its own journal. */
export async function syncFolders(fs: FileSystem, paths: readonly string[]): Promise<void> {
  if (process.platform !== 'win32') await syncAll(fs, paths);
}

/** A small file, replaced durably. */
export async function replaceDurably(fs: FileSystem, path: string, folder: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`;
  fs.writeFileSync(temporary, text, { mode: 0o600 });
  await syncAll(fs, [temporary]);
  fs.renameSync(temporary, path);
  await syncFolders(fs, [folder]);
}
