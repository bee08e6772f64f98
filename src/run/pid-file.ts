import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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

  /** @throws LockstepError LOCKSTEP_ALREADY_RUNNING; or an Error of the file system */
  static take(file: string): PidFile {
    const other = PidFile.holder(file);
    if (other !== null) {
      throw new LockstepError(
        'LOCKSTEP_ALREADY_RUNNING',
        `a server with this profile runs already: process ${other} (so says ${file})`,
        'Stop it with "lockstep stop" first; or, if that process is another program, remove that file.',
      );
    }
    writeFileSync(file, identityText(identityOf(process.pid)));
    return new PidFile(file);
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
