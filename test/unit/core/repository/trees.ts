import fc from 'fast-check';
import { comparePaths, type Entry } from '../../../../src/core/repository/entry.js';

/** Trees as manifests have them: sorted, every parent a folder. */
const PARTS = ['a', 'b', 'B', 'a.b', 'ä', ' '];

export function file(path: string, more: Partial<Entry> = {}): Entry {
  return { path, kind: 'file', mode: 0o644, mtimeUs: 1, size: 1, digest: 'a'.repeat(32), target: '', ...more };
}

export function folder(path: string, more: Partial<Entry> = {}): Entry {
  return { path, kind: 'folder', mode: 0o755, mtimeUs: 1, size: 0, digest: null, target: '', ...more };
}

export function link(path: string, target: string): Entry {
  return { path, kind: 'link', mode: 0, mtimeUs: 0, size: 0, digest: null, target };
}

const leaf = fc.oneof(
  fc.record({ size: fc.integer({ min: 0, max: 2 }), mode: fc.constantFrom(0o644, 0o600), mtimeUs: fc.integer({ min: 0, max: 2 }), digest: fc.constantFrom('a'.repeat(32), 'b'.repeat(32), null) }).map((more) => (path: string) => file(path, more)),
  fc.constantFrom('a', 'b').map((target) => (path: string) => link(path, target)),
);

export const tree: fc.Arbitrary<Entry[]> = fc
  .array(fc.tuple(fc.array(fc.constantFrom(...PARTS), { minLength: 1, maxLength: 3 }), leaf), { maxLength: 12 })
  .map((leaves) => {
    const found = new Map<string, Entry>();
    for (const [parts, made] of leaves) {
      const path = parts.join('/');
      const parents = parts.slice(1).map((_, count) => parts.slice(0, count + 1).join('/'));
      if (found.has(path) || parents.some((parent) => (found.get(parent)?.kind ?? 'folder') !== 'folder')) continue;
      for (const parent of parents) found.set(parent, folder(parent));
      found.set(path, made(path));
    }
    return [...found.values()].sort((a, b) => comparePaths(a.path, b.path));
  });
