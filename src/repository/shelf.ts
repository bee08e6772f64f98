import { KEPT_SHOWN_MAX } from '../core/control/repository.js';
import type { Cancel } from '../ports/clock.js';
import type { ContentFile, RepositoryFolder, RepositoryStore } from '../ports/repository.js';
import type { RepositoryConfig } from './config.js';
import { reasonOf } from './messages.js';
import type { KeeperTools } from './tools.js';

/** What is learnt of files while all goes on is written so often at most: a million of them take a second. */
const SAVE_AGAIN_MS = 600_000;
/** By then the system has written a file of its own accord, with nobody asking it to. */
const RESTED_MS = 120_000;
/** A sync gives what it takes over another name, and has then touched all of it: what it learnt is written when that has rested. */
const SAVE_AFTER_MS = RESTED_MS + 10_000;

interface Opened {
  readonly store: RepositoryStore;
  kept: readonly string[];
  savedAt: number | null;
  /** A writing to come. */
  saving: Cancel | null;
}

/** The repositories of this server, each opened once, when it is first of use. */
export class Shelf {
  private readonly opened = new Map<string, Opened>();
  private readonly opening = new Map<string, Promise<RepositoryStore>>();

  constructor(private readonly tools: KeeperTools) {}

  /**
   * Opens a repository and ends what a crash interrupted in it.
   * @throws LockstepError, or an Error of the file system (rejects); the next call tries again
   */
  async open(config: RepositoryConfig): Promise<RepositoryStore> {
    // One at a time, also where both roles follow each other closely.
    const before = this.opening.get(config.name) ?? Promise.resolve();
    const now = before.then(
      () => this.openNow(config),
      () => this.openNow(config),
    );
    this.opening.set(config.name, now);
    return now;
  }

  private async openNow(config: RepositoryConfig): Promise<RepositoryStore> {
    const known = this.opened.get(config.name);
    const store = known?.store ?? this.tools.open(config);
    for (const said of await store.recover()) this.tools.log.write('info', `Repository ${config.name}: ${said}`, { event: 'repository-recovered', repository: config.name });
    if (known === undefined) this.opened.set(config.name, { store, kept: [], savedAt: null, saving: null });
    this.look(config.name);
    return store;
  }

  get(name: string): RepositoryStore | null {
    return this.opened.get(name)?.store ?? null;
  }

  /** Names of the kept versions, newest first, as they were at the last look. */
  kept(name: string): readonly string[] {
    return this.opened.get(name)?.kept ?? [];
  }

  /** Looks at the kept versions again. */
  look(name: string): void {
    const opened = this.opened.get(name);
    if (opened === undefined) return;
    try {
      opened.kept = opened.store.kept().map((version) => version.name).sort().reverse().slice(0, KEPT_SHOWN_MAX);
    } catch (error) {
      this.tools.log.write('warn', `Repository ${name}: its kept versions cannot be listed: ${reasonOf(error)}`, { repository: name });
    }
  }

  /** Writes what was learnt of files, so that they need not be read again. Nothing more is written by itself after that. */
  end(): void {
    for (const [name, opened] of this.opened) {
      opened.saving?.();
      this.saveOne(name, () => opened.store.save());
    }
  }

  /** The whole of it was looked at: a process that is killed later should not have all of it read again. */
  learnt(name: string): void {
    const { clock } = this.tools;
    const opened = this.opened.get(name);
    if (opened === undefined || opened.saving !== null) return;
    const ms = Math.max(SAVE_AFTER_MS, opened.savedAt === null ? 0 : opened.savedAt + SAVE_AGAIN_MS - clock.monotonic());
    opened.saving = clock.after(ms, () => {
      opened.saving = null;
      opened.savedAt = clock.monotonic();
      this.saveOne(name, () => opened.store.save(RESTED_MS));
    });
  }

  private saveOne(name: string, save: () => void): void {
    try {
      save();
    } catch (error) {
      // Costs a reading of the files at the next start, nothing else.
      this.tools.log.write('warn', `Repository ${name}: its record of digests cannot be written: ${reasonOf(error)}`, { repository: name });
    }
  }
}

/** In place of a repository that cannot be opened: whoever asks for it hears why, as from one that cannot be read. */
export function brokenFolder(error: unknown): RepositoryFolder {
  const fail = (): never => {
    throw error instanceof Error ? error : new Error(String(error));
  };
  return { scan: () => ({ step: fail, close: () => undefined }), open: fail as (path: string) => ContentFile };
}
