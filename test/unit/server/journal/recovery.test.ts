import type { Journal } from '../../../../src/server/journal/api.js';
import { GROUP_HEADER_BYTES, findGroup, stampOf } from '../../../../src/core/journal/group.js';
import { blockOf } from '../../../../src/core/journal/codec.js';
import { SEGMENT_HEADER_BYTES } from '../../../../src/core/journal/segment.js';
import type { DiskImage } from '../../../simulation/disk-image.js';
import { append, checksum, fill, FOLDER, labels, range, Rig } from './rig.js';

/*
 * Every place at which a small journal of several segments can be cut or damaged. Whatever was done, an opening
 * - ends, with a journal or with a LockstepError;
 * - yields no record that was not appended there;
 * - yields every record that the rest of the journal says was durable, or reports damage.
 */

const LONG_MS = 120_000;

interface Specimen {
  readonly image: DiskImage;
  readonly id: string;
  readonly records: number;
  readonly segments: readonly string[];
}

interface Extent {
  readonly last: number;
  readonly end: number;
  readonly durable: number;
  readonly offset: number;
}

/** @param idle wait for the idle mark before the process is killed */
async function grow(idle: boolean): Promise<Specimen> {
  const rig = new Rig();
  const journal = await rig.open({ preallocate: false });
  let next = 1;
  // Groups of one and of several records, with an idle mark here and there.
  for (const size of [1, 3, 1, 4, 2, 1, 5, 3, 2, 4]) {
    for (const label of range(next, next + size - 1)) append(journal, label, 20 + (next % 5) * 10);
    next += size;
    await rig.until(() => journal.durable === next - 1);
    if (size === 3) await rig.pass(100);
  }
  if (idle) await rig.pass(100);
  rig.kill();
  const segments = rig.image.paths().filter((path) => path.endsWith('.segment'));
  expect(segments.length).toBeGreaterThanOrEqual(3);
  return { image: rig.image, id: journal.id, records: next - 1, segments };
}

/** Where the groups of a segment stand, and what each says: read from the sound specimen. */
function extents(specimen: Specimen, path: string): Extent[] {
  const source = blockOf(specimen.image.content(path));
  const stamp = stampOf(specimen.id, checksum);
  const found: Extent[] = [];
  for (let at = SEGMENT_HEADER_BYTES; ; ) {
    const group = findGroup(source, at, stamp, checksum);
    if (group === null) return found;
    const { offset, header } = group;
    at = offset + GROUP_HEADER_BYTES + header.bytes;
    found.push({ offset, end: at, last: header.before.position + header.records, durable: header.durable });
  }
}

/** Opens what is on the image. Returns the number of records it yields, or `null` when it reports damage. */
async function yielded(image: DiskImage): Promise<number | null> {
  const rig = new Rig(image, 9, true);
  let journal: Journal;
  try {
    journal = await rig.open({ preallocate: false });
  } catch (error) {
    expect(error).toMatchObject({ name: 'LockstepError', code: expect.stringMatching(/^LOCKSTEP_JOURNAL_/) as string });
    return null;
  }
  const found = await labels(rig, journal);
  expect(found).toEqual(range(1, found.length));
  if (journal.damage === null) expect(journal.head.position).toBe(found.length);
  else {
    expect(journal.head.position).toBeGreaterThanOrEqual(found.length);
    expect(journal.damage).toMatch(/segment \d{16}\.segment|no segment/);
    return null;
  }
  // It can be continued, and what is added is there the next time.
  await fill(rig, journal, found.length + 1, found.length + 1);
  rig.crash();
  const again = await rig.open({ preallocate: false });
  expect(again.damage).toBeNull();
  expect(await labels(rig, again)).toEqual(range(1, found.length + 1));
  return found.length;
}

describe.each([true, false])('with an idle mark at its end: %s', (idle) => {
  let specimen: Specimen;
  beforeAll(async () => {
    specimen = await grow(idle);
  });

  test('untouched, all is there', async () => {
    expect(await yielded(specimen.image.copy())).toBe(specimen.records);
  });

  test('cut at every byte', async () => {
    for (const [which, path] of specimen.segments.entries()) {
      const content = specimen.image.content(path);
      const groups = extents(specimen, path);
      const isLast = which === specimen.segments.length - 1;
      for (let length = 0; length < content.length; length++) {
        const image = specimen.image.copy();
        image.put(path, content.slice(0, length));
        const count = await yielded(image);
        const label = `${path} cut to ${length}: ${count}`;
        // What is cut out of the middle, and a segment without its header, must be noticed. Only closing marks may go.
        if (length < SEGMENT_HEADER_BYTES || (!isLast && length < (groups.findLast(({ last }, at) => last > (groups[at - 1]?.last ?? 0))?.end ?? 0))) {
          expect([label, count]).toEqual([label, null]);
        } else {
          const whole = groups.filter(({ end }) => end <= length).at(-1)?.last ?? 0;
          const vouched = Math.max(0, ...groups.filter(({ offset }) => offset + GROUP_HEADER_BYTES <= length).map(({ durable }) => durable));
          if (isLast && count !== null) expect(count).toBeGreaterThanOrEqual(Math.max(whole, vouched));
          if (isLast) expect([label, count === null]).toEqual([label, false]);
        }
      }
    }
  }, LONG_MS);

  test('one bit turned in every byte', async () => {
    for (const [which, path] of specimen.segments.entries()) {
      const content = specimen.image.content(path);
      const groups = extents(specimen, path);
      const isLast = which === specimen.segments.length - 1;
      for (let offset = 0; offset < content.length; offset++) {
        const image = specimen.image.copy();
        image.flipBit(path, offset, offset % 8);
        const count = await yielded(image);
        if (count === null) continue;
        // Exempt is only what no header behind the turned bit vouches for.
        const vouched = isLast ? Math.max(0, ...groups.filter((group) => group.offset > offset || group.end <= offset).map(({ durable }) => durable)) : specimen.records;
        const label = `${path}, bit turned at ${offset}: `;
        expect(label + (count >= vouched)).toBe(`${label}true`);
        if (idle) expect(label + count).toBe(label + specimen.records);
      }
    }
  }, LONG_MS);
});

