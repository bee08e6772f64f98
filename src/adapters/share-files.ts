import { constants, promises as fs } from 'node:fs';
import path from 'node:path';
import { assert } from '../core/errors.js';
import type { ShareFiles } from '../ports/share.js';

/** Everything on the share is small; a file above this is not ours, and is refused with EFBIG. */
export const SHARE_FILE_BYTES_MAX = 65_536;

/** How file systems say that they do not know fsync of a folder. Their folder operations are synchronous, or ordered. */
const NO_FOLDER_SYNC: readonly string[] = ['EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];
const NO_FOLDER_SYNC_WINDOWS: readonly string[] = ['EPERM', 'EACCES', 'EISDIR', 'EBADF'];

/** The share through the file system of this host. `folder` is absolute. */
export function createShareFiles(folder: string): ShareFiles {
  const at = (name: string): string => {
    const found = path.join(folder, name);
    assert(found === path.join(folder, '.') || found.startsWith(path.join(folder, path.sep)), `${name} leaves the folder of the share`);
    return found;
  };
  return {
    read: (name) => readFresh(at(name)),
    list: (name) => fs.readdir(at(name)),
    createSynced: (name, bytes) => writeSynced(at(name), constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, bytes),
    rewriteInPlace: (name, bytes) => writeSynced(at(name), constants.O_WRONLY | constants.O_CREAT, bytes),
    link: (from, to) => fs.link(at(from), at(to)),
    rename: (from, to) => fs.rename(at(from), at(to)),
    makeFolder: (name) => fs.mkdir(at(name)),
    removeFile: (name) => fs.unlink(at(name)),
    removeFolder: (name) => fs.rmdir(at(name)),
    syncFolder: (name) => syncFolder(at(name)),
    checkWritable: (name) => checkWritable(at(name)),
    identity: (name) => identityOf(at(name)),
  };
}

/** Device, inode number and birth time. The birth time is 0 where the file system keeps none. */
export async function identityOf(file: string): Promise<string> {
  const { dev, ino, birthtimeNs } = await fs.lstat(file, { bigint: true });
  return `${dev}:${ino}:${birthtimeNs}`;
}

async function readFresh(file: string): Promise<Uint8Array> {
  // Non-blocking, so that a pipe in a record's place is an error and not a wait for ever.
  const handle = await fs.open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const buffer = new Uint8Array(SHARE_FILE_BYTES_MAX + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
      length += bytesRead;
      if (length > SHARE_FILE_BYTES_MAX) throw Object.assign(new Error(`EFBIG: more than ${SHARE_FILE_BYTES_MAX} bytes, read '${file}'`), { code: 'EFBIG' });
      if (bytesRead === 0) return buffer.slice(0, length);
    }
  } finally {
    await handle.close();
  }
}

async function writeSynced(file: string, flags: number, bytes: Uint8Array): Promise<void> {
  const handle = await fs.open(file, flags, 0o666);
  try {
    for (let at = 0; at < bytes.length; ) at += (await handle.write(bytes, at, bytes.length - at, at)).bytesWritten;
    // Only garbage makes it longer; shortening an equal file would be one more thing to wait for.
    if ((await handle.stat()).size !== bytes.length) await handle.truncate(bytes.length);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function checkWritable(file: string): Promise<void> {
  const stats = await fs.stat(file);
  try {
    if (stats.isDirectory()) return await fs.access(file, constants.W_OK | constants.X_OK);
    // As for reading: a pipe in its place is an error.
    await (await fs.open(file, constants.O_WRONLY | constants.O_NONBLOCK)).close();
  } catch (error) {
    if (process.platform !== 'win32' && error instanceof Error) error.message += ` (it belongs to uid ${stats.uid}, mode ${(stats.mode & 0o777).toString(8)})`;
    throw error;
  }
}

async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await fs.open(folder, constants.O_RDONLY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
    const unknown = NO_FOLDER_SYNC.includes(code) || (process.platform === 'win32' && NO_FOLDER_SYNC_WINDOWS.includes(code));
    if (!unknown) throw error;
  }
}
