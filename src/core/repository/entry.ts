/** The sync types of the reference. FULL: becomes equal. PARTIAL: what is new is added. NO: only compared. */
export type SyncType = 'FULL' | 'PARTIAL' | 'NO';

export type EntryKind = 'file' | 'folder' | 'link';

/** XXH128 of a content, 32 hexadecimal digits: it tells contents apart that differ by accident. Against malice stands the link, which is authenticated. */
export type Digest = string;

/** One thing in a repository. */
export interface Entry {
  /** Relative to the repository, `/` between the parts, never empty. */
  readonly path: string;
  readonly kind: EntryKind;
  /** Permission bits, 0 to 0o7777. 0 for a link: the system ignores them. */
  readonly mode: number;
  /** Time of the last change, in microseconds since 1970: the finest that can be set. 0 for a link, whose time cannot be set everywhere. */
  readonly mtimeUs: number;
  /** Bytes of a file; 0 for others. */
  readonly size: number;
  /** Of a file whose content is known; `null` when it would have to be read, and for others. */
  readonly digest: Digest | null;
  /** Where a link points, as it is written; empty for others. */
  readonly target: string;
}

/** Something that is in the folder and no repository carries: a socket, a pipe, a device, a link to the outside, a name that is no Unicode. */
export interface LeftOut {
  readonly path: string;
  readonly what: string;
}

/** What a folder holds, sorted by `comparePaths`. */
export interface Manifest {
  readonly entries: readonly Entry[];
  readonly leftOut: readonly LeftOut[];
  /** What stands in the folder and is no part of it: topmost paths. Of this server's own only. */
  readonly foreign?: readonly string[];
  /** There is no folder, where that is allowed. Of this server's own only. */
  readonly isAbsent?: boolean;
}

/** Why a sync is made by itself, as it stands with what it keeps. */
export const SyncReason = {
  /** Until one has gone well from this run of the sender. */
  joining: 'joining',
  /** After that: one before it failed, or the link was lost. */
  again: 'trying again',
  look: 'a look at everything',
  /** In single folders, file by file. */
  change: 'a change',
} as const;

/** Which paths belong to a repository, as globs. An empty `include` takes all. */
export interface Patterns {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** What must be the same in both profiles for one repository to be what both operators think. */
export interface RepositorySettings extends Patterns {
  readonly name: string;
  readonly syncType: SyncType;
}

/**
 * The part of a repository that a sync is about: `null` is the whole. Otherwise folders (empty text: the repository itself), each itself and with what it
 * holds directly, or with everything below it when it is named in `deep`.
 */
export interface Scope {
  readonly folders: readonly string[];
  readonly deep: readonly string[];
}

/**
 * The order of manifests: part by part, a folder right before what it holds. Parts are compared by UTF-16 units, the same on every server.
 * @returns below 0 when `a` comes first
 */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left === right) continue;
    // The end of a part comes before everything that a part can hold.
    if (left === SLASH) return -1;
    if (right === SLASH) return 1;
    return left - right;
  }
  return a.length - b.length;
}
const SLASH = 0x2f;

/** Path of the folder that holds it; empty for what the repository holds directly. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** Equal in everything but the content of files. */
export function sameShape(a: Entry, b: Entry): boolean {
  return a.kind === b.kind && a.mode === b.mode && a.mtimeUs === b.mtimeUs && a.size === b.size && a.target === b.target;
}