test('sectors of an unfinished commit, in whatever order they came, are a torn tail and never damage', async () => {
  const rig = new Rig();
  const journal = await rig.open({ preallocate: false, segmentBytes: 64 * 1024, groupBytes: 700 });
  await fill(rig, journal, 1, 5);
  await rig.pass(100);
  const before = rig.image.content(rig.image.paths().find((path) => path.endsWith('.segment')) ?? '');
  // One commit of several groups.
  for (const label of range(6, 45)) append(journal, label);
  await rig.until(() => journal.durable === 45);
  rig.kill();
  const path = rig.image.paths().find((name) => name.endsWith('.segment')) ?? '';
  const after = rig.image.content(path);
  const first = Math.floor(before.length / 512);
  const last = Math.floor((after.length - 1) / 512);
  expect(last - first).toBeGreaterThanOrEqual(6);
  const count = Math.min(last - first + 1, 8);
  for (let subset = 0; subset < 2 ** count; subset++) {
    const torn = new Uint8Array(after.length);
    torn.set(before);
    for (let sector = first; sector <= last; sector++) {
      if (sector - first >= count || (subset >> (sector - first)) % 2 === 1) torn.set(after.subarray(sector * 512, sector * 512 + 512), sector * 512);
    }
    const image = rig.image.copy();
    image.put(path, torn);
    const again = new Rig(image, 3, true);
    const opened = await again.open({ segmentBytes: 64 * 1024, preallocate: false });
    const cutOff = torn.subarray(image.content(path).length).some((byte) => byte !== 0);
    expect([subset, opened.damage]).toEqual([subset, null]);
    expect(opened.head.position).toBeGreaterThanOrEqual(5);
    expect(await labels(again, opened)).toEqual(range(1, opened.head.position));
    const quarantined = image.paths().filter((name) => name.includes('quarantine') && name.endsWith('.segment'));
    expect([subset, quarantined.length]).toEqual([subset, cutOff ? 1 : 0]);
  }
}, LONG_MS);

test('random damage of any size is noticed or harmless', async () => {
  const specimen = await grow(true);
  const rig = new Rig(undefined, 5);
  for (let round = 0; round < 300; round++) {
    const path = rig.prng.pick(specimen.segments);
    const content = specimen.image.content(path);
    const from = rig.prng.below(content.length);
    const length = 1 + rig.prng.below(200);
    const fillWith = rig.prng.pick([() => 0, () => 0xff, () => rig.prng.below(256)]);
    for (let at = from; at < Math.min(content.length, from + length); at++) content[at] = fillWith();
    const image = specimen.image.copy();
    image.put(path, content);
    const count = await yielded(image);
    const end = extents(specimen, path).at(-1);
    // The last mark alone vouches for the last group: both may go together.
    const hitsEnd = path === specimen.segments.at(-1) && from + length > (end?.offset ?? 0);
    if (count !== null && !hitsEnd) expect(`round ${round}: ${count}`).toBe(`round ${round}: ${specimen.records}`);
  }
}, LONG_MS);

test('inspection reads every damaged journal to its end', async () => {
  const { readSegments } = await import('../../../../src/server/journal/inspect.js');
  const specimen = await grow(true);
  for (const path of specimen.segments) {
    for (let offset = 0; offset < specimen.image.content(path).length; offset += 7) {
      const rig = new Rig(specimen.image.copy(), 1, true);
      rig.image.flipBit(path, offset, 5);
      const positions = new Set<number>();
      let troubles = 0;
      const collect = async (): Promise<void> => {
        for await (const piece of readSegments(rig.disk, FOLDER, checksum)) {
          if (piece.kind === 'records') for (const { position } of piece.records) positions.add(position);
          else if (piece.kind === 'trouble') troubles++;
        }
      };
      await rig.run(collect());
      const label = `${path}, ${offset}: `;
      expect(label + (troubles > 0)).toBe(`${label}true`);
      // At most one group, or one segment whose header is gone, is lost.
      if (offset >= SEGMENT_HEADER_BYTES) expect(positions.size).toBeGreaterThanOrEqual(specimen.records - 5);
    }
  }
}, LONG_MS);
