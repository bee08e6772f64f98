import { encodeHeartbeat } from '../core/lock/heartbeat.js';
import type { KeeperOrder } from '../core/control/keeper.js';
import { encodeWatermark, NO_WATERMARK } from '../core/terms/watermark.js';
import { decodeShareIdentity, encodeShareIdentity } from '../core/terms/codec.js';
import { termOfName } from '../core/terms/names.js';
import type { PublishMethod, ShareIdentity } from '../core/terms/record.js';
import { sameBytes } from '../core/wire/bytes.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { MountInspector, MountReport } from '../ports/mount.js';
import type { Random } from '../ports/random.js';
import type { ShareFiles } from '../ports/share.js';
import type { KeeperConfig } from './config.js';
import { codeOf, ShareTrouble, textOf, troubleOf, type Trouble } from './failure.js';
import type { SharePaths } from './paths.js';
import { preflight, writeTrial } from './preflight.js';

/** A latency above this, for the slowest thing that the preflight tried, is worth a warning: a part of the staleness period. */
const SLOW_FRACTION = 0.2;

/** A server that writes nothing on the share tries so often whether it could. Milliseconds. */
export const WRITE_TRIAL_MS = 30_000;

const PUT_BACK = 'but term records stand beside it: put it back, byte for byte, from a backup';

export interface OpeningParts {
  readonly config: KeeperConfig;
  readonly files: ShareFiles;
  readonly paths: SharePaths;
  readonly mount: MountInspector;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Finds out which share this is and whether it can be used, and makes its identity at the very first start. */
export class Opening {
  /** Ways of publishing that the preflight found to be exclusive here; `null` before it passed. */
  private methods: readonly PublishMethod[] | null = null;
  /** The share that was tried; `null` while none stood there. */
  private triedOn: string | null = null;
  private toldMount = '';
  private toldWarnings: readonly string[] = [];
  /** When something was written there last, as far as it was confirmed. */
  private wroteAt = -Infinity;
  /** How the share is mounted, as it was looked at last. */
  private mount: MountReport | null = null;
  private wasNetwork = false;
  /** The lockfile as it was read last: at every look it is the same, byte for byte. */
  private decoded: { readonly bytes: Uint8Array; readonly identity: ShareIdentity } | null = null;
  /** The share whose lockfile and folder of records are known to survive a restart of the gateway. */
  private settled: string | null = null;

  constructor(private readonly parts: OpeningParts) {}

  /** The preflight passed. */
  get tried(): boolean {
    return this.methods !== null;
  }

  /** The share was found well on a mount of another host. */
  get onNetwork(): boolean {
    return this.wasNetwork;
  }

  /** Something about writing to the share changed: try it again before it is relied on. */
  distrust(): void {
    this.methods = null;
  }

  /**
   * What a mount leaves behind that is gone is a folder of this machine, and no other share. A keeper that never saw the mount is told of it.
   * @throws ShareTrouble when the share is not there, or is mounted so that a read may be stale
   */
  async checkMount(order: KeeperOrder): Promise<void> {
    await this.folder(async () => (this.mount = await this.parts.mount.inspect()));
    const { mount } = this;
    if (mount === null) return;
    if ((this.wasNetwork || order.wasNetwork) && !mount.isNetwork) throw trouble('absent', `the folder of the lockfile ${this.parts.config.lockFile} lies on a disk of this machine now (${mount.fsType} on ${mount.mountPoint}): is the share mounted?`);
    this.judge(mount);
  }

  /** The share that was known stands here, whole. */
  foundWell(): void {
    this.wasNetwork = this.mount?.isNetwork === true;
  }

  private judge(report: MountReport): void {
    const told = `${report.mountPoint} ${report.verdict} ${report.findings.join(' ')}`;
    const where = `${report.fsType} from ${report.source} on ${report.mountPoint}`;
    if (told !== this.toldMount && report.findings.length > 0) {
      this.parts.log.write(report.verdict === 'good' ? 'info' : 'warn', `The share (${where}): ${report.findings.join(' ')}`);
    }
    this.toldMount = told;
    if (report.verdict === 'refuse') throw trouble('refused', `the share (${where}) cannot be relied on: ${report.findings.join(' ')}`);
  }

