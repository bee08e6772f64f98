import type { LockAnswer, LockPrimitive, ShareFiles } from '../../src/ports/share.js';
import { decodeTermRecord } from '../../src/core/terms/codec.js';
import { termOfName } from '../../src/core/terms/names.js';
import type { TermRecord } from '../../src/core/terms/record.js';
import { SharePaths } from '../../src/share/paths.js';
import { failure, ShareTree } from './share-tree.js';

export type Schedule = (delayMs: number, action: () => void) => unknown;

export type Operation = keyof ShareFiles | `lock.${keyof LockPrimitive}`;

/**
 * What becomes of one request. `normal`; `refused`: fails with `code` and has no effect; `reply-lost`: takes effect and fails all
 * the same; `silent`: has an effect or none, and is never answered; `late`: fails at once and takes effect `afterMs` later.
 */
export type Fate =
  | { readonly kind: 'normal' }
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'reply-lost'; readonly code: string }
  | { readonly kind: 'silent'; readonly effect: boolean }
  | { readonly kind: 'late'; readonly code: string; readonly afterMs: number };

/** What goes wrong between one client and the share, or for all of them. Changed at will while the world runs. */
export interface ShareFaults {
  /** A request's way there, and its answer's way back, each between these. Milliseconds. */
  latencyMs: { low: number; high: number };
  /** So often a way takes up to `ms` longer. */
  spikes: { chance: number; ms: number };
  /** Requests wait, with no effect, until it is false again. */
  hung: boolean;
  /** Every operation fails at once. */
  gone: boolean;
  readOnly: boolean;
  full: boolean;
  /** Probability that an operation takes effect and its answer is lost: the caller is told EIO, or its system asks again and tells what that met (EEXIST). */
  replyLost: number;
  /** Names that a client saw to be absent, and listings, are answered from memory for so long. Milliseconds; 0 for fresh ones. */
  staleMs: number;
}

export function noFaults(): ShareFaults {
  return { latencyMs: { low: 0.2, high: 3 }, spikes: { chance: 0, ms: 0 }, hung: false, gone: false, readOnly: false, full: false, replyLost: 0, staleMs: 0 };
}

export interface SimShareOptions {
  /** True time: effects happen on the share's own host. */
  readonly schedule: Schedule;
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly fraction: () => number;
  /** What it lies on. */
  readonly device?: string;
  /** False: a share without hard links. */
  readonly links?: boolean;
  /** False: clients keep no list of what they asked. */
  readonly notesRequests?: boolean;
}

const WRITES: ReadonlySet<Operation> = new Set<Operation>(['createSynced', 'rewriteInPlace', 'link', 'rename', 'makeFolder', 'removeFile', 'removeFolder', 'checkWritable', 'lock.acquire', 'lock.release']);
/** Operations that need room. Rewriting in place needs none. */
const GROWTH: ReadonlySet<Operation> = new Set<Operation>(['createSynced', 'link', 'makeFolder', 'lock.acquire']);

/** So often the system asks again when an answer was lost, and the second request meets what the first one did. */
const ASKED_AGAIN_CHANCE = 0.5;

/** A shared folder in virtual time. Clients reach it by ports of their own, each with faults of its own beside those of all. */
export class SimShare {
  readonly tree: ShareTree;
  readonly faults = noFaults();
  /** No working lock at all: everybody gets it, and nobody notices. */
  lockBroken = false;
  /** Who holds the lock; a number that no other lock had. */
  lock: { readonly number: number; readonly client: SimShareClient } | null = null;
  /** Told whose lock was taken over as abandoned, while the lock works, and when that was asked for; true time. `number`: the lock that stands now. */
  onTakeOver: (from: string, askedAt: number, number: number) => void = () => undefined;
  /** When a client's last rewriting in place took effect, true time: its last sign of life as others can see it. */
  readonly beatAt = new Map<string, number>();
  private locks = 0;
  private waiting: (() => void)[] = [];

  constructor(readonly options: SimShareOptions) {
    this.tree = new ShareTree(options.device);
  }

  /** Every term record that stands there, by number; unreadable ones are left out. */
  records(lockFileName: string): ReadonlyMap<number, TermRecord> {
    const paths = new SharePaths(lockFileName);
    const found = new Map<number, TermRecord>();
    if (!this.tree.has(paths.terms)) return found;
    for (const name of this.tree.list(paths.terms)) {
      const term = termOfName(name);
      if (term === null) continue;
      try {
        const path = paths.record(term, name.endsWith('.json') ? 'link' : 'rename');
        found.set(term, decodeTermRecord(this.tree.read(path), path));
      } catch {
        continue; // Planted garbage; whoever looks for records finds none there.
      }
    }
    return found;
  }

