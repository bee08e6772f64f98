import * as fs from 'node:fs';
import fc from 'fast-check';
import { openStore, Pair, picture, Places } from './support.js';

/* Whole syncs on real folders, over a real link. */

async function pairOf(places: Places, more: { exclude?: string[]; include?: string[]; keep?: number } = {}): Promise<Pair> {
  const from = await openStore({ path: places.folder('a'), ...more });
  const to = await openStore({ path: places.folder('b'), ...more });
  const pair = new Pair(from, to);
  expect(await pair.connect()).toBe('ready');
  return pair;
}

afterEach(() => {
  Pair.stopAll();
  Places.removeAll();
});

/** A tree as a plan: what stands under each path. */
type Leaf = { readonly kind: 'file'; readonly content: string; readonly mode: number; readonly time: number } | { readonly kind: 'link'; readonly target: string };
const NAMES = ['a', 'b', 'B', 'c.txt', 'ä', ' d', '.e'];
const leaf: fc.Arbitrary<Leaf> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('file' as const), content: fc.string({ maxLength: 40 }), mode: fc.constantFrom(0o644, 0o600, 0o755), time: fc.integer({ min: 1_000_000, max: 1_900_000_000 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('link' as const), target: fc.constantFrom('a', 'b', 'nowhere') }) },
);
const tree = fc.dictionary(fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/')), leaf, { maxKeys: 12 });

function grow(root: string, wanted: Record<string, Leaf>): void {
  for (const [at, what] of Object.entries(wanted)) {
    const place = `${root}/${at}`;
    try {
      fs.mkdirSync(place.slice(0, place.lastIndexOf('/')), { recursive: true });
      if (what.kind === 'link') fs.symlinkSync(what.target, place);
      else {
        fs.writeFileSync(place, what.content, { mode: what.mode, flag: 'wx' });
        fs.utimesSync(place, what.time, what.time);
      }
    } catch {
      continue; // Two of the paths exclude each other: the first stands.
    }
  }
}

describe('FULL', () => {
  it('makes any folder equal to any other, in one round and for good', async () => {
    await fc.assert(
      fc.asyncProperty(tree, tree, async (ours, theirs) => {
        const places = new Places();
        grow(places.folder('a'), ours);
        grow(places.folder('b'), theirs);
        const pair = await pairOf(places);
        const first = await pair.sync();
        expect(first.detail).toBeNull();
        expect(picture(places.at('b'))).toEqual(picture(places.at('a')));
        const second = await pair.sync();
        expect(second).toMatchObject({ outcome: 'same', files: 0, detail: null });
        expect((await pair.sync({ purpose: 'verify' })).outcome).toBe('same');
        pair.stop();
      }),
      { numRuns: 40 },
    );
  });

  it('keeps what it replaced or removed, and nothing else, and brings it back', async () => {
    const places = new Places();
    places.write('a/same', 'same');
    places.write('a/new', 'from a');
    places.write('a/changed', 'from a');
    places.write('b/same', 'same');
    fs.utimesSync(places.at('a/same'), 5, 5);
    fs.utimesSync(places.at('b/same'), 5, 5);
    places.write('b/changed', 'from b');
    places.write('b/own/file', 'only b');
    const pair = await pairOf(places);
    const report = await pair.sync();
    expect(report.outcome).toBe('changed');
    const kept = pair.to.kept();
    expect(kept).toMatchObject([{ name: report.kept, term: 3, reason: 'test', files: 2, paths: ['changed', 'own/file'] }]);
    expect(Object.keys(picture(places.at('.b.lockstep/kept', report.kept ?? ''))).sort()).toEqual(['changed', 'own', 'own/file']);
    expect(pair.log.join()).toContain('own/file');
    expect(await pair.to.restore(report.kept ?? '', ['own/file'], { term: 3 as never, mayChange: () => true, reason: 'by hand', at: Date.now() })).toBe(1);
    expect(places.read('b/own/file')).toBe('only b');
    expect(places.read('b/changed')).toBe('from a');
  });

  it('leaves alone what is excluded, on both sides', async () => {
    const places = new Places();
    places.write('a/app/x', 'a');
    places.write('a/app/log/1', 'log of a');
    places.write('b/gone/y', 'b');
    places.write('b/gone/log/2', 'log of b');
    const pair = await pairOf(places, { exclude: ['log'] });
    await pair.sync();
    expect(places.read('b/app/x')).toBe('a');
    expect(fs.existsSync(places.at('b/app/log'))).toBe(false);
    expect(places.read('b/gone/log/2')).toBe('log of b');
    expect(fs.existsSync(places.at('b/gone/y'))).toBe(false);
  });

  it('goes by the patterns that it is given, and then both are equal', async () => {
    const places = new Places();
    places.write('a/app/x', 'a');
    places.write('a/tmp/1', 'tmp of a');
    places.write('a/log/1', 'log of a');
    places.write('b/log/2', 'log of b');
    places.write('b/tmp/2', 'tmp of b');
    const pair = new Pair(await openStore({ path: places.at('a'), exclude: ['tmp'] }), await openStore({ path: places.at('b'), exclude: ['log'] }));
    expect(await pair.connect()).toBe('ready');
    const patterns = { include: [], exclude: ['tmp'] };
    expect((await pair.sync({ patterns })).outcome).toBe('changed');
    expect(Object.keys(picture(places.at('b'))).filter((path) => path.includes('/'))).toEqual(['app/x', 'log/1', 'tmp/2']);
    expect((await pair.sync({ patterns })).outcome).toBe('same');
    expect(await pair.sync({ patterns: { include: [], exclude: ['['.repeat(2000)] } })).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('1 to 1024 characters') });
  });

  it('sends only what changed of a large file, and goes on where it was interrupted', async () => {
    const places = new Places();
    const bytes = new Uint8Array(8 * 1024 * 1024).map((_, at) => (at * 2654435761) >>> 24);
    for (let at = 0; at < bytes.length; at += 4096) new DataView(bytes.buffer).setUint32(at, at * 7919);
    places.write('a/large', bytes);
    const pair = await pairOf(places);
    pair.allowance = 3 * 1024 * 1024;
    const begun = pair.sync();
    // Until what was sent has come, too.
    while (pair.allowance > 0 || (pair.receiver?.progress?.bytesDone ?? 0) < 2.5 * 1024 * 1024) await new Promise((resolve) => setImmediate(resolve));
    pair.receiver?.cancel('interrupted by the test');
    expect(await begun).toMatchObject({ outcome: 'failed', detail: 'interrupted by the test' });
    expect(fs.existsSync(places.at('b/large'))).toBe(false);
    pair.allowance = Number.POSITIVE_INFINITY;
    pair.sender?.wake();
    const resumed = await pair.sync();
    expect(resumed.outcome).toBe('changed');
    expect(resumed.wireBytes).toBeLessThan(6 * 1024 * 1024);
    bytes.set(new Uint8Array(10_000).fill(7), 3_000_001);
    places.write('a/large', bytes);
    const changed = await pair.sync();
    expect(changed.wireBytes).toBeLessThan(100_000);
    expect(picture(places.at('b'))).toEqual(picture(places.at('a')));
  });

  it('names what it cannot carry, and carries the rest', async () => {
    const places = new Places();
    places.write('a/file', 'x');
    fs.symlinkSync('/etc/passwd', places.at('a/absolute'));
    fs.symlinkSync('../../elsewhere', places.at('a/out'));
    const pair = await pairOf(places);
    const report = await pair.sync();
    expect(report.leftOut.join('\n')).toMatch(/absolute: .*\/etc\/passwd.*\nout: .*out of the repository/s);
    expect(Object.keys(picture(places.at('b')))).toEqual(['file']);
  });
});

