import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { LockstepError } from '../core/errors.js';

/**
 * Says which process runs a server's data folder, so that a second one is refused before it touches the journal. A file left by a
 * process that is gone counts for nothing.
 */
export class PidFile {
  private constructor(private readonly file: string) {}

  /** @throws LockstepError LOCKSTEP_ALREADY_RUNNING */
  static take(file: string): PidFile {
    const other = PidFile.read(file);
    if (other !== null && other !== process.pid && lives(other)) {
      throw new LockstepError(
        'LOCKSTEP_ALREADY_RUNNING',
        `a server with this profile already runs (pid ${other}, says ${file})`,
        'Stop it with "lockstep stop", or, if that pid is another program, remove the file.',
      );
    }
    writeFileSync(file, `${process.pid}\n`);
    return new PidFile(file);
  }

  remove(): void {
    if (PidFile.read(this.file) === process.pid) rmSync(this.file, { force: true });
  }

  private static read(file: string): number | null {
    try {
      const pid = Number(readFileSync(file, 'utf8').trim());
      return Number.isInteger(pid) && pid > 0 ? pid : null;
    } catch {
      return null; // none there
    }
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Not ours to signal, but there.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
