import { readdirSync, readFileSync } from 'node:fs';

/** Set in the environment of a server that a test starts; its children inherit it, and are found by it, also as orphans. */
export const MARK = 'LOCKSTEP_TEST_SERVER';

export interface MarkedProcess {
  readonly pid: number;
  readonly command: string;
}

/** Every living process that carries this mark (Linux: from /proc). A zombie has neither command nor environment and is not listed. */
export function marked(mark: string): MarkedProcess[] {
  const found: MarkedProcess[] = [];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    if (!read(`/proc/${name}/environ`).split('\0').includes(`${MARK}=${mark}`)) continue;
    const command = read(`/proc/${name}/cmdline`).split('\0').join(' ').trim();
    if (command !== '') found.push({ pid: Number(name), command });
  }
  return found;
}

/** Stopped ones end too: SIGKILL needs no SIGCONT. */
export function killAll(mark: string): void {
  for (const { pid } of marked(mark)) signal(pid, 'SIGKILL');
}

/** @returns false when there is no such process any more */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // it has just ended
  }
}
