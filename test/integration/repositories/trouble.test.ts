import * as fs from 'node:fs';
import { NODE_FILES } from '../../../src/adapters/repository/file-system.js';
import type { Term } from '../../../src/core/identity.js';
import type { Applier, ContentFile, RepositoryFolder, RepositoryStore } from '../../../src/ports/repository.js';
import { openStore, Pair, picture, Places } from './support.js';

/* What may go wrong with a sync: it fails as a whole and says why, and the live folder stays as it was. */

const pairs: Pair[] = [];

async function linked(from: RepositoryFolder, to: RepositoryStore): Promise<Pair> {
  const pair = new Pair(from, to);
  pairs.push(pair);
  expect(await pair.connect()).toBe('ready');
  return pair;
}

function filled(): Places {
  const places = new Places();
  places.write('a/one', 'one');
  places.write('a/two', 'two');
  places.write('b/one', 'old');
  places.write('b/own', 'own');
  return places;
}

afterEach(() => {
  for (const pair of pairs.splice(0)) pair.stop();
  Places.removeAll();
});

/** The same store, with an applier that is tampered with. */
function tampered(store: RepositoryStore, change: (applier: Applier) => Partial<Applier>): RepositoryStore {
  return new Proxy(store, {
    get(target, name) {
      if (name === 'apply') {
        return (...values: Parameters<RepositoryStore['apply']>): Applier => {
          const applier = target.apply(...values);
          const changes = change(applier);
          return new Proxy(applier, { get: (inner, key) => bound(changes, key) ?? bound(inner, key) });
        };
      }
      return bound(target, name);
    },
  });
}

/** The same folder, with files that are tampered with. */
function reading(folder: RepositoryFolder, change: (file: ContentFile, path: string) => Partial<ContentFile>): RepositoryFolder {
  return {
    scan: (options) => folder.scan(options),
    open(path) {
      const file = folder.open(path);
      const changes = change(file, path);
      return new Proxy(file, { get: (inner, key) => bound(changes, key) ?? bound(inner, key) });
    },
  };
}

function bound(target: object, key: string | symbol): unknown {
  const value: unknown = Reflect.get(target, key);
  return typeof value === 'function' ? value.bind(target) : value;
}

function failing(code: string): () => never {
  return () => {
    throw Object.assign(new Error(`${code}: no`), { code });
  };
}