  /**
   * Tries the share, once; again after `distrust`, and where another one stands now: it may lie on another file system.
   * @param share `null`: it is about to be made
   * @throws ShareTrouble
   */
  async tryOut(share: string | null): Promise<void> {
    if (this.methods !== null && share !== null && share === this.triedOn) return;
    this.methods = null;
    this.triedOn = share;
    const report = await preflight(this.parts.files, this.parts.paths, { ...this.parts, user: this.parts.config.user });
    if (report.trouble !== null) throw new ShareTrouble(report.trouble);
    this.methods = report.methods;
    this.wrote();
    this.warn(report.warnings);
    const limit = this.parts.config.passiveLockIntervalMs * SLOW_FRACTION;
    if (report.slowestMs > limit) this.parts.log.write('warn', `The share is slow: ${Math.round(report.slowestMs)} ms for one of the things that were tried`);
  }

  /** What is written there now tells what a trial would. */
  wrote(): void {
    this.wroteAt = this.parts.clock.monotonic();
  }

  /**
   * For a server that writes nothing there, which would meet a share that cannot be written only when it takes over: tries it now and then. Nothing is made where another one stands by now, or
   * none.
   * @throws ShareTrouble, or what the share says when it is read
   */
  async tryWriting(share: string): Promise<void> {
    const { files, paths, clock, random } = this.parts;
    if (clock.monotonic() - this.wroteAt < WRITE_TRIAL_MS || !(await this.stands(share))) return;
    await writeTrial(files, paths.temporary('trial', random.id())).catch((error: unknown) => {
      throw new ShareTrouble(troubleOf(error, 'trying whether it can be written', this.parts.config.user));
    });
    this.wrote();
  }

  private warn(warnings: readonly string[]): void {
    for (const text of warnings) if (!this.toldWarnings.includes(text)) this.parts.log.write('warn', text);
    this.toldWarnings = warnings;
  }

  /** @throws ShareTrouble when the identity's method does not work here */
  checkMethod(identity: ShareIdentity): void {
    if (this.methods === null || this.methods.includes(identity.method)) return;
    const means = identity.method === 'link' ? 'hard links, and this server cannot make them' : 'renaming folders exclusively, and this server cannot do that';
    throw trouble('refused', `term records of this share are published by ${means}; mount it the same way on both servers`);
  }

  /**
   * The share's identity; makes it when nobody ever has. `null`: it is gone, and was known. Then it is made again only once the
   * manager adopts the share as it is (R9, or a promotion): it wants the lock and names no record that must stand here.
   * @throws ShareTrouble, LOCKSTEP_SHARE_IDENTITY_DAMAGED, or what the share says
   */
  async identify(order: KeeperOrder): Promise<ShareIdentity | null> {
    const { files, config } = this.parts;
    await this.folder(() => files.identity('.'));
    let identity = await this.read();
    if (order.shareId !== (identity?.share ?? null)) await this.checkMount(order);
    if (identity === null) {
      if (order.kept !== null || (order.shareId !== null && !adopts(order))) return null;
      await this.permitFirst();
      await this.tryOut(null);
      await this.make();
      identity = await this.read();
      if (identity === null) throw trouble('failed', `the lockfile ${config.lockFile} was made and cannot be seen`);
      this.triedOn = identity.share;
    }
    if (identity.cluster !== config.cluster) {
      throw trouble('refused', `the lockfile ${config.lockFile} belongs to the cluster "${identity.cluster}", this server to "${config.cluster}"; give each cluster a lockfile of its own`);
    }
    return identity;
  }

