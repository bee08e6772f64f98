import fc from 'fast-check';
import { comparePaths, type Entry } from '../../../../src/core/repository/entry.js';
import { planSync, type Plan } from '../../../../src/core/repository/plan.js';
import { file, folder, link, tree } from './trees.js';

/** What the target holds when the plan was carried out. Contents that are compared or fetched become the source's. */
function carriedOut(plan: Plan, source: readonly Entry[]): Entry[] {
  const made = plan.steps.map((step) => (step.do === 'fetch' || step.do === 'compare' ? (source[step.index] ?? step.entry) : step.entry));
  return made.sort((a, b) => comparePaths(a.path, b.path));
}

const known = (entry: Entry): Entry => (entry.kind === 'file' ? { ...entry, digest: entry.digest ?? 'c'.repeat(32) } : entry);

describe('a plan of FULL', () => {
  it('makes the target equal to the source', () => {
    fc.assert(
      fc.property(tree, tree, (source, target) => {
        const plan = planSync(source, target, 'FULL');
        expect(carriedOut(plan, source).map(known)).toEqual(source.map(known));
        const made = new Set(plan.steps.map(({ entry }) => entry.path));
        for (const entry of target) expect(made.has(entry.path) || plan.remove.includes(entry) || plan.clear.includes(entry)).toBe(true);
      }),
    );
  });

  it('changes nothing when both are equal and known', () => {
    fc.assert(fc.property(tree, (source) => expect(planSync(source.map(known), source.map(known), 'FULL').changes).toBe(0)));
  });

  it('makes folders before what they hold, and removes what they hold before them', () => {
    fc.assert(
      fc.property(tree, tree, (source, target) => {
        const { steps, remove, clear } = planSync(source, target, 'FULL');
        const paths = steps.map(({ entry }) => entry.path);
        expect(paths).toEqual([...paths].sort(comparePaths));
        for (const gone of [remove, clear]) expect(gone.map(({ path }) => path)).toEqual(gone.map(({ path }) => path).sort((a, b) => comparePaths(b, a)));
      }),
    );
  });

  it.each<[string, Entry[], Entry[], unknown]>([
    ['a new file is fetched', [file('a')], [], { steps: [{ do: 'fetch', entry: { path: 'a' }, index: 0, here: null }], changes: 1 }],
    ['a file of another size is fetched, with the old one at hand', [file('a', { size: 2 })], [file('a')], { steps: [{ do: 'fetch', here: { size: 1 } }] }],
    ['one of another digest is fetched, even with the same size and time', [file('a')], [file('a', { digest: 'b'.repeat(32) })], { steps: [{ do: 'fetch' }] }],
    ['one whose digest a side does not know is compared', [file('a')], [file('a', { digest: null })], { steps: [{ do: 'compare' }] }],
    ['one with another time and the same digest is touched', [file('a', { mtimeUs: 5 })], [file('a')], { steps: [{ do: 'touch', entry: { mtimeUs: 5 } }] }],
    ['one with other permissions and the same digest is touched', [file('a', { mode: 0o600 })], [file('a')], { steps: [{ do: 'touch', entry: { mode: 0o600 } }] }],
    ['the same file is kept', [file('a')], [file('a')], { steps: [{ do: 'keep' }], changes: 0 }],
    ['a folder of other permissions is given them', [folder('a', { mode: 0o700 })], [folder('a')], { steps: [{ do: 'folder', fresh: false }], changes: 1 }],
    ['a link elsewhere is made anew', [link('a', 'x')], [link('a', 'y')], { steps: [{ do: 'link', entry: { target: 'x' } }] }],
    ['a folder makes room for a file, with all that it holds', [file('a')], [folder('a'), file('a/b')], { clear: [{ path: 'a/b' }, { path: 'a' }], steps: [{ do: 'fetch' }], remove: [] }],
    ['a file makes room for a folder', [folder('a'), file('a/b')], [file('a')], { clear: [{ path: 'a' }], steps: [{ do: 'folder', fresh: true }, { do: 'fetch' }] }],
    ['what the source does not have is removed', [], [folder('a'), file('a/b')], { remove: [{ path: 'a/b' }, { path: 'a' }], changes: 2 }],
  ])('%s', (_, source, target, expected) => {
    expect(planSync(source, target, 'FULL')).toMatchObject(expected as object);
  });
});

describe('a plan of PARTIAL', () => {
  it('keeps all of the target, and adds what finds a place', () => {
    fc.assert(
      fc.property(tree, tree, (source, target) => {
        const plan = planSync(source, target, 'PARTIAL');
        expect([plan.clear, plan.remove]).toEqual([[], []]);
        const after = carriedOut(plan, source);
        const there = new Map(after.map((entry) => [entry.path, entry]));
        for (const entry of target) expect(there.get(entry.path)).toEqual(entry);
        const blockers = target.filter(({ kind }) => kind !== 'folder').map(({ path }) => `${path}/`);
        for (const { path } of source) expect(there.has(path)).toBe(!blockers.some((blocker) => path.startsWith(blocker)));
        expect(after.length).toBe(there.size);
      }),
    );
  });
});
