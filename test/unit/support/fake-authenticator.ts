import { createHash } from 'node:crypto';
import type { Authenticator, Credentials, Verdict } from '../../../src/ports/authenticator.js';

export interface Judging {
  /** Names and passwords. Absent: everybody is let in, and no name is believed. */
  readonly users?: Readonly<Record<string, string>>;
  /** What is said to who comes by one of these names, whatever else he says. */
  readonly verdicts?: Readonly<Record<string, Verdict>>;
  /** Logins wait until the test judges them. */
  readonly byHand?: boolean;
  /** So many may wait; one more is told that this server is busy. */
  readonly waitingMax?: number;
}

interface Waiting {
  readonly credentials: Credentials;
  resolve(verdict: Verdict): void;
  reject(error: Error): void;
}

const sumOf = (password: string | Uint8Array): string => createHash('sha256').update(password).digest('hex');

/** Judges by what the test gave it, at once or when the test says so. Has a password only while its login waits. */
export class FakeAuthenticator implements Authenticator {
  private readonly waiting: Waiting[] = [];
  /** Names and sums of passwords. */
  private readonly users: ReadonlyMap<string, string> | null;
  private readonly verdicts: ReadonlyMap<string, Verdict>;

  private readonly byHand: boolean;
  private readonly waitingMax: number;

  constructor({ users, verdicts = {}, byHand = false, waitingMax = Infinity }: Judging = {}) {
    this.users = users === undefined ? null : new Map(Object.entries(users).map(([name, password]) => [name, sumOf(password)]));
    this.verdicts = new Map(Object.entries(verdicts));
    this.byHand = byHand;
    this.waitingMax = waitingMax;
  }

  authenticate(credentials: Credentials): Promise<Verdict> {
    if (!this.byHand) return Promise.resolve(this.verdictOn(credentials));
    if (this.waiting.length >= this.waitingMax) return Promise.resolve({ kind: 'busy' });
    return new Promise((resolve, reject) => this.waiting.push({ credentials, resolve, reject }));
  }

  /** Logins that wait, the longest first. */
  get asked(): readonly Credentials[] {
    return this.waiting.map(({ credentials }) => credentials);
  }

  /** Judges the login that waits longest: as said, or by the users. */
  answer(verdict?: Verdict): void {
    const { credentials, resolve } = this.next();
    resolve(verdict ?? this.verdictOn(credentials));
  }

  /** The login that waits longest cannot be judged, against what the port promises. */
  fail(error: Error): void {
    this.next().reject(error);
  }

  private next(): Waiting {
    const next = this.waiting.shift();
    if (next === undefined) throw new Error('no login waits');
    return next;
  }

  private verdictOn({ user, password }: Credentials): Verdict {
    const said = user === null ? undefined : this.verdicts.get(user);
    if (said !== undefined) return said;
    if (this.users === null) return { kind: 'accepted', user: null };
    if (user === null || password === null) return { kind: 'refused', reason: 'not-authorized' };
    return this.users.get(user) === sumOf(password) ? { kind: 'accepted', user } : { kind: 'refused', reason: 'bad-credentials' };
  }
}
