import * as fs from 'node:fs';
import { join } from 'node:path';
import { parentOf } from '../core/repository/entry.js';
import { createSelection, type Selection } from './repository/patterns.js';

/** Changes within this time become one. */
const GATHER_MS = 200;
/** Work at once; then others have their turn. */
const SLICE_MS = 5;
/** How often it is looked whether the folder is still the one that is watched: an exchange puts another in its place. */
const LOOK_MS = 2_000;
/** The system allows so many watches to a user that a repository may need most of them; more than that are not tried. */
const WATCHES_MAX = 200_000;

interface Watched {
  readonly watcher: fs.FSWatcher;
  /** The folders in it that are watched. */
  readonly inner: Set<string>;
}

export interface FolderWatchHandlers {
  /** Folders in which something changed, relative, the folder itself as empty text; `null`: look at everything. */
  changed(folders: readonly string[] | null): void;
  /** Not every folder can be watched (too many for the system, most often). Once. */
  failed(reason: string): void;
}

/**
 * Watches a folder and all below it that `exclude` does not leave out, one watch a folder: hints, no promises. What is missed, a look at everything finds.
 * @returns what ends it
 * @throws LockstepError LOCKSTEP_REPOSITORY_PATTERN
 */
export function watchFolder(root: string, exclude: readonly string[], handlers: FolderWatchHandlers): () => void {
  const watch = new FolderWatching(root, createSelection([], exclude), handlers);
  return () => watch.close();
}

class FolderWatching {
  private readonly watchers = new Map<string, Watched>();
  private readonly dirty = new Set<string>();
  private todo: string[] = [''];
  private identity: string | null = null;
  private hasFailed = false;
  private isClosed = false;
  private gathering: NodeJS.Timeout | null = null;
  private walking: NodeJS.Immediate | null = null;
  private readonly looking: NodeJS.Timeout;

  constructor(
    private readonly root: string,
    private readonly selection: Selection,
    private readonly handlers: FolderWatchHandlers,
  ) {
    this.identity = identityOf(root);
    this.walk();
    this.looking = setInterval(() => this.look(), LOOK_MS);
  }

  close(): void {
    this.isClosed = true;
    clearInterval(this.looking);
    if (this.gathering !== null) clearTimeout(this.gathering);
    if (this.walking !== null) clearImmediate(this.walking);
    this.forget();
  }

  private forget(): void {
    for (const { watcher } of this.watchers.values()) watcher.close();
    this.watchers.clear();
  }

  private look(): void {
    const identity = identityOf(this.root);
    if (identity === this.identity) return;
    this.identity = identity;
    this.forget();
    this.todo = [''];
    this.walk();
    this.handlers.changed(null);
  }

  private walk(): void {
    if (this.walking !== null || this.isClosed) return;
    this.walking = setImmediate(() => {
      this.walking = null;
      const until = performance.now() + SLICE_MS;
      while (this.todo.length > 0 && performance.now() < until) this.add(this.todo.pop() ?? '');
      if (this.todo.length > 0) this.walk();
    });
  }

  private add(folder: string): void {
    const path = join(this.root, folder);
    try {
      const isNew = !this.watchers.has(folder);
      if (isNew) {
        if (this.watchers.size >= WATCHES_MAX) return this.fail(`it has more than ${WATCHES_MAX} folders`);
        const watcher = fs.watch(path, { persistent: false }, (event, name) => this.changed(folder, event === 'rename' ? name : null));
        watcher.on('error', () => this.drop(folder));
        this.watchers.set(folder, { watcher, inner: new Set() });
        if (folder !== '') this.watchers.get(parentOf(folder))?.inner.add(folder);
      }
      for (const entry of fs.readdirSync(path, { withFileTypes: true })) {
        const inner = folder === '' ? entry.name : `${folder}/${entry.name}`;
        if (!entry.isDirectory() || !this.selection.takesFolder(inner)) continue;
        if (isNew) this.drop(inner); // It may be another folder of that name.
        if (this.watchers.has(inner)) continue;
        this.todo.push(inner);
      }
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      this.drop(folder);
      // A folder that is gone again is no trouble.
      if (code !== 'ENOENT' && code !== 'ENOTDIR') this.fail(code === 'ENOSPC' ? 'the system allows no more watches (fs.inotify.max_user_watches)' : code === '' ? String(error) : code);
    }
  }

  private changed(folder: string, renamed: string | null): void {
    if (this.isClosed) return;
    // Another folder may stand under that name by now: it is watched anew.
    if (renamed !== null) this.drop(folder === '' ? renamed : `${folder}/${renamed}`);
    this.dirty.add(folder);
    // There may be new folders in it.
    this.todo.push(folder);
    this.walk();
    this.gathering ??= setTimeout(() => {
      this.gathering = null;
      const folders = [...this.dirty];
      this.dirty.clear();
      this.handlers.changed(folders);
    }, GATHER_MS);
  }

  /** With all below it: what is moved away takes its folders along, and none of them says so. */
  private drop(folder: string): void {
    const watched = this.watchers.get(folder);
    if (watched === undefined) return;
    watched.watcher.close();
    this.watchers.delete(folder);
    this.watchers.get(parentOf(folder))?.inner.delete(folder);
    for (const inner of watched.inner) this.drop(inner);
  }

  private fail(reason: string): void {
    if (this.hasFailed) return;
    this.hasFailed = true;
    this.handlers.failed(reason);
  }
}

/** `null`: it is not there, or cannot be asked for (a dead mount, a folder above it that is closed to us). */
function identityOf(path: string): string | null {
  try {
    const stats = fs.statSync(path, { throwIfNoEntry: false });
    return stats === undefined ? null : `${stats.dev}:${stats.ino}`;
  } catch {
    return null;
  }
}
