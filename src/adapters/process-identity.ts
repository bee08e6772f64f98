import { readFileSync } from 'node:fs';

/** A process, known beyond its number, which is given to another program some day. */
export interface ProcessIdentity {
  readonly pid: number;
  /** The boot and the time since it at which the process began; empty where the system does not tell. */
  readonly begun: string;
}

/** Who this process is to a file system, for messages: `uid 1000`. */
export function userOfProcess(): string {
  return process.getuid === undefined ? 'this user' : `uid ${process.getuid()}`;
}

export function identityOf(pid: number): ProcessIdentity {
  return { pid, begun: begunAt(pid) };
}

/** Whether that very process is still there; where the system does not tell, whether its number is in use. */
export function stillLives({ pid, begun }: ProcessIdentity): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: not ours to signal, but there.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const present = begunAt(pid);
  return begun === '' || present === '' || begun === present;
}

/** `<pid> <begun>`, as a pid file holds it. */
export function identityText({ pid, begun }: ProcessIdentity): string {
  return `${pid} ${begun}\n`;
}

/** What a pid file says; `null` when there is none, or it says nothing. */
export function readIdentity(file: string): ProcessIdentity | null {
  try {
    const [pid = '', begun = ''] = readFileSync(file, 'utf8').trim().split(' ');
    return /^[1-9]\d*$/.test(pid) ? { pid: Number(pid), begun } : null;
  } catch {
    return null; // none there
  }
}

function begunAt(pid: number): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    // Field 22 of the line; the name of the program, in brackets, may itself hold brackets and blanks.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(')').at(-1)?.trim().split(' ');
    const ticks = fields?.[19];
    // A zombie writes nothing any more.
    return ticks === undefined ? '' : fields?.[0] === 'Z' ? 'ended' : `${boot}/${ticks}`;
  } catch {
    return ''; // not Linux, or the process is just gone
  }
}
