import fc from 'fast-check';
import { linkFault, ManifestCheck, NameRefused, pathFault, type Naming } from '../../../../src/core/repository/names.js';
import type { Entry, Scope } from '../../../../src/core/repository/entry.js';
import { file, folder, link, tree } from './trees.js';

const POSIX: Naming = { windows: false, caseless: false };
const WINDOWS: Naming = { windows: true, caseless: true };

function refusal(entries: readonly Entry[], naming: Naming = POSIX, scope: Scope | null = null): string | null {
  const check = new ManifestCheck(naming, scope);
  try {
    for (const entry of entries) check.check(entry);
    return null;
  } catch (error) {
    if (error instanceof NameRefused) return error.message;
    throw error;
  }
}

describe('a path', () => {
  it.each(['a', 'a/b c/ä', '...', '..a', 'a..', '.hidden', 'con', 'a\\b', 'a:b', 'x'.repeat(255)])('%j is taken', (path) => expect(pathFault(path, POSIX)).toBeNull());

  it.each([
    ['', 'empty part'],
    ['a//b', 'empty part'],
    ['a/', 'empty part'],
    ['/etc/passwd', 'absolute'],
    ['..', 'part ".."'],
    ['a/../../b', 'part ".."'],
    ['a/./b', 'part "."'],
    ['a\0b', 'NUL'],
    ['x'.repeat(256), 'longer than 255'],
    ['ä'.repeat(128), 'longer than 255'],
    [Array(300).fill('a').join('/'), 'more than 256 parts'],
    [`${'x'.repeat(250)}/`.repeat(17).slice(0, -1), 'longer than 4096'],
    ['a\ud800b', 'not Unicode'],
  ])('%j is refused', (path, why) => expect(pathFault(path, POSIX)).toContain(why));

  it.each(['a\\..\\b', 'C:', 'a:stream', 'nul', 'NUL.txt', 'com1', 'LPT9.log', 'a.', 'a ', 'a?', 'a\u0007', 'x/aux/y', 'CONIN$'])('%j is refused where the receiver is Windows', (path) =>
    expect(pathFault(path, WINDOWS)).not.toBeNull(),
  );

  it.each(['null', 'com', 'com10', 'console', 'a.b'])('%j is taken there', (path) => expect(pathFault(path, WINDOWS)).toBeNull());
});

describe('a link', () => {
  it.each([
    ['a', 'b'],
    ['a/b', '../c'],
    ['a/b/c', '../../d/./e'],
    ['a', './b'],
  ])('%j to %j is taken', (path, target) => expect(linkFault(path, target, POSIX)).toBeNull());

  it.each([
    ['a', '..'],
    ['a', '../b'],
    ['a/b', '../../c'],
    ['a', '/etc/passwd'],
    ['a', ''],
    ['a', 'b\0'],
    ['a/b/c', 'd/../e'], // d may be a link, and .. behind it leads from where that leads
    ['a', 'x/../../y'],
  ])('%j to %j is refused', (path, target) => expect(linkFault(path, target, POSIX)).not.toBeNull());

  it('cannot lead out of the repository, whatever other links there are', () => {
    const part = fc.constantFrom('..', 'a', 'b', 'c', '.');
    const links = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd/a', 'd/b', 'd/e/a', 'd/e/b'), fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/')), { maxKeys: 7 });
    fc.assert(
      fc.property(links, (wanted) => {
        const made = new Map(Object.entries(wanted).filter(([path, target]) => linkFault(path, target, POSIX) === null));
        for (const path of made.keys()) expect(leavesRoot(path, made)).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });
});

/** Walks as a file system does: link by link, from where each leads. */
function leavesRoot(path: string, links: ReadonlyMap<string, string>): boolean {
  let rest = path.split('/');
  let at: string[] = [];
  for (let steps = 0; rest.length > 0 && steps < 200; steps += 1) {
    const part = rest.shift() ?? '';
    if (part === '.' || part === '') continue;
    if (part === '..') {
      if (at.pop() === undefined) return true;
      continue;
    }
    const target = links.get([...at, part].join('/'));
    if (target === undefined) at = [...at, part];
    else rest = [...target.split('/'), ...rest];
  }
  return false;
}

describe('a manifest', () => {
  it('of any tree is taken', () => fc.assert(fc.property(tree, (entries) => expect(refusal(entries.filter(({ kind }) => kind !== 'link'))).toBeNull())));

  it.each<[string, Entry[], string]>([
    ['a path twice', [file('a'), file('a')], 'twice'],
    ['out of order', [file('b'), file('a')], 'out of order'],
    ['an entry below a file', [file('a'), file('a/b')], 'no folder'],
    ['an entry below a link', [link('a', 'b'), file('a/b')], 'no folder'],
    ['an entry below nothing', [file('a/b')], 'no folder'],
    ['an entry below a folder that was left', [folder('a'), file('b'), file('c/d')], 'no folder'],
    ['a link that leads out', [link('a', '../b')], 'out of the repository'],
  ])('with %s is refused', (_, entries, why) => expect(refusal(entries)).toContain(why));

  it('with names that are one to the receiver is refused', () => {
    expect(refusal([file('A'), file('a')])).toBeNull();
    expect(refusal([file('A'), file('a')], { windows: false, caseless: true })).toContain('one name');
    expect(refusal([file('e\u0301'), file('\u00e9')], { windows: false, caseless: true })).toContain('one name');
  });

  it('of a scope holds its folders and what is in them, and nothing else', () => {
    const scope: Scope = { folders: ['a'], deep: ['b/c'] };
    expect(refusal([folder('a'), file('a/x'), folder('b/c'), folder('b/c/d'), file('b/c/d/e')], POSIX, scope)).toBeNull();
    expect(refusal([file('b/x')], POSIX, scope)).toContain('no folder');
    expect(refusal([file('a')], POSIX, { folders: [], deep: [] })).toContain('no folder');
  });
});
