import { rmSync, writeFileSync } from 'node:fs';
import { identityOf, identityText, readIdentity, stillLives } from '../adapters/process-identity.js';
import { LockstepError } from '../core/errors.js';

/**
 * Says which process runs a server's data folder, so that a second one is refused before it touches the journal. A file left by a
 * process that is gone counts for nothing, also when its number was given to another program since (known on Linux).
 */
export class PidFile {
  private constructor(private readonly file: string) {}

  /** @throws LockstepError LOCKSTEP_ALREADY_RUNNING; or an Error of the file system */
  static take(file: string): PidFile {
    const other = readIdentity(file);
    if (other !== null && other.pid !== process.pid && stillLives(other)) {
      throw new LockstepError(
        'LOCKSTEP_ALREADY_RUNNING',
        `a server with this profile runs already: process ${other.pid} (so says ${file})`,
        'Stop it with "lockstep stop" first; or, if that process is another program, remove that file.',
      );
    }
    writeFileSync(file, identityText(identityOf(process.pid)));
    return new PidFile(file);
  }

  remove(): void {
    if (readIdentity(this.file)?.pid === process.pid) rmSync(this.file, { force: true });
  }
}
