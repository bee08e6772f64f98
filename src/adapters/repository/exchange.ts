import { createRequire } from 'node:module';
import type { FileSystem } from './file-system.js';

/** Changes the places of two folders in one step. Throws an Error with the system's `code`. */
export type Exchange = (a: string, b: string) => void;

const AT_FDCWD = -100;
const RENAME_EXCHANGE = 2;
const LIBRARIES = ['libc.so.6', 'libc.musl-x86_64.so.1', 'libc.musl-aarch64.so.1', 'libc.so'];

interface Foreign {
  load(library: string): { func(prototype: string): (...values: unknown[]) => number };
  errno(): number;
  readonly os: { readonly errno: Readonly<Record<string, number>> };
}

/** `renameat2` of Linux; `null` where it cannot be called. Node.js has no such call. */
export function loadExchange(): Exchange | null {
  if (process.platform !== 'linux') return null;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Foreign;
    const rename = renameOf(koffi);
    return (a, b) => {
      if (rename(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) === 0) return;
      const number = koffi.errno();
      const code = Object.entries(koffi.os.errno).find(([, value]) => value === number)?.[0] ?? `errno ${number}`;
      throw Object.assign(new Error(`${code}: exchange of '${a}' and '${b}'`), { code });
    };
  } catch {
    return null; // An optional dependency that is not there: two renames do it, and the status says so.
  }
}

function renameOf(koffi: Foreign): (...values: unknown[]) => number {
  for (const library of LIBRARIES) {
    try {
      return koffi.load(library).func('int renameat2(int from, const char *a, int to, const char *b, unsigned int flags)');
    } catch {
      continue; // Another C library, or an old one.
    }
  }
  throw new Error('no C library with renameat2');
}

/** Codes that say: not on this file system. */
const UNABLE: readonly string[] = ['EINVAL', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'];

/** Tries it on two folders of its own in `folder`. */
export function canExchange(fs: FileSystem, exchange: Exchange | null, folder: string): boolean {
  if (exchange === null) return false;
  const [a, b] = [`${folder}/exchange-a`, `${folder}/exchange-b`];
  try {
    for (const path of [a, b]) fs.mkdirSync(path, { recursive: true });
    exchange(a, b);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && UNABLE.includes(String(error.code))) return false;
    throw error;
  } finally {
    for (const path of [a, b]) fs.rmSync(path, { recursive: true, force: true });
  }
}
