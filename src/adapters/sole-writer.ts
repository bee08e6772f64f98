import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LockstepError } from '../core/errors.js';
import type { Log } from '../ports/log.js';
import { isDenied, othersInDataFolder } from './data-folder.js';
import { identityOf, identityText, readIdentity, stillLives } from './process-identity.js';

const LOOK_MS = 20;
/** A process that the disk holds in the kernel cannot be ended before the disk answers. */
const GONE_MS_MAX = 10_000;

/** Who writes, for messages. */
export interface Writer {
  readonly name: string;
  readonly opens: string;
  readonly code: string;
}

const BROKER: Writer = { name: 'broker', opens: 'journal is', code: 'LOCKSTEP_BROKER_LINGERS' };
export const REPOSITORY_KEEPER: Writer = { name: 'repository keeper', opens: 'repositories are', code: 'LOCKSTEP_REPOSITORY_KEEPER_LINGERS' };

/**
 * Makes this process the only one that writes a folder: the one that `file` names is killed if it still lives, and this one is named
 * there when it is gone. A broker can outlive its HA manager when it is paused or held by its disk just then; woken beside
 * a successor it would write over the successor's records. Where the system does not tell one process from a later one of the same
 * number, nothing is killed.
 * @param isOrphaned asked right before anything is done to the other or to the file: a process without its parent may itself be the earlier one,
 * and the one that is named there its successor
 * @returns false when it is orphaned: nothing may be opened then
 * @throws LockstepError LOCKSTEP_BROKER_LINGERS, LOCKSTEP_REPOSITORY_KEEPER_LINGERS when it is still there after a while; LOCKSTEP_DATA_FOLDER_REFUSED when
 * this user may not write `file`, which stands in a folder of the data folder; or an Error of the file system (rejects)
 */
export async function becomeSoleWriter(file: string, log: Log, isOrphaned: () => boolean, writer: Writer = BROKER): Promise<boolean> {
  const other = readIdentity(file);
  if (other !== null && other.pid !== process.pid && other.begun !== '' && stillLives(other)) {
    if (isOrphaned()) return false;
    log.write('warn', `An earlier ${writer.name} of this server is still there (process ${other.pid}); it is killed before the ${writer.opens} opened`, { pid: other.pid });
    process.kill(other.pid, 'SIGKILL');
    for (let waited = 0; stillLives(other); waited += LOOK_MS) {
      if (waited >= GONE_MS_MAX) {
        throw new LockstepError(
          writer.code,
          `an earlier ${writer.name} of this server (process ${other.pid}, so says ${file}) does not end although it was killed`,
          'Check the disk: it holds that process in the kernel. The next one starts by itself when it is gone.',
        );
      }
      await sleep(LOOK_MS);
    }
  }
  if (isOrphaned()) return false;
  try {
    writeFileSync(file, identityText(identityOf(process.pid)));
  } catch (error) {
    if (isDenied(error)) throw othersInDataFolder(`${file} cannot be written`, path.dirname(path.dirname(file)), error);
    throw error;
  }
  return true;
}
