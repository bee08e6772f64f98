import { LockstepError } from '../../core/errors.js';
import type { Places } from './places.js';

/**
 * A mount hangs on the folder below it: an exchange would take it away with the old tree, and when it is not mounted its folder looks like one that was emptied.
 * @throws LockstepError LOCKSTEP_REPOSITORY_MOUNT
 */
export function refuseMounts({ fs, live }: Places): void {
  const [mount] = fs.mountsBelow(live);
  if (mount === undefined) return;
  throw new LockstepError('LOCKSTEP_REPOSITORY_MOUNT', `${mount} is a mount point inside the repository's folder ${live}`, 'Make a folder in that mount a repository of its own, and mount it beside this one; excluding it is not enough, since the two trees are exchanged with all that hangs on them.');
}