describe('PARTIAL', () => {
  it('adds what is new, and neither changes nor removes anything', async () => {
    await fc.assert(
      fc.asyncProperty(tree, tree, async (ours, theirs) => {
        const places = new Places();
        grow(places.folder('a'), ours);
        grow(places.folder('b'), theirs);
        const before = picture(places.at('b'));
        const pair = await pairOf(places);
        expect((await pair.sync({ type: 'PARTIAL' })).outcome).not.toBe('failed');
        const after = picture(places.at('b'));
        for (const [at, what] of Object.entries(before)) expect([at, after[at]]).toEqual([at, what]);
        const blocked = (at: string): boolean => Object.entries(before).some(([other, what]) => !what.startsWith('folder') && at.startsWith(`${other}/`));
        for (const [at, what] of Object.entries(picture(places.at('a')))) if (before[at] === undefined && !blocked(at)) expect([at, after[at]]).toEqual([at, what]);
        pair.stop();
      }),
      { numRuns: 40 },
    );
  });
});

describe('what PARTIAL leaves as it differs', () => {
  it('is counted by sync and diff, and a difference when it is verified', async () => {
    const places = new Places();
    places.write('a/both', 'of the one');
    places.write('b/both', 'of the two, as well');
    places.write('a/unread', 'of the one');
    places.write('b/unread', 'of the two');
    places.write('b/own', 'own');
    places.write('a/same', 'same');
    places.write('b/same', 'same');
    for (const file of ['a/both', 'b/both', 'a/unread', 'b/unread', 'a/same', 'b/same']) fs.utimesSync(places.at(file), 7, 7);
    places.write('a/new', 'new');
    const pair = await pairOf(places);
    const left = '3 differences are left as they are (PARTIAL): both (content), own (extra), unread (content)';
    expect(await pair.sync({ type: 'PARTIAL', purpose: 'diff' })).toMatchObject({ outcome: 'differs', detail: left, differences: [{ path: 'new', what: 'missing' }] });
    expect(await pair.sync({ type: 'PARTIAL' })).toMatchObject({ outcome: 'changed' });
    expect(await pair.sync({ type: 'PARTIAL', purpose: 'diff' })).toMatchObject({ outcome: 'same', detail: left });
    // Without a reading.
    expect(await pair.sync({ type: 'PARTIAL' })).toMatchObject({ outcome: 'same', detail: expect.stringMatching(/^[23] differences are left as they are \(PARTIAL\): both \(content\), own \(extra\)/) });
    expect(await pair.sync({ type: 'PARTIAL', purpose: 'verify' })).toMatchObject({ outcome: 'differs', detail: null, differences: [{ path: 'both', what: 'content' }, { path: 'own', what: 'extra' }, { path: 'unread', what: 'content' }], differencesTotal: 3 });
    expect([places.read('b/both'), places.read('b/own')]).toEqual(['of the two, as well', 'own']);
  });
});

