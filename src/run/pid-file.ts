import { randomBytes } from 'node:crypto';
import { readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identityOf, identityText, readIdentity, stillLives, type ProcessIdentity } from '../adapters/process-identity.js';
import { LockstepError } from '../core/errors.js';

/** Another start of a higher number needs a few calls of the file system to find out that it gives way. Milliseconds. */
const GIVES_WAY_MS_MAX = 2_000;
const LOOK_MS = 10;

/** The process that takes a pid file, and what it knows of others. */
export interface Taker {
  readonly self: ProcessIdentity;
  lives(other: ProcessIdentity): boolean;
  /** Between any two of its steps. @param ms how long at least */
  pause(ms: number): Promise<void>;
}

/**
 * Says which process runs a server's data folder, so that a second one is refused before it touches the journal. A file left by a
 * process that is gone counts for nothing, also when its number was given to another program since (known on Linux).
 */
export class PidFile {
  private constructor(
    private readonly file: string,
    private readonly pid: number,
  ) {}

  /** Of a server's data folder. */
  static at(folder: string): string {
    return join(folder, 'manager.pid');
  }

  /** The process that runs the data folder; `null`: none that this user can know of. */
  static holder(file: string): number | null {
    return holderBeside(file, process.pid, stillLives);
  }

  /**
   * Of several that take it at once one does, and never two, whichever of them are killed or stand still on the way.
   *
   * Each first leaves a note of its own beside the file, then looks for notes of others, then at the file; and only who has found none of a living process in either
   * makes its note the file, in one step. So of two the later one to leave its note finds the other's note, or the file that it has become. The file of a living process is never moved.
   * @throws LockstepError LOCKSTEP_ALREADY_RUNNING; or an Error of the file system (rejects)
   */
  static async take(file: string, taker: Taker = thisProcess()): Promise<PidFile> {
    const { self, lives, pause } = taker;
    // No name is ever used again: what a note of an ended process says stays true until it is removed.
    const own = `${file}.${self.pid}.${randomBytes(8).toString('hex')}`;
    try {
      writeFileSync(own, identityText(self));
      for (let waited = 0; ; waited += LOOK_MS) {
        await pause(0);
        const others = notesOfOthers(file, taker);
        await pause(0);
        const pid = holderBeside(file, self.pid, lives);
        if (pid !== null) throw alreadyRunning(`a server with this profile runs already: process ${pid} (so says ${file})`);
        await pause(0);
        if (others.length === 0) break;
        // The lower number goes first. The other may have looked before this note was there: then it takes the file.
        const ahead = others.find((other) => other.pid < self.pid || waited >= GIVES_WAY_MS_MAX);
        if (ahead !== undefined) throw alreadyRunning(`a server with this profile is being started already: process ${ahead.pid} (so says ${ahead.note})`);
        await pause(LOOK_MS);
      }
      renameSync(own, file);
      return new PidFile(file, self.pid);
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
    if (readIdentity(this.file)?.pid === this.pid) rmSync(this.file, { force: true });
  }
}

function thisProcess(): Taker {
  return { self: identityOf(process.pid), lives: stillLives, pause: async (ms) => void (ms > 0 && (await sleep(ms))) };
}

function holderBeside(file: string, own: number, lives: Taker['lives']): number | null {
  const other = readIdentity(file);
  return other !== null && other.pid !== own && lives(other) ? other.pid : null;
}

/** Of living processes that are taking the file. Those of ended ones are removed. */
function notesOfOthers(file: string, { self, lives }: Taker): { pid: number; note: string }[] {
  const folder = dirname(file);
  return readdirSync(folder).flatMap((name) => {
    const pid = name.startsWith(`${basename(file)}.`) ? /^([1-9]\d*)\.[0-9a-f]{16}$/.exec(name.slice(basename(file).length + 1))?.[1] : undefined;
    if (pid === undefined || Number(pid) === self.pid) return [];
    const note = join(folder, name);
    // One that is just being written says nothing yet but its name.
    if (lives(readIdentity(note) ?? { pid: Number(pid), begun: '' })) return [{ pid: Number(pid), note }];
    removed(note);
    return [];
  });
}

function removed(note: string): void {
  try {
    rmSync(note, { force: true });
  } catch {
    return; // It is in nobody's way.
  }
}

function alreadyRunning(message: string): LockstepError {
  return new LockstepError('LOCKSTEP_ALREADY_RUNNING', message, 'Stop it with "lockstep stop" first; or, if that process is another program, remove that file.');
}
