import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createClock } from '../../../src/adapters/clock.js';
import { createPlainNetwork } from '../../../src/adapters/network.js';
import { createHashing } from '../../../src/adapters/repository/hashing.js';
import { NodeRepository, type StoreOptions } from '../../../src/adapters/repository/store.js';
import type { RunId, ServerId, Term } from '../../../src/core/identity.js';
import type { Hashing } from '../../../src/ports/hashing.js';
import type { RepositoryFolder, RepositoryStore } from '../../../src/ports/repository.js';
import type { Listener } from '../../../src/ports/stream.js';
import { createReceiver } from '../../../src/repository/receiver.js';
import { createSender } from '../../../src/repository/sender.js';
import type { ReceiverSession, SenderSession, SyncHint, SyncReport, SyncRequest } from '../../../src/repository/session.js';

export const SENDER = { cluster: 'c', server: 'primary' as ServerId, run: 'run-p' as RunId };
export const RECEIVER = { cluster: 'c', server: 'secondary' as ServerId, run: 'run-s' as RunId };
export const NAME = 'apps';
/** The user that Lockstep runs as where it is not root, and another. */
export const KEEPER = 1234;
export const APPLICATION = 4321;
export const asRoot = process.geteuid?.() === 0 ? it : it.skip;

/** A folder of its own for one test, removed by `removeAll`. */
export class Places {
  private static readonly made: string[] = [];
  readonly root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'lockstep-repository-')));

  constructor() {
    Places.made.push(this.root);
  }

  at(...parts: string[]): string {
    return path.join(this.root, ...parts);
  }

  folder(...parts: string[]): string {
    fs.mkdirSync(this.at(...parts), { recursive: true });
    return this.at(...parts);
  }

  write(file: string, content: string | Uint8Array): void {
    fs.mkdirSync(path.dirname(this.at(file)), { recursive: true });
    fs.writeFileSync(this.at(file), content);
  }

  read(file: string): string {
    return fs.readFileSync(this.at(file), 'utf8');
  }

  static removeAll(): void {
    for (const root of Places.made.splice(0)) fs.rmSync(root, { recursive: true, force: true });
  }
}

/** Everything that a repository carries of a folder, as text to compare. */
export function picture(folder: string): Record<string, string> {
  const seen: Record<string, string> = {};
  const walk = (at: string): void => {
    for (const name of fs.readdirSync(path.join(folder, at)).sort()) {
      const inner = at === '' ? name : `${at}/${name}`;
      const stats = fs.lstatSync(path.join(folder, inner));
      const dressed = `${(stats.mode & 0o7777).toString(8)} ${Math.round(stats.mtimeMs * 1000)}`;
      if (stats.isSymbolicLink()) seen[inner] = `link ${fs.readlinkSync(path.join(folder, inner))}`;
      else if (stats.isDirectory()) {
        seen[inner] = `folder ${dressed}`;
        walk(inner);
      } else if (stats.isFile()) seen[inner] = `file ${dressed} ${fs.readFileSync(path.join(folder, inner)).toString('base64')}`;
      else seen[inner] = 'special';
    }
  };
  walk('');
  return seen;
}

/** Everything belongs to the user that Lockstep runs as. */
export function own(places: Places): void {
  const walk = (at: string): void => {
    fs.lchownSync(at, KEEPER, KEEPER);
    if (fs.lstatSync(at).isDirectory()) for (const name of fs.readdirSync(at)) walk(path.join(at, name));
  };
  walk(places.root);
}

