import { createHmac, randomBytes } from 'node:crypto';
import type { UserList } from '../core/control/broker.js';
import { LockstepError } from '../core/errors.js';
import type { Authenticator, Credentials, Verdict } from '../ports/authenticator.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import { decoyHash, verifyPassword } from './password.js';
import type { PasswordHash } from './password.js';
import { readUsers, userFileVersion, userListOf } from './user-file.js';
import type { Users } from './user-file.js';

export interface UserFileLimits {
  /** The file is looked at again, when somebody logs in, at most each so often. Milliseconds. */
  readonly recheckMs: number;
  /** A look that takes longer holds up nobody: its file system hangs, and the users read before count. Milliseconds. */
  readonly lookMs: number;
  /** Passwords verified at the same time. Each takes one of the threads that the journal's disk works with as well (thread-pool.ts). */
  readonly verifyingMax: number;
  /** Logins that wait for their turn. One more is answered `busy`, and its client tries again. */
  readonly waitingMax: number;
  /** Proved passwords that are remembered (as keyed sums, until the process ends or the user changes). The oldest is forgotten. */
  readonly rememberedMax: number;
}

export const USER_FILE_LIMITS: UserFileLimits = { recheckMs: 2_000, lookMs: 1_000, verifyingMax: 2, waitingMax: 400, rememberedMax: 10_000 };

/** The file is looked at so often also while nobody logs in: a server that does not serve tells of it, too. */
export const LOOK_MS = 10_000;
const SYSTEM: UserFileLook = { version: userFileVersion, users: readUsers };
/** A client that was told to come again does so within this. */
const COMES_AGAIN_MS = 10_000;

/** How the file is looked at, as the functions of user-file.ts do. */
export interface UserFileLook {
  version(file: string): Promise<string>;
  users(file: string): Promise<Users>;
}

export interface UserFileWorld {
  readonly clock: Clock;
  readonly log: Log;
  readonly limits?: UserFileLimits;
  /** Default: the system's. */
  readonly look?: UserFileLook;
}

/**
 * Judges by a user file, which is read again when it has changed. When the changed file cannot be read, is open to others or is malformed, the users that
 * were read last stay, and the log says so: an editor's slip must not lock everybody out of a running pair. Nor must a file system that hangs: a look at
 * the file holds up logins for `lookMs` at most.
 *
 * A password that was proved once is remembered as a sum under a random key, so that a thousand clients that return after a network fault
 * cost a thousand sums and not a thousand scrypts. The same login that is tried many times at once is verified once.
 */
export class UserFileAuthenticator implements Authenticator {
  private readonly limits: UserFileLimits;
  private readonly key = randomBytes(32);
  private readonly decoy = decoyHash();
  /** Sums of logins that were proved, oldest first. */
  private readonly proved = new Set<string>();
  private readonly underWay = new Map<string, Promise<boolean>>();
  private verifying = 0;
  private readonly waiting: (() => void)[] = [];
  private busyAt = -Infinity;
  private checkedAt: number;
  /** Resolves when the look that is under way has ended, or has taken too long. */
  private checking: Promise<void> | null = null;
  private hangs = false;
  private readonly look: UserFileLook;
  private listed: UserList;
  private wrong: string | null = null;

  private constructor(
    private readonly file: string,
    private users: Users,
    private version: string,
    private readonly world: UserFileWorld,
  ) {
    this.limits = world.limits ?? USER_FILE_LIMITS;
    this.look = world.look ?? SYSTEM;
    this.checkedAt = world.clock.monotonic();
    this.listed = userListOf(users);
    this.lookLater();
  }

  /** Reads the file. @throws LockstepError as `readUsers` */
  static async open(file: string, world: UserFileWorld): Promise<UserFileAuthenticator> {
    // The version first: a change between the two is then found at the next look.
    const { version, users } = world.look ?? SYSTEM;
    const found = await version(file);
    return new UserFileAuthenticator(file, await users(file), found, world);
  }