describe('what no repository carries', () => {
  it('is named also when both trees are equal, whatever was asked for, and in a sync of single folders', async () => {
    const places = new Places();
    places.write('a/file', 'x');
    const pair = await pairOf(places);
    await pair.sync();
    fs.utimesSync(places.at('a'), 7, 7);
    fs.symlinkSync('/etc/passwd', places.at('a/link'));
    const named = ['link: a link to the absolute path "/etc/passwd"'];
    for (const request of [{}, { purpose: 'diff' }, { purpose: 'verify' }, { folders: [''] }] as const) expect(await pair.sync(request)).toMatchObject({ outcome: 'same', leftOut: named });
    places.folder('a/new/er');
    fs.symlinkSync('../../..', places.at('a/new/er/out'));
    expect((await pair.sync({ folders: [''] })).leftOut).toEqual([...named, 'new/er/out: a link to "../../..", out of the repository']);
  });
});

describe('NO, diff and verify', () => {
  it.each([{ type: 'NO' as const }, { purpose: 'diff' as const }, { purpose: 'verify' as const }])('say what differs and touch nothing: %p', async (request) => {
    const places = new Places();
    places.write('a/changed', 'aaaa');
    places.write('b/changed', 'bbbb');
    places.write('a/new', '');
    places.write('b/extra/x', '');
    places.write('a/same', 'x');
    places.write('b/same', 'x');
    for (const file of ['a/same', 'b/same', 'a/changed', 'b/changed']) fs.utimesSync(places.at(file), 7, 7);
    const before = picture(places.at('b'));
    const pair = await pairOf(places);
    expect(await pair.sync(request)).toMatchObject({
      outcome: 'differs',
      differences: [
        { path: 'changed', what: 'content' },
        { path: 'extra', what: 'extra' },
        { path: 'extra/x', what: 'extra' },
        { path: 'new', what: 'missing' },
      ],
      differencesTotal: 4,
    });
    expect(picture(places.at('b'))).toEqual(before);
  });
});
