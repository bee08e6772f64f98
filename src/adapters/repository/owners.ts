import type { Stats } from 'node:fs';
import { LockstepError } from '../../core/errors.js';
import { codeOf } from './file-errors.js';
import type { FileSystem } from './file-system.js';

/**
 * Gives a new folder to the owner of the one whose place it will take.
 * @param live where that one stands
 * @throws LockstepError LOCKSTEP_REPOSITORY_OWNER when the system does not let us
 */
export function giveOwner(fs: FileSystem, made: string, owner: Stats, live: string): void {
  const own = fs.lstatSync(made);
  if (own.uid === owner.uid && own.gid === owner.gid) return;
  try {
    fs.chownSync(made, owner.uid, owner.gid);
  } catch (error) {
    if (codeOf(error) !== 'EPERM') throw error;
    throw new LockstepError(
      'LOCKSTEP_REPOSITORY_OWNER',
      `${live} belongs to the user ${owner.uid} and the group ${owner.gid}, and Lockstep (user ${own.uid}) cannot give the new folder to them`,
      `Run "chown -R ${own.uid}:${own.gid}" on the folder, or Lockstep as that user; an excluded folder can also be moved out of the repository's.`,
    );
  }
}
