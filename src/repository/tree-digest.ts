import type { Digest, Entry } from '../core/repository/entry.js';
import { manifestBytes } from '../core/repository/manifest.js';
import type { Hashing } from '../ports/hashing.js';

/** Digest of a whole tree: equal when paths, kinds, permissions, times, contents and targets are. */
export function treeDigest(entries: readonly Entry[], hashing: Hashing): Digest {
  const stream = hashing.begin();
  for (const bytes of manifestBytes(entries)) stream.update(bytes);
  return stream.digest();
}

/** `null` when the content of some file is not known: then the trees must be compared entry by entry. */
export function treeDigestIfKnown(entries: readonly Entry[], hashing: Hashing): Digest | null {
  return entries.every((entry) => entry.kind !== 'file' || entry.digest !== null) ? treeDigest(entries, hashing) : null;
}
