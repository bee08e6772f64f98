import { execFile, type ExecFileException } from 'node:child_process';
import net from 'node:net';
import { plainReason, systemCode } from './network-errors.js';

/** How one run of the program `ping` ended. */
export type PingEnd =
  | { readonly kind: 'answered' }
  /** It ran, and heard nothing. `said`: its own words, where it had any. */
  | { readonly kind: 'silent'; readonly said: string }
  /** It was ended before it had come to its end. */
  | { readonly kind: 'cut-off' }
  /** It could not be run. `lasting`: that will not change by itself. */
  | { readonly kind: 'not-run'; readonly reason: string; readonly lasting: boolean };

/** Asks `address` once. Never rejects; ended by `timeoutMs` or by `signal`, whichever is first. */
export type RunPing = (address: string, timeoutMs: number, signal: AbortSignal) => Promise<PingEnd>;

/** A busy host, or a slow start, has one run or the other not come to its end in time, which says nothing of the next. So many in a row are said. */
export const SAID_AFTER = 10;

export interface PingProgramListener {
  /** It hears this very machine, so that it may be relied on. Once for each family of addresses. */
  usable(): void;
  /** It is not there, or cannot hear even this machine: it is not run again, but where it only did not come to its end in time, `SAID_AFTER` times in a row. Once for each family of addresses. */
  unavailable(reason: string): void;
}

/**
 * ICMP echo by the system's program `ping`, one process a probe. It has the right to ask where this process has none, and needs nothing compiled. One that may not ask either looks
 * like a silent gateway; so it must hear this very machine first.
 */
export class PingProgram {
  private readonly verdicts = new Map<string, boolean>();
  /** Of runs that were to hear this machine: how many in a row had to be ended. */
  private readonly cutOff = new Map<string, number>();
  private readonly end = new AbortController();
  private running = false;

  constructor(
    private readonly run: RunPing,
    private readonly listener: PingProgramListener,
  ) {}

  /** Whether `address` (IPv4 or IPv6) answered. Never rejects. While one asks, a second one is told no: processes do not pile up where they cannot be ended. */
  async ask(address: string, timeoutMs: number): Promise<boolean> {
    if (this.running) return false;
    this.running = true;
    try {
      if (!(await this.isUsable(net.isIPv6(address) ? '::1' : '127.0.0.1', timeoutMs))) return false;
      return (await this.run(address, timeoutMs, this.end.signal)).kind === 'answered';
    } finally {
      this.running = false;
    }
  }

  /** Ends a run that is under way. */
  close(): void {
    this.end.abort();
  }

  private async isUsable(own: string, timeoutMs: number): Promise<boolean> {
    const known = this.verdicts.get(own);
    if (known !== undefined) return known;
    const end = await this.run(own, timeoutMs, this.end.signal);
    if (this.end.signal.aborted || (end.kind === 'not-run' && !end.lasting)) return false; // the next probe tries it again
    if (end.kind === 'cut-off') return this.countCutOff(own);
    this.verdicts.set(own, end.kind === 'answered');
    if (end.kind === 'answered') this.listener.usable();
    else this.listener.unavailable(end.kind === 'not-run' ? end.reason : `it does not hear ${own}${end.said === '' ? '' : ` (${end.said})`}`);
    return end.kind === 'answered';
  }

  /** That says nothing of the next: it is tried again. */
  private countCutOff(own: string): false {
    const times = (this.cutOff.get(own) ?? 0) + 1;
    this.cutOff.set(own, times);
    if (times === SAID_AFTER) this.listener.unavailable(`it does not hear ${own} in time`);
    return false;
  }
}

/** Words that all its kinds know: one packet, no line for each. How long it waits is a matter of this process. */
const ARGUMENTS = ['-q', '-c', '1'];
/** What a host has not to give just now. */
const PASSING: ReadonlySet<string> = new Set(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE']);

/** The `ping` that is found by PATH. */
export const runPing: RunPing = (address, timeoutMs, signal) =>
  new Promise((resolve) => {
    const options = { timeout: Math.max(1, Math.ceil(timeoutMs)), killSignal: 'SIGKILL', signal, env: { ...process.env, LC_ALL: 'C' }, windowsHide: true } as const;
    try {
      execFile('ping', [...ARGUMENTS, address], options, (error, _, said) => resolve(error === null ? { kind: 'answered' } : endOf(error, said)));
    } catch (error) {
      resolve(notRun(error));
    }
  });

function endOf(error: ExecFileException, said: string): PingEnd {
  if (typeof error.code === 'string' && error.code !== 'ABORT_ERR') return notRun(error);
  // A number is how it ended; killed, it ends with none.
  return typeof error.code === 'number' ? { kind: 'silent', said: said.trim().split('\n', 1)[0] ?? '' } : { kind: 'cut-off' };
}

function notRun(error: unknown): PingEnd {
  const code = systemCode(error) ?? '';
  return { kind: 'not-run', reason: code === 'ENOENT' ? 'it is not installed' : plainReason(error), lasting: !PASSING.has(code) };
}
