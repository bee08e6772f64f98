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
export function watchFolder(root: string, exclude: readonly string[], handlers: FolderWatchHandlers, list = listFolder): () => void {
  const watch = new FolderWatching(root, createSelection([], exclude), handlers, list);
  return () => watch.close();
}

function listFolder(path: string): readonly fs.Dirent[] {
  return fs.readdirSync(path, { withFileTypes: true });
}

class FolderWatching {
  private readonly watchers = new Map<string, Watched>();
  private readonly dirty = new Set<string>();
  /** Folders that are to be watched. True: what it holds has just come here, and is told of. */
  private readonly todo = new Map<string, boolean>([['', false]]);
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
    private readonly list: typeof listFolder,
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
    this.todo.clear();
    this.todo.set('', false);
    this.walk();
    this.handlers.changed(null);
  }

  private walk(): void {
    if (this.walking !== null || this.isClosed) return;
    this.walking = setImmediate(() => {
      this.walking = null;
      const until = performance.now() + SLICE_MS;
      for (const [folder, hasCome] of this.todo) {
        this.todo.delete(folder);
        this.add(folder, hasCome);
        if (performance.now() >= until) break;
      }
      if (this.todo.size > 0) this.walk();
    });
  }

  private add(folder: string, hasCome: boolean): void {
    const path = join(this.root, folder);
    try {
      const isNew = !this.watchers.has(folder);
      if (isNew) {
        if (this.watchers.size >= WATCHES_MAX) return this.fail(`it has more than ${WATCHES_MAX} folders`);
        const watcher = fs.watch(path, { persistent: false }, (event, name) => this.changed(folder, event === 'rename', name));
        watcher.on('error', () => this.drop(folder));
        this.watchers.set(folder, { watcher, inner: new Set() });
        if (folder !== '') this.watchers.get(parentOf(folder))?.inner.add(folder);
        // The folder that holds it looks as before where another has taken its place.
        if (hasCome) this.tell(folder);
      }
      for (const entry of this.list(path)) {
        const inner = innerOf(folder, entry.name);
        if (!entry.isDirectory() || !this.selection.takesFolder(inner)) continue;
        if (isNew) this.drop(inner); // It may be another folder of that name.
        if (this.watchers.has(inner)) continue;
        this.want(inner, hasCome);
      }
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      this.drop(folder);
      // A folder that is gone again is no trouble.
      if (code !== 'ENOENT' && code !== 'ENOTDIR') this.fail(code === 'ENOSPC' ? 'the system allows no more watches (fs.inotify.max_user_watches)' : code === '' ? String(error) : code);
    }
  }

  /** @param isName something has got a name in it, or lost one: only then folders can have come. What `name` is, is not always told. */
  private changed(folder: string, isName: boolean, name: string | null): void {
    if (this.isClosed) return;
    this.tell(folder);
    if (!isName) return;
    if (name === null) this.want(folder, true);
    else {
      const inner = innerOf(folder, name);
      // Another folder may stand under that name by now: it is watched anew.
      this.drop(inner);
      if (this.isFolder(inner)) this.want(inner, true);
    }
    this.walk();
  }

  private tell(folder: string): void {
    this.dirty.add(folder);
    this.gathering ??= setTimeout(() => {
      this.gathering = null;
      const folders = [...this.dirty];
      this.dirty.clear();
      this.handlers.changed(folders);
    }, GATHER_MS);
  }

  private want(folder: string, hasCome: boolean): void {
    this.todo.set(folder, hasCome || (this.todo.get(folder) ?? false));
  }

  /** Of this repository. One that cannot be asked for is tried, and says so. */
  private isFolder(inner: string): boolean {
    if (!this.selection.takesFolder(inner)) return false;
    try {
      return fs.lstatSync(join(this.root, inner), { throwIfNoEntry: false })?.isDirectory() ?? false;
    } catch {
      return true;
    }
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

function innerOf(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}