export async function asKeeper(action: () => Promise<void>): Promise<void> {
  process.setegid?.(KEEPER);
  process.seteuid?.(KEEPER);
  try {
    await action();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}

let hashing: Hashing | null = null;

export async function openStore(options: Partial<StoreOptions> & { readonly path: string }): Promise<NodeRepository> {
  hashing ??= await createHashing();
  const store = NodeRepository.open({ name: NAME, recordFile: `${options.path}.digests`, include: [], exclude: [], keep: 5, hashing, ...options });
  await store.recover();
  return store;
}

/** What both keepers were ordered; a test changes it. */
export interface Orders {
  senderTerm: Term | null;
  /** `null`: does not receive. */
  receiverTerm: Term | null;
  fencedThrough: Term;
}

/** Two ends of a repository link over loopback, in this process. */
export class Pair {
  readonly orders: Orders = { senderTerm: 3 as Term, receiverTerm: 3 as Term, fencedThrough: 0 as Term };
  readonly reports: SyncReport[] = [];
  /** Of each report: whether it is about the whole tree. */
  readonly wholes: boolean[] = [];
  readonly hints: SyncHint[] = [];
  readonly log: string[] = [];
  /** Bytes that the sender may still send; a test makes it finite. */
  allowance = Number.POSITIVE_INFINITY;
  sender: SenderSession | null = null;
  receiver: ReceiverSession | null = null;
  private listener: Listener | null = null;
  private finished: ((report: SyncReport) => void) | null = null;
  private closedReasons: string[] = [];
  private onClosed: (() => void) | null = null;

  private static readonly made: Pair[] = [];

  constructor(
    readonly from: RepositoryFolder,
    readonly to: RepositoryStore,
  ) {
    Pair.made.push(this);
  }

  /** Of the folders `a` and `b` of `places`, connected. @param to more, of the receiver alone */
  static async between(places: Places, options: Partial<StoreOptions> = {}, to: Partial<StoreOptions> = {}): Promise<Pair> {
    const pair = new Pair(await openStore({ path: places.folder('a'), ...options }), await openStore({ path: places.folder('b'), ...options, ...to }));
    expect(await pair.connect()).toBe('ready');
    return pair;
  }

  static stopAll(): void {
    for (const pair of Pair.made.splice(0)) pair.stop();
  }

  /** Resolves when the link is welcome, or with the reason why it closed. */
  async connect(): Promise<'ready' | string> {
    hashing ??= await createHashing();
    const used = hashing;
    const clock = createClock();
    const log = { write: (_level: string, message: string) => void this.log.push(message) };
    const network = createPlainNetwork({ log, loopbackOnly: true });
    this.listener ??= await network.listen({ host: '127.0.0.1', port: 0 }, (stream) => {
      this.sender = createSender({
        stream,
        hashing: used,
        identity: SENDER,
        clock,
        log,
        folders: new Map([[NAME, this.from]]),
        isOpening: () => false,
        settings: [],
        authority: () => (this.orders.senderTerm === null ? null : { peer: RECEIVER, term: this.orders.senderTerm }),
        allowance: () => this.allowance,
        sent: (_, bytes) => (this.allowance -= bytes),
        reported: (report, wholeSince) => {
          this.reports.push(report);
          this.wholes.push(wholeSince !== null);
        },
        closed: () => undefined,
      });
    });
    const stream = await network.dial({ host: '127.0.0.1', port: this.listener.port }, 5_000);
    return new Promise((resolve) => {
      this.receiver = createReceiver({
        stream,
        hashing: used,
        senderRun: SENDER.run,
        identity: RECEIVER,
        clock,
        log,
        stores: new Map([[NAME, this.to]]),
        authority: () => (this.orders.receiverTerm === null ? null : { from: SENDER, term: this.orders.receiverTerm, fencedThrough: this.orders.fencedThrough }),
        told: () => undefined,
        hinted: (hint) => void this.hints.push(hint),
        ready: () => resolve('ready'),
        finished: (report) => this.finished?.(report),
        closed: (reason) => {
          this.closedReasons.push(reason);
          this.onClosed?.();
          resolve(reason);
        },
      });
    });
  }

  /** Why the link closed, when it has. */
  async closed(): Promise<string> {
    if (this.closedReasons.length === 0) await new Promise<void>((resolve) => (this.onClosed = resolve));
    return this.closedReasons[0] ?? '';
  }

  sync(request: Partial<SyncRequest> = {}): Promise<SyncReport> {
    return new Promise((resolve) => {
      this.finished = resolve;
      this.receiver?.sync({ repository: NAME, type: 'FULL', purpose: 'sync', checksum: false, folders: null, reason: 'test', ...request });
    });
  }

  stop(): void {
    this.receiver?.close('the test has ended');
    this.listener?.close();
  }
}
