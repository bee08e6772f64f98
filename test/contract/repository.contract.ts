import type { Term } from '../../src/core/identity.js';
import type { Entry, Manifest } from '../../src/core/repository/entry.js';
import type { Applier, Commit, ContentFile, RepositoryStore, ScanOptions } from '../../src/ports/repository.js';

/** Bytes of a disk, as its system tells them. */
interface Room {
  free: number;
  total: number;
}

/** A file system of its own for one test, with the folder of one repository in it. */
export interface RepositoryFixture {
  /** Opened and recovered. */
  open(options?: { readonly exclude?: readonly string[]; readonly keep?: number; readonly room?: Room }): Promise<RepositoryStore>;
  /** From outside, as a program that knows nothing of syncs. */
  write(path: string, content: string, dress?: { readonly mode?: number; readonly seconds?: number }): void;
  folder(path: string, mode?: number): void;
  link(path: string, target: string): void;
  remove(path: string): void;
  /** Lets so much time pass that what was written so far does not count as just written. */
  rest(): Promise<void>;
  /** Everything in the folder: contents in words, permissions, times in microseconds. */
  tree(): Record<string, string>;
  /** So many are open in this process, as far as the system tells. */
  openFiles(): number;
  close(): void;
}

const AT = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const EVERYTHING: ScanOptions = { scope: null, checksum: false };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function commitOf(changes: Partial<Commit> = {}): Commit {
  return { term: 4 as Term, mayChange: () => true, reason: 'test', at: AT, ...changes };
}

function scanned(store: RepositoryStore, options = EVERYTHING): Manifest {
  const scan = store.scan(options);
  for (;;) {
    const manifest = scan.step();
    if (manifest !== null) return manifest;
  }
}

/** Finds out whether there is room. */
function fit(applier: Applier, fetched: readonly Entry[]): void {
  const fitting = applier.roomFor({ fetched, kept: [], touched: [] });
  while (fitting !== null && fitting.step() === null);
}

function entry(path: string, changes: Partial<Entry> = {}): Entry {
  return { path, kind: 'file', mode: 0o640, mtimeUs: 1_500_000_000_123_456, size: 0, digest: 'f'.repeat(32), target: '', ...changes };
}

function read(file: ContentFile | null): string {
  if (file === null) return 'nothing';
  const into = new Uint8Array(64);
  const text = new TextDecoder().decode(into.subarray(0, file.read(into, 0)));
  file.close();
  return text;
}

const shown = (content: string, mode = '640', time = 1_500_000_000_123_456): string => `file ${JSON.stringify(content)} ${mode} ${time}`;

