import { promises as files } from 'node:fs';
import { judgeChain, validUntil, type Validity } from '../core/certificate.js';
import { LockstepError } from '../core/errors.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import { readTlsFiles, type TlsFiles, type TlsPlace } from './tls-files.js';

export interface TlsIdentityWorld {
  readonly clock: Clock;
  readonly log: Log;
}

/** The files are looked at each so often. */
export const LOOK_MS = 60_000;
/** What is amiss, and does not change, is said again after so long. */
export const TELL_AGAIN_MS = 24 * 60 * 60_000;

/**
 * The certificate and key that a server shows its clients, from two files that are looked at again: when both have stood still for one look, the new ones
 * are taken. Those that cannot be used are said, and what was read before is shown on. A certificate that has expired, does so soon or does not count yet
 * is said at once, and then once a day; it is shown all the same, since a pair that serves those who do not check is better than none.
 */
export class TlsIdentity {
  private readonly takers = new Set<(files: TlsFiles) => void>();
  /** What the files were at the last look; still being written, perhaps. */
  private seen: string;
  private trouble: LockstepError | null = null;
  private told: { readonly what: LockstepError | Validity; readonly at: number } | null = null;

  private constructor(
    private readonly place: TlsPlace,
    private shown: TlsFiles,
    /** The version of the files that was tried last. */
    private tried: string,
    private readonly world: TlsIdentityWorld,
  ) {
    this.seen = tried;
    this.tell();
    this.lookLater();
  }

  /** @throws LockstepError LOCKSTEP_TLS_FILE_UNREADABLE, LOCKSTEP_TLS_FILE_REFUSED (rejects) */
  static async open(place: TlsPlace, world: TlsIdentityWorld): Promise<TlsIdentity> {
    // The version first: a change between the two is then found at the next look.
    const version = await versionOf(place);
    return new TlsIdentity(place, await readTlsFiles(place), version, world);
  }

  /** What is shown now. */
  get files(): TlsFiles {
    return this.shown;
  }

  /** When what is shown now expires. Wall time. */
  get validUntil(): number {
    return validUntil(this.shown.chain);
  }

  /** What is wrong with the files as they are now, in words, for an operator; `null`: they are what is shown. */
  get problem(): string | null {
    return this.trouble === null ? null : `${this.trouble.message}; the certificate and key read before are shown until the broker is started anew`;
  }

  /** `take` gets what is shown from then on, at every change, until it is cancelled. */
  onChange(take: (files: TlsFiles) => void): Cancel {
    this.takers.add(take);
    return () => void this.takers.delete(take);
  }

  /** Looks at the files now. Never rejects. */
  async look(): Promise<void> {
    const version = await versionOf(this.place);
    const still = version === this.seen;
    this.seen = version;
    if (still && version !== this.tried) {
      this.tried = version;
      await this.tryAgain();
    }
    this.tell();
  }

  private lookLater(): void {
    this.world.clock.after(LOOK_MS, () => void this.look().finally(() => this.lookLater()));
  }

  private async tryAgain(): Promise<void> {
    try {
      this.shown = await readTlsFiles(this.place);
      this.trouble = null;
      this.world.log.write('info', `The TLS certificate ${this.place.certFile} has changed: new connections are shown the new one; ${judgeChain(this.shown.chain, this.world.clock.wall()).text}`, { event: 'certificate', validUntil: new Date(this.validUntil).toISOString() });
      for (const take of this.takers) take(this.shown);
    } catch (error) {
      this.trouble = error instanceof LockstepError ? error : new LockstepError('LOCKSTEP_TLS_FILE_REFUSED', String(error), 'See the files.', { cause: error });
    }
  }

  private tell(): void {
    const now = this.world.clock.monotonic();
    const judged = judgeChain(this.shown.chain, this.world.clock.wall());
    const what = this.trouble ?? judged.validity;
    if (this.told?.what === what && now - this.told.at < TELL_AGAIN_MS) return;
    this.told = { what, at: now };
    const event = { event: 'certificate', validUntil: new Date(this.validUntil).toISOString() };
    if (this.trouble !== null) this.world.log.write('error', `${this.trouble.message}; the certificate and key read before are shown on. ${this.trouble.remedy}`, { ...event, code: this.trouble.code });
    if (judged.validity === 'good') return;
    this.world.log.write(judged.validity === 'expires-soon' ? 'warn' : 'error', `The TLS certificate ${this.place.certFile}: ${judged.text}. ${renewal(judged.validity)}`, event);
  }
}

/** What to do about it. */
export function renewal(validity: Exclude<Validity, 'good'>): string {
  if (validity === 'not-valid-yet') return 'Look at the clock of this host, or put one in place that counts already (mqtt.tlsCertificateFile, mqtt.tlsKeyFile).';
  return 'Put a new one in place with its key (mqtt.tlsCertificateFile, mqtt.tlsKeyFile): a running server takes them within two minutes.';
}

async function versionOf({ certFile, keyFile }: TlsPlace): Promise<string> {
  const one = async (file: string): Promise<string> => {
    try {
      const { ino, size, mtimeMs, ctimeMs } = await files.stat(file);
      return `${ino}.${size}.${mtimeMs}.${ctimeMs}`;
    } catch (error) {
      // Said when it is read; here it is a version like any other.
      return `absent: ${String(error)}`;
    }
  };
  return `${await one(certFile)} ${await one(keyFile)}`;
}
