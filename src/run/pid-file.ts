import { linkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemCode } from '../adapters/network-errors.js';
import { identityOf, identityText, readIdentity, stillLives } from '../adapters/process-identity.js';
import { LockstepError } from '../core/errors.js';

/**
 * Says which process runs a server's data folder, so that a second one is refused before it touches the journal. A file left by a
 * process that is gone counts for nothing, also when its number was given to another program since (known on Linux).
 */
export class PidFile {
  private constructor(private readonly file: string) {}

  /** Of a server's data folder. */
  static at(folder: string): string {
    return join(folder, 'manager.pid');
  }

  /** The process that runs the data folder; `null`: none that this user can know of. */
  static holder(file: string): number | null {
    const other = readIdentity(file);
    return other !== null && other.pid !== process.pid && stillLives(other) ? other.pid : null;
  }

  /**
   * Of several that take it at once, one does.
   * @param look for tests
   * @throws LockstepError LOCKSTEP_ALREADY_RUNNING; or an Error of the file system
   */
  static take(file: string, look: (file: string) => number | null = (path) => PidFile.holder(path)): PidFile {
    const own = `${file}.${process.pid}`;
    writeFileSync(own, identityText(identityOf(process.pid)));
    try {
      for (;;) {
        refuseHolder(file, look(file));
        if (put(own, file)) return new PidFile(file);
        moveAway(file);
      }
    } finally {
      rmSync(own, { force: true });
    }
  }

  /** Removes one that names a process which has ended; of one that lingers it stays, for the next start to wait for. */
  static removeEnded(file: string): void {
    const other = readIdentity(file);
    if (other !== null && !stillLives(other)) rmSync(file, { force: true });
  }

  remove(): void {
    if (readIdentity(this.file)?.pid === process.pid) rmSync(this.file, { force: true });
  }
}

function refuseHolder(file: string, pid: number | null): void {
  if (pid === null) return;
  throw new LockstepError(
    'LOCKSTEP_ALREADY_RUNNING',
    `a server with this profile runs already: process ${pid} (so says ${file})`,
    'Stop it with "lockstep stop" first; or, if that process is another program, remove that file.',
  );
}

/** With its content, in one step. @returns false: there is one already */
function put(own: string, file: string): boolean {
  try {
    linkSync(own, file);
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST') return false;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error;
    // No second names on this file system: as near as one comes to it.
    renameSync(own, file);
    return true;
  }
}

/** One that names nobody who lives. Another process may have been quicker, and put its own there since it was looked at: that one goes back. */
function moveAway(file: string): void {
  const aside = `${file}.${process.pid}.old`;
  try {
    renameSync(file, aside);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  const pid = PidFile.holder(aside);
  if (pid !== null) put(aside, file);
  rmSync(aside, { force: true });
  refuseHolder(file, pid);
}
