import type { FileSystem } from './file-system.js';

/** So many files are synced at one time: the file system writes its journal once for all that wait. */
export const SYNCS_AT_ONCE = 64;

/**
 * Makes files or folders durable. Opened here, one after the other, closed when synced.
 * Rejects with the first failure, when all that were begun have ended.
 */
export async function syncAll(fs: FileSystem, paths: readonly string[]): Promise<void> {
  let next = 0;
  let failure: Error | null = null;
  const worker = async (): Promise<void> => {
    for (let path = paths[next]; path !== undefined && failure === null; path = paths[next]) {
      next += 1;
      try {
        await syncPath(fs, path);
      } catch (error) {
        failure ??= error instanceof Error ? error : new Error(String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(SYNCS_AT_ONCE, paths.length) }, worker));
  if (failure !== null) throw failure as Error;
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
