import { comparePaths, parentOf, sameShape, type Entry, type SyncType } from './entry.js';

/*
 * What a sync does: two manifests in, ordered steps out. `source` is what the serving server has, `target` what the receiver has.
 *
 * FULL: carried out, the target's manifest equals the source's. PARTIAL: every entry of the target stays as it is, and what the source has
 * beside them is there too. Both hold for staging (which also makes what stays) and file by file (which leaves it alone).
 */

export type Step =
  /** `fresh`: make a folder. Otherwise it is there, and its permissions or its time differ. */
  | { readonly do: 'folder'; readonly entry: Entry; readonly fresh: boolean }
  /** The target's own file, folder or link stays as it is. */
  | { readonly do: 'keep'; readonly entry: Entry }
  /** The content is right; permissions or time are not. */
  | { readonly do: 'touch'; readonly entry: Entry }
  /** `here`: what stands there now, if anything does. */
  | { readonly do: 'link'; readonly entry: Entry; readonly here: Entry | null }
  /** Size agrees, but whether the content does is not known on both sides. `index`: in the source's manifest. */
  | { readonly do: 'compare'; readonly entry: Entry; readonly index: number; readonly here: Entry }
  /** Content must come. `here`: what stands there now: an older file, whose parts may be of use, or a link. */
  | { readonly do: 'fetch'; readonly entry: Entry; readonly index: number; readonly here: Entry | null };

export interface Plan {
  /** What must be gone before the steps: what stands where another kind of thing shall be. Deepest first. */
  readonly clear: readonly Entry[];
  /** In the manifest's order: a folder before what it holds. */
  readonly steps: readonly Step[];
  /** What the target has and shall not have; after the steps, deepest first. */
  readonly remove: readonly Entry[];
  /** Steps and removals that change something, as far as is known before contents are compared. */
  readonly changes: number;
}

/**
 * Both sorted by `comparePaths`, without doubles. NO is planned as FULL, and so is what is verified: what would change is what differs. `foreign`: topmost paths at the target that
 * are no part of the repository. A folder that holds one cannot be removed, and with PARTIAL nothing takes its place.
 */
export function planSync(source: readonly Entry[], target: readonly Entry[], type: SyncType, foreign: readonly string[] = []): Plan {
  const steps: Step[] = [];
  const clear: Entry[] = [];
  const remove: Entry[] = [];
  const planned = type === 'PARTIAL' ? new Adding(steps, new Set(foreign)) : new Equalling(steps, clear, remove, foldersOf(foreign));
  let s = 0;
  let t = 0;
  for (;;) {
    const from = source[s];
    const here = target[t];
    if (from === undefined && here === undefined) break;
    const order = from === undefined ? 1 : here === undefined ? -1 : comparePaths(from.path, here.path);
    if (from !== undefined && here !== undefined && order === 0) planned.both(from, s, here);
    else if (from !== undefined && order < 0) planned.missing(from, s);
    else if (here !== undefined) planned.extra(here);
    if (order <= 0) s += 1;
    if (order >= 0) t += 1;
  }
  clear.reverse();
  remove.reverse();
  const changes = steps.reduce((sum, step) => sum + (step.do === 'keep' ? 0 : 1), clear.length + remove.length);
  return { clear, steps, remove, changes };
}

/** Is `path` below `folder`? */
export function isBelow(path: string, folder: string): boolean {
  return path.length > folder.length && path.startsWith(folder) && path.charCodeAt(folder.length) === 0x2f;
}

class Equalling {
  /** A folder of the target's that must make room for a file or a link. */
  private clearing: string | null = null;

  constructor(
    private readonly steps: Step[],
    private readonly clear: Entry[],
    private readonly remove: Entry[],
    private readonly holding: ReadonlySet<string>,
  ) {}

  missing(from: Entry, index: number): void {
    this.steps.push(made(from, index, null));
  }

  extra(here: Entry): void {
    const makesRoom = this.clearing !== null && isBelow(here.path, this.clearing);
    if (!makesRoom && here.kind === 'folder' && this.holding.has(here.path)) this.steps.push(kept(here));
    else (makesRoom ? this.clear : this.remove).push(here);
  }

  both(from: Entry, index: number, here: Entry): void {
    if ((from.kind === 'folder') !== (here.kind === 'folder')) {
      this.clear.push(here);
      if (here.kind === 'folder') this.clearing = here.path;
      this.steps.push(made(from, index, null));
    } else this.steps.push(from.kind === here.kind ? alike(from, index, here) : made(from, index, here));
  }
}

class Adding {
  /** Something of the target's that is no folder where the source has one: what the source has below it finds no place. */
  private blocked: string | null = null;

  constructor(
    private readonly steps: Step[],
    private readonly foreign: ReadonlySet<string>,
  ) {}

  missing(from: Entry, index: number): void {
    if (this.foreign.has(from.path)) this.blocked = from.path;
    if (this.blocked === from.path) return;
    if (this.blocked === null || !isBelow(from.path, this.blocked)) this.steps.push(made(from, index, null));
  }

  extra(here: Entry): void {
    this.steps.push(kept(here));
  }

  both(from: Entry, _index: number, here: Entry): void {
    if (from.kind === 'folder' && here.kind !== 'folder') this.blocked = here.path;
    this.steps.push(kept(here));
  }
}

function made(from: Entry, index: number, here: Entry | null): Step {
  if (from.kind === 'folder') return { do: 'folder', entry: from, fresh: true };
  return from.kind === 'link' ? { do: 'link', entry: from, here } : { do: 'fetch', entry: from, index, here };
}

function kept(here: Entry): Step {
  return { do: 'keep', entry: here };
}

function alike(from: Entry, index: number, here: Entry): Step {
  if (from.kind === 'folder') return from.mode === here.mode && from.mtimeUs === here.mtimeUs ? kept(here) : { do: 'folder', entry: from, fresh: false };
  if (from.kind === 'link') return from.target === here.target ? kept(here) : { do: 'link', entry: from, here };
  if (from.size !== here.size) return { do: 'fetch', entry: from, index, here };
  if (from.digest === null || here.digest === null) return { do: 'compare', entry: from, index, here };
  if (from.digest !== here.digest) return { do: 'fetch', entry: from, index, here };
  return sameShape(from, here) ? kept(here) : { do: 'touch', entry: { ...from, digest: here.digest } };
}

function foldersOf(paths: readonly string[]): ReadonlySet<string> {
  const folders = new Set<string>();
  for (const path of paths) for (let folder = parentOf(path); folder !== '' && !folders.has(folder); folder = parentOf(folder)) folders.add(folder);
  return folders;
}
