import { constants } from 'node:fs';
import { LockstepError } from '../../core/errors.js';
import { parentOf } from '../../core/repository/entry.js';
import { shown } from '../../core/repository/names.js';
import { codeOf } from './file-errors.js';
import type { FileSystem } from './file-system.js';
import { Places } from './places.js';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;

/** Nothing, or something else, stands where a folder will be, or was. */
export const NOT_THERE: readonly string[] = ['ENOENT', 'ENOTDIR', 'LOCKSTEP_REPOSITORY_LINK'];

/**
 * Reaches folders of a live repository without passing a symbolic link. On Linux each part is opened below the one before it and held open, so that nothing can be put
 * in its place between the look and the use; elsewhere each part is looked at.
 */
export class FolderHolder {
  private held: { readonly path: string; readonly fd: number | null; readonly place: string } | null = null;

  constructor(
    private readonly fs: FileSystem,
    private readonly root: string,
  ) {}

  /** Where names of the folder can be used. Good until the next call. @throws LockstepError LOCKSTEP_REPOSITORY_LINK; ENOENT of the system */
  reach(path: string): string {
    if (this.held?.path === path) return this.held.place;
    this.release();
    const parts = path === '' ? [] : path.split('/');
    this.held = process.platform === 'linux' ? this.open(path, parts) : this.look(path, parts);
    return this.held.place;
  }

  /** Where a file or link of the repository can be used; good until the next call. `null`: there is no folder any more that it could lie in. */
  placeOf(path: string): string | null {
    const parent = parentOf(path);
    try {
      return Places.at(this.reach(parent), path.slice(parent === '' ? 0 : parent.length + 1));
    } catch (error) {
      if (NOT_THERE.includes(codeOf(error))) return null;
      throw error;
    }
  }

  /** Runs what uses a place of this; what the system says of it names the folder as people know it. */
  naming<Value>(action: () => Value): Value {
    try {
      return action();
    } catch (error) {
      const { held, root } = this;
      if (held !== null && held.fd !== null) rename(error, `'${held.place}/`, `'${held.path === '' ? root : Places.at(root, held.path)}/`);
      throw error;
    }
  }


  release(): void {
    if (this.held !== null && this.held.fd !== null) this.fs.closeSync(this.held.fd);
    this.held = null;
  }

  private open(path: string, parts: readonly string[]): { path: string; fd: number; place: string } {
    let fd = this.fs.openSync(this.root, O_RDONLY | O_DIRECTORY);
    for (const [index, part] of parts.entries()) {
      const above = fd;
      const place = `/proc/self/fd/${above}/${part}`;
      try {
        fd = this.fs.openSync(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
      } catch (error) {
        if (codeOf(error) === 'ELOOP' || codeOf(error) === 'ENOTDIR') throw noFolder(path);
        rename(error, `'${place}'`, `'${Places.at(this.root, parts.slice(0, index + 1).join('/'))}'`);
        throw error;
      } finally {
        this.fs.closeSync(above);
      }
    }
    return { path, fd, place: `/proc/self/fd/${fd}` };
  }

  private look(path: string, parts: readonly string[]): { path: string; fd: null; place: string } {
    let place = this.root;
    for (const part of parts) {
      place = Places.at(place, part);
      if (!this.fs.lstatSync(place).isDirectory()) throw noFolder(path);
    }
    return { path, fd: null, place };
  }
}

/** In what the system said. */
function rename(error: unknown, place: string, name: string): void {
  if (codeOf(error) === '' || error instanceof LockstepError) return;
  const failure = error as { message: string };
  failure.message = failure.message.replaceAll(place, name);
}

export function noFolder(path: string): LockstepError {
  return new LockstepError(
    'LOCKSTEP_REPOSITORY_LINK',
    `${shown(path)} is, or lies in, a link or a file where the serving server has a folder`,
    'Nothing was written through it. The next sync of the whole repository puts the folder in its place.',
  );
}