  /**
   * Once for each share, before anything rests on it: the names of the lockfile, of the heartbeat, of the watermark and of the folder of records are synced, whoever
   * made them. Who made them may never have come to it, or may not have heard that the making took effect. The heartbeat stands there from then on: one
   * that a restart of the share forgot would be absent for whoever asked meanwhile, for as long as his system remembers that. Rejects with what the share says.
   */
  async settle(identity: ShareIdentity): Promise<void> {
    if (this.settled === identity.share) return;
    const { files, paths, config, random } = this.parts;
    await tolerate('EEXIST', () => files.createSynced(paths.heartbeat, encodeHeartbeat({ token: random.id(), server: config.server, counter: 0, state: 'released' })));
    await tolerate('EEXIST', () => files.createSynced(paths.watermark, encodeWatermark(NO_WATERMARK)));
    await files.syncFolder('.');
    this.settled = identity.share;
  }

  /** True while the lockfile names this share. Rejects when it cannot be read. */
  async stands(share: string): Promise<boolean> {
    return (await this.read())?.share === share;
  }

  /** The folder of the term records, on a share that is begun with, or adopted, without it. */
  async makeTerms(): Promise<void> {
    this.settled = null;
    await tolerate('EEXIST', () => this.parts.files.makeFolder(this.parts.paths.terms));
    await this.parts.files.syncFolder('.');
  }

  private async read(): Promise<ShareIdentity | null> {
    const { files, paths, config } = this.parts;
    try {
      const bytes = await files.read(paths.identity);
      if (this.decoded === null || !sameBytes(this.decoded.bytes, bytes)) this.decoded = { bytes, identity: decodeShareIdentity(bytes, config.lockFile) };
      return this.decoded.identity;
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return null;
      if (codeOf(error) === 'EISDIR') throw trouble('failed', `the lockfile ${config.lockFile} is a folder; remove or rename it, or choose another lockFile`);
      throw error;
    }
  }

  /** The words for an identity that is gone. */
  async whyUnmade(): Promise<string> {
    const gone = `the lockfile ${this.parts.config.lockFile} is gone`;
    if ((await this.parts.files.list('.')).length === 0) return `${gone} and its folder is empty: is the share mounted?`;
    return (await this.hasRecords().catch(() => false)) ? `${gone}, ${PUT_BACK}` : gone;
  }

  /** A share that bears records was not made just now. */
  private async permitFirst(): Promise<void> {
    if (await this.hasRecords()) throw trouble('failed', `the lockfile ${this.parts.config.lockFile} is gone, ${PUT_BACK}`);
  }

  private async hasRecords(): Promise<boolean> {
    const { files, paths } = this.parts;
    const terms = await files.list(paths.terms).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return [];
      throw error;
    });
    return terms.some((name) => termOfName(name) !== null);
  }

  /** Exclusively and with its whole content, as a term record; without hard links, exclusively at least. Whoever is first, wins. */
  private async make(): Promise<void> {
    const { files, paths, random, config, log } = this.parts;
    const method: PublishMethod = this.methods?.includes('link') === true ? 'link' : 'rename';
    await this.makeTerms();
    const bytes = encodeShareIdentity({ schema: 1, share: random.id(), cluster: config.cluster, method });
    if (method === 'rename') await tolerate('EEXIST', () => files.createSynced(paths.identity, bytes));
    else {
      const temporary = paths.temporary('identity', random.id());
      await files.createSynced(temporary, bytes);
      await tolerate('EEXIST', () => files.link(temporary, paths.identity));
      await files.removeFile(temporary).catch((error: unknown) => log.write('debug', `temporary ${temporary} not removed: ${textOf(error)}`));
    }
    await files.syncFolder('.');
  }

  private async folder(ask: () => Promise<unknown>): Promise<void> {
    try {
      await ask();
    } catch (error) {
      if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') throw trouble('absent', `the folder of the lockfile ${this.parts.config.lockFile} is not there: is the share mounted?`);
      throw error;
    }
  }
}

/** The manager wants to serve on this share although it holds nothing that was known. */
export function adopts(order: KeeperOrder): boolean {
  return order.kept === null && order.wantLock;
}

/** This server has not begun with any share yet: nothing that it could miss stood on one. */
export function knowsNone(order: KeeperOrder): boolean {
  return order.kept === null && order.shareId === null;
}

export function trouble(condition: Trouble['condition'], detail: string): ShareTrouble {
  return new ShareTrouble({ condition, detail });
}

async function tolerate(code: string, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (codeOf(error) !== code) throw error;
  }
}