  /** One for each run of a process: what an earlier run held is not its own. `reply`: how an answer comes back to the client's process; it may drop or hold it. */
  client(name: string, reply: Schedule): SimShareClient {
    return new SimShareClient(this, name, reply);
  }

  /** The host of the share restarts: what was not synced is gone, the lock (a folder) with it when `lockToo`. */
  restart(lockToo = false): void {
    this.tree.restart();
    if (lockToo) this.lock = null;
  }

  /** An empty share is mounted in the place of this one. */
  replace(): void {
    this.tree.replace();
    this.lock = null;
  }

  /** Somebody removes the lock by hand. */
  stealLock(): void {
    this.lock = null;
  }

  take(client: SimShareClient): number {
    this.lock = { number: ++this.locks, client };
    return this.locks;
  }

  /** Lets go what waited for the end of a hang. Call after `hung` was set to false. */
  release(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const go of waiting) go();
  }

  hold(go: () => void): void {
    this.waiting.push(go);
  }

  delay(faults: ShareFaults): number {
    const { fraction } = this.options;
    const { low, high } = faults.latencyMs;
    const { chance, ms } = faults.spikes;
    const spike = chance > 0 && fraction() < chance ? ms * fraction() : 0;
    return low + (high - low) * fraction() + spike;
  }
}

/** One server's mount of the share. */
export class SimShareClient {
  readonly faults = noFaults();
  /** Decides the fate of single requests, for scripts. */
  fate: (operation: Operation, path: string) => Fate = () => ({ kind: 'normal' });
  /** Every request, in the order in which they were asked; none where the share does not note them. */
  readonly requests: string[] = [];
  readonly files: ShareFiles;
  readonly lock: LockPrimitive;
  private readonly remembered = new Map<string, { readonly until: number; readonly names: string[] | null }>();
  private mine: number | null = null;

  constructor(
    private readonly share: SimShare,
    readonly name: string,
    private readonly reply: Schedule,
  ) {
    const { tree } = share;
    const links = share.options.links ?? true;
    this.files = {
      read: (path) => this.ask('read', path, () => this.remember(path, () => tree.read(path))),
      list: (path) => this.ask('list', path, () => this.rememberNames(path)),
      checkWritable: (path) => this.ask('checkWritable', path, () => void tree.identity(path)),
      identity: (path) => this.ask('identity', path, () => tree.identity(path)),
      createSynced: (path, bytes) => this.ask('createSynced', path, () => tree.write(path, bytes, true)),
      rewriteInPlace: (path, bytes) =>
        this.ask('rewriteInPlace', path, () => {
          tree.write(path, bytes, false);
          // A watermark is no sign of life: nobody who contends reads it.
          if (path.endsWith('.heartbeat')) share.beatAt.set(name, share.options.now());
        }),
      link: (from, to) => this.ask('link', to, () => (links ? tree.link(from, to) : raise('EOPNOTSUPP', to))),
      rename: (from, to) => this.ask('rename', to, () => tree.rename(from, to)),
      makeFolder: (path) => this.ask('makeFolder', path, () => tree.makeFolder(path)),
      removeFile: (path) => this.ask('removeFile', path, () => tree.removeFile(path)),
      removeFolder: (path) => this.ask('removeFolder', path, () => tree.removeFolder(path)),
      syncFolder: (path) => this.ask('syncFolder', path, () => tree.syncFolder(path)),
    };
    this.lock = {
      standing: () => this.ask('lock.standing', '', () => (share.lock === null ? null : `lock ${share.lock.number}`)),
      stillOurs: () => this.ask('lock.stillOurs', '', () => this.isMine() || (share.lockBroken && this.mine !== null)),
      acquire: (mayTakeOver) => this.acquire(mayTakeOver),
      release: () => this.ask('lock.release', '', () => this.giveUp()),
    };
  }

  /** As on the real share: what stands is looked at, and taken over only if it still is that when the second request arrives. */
  private async acquire(mayTakeOver: (standing: string) => boolean): Promise<LockAnswer> {
    const { share } = this;
    const seen = await this.ask('lock.acquire', 'look', () => {
      if (this.isMine()) return 'left';
      if (share.lock === null || share.lockBroken) this.mine = share.take(this);
      return this.isMine() ? 'taken' : (share.lock?.number ?? 0);
    });
    if (typeof seen === 'string') return seen;
    if (!mayTakeOver(`lock ${seen}`)) return 'held';
    const askedAt = share.options.now();
    return this.ask('lock.acquire', 'take over', () => {
      if (share.lock?.number !== seen) return 'held';
      const from = share.lock.client.name;
      this.mine = share.take(this);
      if (!share.lockBroken) share.onTakeOver(from, askedAt, this.mine);
      return 'taken';
    });
  }

