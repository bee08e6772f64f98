import { constants } from 'node:fs';
import { join } from 'node:path';
import { cannotLink } from './file-errors.js';
import type { Places } from './places.js';

/** What two files of one content take on a disk. */
export interface Sharing {
  /** A file can have a second name. */
  readonly links: boolean;
  /** Two files can share what they hold. */
  readonly clones: boolean;
}

/** Tried with a small file of our own, which is removed again: the system may still refuse it for a single file. Throws an Error with the system's `code`. */
export function trySharing({ fs, beside }: Places): Sharing {
  const probe = join(beside, 'Share-Probe');
  const [link, clone] = [`${probe}-Link`, `${probe}-Clone`];
  const remove = (): void => [probe, link, clone].forEach((place) => fs.rmSync(place, { force: true }));
  remove(); // Of a process that was killed.
  try {
    fs.writeFileSync(probe, 'probe', { mode: 0o600 });
    return {
      links: succeeds(() => fs.linkSync(probe, link), cannotLink),
      clones: succeeds(() => fs.copyFileSync(probe, clone, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE), () => true),
    };
  } finally {
    remove();
  }
}

function succeeds(action: () => void, isRefusal: (error: unknown) => boolean): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return false;
  }
}