/** What `RepositoryStore` promises, for every implementation. */
export function repositoryContract(name: string, make: () => Promise<RepositoryFixture>): void {
  let fixture: RepositoryFixture;
  beforeEach(async () => {
    fixture = await make();
  });
  afterEach(() => fixture.close());

  describe(`reading a repository: ${name}`, () => {
    it('lists what is there, sorted, each with what it is', async () => {
      fixture.write('b/x', 'two', { mode: 0o600, seconds: 5 });
      fixture.write('b.txt', 'one', { seconds: 7 });
      fixture.folder('a');
      fixture.link('b/l', 'x');
      const { entries, leftOut } = scanned(await fixture.open());
      expect(entries.map(({ path, kind }) => [path, kind])).toEqual([['a', 'folder'], ['b', 'folder'], ['b/l', 'link'], ['b/x', 'file'], ['b.txt', 'file']]);
      expect(entries.find(({ path }) => path === 'b/x')).toEqual({ path: 'b/x', kind: 'file', mode: 0o600, mtimeUs: 5_000_000, size: 3, digest: null, target: '' });
      expect(entries.find(({ path }) => path === 'b/l')).toMatchObject({ target: 'x', mode: 0, mtimeUs: 0 });
      expect(leftOut).toEqual([]);
    });

    it('reads for digests when told to, and gives equal ones for equal contents only', async () => {
      fixture.write('one', 'same');
      fixture.write('two', 'same');
      fixture.write('three', 'else');
      const [one, three, two] = scanned(await fixture.open(), { ...EVERYTHING, checksum: true }).entries.map(({ digest }) => digest);
      expect(one).toMatch(/^[0-9a-f]{32}$/);
      expect([two === one, three === one]).toEqual([true, false]);
    });

    it('lists the folders of a scope, each once, deep where that is asked for', async () => {
      for (const path of ['a/b/c/file', 'a/file', 'z/file', 'file']) fixture.write(path, '');
      const store = await fixture.open();
      const paths = (folders: string[], deep: string[]): string[] => scanned(store, { scope: { folders, deep }, checksum: false }).entries.map(({ path }) => path);
      expect(paths(['a'], [])).toEqual(['a', 'a/b', 'a/file']);
      expect(paths(['a', 'a/b'], ['a/b/c'])).toEqual(['a', 'a/b', 'a/b/c', 'a/b/c/file', 'a/file']);
      expect(paths([''], [])).toEqual(['a', 'file', 'z']);
      expect(paths(['gone'], [])).toEqual([]);
      fixture.link('link', 'a');
      expect(paths(['link', 'link/b'], ['../apps', '/etc', 'a/./b'])).toEqual([]);
    });

    it('leaves out what is excluded and names what it cannot carry', async () => {
      fixture.write('log/x', '');
      fixture.link('out', '../elsewhere');
      const { entries, leftOut } = scanned(await fixture.open({ exclude: ['log'] }));
      expect(entries).toEqual([]);
      expect(leftOut.map(({ path }) => path)).toEqual(['out']);
    });

    it('of a folder that is absent throws ENOENT, or tells that it is, and makes none', async () => {
      const store = await fixture.open();
      expect(scanned(store, { ...EVERYTHING, mayBeAbsent: true })).toMatchObject({ entries: [], isAbsent: false });
      fixture.remove('');
      await store.recover();
      expect(scanned(store, { ...EVERYTHING, mayBeAbsent: true })).toMatchObject({ entries: [], isAbsent: true });
      expect(() => scanned(store)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    });

    it('opens files, and nothing else', async () => {
      fixture.write('file', 'content', { seconds: 9 });
      fixture.link('link', 'file');
      fixture.folder('folder');
      const store = await fixture.open();
      const file = store.open('file');
      expect([file.size, file.mtimeUs, new TextDecoder().decode(file.piece(4, 3)), file.piece(4, 7).length]).toEqual([7, 9_000_000, 'tent', 0]);
      file.close();
      expect(() => store.open('link')).toThrow(expect.objectContaining({ code: 'LOCKSTEP_REPOSITORY_NO_FILE' }));
      expect(() => store.open('folder')).toThrow(expect.objectContaining({ code: 'LOCKSTEP_REPOSITORY_NO_FILE' }));
      expect(() => store.open('none')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    });

    it('remembers the digests of what rests until it is another, and beyond its own end what was saved', async () => {
      fixture.write('rests', 'x', { seconds: 9 });
      fixture.write('young', 'x', { seconds: 4_000_000_000 });
      await fixture.rest();
      const store = await fixture.open();
      const digests = (of: RepositoryStore): unknown[] => scanned(of).entries.map(({ path, digest }) => [path, digest]);
      for (const path of ['rests', 'young']) {
        const file = store.open(path);
        file.record('a'.repeat(32));
        file.close();
      }
      const known = [['rests', 'a'.repeat(32)], ['young', null]];
      expect(digests(store)).toEqual(known);
      expect(digests(await fixture.open())).toEqual([['rests', null], ['young', null]]);
      store.save();
      const next = await fixture.open();
      expect(digests(next)).toEqual(known);
      fixture.write('rests', 'y', { seconds: 10 });
      expect(digests(next)).toEqual([['rests', null], ['young', null]]);
    });

    it('saves while all goes on only what has rested, and the rest later', async () => {
      fixture.write('file', 'x', { seconds: 9 });
      await fixture.rest();
      const store = await fixture.open();
      const digests = async (): Promise<unknown[]> => scanned(await fixture.open()).entries.map(({ digest }) => digest);
      const [file] = scanned(store, { ...EVERYTHING, checksum: true }).entries;
      store.save(3_600_000);
      expect(await digests()).toEqual([null]);
      store.save(1);
      expect(await digests()).toEqual([file?.digest]);
    });

    it('closes what is open when a scan is given up', async () => {
      fixture.write('file', 'x'.repeat(1_000_000));
      const store = await fixture.open();
      const scan = store.scan({ ...EVERYTHING, checksum: true });
      const before = fixture.openFiles();
      for (let steps = 0; steps < 1_000 && fixture.openFiles() === before; steps += 1) if (scan.step() !== null) break;
      scan.close();
      expect(fixture.openFiles()).toBe(before);
      store.scan(EVERYTHING).close();
    });

    it('sees that an open file was written to, or replaced', async () => {
      for (const path of ['rests', 'written', 'replaced', 'removed']) fixture.write(path, 'x', { seconds: 9 });
      const store = await fixture.open();
      const files = ['rests', 'written', 'replaced', 'removed'].map((path) => store.open(path));
      fixture.write('written', 'longer');
      fixture.remove('replaced');
      fixture.write('replaced', 'x', { seconds: 9 });
      fixture.remove('removed');
      expect(files.map((file) => file.changed())).toEqual([false, true, true, true]);
      for (const file of files) file.close();
    });
  });

  describe(`a staged sync: ${name}`, () => {
    const put = (applier: Applier, path: string, content: string): void => applier.put(entry(path, { size: content.length }), bytes(content));

    it('is seen all at once, with permissions and times, and keeps what it replaced', async () => {
      fixture.write('same', 'same', { mode: 0o644, seconds: 3 });
      fixture.write('changed', 'old', { mode: 0o644, seconds: 3 });
      fixture.write('gone/deep', 'gone');
      fixture.link('moved', 'same');
      const store = await fixture.open();
      const before = fixture.tree();
      const same = scanned(store).entries.find(({ path }) => path === 'same') ?? entry('same');
      const applier = store.apply('staged', commitOf());
      put(applier, 'changed', 'new');
      applier.folder(entry('folder', { kind: 'folder', mode: 0o750, digest: null }));
      put(applier, 'folder/inner', 'inner');
      applier.link(entry('moved', { kind: 'link', target: 'changed', digest: null }));
      expect(applier.keep(same)).toBe(true);
      const writer = applier.create(entry('large', { size: 6 }));
      writer.write(bytes('lar'));
      writer.write(bytes('ge!'));
      expect(writer.unsyncedBytes).toBe(6);
      await writer.sync();
      expect(writer.unsyncedBytes).toBe(0);
      writer.finish(entry('large', { size: 6, mode: 0o600 }));
      expect(fixture.tree()).toEqual(before);
      const outcome = await applier.commit();
      expect(fixture.tree()).toEqual({
        changed: shown('new'),
        folder: `folder 750 ${1_500_000_000_123_456}`,
        'folder/inner': shown('inner'),
        large: shown('large!', '600'),
        moved: 'link changed',
        same: shown('same', '644', 3_000_000),
      });
      expect(outcome).toEqual({ kind: 'done', kept: { name: '2026-01-02T03-04-05.678Z', at: AT, term: 4, reason: 'test', files: 3, bytes: 11, paths: ['changed', 'gone/deep', 'moved'] } });
      expect(store.kept()).toEqual([outcome.kind === 'done' ? outcome.kept : null]);
    });

    it('does not take over what changed since it was looked at', async () => {
      fixture.write('same', 'same', { seconds: 3 });
      const store = await fixture.open();
      const [same] = scanned(store).entries as readonly [Entry];
      fixture.write('same', 'longer', { seconds: 4 });
      const applier = store.apply('staged', commitOf());
      expect([applier.keep(same), applier.touch(same), applier.keep(entry('none'))]).toEqual([false, false, false]);
      applier.abandon();
    });

    it('takes nothing over from where a link leads that has come into the place of a folder', async () => {
      fixture.write('folder/file', 'text', { seconds: 3 });
      fixture.write('private/file', 'mine', { mode: 0o600, seconds: 3 });
      const store = await fixture.open();
      const file = scanned(store).entries.find(({ path }) => path === 'folder/file') ?? entry('none');
      fixture.remove('folder');
      fixture.link('folder', 'private');
      const applier = store.apply('staged', commitOf());
      applier.folder(entry('folder', { kind: 'folder', mode: 0o755, digest: null }));
      expect([applier.keep(file), applier.touch({ ...file, mode: 0o644 }), read(applier.basis('folder/file'))]).toEqual([false, false, 'nothing']);
      applier.abandon();
      const live = store.apply('live', commitOf());
      expect(read(live.basis('folder/file'))).toBe('nothing');
      live.abandon();
    });

    it('gives other permissions and times to an equal content', async () => {
      fixture.write('file', 'text', { mode: 0o600, seconds: 3 });
      const store = await fixture.open();
      const [file] = scanned(store).entries as readonly [Entry];
      const applier = store.apply('staged', commitOf());
      expect(applier.touch({ ...file, mode: 0o755, mtimeUs: 8_000_001 })).toBe(true);
      await applier.commit();
      expect(fixture.tree()).toEqual({ file: shown('text', '755', 8_000_001) });
    });

    it('gives them to nothing that was written to since it was looked at, also where its size is the same', async () => {
      fixture.write('known', 'text', { seconds: 3 });
      await fixture.rest();
      fixture.write('young', 'text', { seconds: 4_000_000_000 });
      const store = await fixture.open();
      const touched = (): boolean[] => {
        const applier = store.apply('staged', commitOf());
        const done = looked.map((one) => applier.touch({ ...one, mode: 0o755, mtimeUs: 8_000_001 }));
        applier.abandon();
        return done;
      };
      const looked = scanned(store, { ...EVERYTHING, checksum: true }).entries;
      expect(touched()).toEqual([true, true]);
      for (const path of ['known', 'young']) fixture.write(path, 'else', { seconds: 3 });
      expect(touched()).toEqual([false, false]);
    });

    it('changes nothing without the right to it, and what was staged serves the next', async () => {
      fixture.write('file', 'old');
      const store = await fixture.open();
      const before = fixture.tree();
      scanned(store);
      const applier = store.apply('staged', commitOf({ mayChange: () => false }));
      put(applier, 'file', 'new');
      expect(await applier.commit()).toEqual({ kind: 'not-allowed' });
      expect([fixture.tree(), store.kept()]).toEqual([before, []]);
      const next = store.apply('staged', commitOf());
      expect(read(next.left(entry('file', { size: 3 })))).toBe('new');
      expect(next.left(entry('file', { size: 4 }))).toBeNull();
      next.takeLeft(entry('file', { size: 3, mode: 0o444 }));
      await next.commit();
      expect(fixture.tree()).toEqual({ file: shown('new', '444') });
    });

    it('takes nothing over from what was staged that lies behind a link', async () => {
      fixture.write('elsewhere/file', 'mine', { mode: 0o640, seconds: 1_500_000_000 });
      const store = await fixture.open({ exclude: ['elsewhere'] });
      scanned(store);
      const applier = store.apply('staged', commitOf());
      applier.link(entry('link', { kind: 'link', target: '../../apps/elsewhere', digest: null }));
      applier.abandon();
      const next = store.apply('staged', commitOf());
      const file = entry('link/file', { size: 4, mtimeUs: 1_500_000_000_000_000 });
      expect(next.left(file)).toBeNull();
      expect(() => next.takeLeft(file)).toThrow();
      next.abandon();
      expect(fixture.tree()).toMatchObject({ 'elsewhere/file': expect.stringContaining('mine') });
    });

    it('serves the better basis: the live file, or what was begun of the new one', async () => {
      fixture.write('file', '12345678');
      const store = await fixture.open();
      scanned(store);
      const applier = store.apply('staged', commitOf());
      expect(read(applier.basis('file'))).toBe('12345678');
      expect(applier.basis('none')).toBeNull();
      const writer = applier.create(entry('file'));
      writer.write(bytes('begun'));
      writer.abandon();
      applier.abandon();
      expect(read(store.apply('staged', commitOf()).basis('file'))).toBe('begun');
    });

    it('forgets what was staged when its room is needed', async () => {
      fixture.write('file', 'live');
      const store = await fixture.open();
      const before = fixture.tree();
      scanned(store);
      const applier = store.apply('staged', commitOf());
      put(applier, 'file', 'new');
      const writer = applier.create(entry('large'));
      writer.write(bytes('longer than it'));
      writer.abandon();
      applier.abandon();
      await store.discard();
      await store.discard();
      const next = store.apply('staged', commitOf());
      expect([next.left(entry('file', { size: 3 })), next.basis('large'), read(next.basis('file'))]).toEqual([null, null, 'live']);
      next.abandon();
      expect(fixture.tree()).toEqual(before);
    });

    it('begins nothing that has no room, what it had staged before not counted, and leaves a part of the disk to others', async () => {
      const room: Room = { free: 1_010, total: 20_000 };
      const store = await fixture.open({ room });
      const full = expect.objectContaining({ code: 'ENOSPC', message: expect.stringMatching(/ENOSPC.* 1000 B are left to others/) });
      scanned(store);
      const first = store.apply('staged', commitOf());
      const file = entry('file', { size: 4 });
      expect(() => fit(first, [file, entry('other', { size: 7 })])).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
      fit(first, [file, entry('other', { size: 6 })]);
      put(first, 'file', 'text');
      room.free = 1_003;
      expect(() => fit(first, [file])).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
      first.abandon();
      const next = store.apply('staged', commitOf());
      fit(next, [file, entry('other', { size: 3 })]);
      expect(() => fit(next, [file, entry('other', { size: 4 })])).toThrow(full);
      next.abandon();
      const live = store.apply('live', commitOf());
      fit(live, [entry('other', { size: 3 })]);
      room.free = 900;
      fit(live, [entry('empty')]);
      expect(() => fit(live, [file])).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
      live.abandon();
    });

    it('stops writing where the part that is left to others would be taken', async () => {
      const room: Room = { free: 1_000, total: 20_000 };
      const store = await fixture.open({ room });
      scanned(store);
      for (const kind of ['staged', 'live'] as const) {
        const applier = store.apply(kind, commitOf());
        expect(() => put(applier, 'file', 'text')).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
        const writer = applier.create(entry('large'));
        expect(() => writer.write(bytes('text'))).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
        writer.abandon();
        applier.abandon();
      }
      expect(fixture.tree()).toEqual({});
    });

    it('carries over what is excluded', async () => {
      fixture.write('app/file', 'old');
      fixture.write('app/log/own', 'own', { mode: 0o600, seconds: 2 });
      const store = await fixture.open({ exclude: ['log'] });
      scanned(store);
      const applier = store.apply('staged', commitOf());
      applier.folder(entry('app', { kind: 'folder', mode: 0o755, digest: null }));
      put(applier, 'app/file', 'new');
      await applier.commit();
      expect(fixture.tree()).toMatchObject({ 'app/file': shown('new'), 'app/log/own': shown('own', '600', 2_000_000) });
    });
  });

  describe(`changes file by file: ${name}`, () => {
    it('are seen at the end only, each whole, and keep what they replace', async () => {
      fixture.write('changed', 'old');
      fixture.write('folder/gone', 'gone');
      fixture.write('dressed', 'text', { mode: 0o600, seconds: 3 });
      const store = await fixture.open();
      const before = fixture.tree();
      const dressed = scanned(store).entries.find(({ path }) => path === 'dressed') ?? entry('dressed');
      const applier = store.apply('live', commitOf());
      applier.put(entry('changed', { size: 3 }), bytes('new'));
      applier.folder(entry('fresh', { kind: 'folder', mode: 0o700, digest: null }));
      const writer = applier.create(entry('fresh/large', { size: 5 }));
      writer.write(bytes('large'));
      writer.finish(entry('fresh/large', { size: 5 }));
      applier.link(entry('link', { kind: 'link', target: 'changed', digest: null }));
      applier.touch({ ...dressed, mode: 0o644, mtimeUs: 4_000_000 });
      applier.remove(entry('folder/gone'));
      applier.remove(entry('folder', { kind: 'folder' }));
      expect(fixture.tree()).toEqual(before);
      const outcome = await applier.commit();
      expect(fixture.tree()).toEqual({
        changed: shown('new'),
        dressed: shown('text', '644', 4_000_000),
        fresh: `folder 700 ${1_500_000_000_123_456}`,
        'fresh/large': shown('large'),
        link: 'link changed',
      });
      expect(outcome).toMatchObject({ kind: 'done', kept: { files: 2, paths: ['changed', 'folder/gone'] } });
      expect(store.kept()).toHaveLength(1);
    });

    it('know the content of what they dress only when nobody wrote to it since it was looked at', async () => {
      for (const path of ['rests', 'written']) fixture.write(path, 'text', { seconds: 3 });
      await fixture.rest();
      const store = await fixture.open();
      const [rests, written] = scanned(store, { ...EVERYTHING, checksum: true }).entries as readonly [Entry, Entry];
      fixture.write('written', 'else', { seconds: 3 });
      const applier = store.apply('live', commitOf());
      for (const one of [rests, written]) applier.touch({ ...one, mode: 0o640, mtimeUs: 8_000_001 });
      await applier.commit();
      expect(fixture.tree()).toEqual({ rests: shown('text', '640', 8_000_001), written: shown('else', '640', 8_000_001) });
      expect(scanned(store).entries.map(({ digest }) => digest)).toEqual([rests.digest, null]);
    });

    it('stop where the right to them ends, and the rest is as it was', async () => {
      for (const path of ['a', 'b', 'c']) fixture.write(path, 'old', { mode: 0o640, seconds: 3 });
      const store = await fixture.open();
      let asked = 0;
      const applier = store.apply('live', commitOf({ mayChange: () => (asked += 1) <= 2 }));
      for (const path of ['a', 'b', 'c']) applier.put(entry(path, { size: 3 }), bytes('new'));
      expect(await applier.commit()).toEqual({ kind: 'not-allowed' });
      expect(fixture.tree()).toEqual({ a: shown('new'), b: shown('new'), c: shown('old', '640', 3_000_000) });
      expect(store.kept()).toMatchObject([{ files: 2, paths: ['a', 'b'] }]);
    });

    it('do not go through a link that stands where a folder was', async () => {
      fixture.folder('elsewhere');
      fixture.link('folder', 'elsewhere');
      const store = await fixture.open();
      const applier = store.apply('live', commitOf());
      applier.put(entry('folder/file', { size: 1 }), bytes('x'));
      await expect(applier.commit()).rejects.toMatchObject({ code: 'LOCKSTEP_REPOSITORY_LINK' });
      applier.abandon();
      expect(Object.keys(fixture.tree())).toEqual(['elsewhere', 'folder']);
    });
  });

  describe(`kept versions: ${name}`, () => {
    const change = async (store: RepositoryStore, content: string, at: number): Promise<void> => {
      scanned(store);
      const applier = store.apply('staged', commitOf({ at }));
      applier.put(entry('file', { size: content.length }), bytes(content));
      await applier.commit();
    };

    it('are held as many as configured, newest first; 0: none', async () => {
      fixture.write('file', '0');
      const store = await fixture.open({ keep: 2 });
      for (let round = 1; round < 5; round += 1) await change(store, String(round), AT + round);
      expect(store.kept().map(({ name: kept }) => kept)).toEqual(['2026-01-02T03-04-05.682Z', '2026-01-02T03-04-05.681Z']);
      const none = await fixture.open({ keep: 0 });
      await change(none, 'x', AT + 9);
      expect(none.kept()).toEqual([]);
    });

    it('are brought back, all or some, and what they replace is kept as well', async () => {
      fixture.write('file', 'first', { mode: 0o600, seconds: 5 });
      const store = await fixture.open();
      await change(store, 'second', AT);
      const [{ name: kept } = { name: '' }] = store.kept();
      expect(await store.restore(kept, ['file'], commitOf({ at: AT + 1 }))).toBe(1);
      expect(fixture.tree()).toEqual({ file: shown('first', '600', 5_000_000) });
      expect(store.kept()).toHaveLength(2);
      const [{ name: newest } = { name: '' }] = store.kept();
      expect(await store.restore(newest, null, commitOf({ at: AT + 2 }))).toBe(1);
      expect(fixture.tree()).toEqual({ file: shown('second') });
    });

    it('stay while they are brought back path by path, however few are held', async () => {
      fixture.write('file', '0', { mode: 0o640 });
      fixture.write('other', 'x');
      const store = await fixture.open({ keep: 1 });
      await change(store, '1', AT);
      const [{ name: kept } = { name: '' }] = store.kept();
      await store.restore(kept, ['file'], commitOf({ at: AT + 1 }));
      await store.restore(kept, ['other'], commitOf({ at: AT + 2 }));
      expect(fixture.tree()).toMatchObject({ file: expect.stringContaining('"0"'), other: expect.stringContaining('"x"') });
      await change(store, '2', AT + 3);
      expect(store.kept().map(({ name: one }) => one)).toEqual(['2026-01-02T03-04-05.681Z']);
    });

    it('that are not there, or that nobody may bring back, are refused', async () => {
      fixture.write('file', 'first');
      const store = await fixture.open();
      await change(store, 'second', AT);
      const [{ name: kept } = { name: '' }] = store.kept();
      const refused = (version: string, paths: string[] | null, mayChange = true): Promise<unknown> => Promise.resolve().then(() => store.restore(version, paths, commitOf({ at: AT + 1, mayChange: () => mayChange })));
      await expect(refused('2020-01-02T03-04-05.678Z', null)).rejects.toMatchObject({ code: 'LOCKSTEP_REPOSITORY_KEPT' });
      await expect(refused(kept, ['none'])).rejects.toMatchObject({ code: 'LOCKSTEP_REPOSITORY_KEPT' });
      await expect(refused(kept, ['../../file'])).rejects.toMatchObject({ code: 'LOCKSTEP_REPOSITORY_KEPT' });
      await expect(refused(kept, null, false)).rejects.toMatchObject({ code: 'LOCKSTEP_REPOSITORY_NOT_ALLOWED' });
      expect(fixture.tree()).toEqual({ file: shown('second') });
    });
  });
}
