import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { readFileSync } from 'node:fs';

const STOP_MS_MAX = 20_000;

/** The processes that this run has started and that may still be there. Each is ended by its own pid. */
export class Started {
  private readonly children = new Set<ChildProcess>();
  private closing = false;

  /** @throws Error when a run that is being ended starts something more */
  run(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
    if (this.closing) throw new Error('the run is being ended');
    const child = spawn(command, [...args], options);
    this.children.add(child);
    child.on('exit', () => this.children.delete(child));
    child.on('error', () => this.children.delete(child));
    return child;
  }

  /** SIGTERM to all, and SIGKILL to what is still there after 20 s, with its own children. */
  async stopAll(): Promise<void> {
    this.closing = true;
    await Promise.all([...this.children].map((child) => stop(child)));
  }
}

/** Asks a process to end and waits until it has. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const { pid } = child;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const tooLate = setTimeout(() => killTree(pid), STOP_MS_MAX);
  child.kill('SIGTERM');
  await ended;
  clearTimeout(tooLate);
}

/** SIGKILL to a process and to those that it has forked. */
export function killTree(pid: number): void {
  for (const one of [pid, ...childrenOf(pid)]) kill(one);
}

/** SIGKILL; a process that is gone already is no failure. */
export function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The processes that a process has forked. Linux tells; elsewhere children of a killed server end by themselves, when their channel closes. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
