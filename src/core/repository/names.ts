import { LockstepError } from '../errors.js';
import { comparePaths, parentOf, type Entry, type Scope } from './entry.js';

/*
 * What a path, a link or a manifest of the peer's must be like before anything is made of it. Nothing is repaired: whatever is refused
 * ends the sync, and the live folder stays as it is.
 */

/** UTF-8 bytes of a whole path. */
export const PATH_BYTES_MAX = 4096;
/** UTF-8 bytes of one part: what file systems take. */
export const PART_BYTES_MAX = 255;
export const PARTS_MAX = 256;
export const LINK_TARGET_BYTES_MAX = 4096;
export const ENTRIES_MAX = 1_000_000;

/** What the receiver's file system makes of names. */
export interface Naming {
  readonly windows: boolean;
  /** `Readme` and `README` are one file. */
  readonly caseless: boolean;
}

export class NameRefused extends LockstepError {
  constructor(path: string, why: string) {
    super('LOCKSTEP_REPOSITORY_NAME', `${shown(path)} ${why}`, 'Rename it in the serving server\'s repository, or exclude it in both profiles.');
  }
}

const WINDOWS_CHARACTERS = /[\\:*?"<>|\u0001-\u001f]/;
/** With or without an extension: `nul.txt` is the device, too. */
const WINDOWS_DEVICES = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\.|$)/i;
const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** Why a path cannot be one of a repository; `null` when it can. */
export function pathFault(path: string, naming: Naming): string | null {
  if (isLong(path)) return `is longer than ${PATH_BYTES_MAX} bytes`;
  if (path.startsWith('/')) return 'is an absolute path';
  const parts = path.split('/');
  if (parts.length > PARTS_MAX) return TOO_DEEP;
  for (const part of parts) {
    const fault = partFault(part, naming);
    if (fault !== null) return fault;
  }
  return null;
}

const TOO_DEEP = `has more than ${PARTS_MAX} parts`;

/** As `pathFault`, of `name` in a folder whose own path has none. */
export function nameFault(path: string, name: string, naming: Naming): string | null {
  if (isLong(path)) return `is longer than ${PATH_BYTES_MAX} bytes`;
  if (path.length >= PARTS_MAX * 2 && path.split('/').length > PARTS_MAX) return TOO_DEEP;
  return partFault(name, naming);
}

function isLong(path: string): boolean {
  return path.length > PATH_BYTES_MAX || (path.length * 3 > PATH_BYTES_MAX && utf8Bytes(path) > PATH_BYTES_MAX);
}

function partFault(part: string, naming: Naming): string | null {
  if (part === '') return 'has an empty part';
  if (part === '.' || part === '..') return `has the part "${part}"`;
  if (part.includes('\0')) return 'holds a NUL';
  if (part.length > PART_BYTES_MAX || (part.length * 3 > PART_BYTES_MAX && utf8Bytes(part) > PART_BYTES_MAX)) return `has a part longer than ${PART_BYTES_MAX} bytes`;
  if (LONE_SURROGATE.test(part)) return 'is not Unicode';
  if (!naming.windows) return null;
  if (WINDOWS_CHARACTERS.test(part)) return 'holds a character that Windows does not allow in names';
  if (part.endsWith('.') || part.endsWith(' ')) return 'ends in a dot or a space, which Windows drops';
  return WINDOWS_DEVICES.test(part) ? 'is the name of a device on Windows' : null;
}

/**
 * Why a link may not be made; `null` when it may. Its target stays in the repository: `..` only at its beginning, where it walks up
 * real folders, and never above the repository. Behind a name it could walk up from where another link leads.
 */
export function linkFault(path: string, target: string, naming: Naming): string | null {
  if (target === '') return 'is a link to nothing';
  if (target.includes('\0')) return 'is a link whose target holds a NUL';
  if (utf8Bytes(target) > LINK_TARGET_BYTES_MAX) return `is a link whose target is longer than ${LINK_TARGET_BYTES_MAX} bytes`;
  if (target.startsWith('/')) return `is a link to the absolute path ${shown(target)}`;
  if (naming.windows && /[\\:]/.test(target)) return `is a link to ${shown(target)}, which Windows reads as a path of its own`;
  const depth = path.split('/').length - 1;
  let up = 0;
  let named = false;
  for (const part of target.split('/')) {
    if (part === '..') {
      up += 1;
      if (named || up > depth) return `is a link to ${shown(target)}, out of the repository`;
    } else if (part !== '.' && part !== '') named = true;
  }
  return null;
}

/** Goes through the entries of a manifest in its order. */
export class ManifestCheck {
  /** The folders that the entry at hand lies in. */
  private readonly open: string[] = [];
  private last: string | null = null;
  private readonly seen = new Map<string, string>();
  private readonly scope: ReadonlySet<string> | null;
  private count = 0;

  /** `scope`: of the sync, `null` for the whole repository. */
  constructor(
    private readonly naming: Naming,
    scope: Scope | null,
  ) {
    this.scope = scope === null ? null : new Set([...scope.folders, ...scope.deep]);
  }

  /** @throws NameRefused */
  check(entry: Entry): void {
    const { path } = entry;
    this.count += 1;
    if (this.count > ENTRIES_MAX) throw new NameRefused(path, `is one of more than ${ENTRIES_MAX} entries`);
    const fault = pathFault(path, this.naming) ?? (entry.kind === 'link' ? linkFault(path, entry.target, this.naming) : null);
    if (fault !== null) throw new NameRefused(path, fault);
    if (this.last !== null && comparePaths(this.last, path) >= 0) throw new NameRefused(path, this.last === path ? 'is there twice' : 'is out of order');
    this.last = path;
    this.checkParent(path, entry.kind);
    if (entry.kind === 'folder') this.open.push(path);
    if (this.naming.caseless) this.checkCase(path);
  }

  private checkParent(path: string, kind: Entry['kind']): void {
    const parent = parentOf(path);
    while (this.open.length > 0 && this.open.at(-1) !== parent && !path.startsWith(`${this.open.at(-1) ?? ''}/`)) this.open.pop();
    if (this.open.at(-1) === parent) return;
    const isAsked = this.scope === null ? parent === '' : this.scope.has(parent) || (kind === 'folder' && this.scope.has(path));
    if (!isAsked) throw new NameRefused(path, 'lies in something that is no folder of the manifest');
  }

  private checkCase(path: string): void {
    const folded = path.normalize('NFC').toLowerCase();
    const other = this.seen.get(folded);
    if (other !== undefined) throw new NameRefused(path, `and ${shown(other)} are one name on the receiving server`);
    this.seen.set(folded, path);
  }
}

/** A path as a message shows it: quoted, control characters escaped, not too long. */
export function shown(path: string): string {
  return JSON.stringify(path.length > 300 ? `${path.slice(0, 300)}…` : path);
}

function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff)) bytes += 2;
    else if (unit > 0x7f) bytes += 1; // half of a surrogate pair stands for two of its four bytes
  }
  return bytes;
}
