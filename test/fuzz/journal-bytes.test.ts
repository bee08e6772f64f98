import { META, reopened, specimens, type Reopened, type Specimen } from './journal-specimens.js';

/*
 * Every place at which a file of a small copy can be cut, and every byte of it that can be another. test/unit/server/journal/recovery.test.ts does the same for
 * the segments, with what may be cut off reckoned group by group; here it is the whole copy, as the broker opens it.
 */

const LONG_MS = 120_000;
let all: Specimen[];
beforeAll(async () => {
  all = await specimens();
});

async function changed(specimen: Specimen, path: string, bytes: Uint8Array): Promise<Reopened> {
  const image = specimen.image.copy();
  image.put(path, bytes);
  return reopened(specimen, image);
}

function flipped(bytes: Uint8Array, at: number, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = (copy[at] as number) ^ (1 << bit);
  return copy;
}

/** Nothing acknowledged is missing from a copy that calls itself whole. */
function expectWhole(found: Reopened, specimen: Specimen, label: string): void {
  if (found.kind === 'opened' && found.damage === null) expect(`${label}: ${found.records}`).toBe(`${label}: ${specimen.records}`);
}

test('untouched, each is what it was', async () => {
  for (const specimen of all) {
    const found = await reopened(specimen, specimen.image.copy());
    if (specimen.failed) expect(found).toMatchObject({ kind: 'opened', damage: expect.stringContaining('a sync failed') as unknown });
    else expect(found).toMatchObject({ kind: 'opened', damage: null, records: specimen.records, said: [] });
  }
  expect(all[1]?.image.paths().filter((path) => path.endsWith('.snap')).length).toBe(2);
});

test('journal.json: cut anywhere, or with any bit turned, it is not believed', async () => {
  for (const specimen of all) {
    const content = specimen.image.content(META);
    for (let length = 0; length < content.length - 1; length++) {
      expect([specimen.name, length, await changed(specimen, META, content.slice(0, length))]).toMatchObject([specimen.name, length, { kind: 'opened', damage: expect.stringContaining('journal.json') as unknown }]);
    }
    // Its last byte ends the line, and says nothing.
    expectWhole(await changed(specimen, META, content.slice(0, -1)), specimen, `${specimen.name}, without the end of its line`);
    for (let at = 0; at < content.length; at++) {
      const found = await changed(specimen, META, flipped(content, at, at % 8));
      // Blanks between the words may be others.
      if (found.kind === 'opened' && found.damage === null) expect(String.fromCharCode(content[at] as number)).toMatch(/\s/);
      expectWhole(found, specimen, `${specimen.name}, byte ${at}`);
    }
  }
}, LONG_MS);

test.each(['the newest', 'the only one'] as const)('a snapshot, %s: cut anywhere, or with any byte another, it is refused and said, and nothing is missing', async (which) => {
  const whole = all[1] as Specimen;
  const [older, newest] = whole.image.paths().filter((one) => one.endsWith('.snap')) as [string, string];
  const image = whole.image.copy();
  // Of an older one only the head is read while a newer one is good.
  if (which === 'the only one') image.take(newest);
  const specimen = { ...whole, image };
  const path = which === 'the only one' ? older : newest;
  const content = image.content(path);
  for (let at = 0; at < content.length; at++) {
    for (const bytes of [content.slice(0, at), flipped(content, at, at % 8)]) {
      const found = await changed(specimen, path, bytes);
      expectWhole(found, specimen, `${path}, ${at}`);
      expect([at, found]).toMatchObject([at, { kind: 'opened', said: expect.arrayContaining([expect.stringContaining(`Snapshot /${path} cannot be used`)]) as unknown }]);
    }
  }
}, LONG_MS);

test('the end of the log, cut anywhere with all that is behind the cut: it is said, but for the ends of commits, where the log of an earlier moment ended', async () => {
  const specimen = all[0] as Specimen;
  const segments = specimen.image.paths().filter((one) => one.endsWith('.segment'));
  const silent = new Map<number, number>();
  for (const [which, path] of segments.entries()) {
    const content = specimen.image.content(path);
    for (let length = 0; length < content.length; length++) {
      const image = specimen.image.copy();
      image.put(path, content.slice(0, length));
      for (const later of segments.slice(which + 1)) image.take(later);
      const found = await reopened(specimen, image);
      if (found.kind === 'opened' && found.damage === null && found.said.length === 0) silent.set(found.records, (silent.get(found.records) ?? 0) + 1);
    }
  }
  // After each record once, and twice where the next segment begins.
  for (let records = 1; records < specimen.records; records++) expect([records, silent.get(records)]).toEqual([records, expect.any(Number)]);
  expect([...silent.values()].every((count) => count <= 2)).toBe(true);
}, LONG_MS);

test('a segment, under a whole broker: with any byte another, what was acknowledged is there or the copy says that it is damaged', async () => {
  const specimen = all[0] as Specimen;
  for (const path of specimen.image.paths().filter((one) => one.endsWith('.segment'))) {
    const content = specimen.image.content(path);
    for (let at = 0; at < content.length; at++) expectWhole(await changed(specimen, path, flipped(content, at, (at * 3) % 8)), specimen, `${path}, byte ${at}`);
  }
}, LONG_MS);