  /** Whatever stands there, it is not remembered as this client's. */
  forgetLock(): void {
    this.mine = null;
  }

  private isMine(): boolean {
    return this.mine !== null && this.share.lock?.number === this.mine;
  }

  private giveUp(): void {
    if (this.isMine()) this.share.lock = null;
    this.mine = null;
  }

  private ask<T>(operation: Operation, path: string, effect: () => T): Promise<T> {
    const { share } = this;
    if (share.options.notesRequests ?? true) this.requests.push(path === '' ? operation : `${operation} ${path}`);
    const fate = this.fate(operation, path);
    return new Promise<T>((resolve, reject) => {
      const arrive = (): void => {
        if (share.faults.hung || this.faults.hung) share.hold(arrive);
        else this.serve(operation, path, fate, effect, resolve, reject);
      };
      share.options.schedule(this.delay(), arrive);
    });
  }

  /** The request is at the share. */
  private serve<T>(operation: Operation, path: string, fate: Fate, effect: () => T, resolve: (value: T) => void, reject: (error: Error) => void): void {
    const { share } = this;
    const answer = (give: () => void): void => void this.reply(this.delay(), give);
    if (fate.kind === 'refused') return answer(() => reject(failure(fate.code, path)));
    if (fate.kind === 'late') {
      share.options.schedule(fate.afterMs, () => void this.attempt(operation, path, effect));
      return answer(() => reject(failure(fate.code, path)));
    }
    if (fate.kind === 'silent' && !fate.effect) return;
    let outcome = this.attempt(operation, path, effect);
    if (fate.kind === 'silent') return;
    const drops = fate.kind === 'normal' && this.chance(Math.max(share.faults.replyLost, this.faults.replyLost));
    const asksAgain = drops && this.chance(ASKED_AGAIN_CHANCE);
    if (asksAgain) outcome = this.attempt(operation, path, effect);
    const lost = fate.kind === 'reply-lost' ? fate.code : drops && !asksAgain ? 'EIO' : null;
    answer(() => {
      if (lost !== null) reject(failure(lost, path));
      else if ('error' in outcome) reject(outcome.error);
      else resolve(outcome.value);
    });
  }

  private attempt<T>(operation: Operation, path: string, effect: () => T): { readonly value: T } | { readonly error: Error } {
    try {
      const { faults: ofAll } = this.share;
      const { faults: own } = this;
      if (ofAll.gone || own.gone) throw failure('ESTALE', path);
      if ((ofAll.readOnly || own.readOnly) && WRITES.has(operation)) throw failure('EROFS', path);
      if ((ofAll.full || own.full) && GROWTH.has(operation)) throw failure('ENOSPC', path);
      return { value: effect() };
    } catch (error) {
      return { error: error instanceof Error ? error : new Error(String(error)) };
    }
  }

  private delay(): number {
    const { share } = this;
    return Math.max(share.delay(share.faults), share.delay(this.faults));
  }

  private chance(probability: number): boolean {
    return probability > 0 && this.share.options.fraction() < probability;
  }

  /** A name that was absent stays absent for a while in a client's memory. */
  private remember(path: string, read: () => Uint8Array): Uint8Array {
    const staleMs = Math.max(this.share.faults.staleMs, this.faults.staleMs);
    const known = this.remembered.get(path);
    if (staleMs > 0 && known !== undefined && this.share.options.now() < known.until) throw failure('ENOENT', path);
    this.remembered.delete(path);
    if (staleMs > 0 && !this.share.tree.has(path)) this.remembered.set(path, { until: this.share.options.now() + staleMs, names: null });
    return read();
  }

  private rememberNames(path: string): string[] {
    const staleMs = Math.max(this.share.faults.staleMs, this.faults.staleMs);
    const key = `${path}/`;
    const known = this.remembered.get(key);
    if (staleMs > 0 && known?.names && this.share.options.now() < known.until) return [...known.names];
    const names = this.share.tree.list(path);
    if (staleMs > 0) this.remembered.set(key, { until: this.share.options.now() + staleMs, names });
    return [...names];
  }
}

function raise(code: string, path: string): never {
  throw failure(code, path);
}
