import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { LockstepError } from '../core/errors.js';

interface Owner {
  readonly pid: number;
  /** When that process began, as the system tells it; empty where it does not. */
  readonly begun: string;
}

/**
 * Says which process runs a server's data folder, so that a second one is refused before it touches the journal. A file left by a
 * process that is gone counts for nothing, also when its number was given to another program since (known on Linux).
 */
export class PidFile {
  private constructor(private readonly file: string) {}

  /** @throws LockstepError LOCKSTEP_ALREADY_RUNNING; or an Error of the file system */
  static take(file: string): PidFile {
    const other = PidFile.read(file);
    if (other !== null && other.pid !== process.pid && lives(other)) {
      throw new LockstepError(
        'LOCKSTEP_ALREADY_RUNNING',
        `a server with this profile runs already: process ${other.pid} (so says ${file})`,
        'Stop it with "lockstep stop" first; or, if that process is another program, remove that file.',
      );
    }
    writeFileSync(file, `${process.pid} ${begunAt(process.pid)}\n`);
    return new PidFile(file);
  }

  remove(): void {
    if (PidFile.read(this.file)?.pid === process.pid) rmSync(this.file, { force: true });
  }

  private static read(file: string): Owner | null {
    try {
      const [pid = '', begun = ''] = readFileSync(file, 'utf8').trim().split(' ');
      return /^[1-9]\d*$/.test(pid) ? { pid: Number(pid), begun } : null;
    } catch {
      return null; // none there
    }
  }
}

function lives({ pid, begun }: Owner): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: not ours to signal, but there.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const present = begunAt(pid);
  return begun === '' || present === '' || begun === present;
}

/** The boot and the time since it at which a process began: together they name it, where a number alone is used again. */
function begunAt(pid: number): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    // Field 22 of the line; the name of the program, in brackets, may itself hold brackets and blanks.
    const ticks = readFileSync(`/proc/${pid}/stat`, 'utf8').split(')').at(-1)?.trim().split(' ')[19];
    return ticks === undefined ? '' : `${boot}/${ticks}`;
  } catch {
    return ''; // not Linux, or the process is just gone
  }
}