  async authenticate({ user, password }: Credentials): Promise<Verdict> {
    if (user === null || password === null) return { kind: 'refused', reason: 'not-authorized' };
    await this.recheck();
    const kept = this.users.get(user);
    const sum = this.sum(user, password, kept ?? this.decoy);
    if (this.proved.has(sum)) return { kind: 'accepted', user };
    let verdict = this.underWay.get(sum);
    if (verdict === undefined) {
      if (this.verifying >= this.limits.verifyingMax && this.waiting.length >= this.limits.waitingMax) {
        this.busyAt = this.world.clock.monotonic();
        return { kind: 'busy' };
      }
      verdict = this.verify(password, kept, sum);
      this.underWay.set(sum, verdict);
    }
    return (await verdict) ? { kind: 'accepted', user } : { kind: 'refused', reason: 'bad-credentials' };
  }

  /** The users that count now. */
  get list(): UserList {
    return this.listed;
  }

  /** What is wrong with the file as it is now, in words, for an operator; `null`: its users are those that count. */
  get problem(): string | null {
    return this.hangs ? this.hanging : this.wrong;
  }

  /** Logins wait for their turn, or were told to come again and may not have done so yet. */
  get isPressed(): boolean {
    return this.waiting.length > 0 || this.world.clock.monotonic() - this.busyAt < COMES_AGAIN_MS;
  }

  private async verify(password: Uint8Array, kept: PasswordHash | undefined, sum: string): Promise<boolean> {
    await this.turn();
    try {
      // An unknown user takes as long as a wrong password.
      const right = await verifyPassword(password, kept ?? this.decoy);
      if (!right || kept === undefined) return false;
      this.remember(sum);
      return true;
    } catch (error) {
      // No authority is given on an error: the client is refused as with a wrong password.
      this.world.log.write('error', `a password could not be verified: ${String(error)}`);
      return false;
    } finally {
      this.underWay.delete(sum);
      const next = this.waiting.shift();
      if (next === undefined) this.verifying -= 1;
      else next();
    }
  }

  /** Resolves when there is a free place, and takes it. */
  private async turn(): Promise<void> {
    if (this.verifying < this.limits.verifyingMax) {
      this.verifying += 1;
      return;
    }
    await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  /** Includes the kept hash: a user whose password was changed or who was removed is not found any more. */
  private sum(user: string, password: Uint8Array, kept: PasswordHash): string {
    return createHmac('sha256', this.key).update(user).update('\0').update(kept.hash).update(kept.salt).update(password).digest('base64');
  }

  private remember(sum: string): void {
    this.proved.add(sum);
    if (this.proved.size <= this.limits.rememberedMax) return;
    for (const oldest of this.proved) {
      this.proved.delete(oldest);
      break;
    }
  }

  private lookLater(): void {
    this.world.clock.after(LOOK_MS, () => void this.recheck().finally(() => this.lookLater()));
  }

  private async recheck(): Promise<void> {
    if (this.checking === null && this.world.clock.monotonic() - this.checkedAt >= this.limits.recheckMs) this.checking = this.check();
    await this.checking;
  }

  private async check(): Promise<void> {
    const { clock, log } = this.world;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(this.limits.lookMs, () => {
        this.hangs = true;
        log.write('warn', this.hanging);
        resolve();
      });
      void this.reload().finally(() => {
        cancel();
        if (this.hangs) log.write('info', `the user file ${this.file} can be looked at again`);
        this.hangs = false;
        this.checking = null;
        this.checkedAt = clock.monotonic();
        resolve();
      });
    });
  }

  private get hanging(): string {
    return `the file system of the user file ${this.file} gives no answer; the ${this.users.size} users read before stay valid meanwhile`;
  }

  private async reload(): Promise<void> {
    let version = 'absent';
    try {
      version = await this.look.version(this.file);
      if (version === this.version) return;
      this.users = await this.look.users(this.file);
      this.listed = userListOf(this.users);
      this.wrong = null;
      this.world.log.write('info', `the user file ${this.file} has changed: ${this.users.size} users`, { users: this.users.size });
    } catch (error) {
      if (version === this.version) return;
      const { message, remedy } = error instanceof LockstepError ? error : { message: String(error), remedy: '' };
      this.wrong = `${message}; the ${this.users.size} users read before stay valid until the broker is started anew`;
      this.world.log.write('error', `${message}; the ${this.users.size} users read before stay valid. ${remedy}`, { code: error instanceof LockstepError ? error.code : undefined });
    }
    this.version = version;
  }
}
