import { sizeText } from '../core/counted.js';
import { LockstepError } from '../core/errors.js';
import type { Disk } from '../ports/disk.js';

/** What needs less is not worth a question: on a disk with no more than that the log has no room either. */
const WORTH_ASKING_BYTES = 1024 * 1024;

/**
 * Before a large file is begun that would fill the disk to its last byte, and then be of no use: the log lies on the same one.
 * @param bytes what it needs; 0: not known
 * @throws LockstepError LOCKSTEP_DISK_FULL when the disk says that there is less room (rejects). One that does not say is tried
 */
export async function demandRoom(disk: Disk, bytes: number, what: string): Promise<void> {
  if (bytes < WORTH_ASKING_BYTES) return;
  const free = await disk.freeBytes().catch(() => 0);
  // 0 is also said where it is not known. On a disk that is full the first write fails, and takes nothing away.
  if (free === 0 || !(free < bytes)) return;
  throw new LockstepError('LOCKSTEP_DISK_FULL', `no room on the disk of ${disk.place('.')} for ${what}: ${sizeText(bytes)} are needed, and ${sizeText(free)} are free`, 'Make room on that disk; it is tried again by itself.');
}
