import type { DiskFile } from '../ports/disk.js';

/** `DiskFile.write` as a promise. */
export function write(file: DiskFile, parts: readonly Uint8Array[], offset: number): Promise<void> {
  return new Promise((resolve, reject) => {
    file.write(parts, offset, (error) => (error === null ? resolve() : reject(error)));
  });
}

/** `DiskFile.sync` as a promise. */
export function sync(file: DiskFile): Promise<void> {
  return new Promise((resolve, reject) => {
    file.sync((error) => (error === null ? resolve() : reject(error)));
  });
}

/** The words of an error for a log line or a status. */
export function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The system's code of a failure (ENOSPC, EIO …) or our own; empty when it has none. */
export function codeOf(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}
