import type { Stats } from 'node:fs';
import { LockstepError } from '../../core/errors.js';
import { Places } from './places.js';

/**
 * A mount hangs on the folder below it: an exchange would take it away with the old tree, and when it is not mounted its folder looks like one that was emptied.
 * @throws LockstepError LOCKSTEP_REPOSITORY_MOUNT
 */
export function refuseMounts({ fs, live }: Places): void {
  const [mount] = fs.mountsBelow(live);
  if (mount !== undefined) throw refused(`${mount} is a mount point inside the repository's folder ${live}`);
}

/**
 * A link that has come into the folder's place while this process ran: the exchange would put a folder in its place, and what stands behind it is not what was looked at.
 * @throws LockstepError LOCKSTEP_REPOSITORY_FOLDER
 */
export function refuseLink({ fs, live }: Places): void {
  const there = fs.lstatSync(live, { throwIfNoEntry: false });
  if (there === undefined || there.isDirectory()) return;
  throw new LockstepError('LOCKSTEP_REPOSITORY_FOLDER', `${live} is no folder any more but ${there.isSymbolicLink() ? 'a link' : 'something else'}`, 'Put a folder there again; or start this server anew, which then uses the folder that the link leads to.');
}

/**
 * What is excluded must move over into the new tree, which it cannot from a file system of its own (a subvolume).
 * @throws LockstepError LOCKSTEP_REPOSITORY_MOUNT
 */
export function refuseOtherSystem(places: Places, path: string, { dev }: Stats): void {
  if (dev !== places.fs.lstatSync(places.stage).dev) throw otherSystem(places, path);
}

/** The same of a file, of which the system says so. Within one file system it is a folder with a quota of its own (a project). */
export function otherSystem({ live }: Places, path: string): LockstepError {
  return refused(`${Places.at(live, path)} is on a file system of its own (a mount, a subvolume, a quota of its own) inside the repository's folder`);
}

function refused(what: string): LockstepError {
  return new LockstepError('LOCKSTEP_REPOSITORY_MOUNT', what, 'Make a folder in that mount a repository of its own, and mount it beside this one; excluding it is not enough, since the two trees are exchanged with all that hangs on them.');
}