describe('a sync', () => {
  it.each([
    ['ENOSPC', 'put', /disk is full/],
    ['EACCES', 'put', /user that Lockstep runs as/],
    ['EDQUOT', 'commit', /quota/],
    ['EIO', 'keep', /disk does not read or write/],
  ] as const)('fails as a whole on %s, says why, and succeeds when that is mended', async (code, where, words) => {
    const places = filled();
    places.write('a/same', 's');
    places.write('b/same', 's');
    for (const file of ['a/same', 'b/same']) fs.utimesSync(places.at(file), 3, 3);
    const before = picture(places.at('b'));
    let broken = true;
    const store = tampered(await openStore({ path: places.at('b') }), () => (broken ? { [where]: failing(code) } : {}));
    const pair = await linked(await openStore({ path: places.at('a') }), store);
    expect(await pair.sync()).toMatchObject({ outcome: 'failed', detail: expect.stringMatching(words) });
    expect(picture(places.at('b'))).toEqual(before);
    broken = false;
    expect((await pair.sync()).outcome).toBe('changed');
    expect(picture(places.at('b'))).toEqual(picture(places.at('a')));
  });

  it('that has no room fetches nothing, says so, and leaves the link as it is', async () => {
    const places = filled();
    const room = { free: 500, total: 10_000 };
    const pair = await linked(await openStore({ path: places.at('a') }), await openStore({ path: places.at('b'), fs: { ...NODE_FILES, roomOf: () => room } }));
    const before = picture(places.at('b'));
    expect(await pair.sync()).toMatchObject({ outcome: 'failed', files: 0, detail: expect.stringMatching(/^ENOSPC.* 6 B to be written.* The disk is full/) });
    expect(picture(places.at('b'))).toEqual(before);
    room.free = 506;
    expect(await pair.sync()).toMatchObject({ outcome: 'changed' });
  });

  it('reads a file again that changes while it is read, and reports one that never rests', async () => {
    const places = filled();
    let changes = 2;
    const from = reading(await openStore({ path: places.at('a') }), (_, path) => (path === 'two' ? { changed: () => changes-- > 0 } : {}));
    const pair = await linked(from, await openStore({ path: places.at('b') }));
    expect((await pair.sync()).outcome).toBe('changed');
    changes = 1_000;
    places.write('a/two', 'two, changed');
    expect(await pair.sync()).toMatchObject({ outcome: 'failed', detail: expect.stringMatching(/"two" changes all the time/) });
  });

  it('takes a new manifest when a file vanished behind the old one', async () => {
    const places = filled();
    const real = await openStore({ path: places.at('a') });
    let vanishes = true;
    const pair = await linked(
      {
        scan: (options) => real.scan(options),
        open(path) {
          if (vanishes && path === 'two') fs.rmSync(places.at('a/two'));
          vanishes = vanishes && path !== 'two';
          return real.open(path);
        },
      },
      await openStore({ path: places.at('b') }),
    );
    expect((await pair.sync()).outcome).toBe('changed');
    expect(Object.keys(picture(places.at('b')))).toEqual(['one']);
  });

  it('takes a content for what its reader read, whatever the sender had recorded', async () => {
    const places = filled();
    const from = reading(await openStore({ path: places.at('a') }), () => ({ record: () => undefined }));
    const pair = await linked(from, await openStore({ path: places.at('b') }));
    expect((await pair.sync()).outcome).toBe('changed');
    fs.writeFileSync(places.at('a/one'), 'two');
    expect((await pair.sync({ checksum: true })).outcome).toBe('changed');
    expect(picture(places.at('b'))).toEqual(picture(places.at('a')));
  });

  it('of a repository that the serving server does not have says so', async () => {
    const places = filled();
    const pair = await linked(await openStore({ path: places.at('a') }), await openStore({ path: places.at('b') }));
    fs.rmSync(places.at('a'), { recursive: true });
    expect(await pair.sync()).toMatchObject({ outcome: 'failed', detail: expect.stringMatching(/serving server cannot read its repository: .*or the folder is not there: make it, or mount its disk\. See that server/) });
    expect(places.read('b/own')).toBe('own');
  });
});

describe('the term', () => {
  it('of a deposed sender is refused, in the middle of a sync too, and nothing was changed', async () => {
    const places = filled();
    places.write('a/large', new Uint8Array(2 * 1024 * 1024));
    const before = picture(places.at('b'));
    const pair = await linked(await openStore({ path: places.at('a') }), await openStore({ path: places.at('b') }));
    pair.allowance = 1024 * 1024;
    const running = pair.sync();
    while (pair.allowance > 0) await new Promise((resolve) => setImmediate(resolve));
    pair.orders.fencedThrough = 3 as Term;
    pair.allowance = Number.POSITIVE_INFINITY;
    pair.sender?.wake();
    expect(await running).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('term 3') });
    expect(await pair.closed()).toContain('term 3');
    expect(picture(places.at('b'))).toEqual(before);
  });

  it.each([
    ['serves nobody', { senderTerm: null }],
    ['is in an older term than the receiver', { senderTerm: 2 as Term }],
  ])('a sender that %s refuses', async (_, orders) => {
    const places = filled();
    const pair = new Pair(await openStore({ path: places.at('a') }), await openStore({ path: places.at('b') }));
    pairs.push(pair);
    Object.assign(pair.orders, orders);
    expect(await pair.connect()).toMatch(/the sender refused: .*(does not serve|serves in term 2)/);
  });

  it('may rise within a link', async () => {
    const places = filled();
    const pair = await linked(await openStore({ path: places.at('a') }), await openStore({ path: places.at('b') }));
    pair.orders.senderTerm = 4 as Term;
    expect((await pair.sync()).outcome).toBe('changed');
    pair.orders.receiverTerm = 4 as Term;
    expect((await pair.sync()).outcome).toBe('same');
  });
});
