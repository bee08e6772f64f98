import type { Term } from '../../../../src/core/identity.js';
import { EMPTY_LOG, type LogRecord } from '../../../../src/core/journal/envelope.js';
import { readSegments, type JournalPiece } from '../../../../src/server/journal/inspect.js';
import { append, at, checksum, fill, FOLDER, labelOf, labels, labelsIn, range, Rig, TERM } from './rig.js';

async function pieces(rig: Rig, folder: string): Promise<JournalPiece[]> {
  const found: JournalPiece[] = [];
  const collect = async (): Promise<void> => {
    for await (const piece of readSegments(rig.disk, folder, checksum)) found.push(piece);
  };
  await rig.run(collect());
  return found;
}

const recordsIn = (found: JournalPiece[]): LogRecord[] => found.flatMap((piece) => (piece.kind === 'records' ? piece.records : []));

test('a new journal is empty, and has an id that it keeps', async () => {
  const rig = new Rig();
  const journal = await rig.open();
  expect(journal).toMatchObject({ base: EMPTY_LOG, head: EMPTY_LOG, durable: 0, damage: null, full: false });
  await rig.run(journal.close());
  expect((await rig.open()).id).toBe(journal.id);
});

test('what arrives while a commit runs is the next group, and its bytes are given out', async () => {
  const rig = new Rig();
  const journal = await rig.open();
  append(journal, 'r1');
  append(journal, 'r2');
  expect(rig.heard.runs).toHaveLength(0);
  await rig.until(() => rig.heard.runs.length === 1);
  append(journal, 'r3');
  append(journal, 'r4');
  await rig.until(() => journal.durable === 4);
  expect(rig.heard.durable).toEqual([2, 4]);
  expect(rig.heard.runs.map(({ first, last, bytes }) => [first, last, labelsIn(bytes)])).toEqual([
    [1, 2, ['r1', 'r2']],
    [3, 4, ['r3', 'r4']],
  ]);
});

test('a record is not durable before a sync that began after its write has ended', async () => {
  const rig = new Rig();
  const journal = await rig.open();
  await rig.pass(100);
  append(journal, 'r1');
  await rig.until(() => rig.heard.runs.length === 1);
  rig.image.hang();
  await rig.pass(1000);
  expect(journal.durable).toBe(0);
  rig.image.release();
  await rig.until(() => journal.durable === 1);
});

test('records over many segments are read back, also after another opening', async () => {
  const rig = new Rig();
  let journal = await rig.open();
  await fill(rig, journal, 1, 40);
  expect(rig.image.paths().filter((path) => path.endsWith('.segment')).length).toBeGreaterThan(3);
  for (let life = 0; life < 2; life++) {
    expect(await labels(rig, journal)).toEqual(range(1, 40));
    for (let position = 1; position <= 40; position++) expect(labelOf((await rig.run(journal.recordAt(at(position)))).payload)).toBe(`r${position}`);
    expect(await rig.run(journal.read(at(41), 1000))).toBeNull();
    expect(await rig.run(journal.pointAt(at(41)))).toBeNull();
    expect(await rig.run(journal.pointAt(at(0)))).toEqual(EMPTY_LOG);
    expect(await rig.run(journal.pointAt(at(40)))).toEqual(journal.head);
    await expect(rig.run(journal.recordAt(at(99)))).rejects.toMatchObject({ code: 'LOCKSTEP_RECORD_GONE' });
    await rig.run(journal.close());
    journal = await rig.open();
  }
});

test('a record larger than a segment gets one of its own', async () => {
  const rig = new Rig();
  let journal = await rig.open();
  append(journal, 'r1');
  append(journal, 'r2', 5000);
  append(journal, 'r3');
  await rig.until(() => journal.durable === 3);
  await rig.run(journal.close());
  journal = await rig.open();
  expect(await labels(rig, journal)).toEqual(range(1, 3));
  expect((await rig.run(journal.recordAt(at(2)))).payload).toHaveLength(5000);
});

test('records that wait are found by pointAt and recordAt', async () => {
  const rig = new Rig();
  const journal = await rig.open();
  const record = append(journal, 'r1');
  append(journal, 'r2');
  expect(labelOf((await journal.recordAt(at(1))).payload)).toBe('r1');
  expect(await journal.pointAt(at(1))).toEqual({ term: record.term, position: record.position, chain: record.chain });
});

test('the payload of a record stays what it is while others follow', async () => {
  const rig = new Rig();
  const journal = await rig.open();
  const kept = append(journal, 'kept').payload;
  await fill(rig, journal, 2, 60);
  expect(labelOf(kept)).toBe('kept');
});

test("the leader's bytes make the same log; bytes that do not follow are refused", async () => {
  const leader = new Rig();
  const follower = new Rig(undefined, 2);
  const from = await leader.open();
  const to = await follower.open();
  await fill(leader, from, 1, 10);
  const seen: string[] = [];
  for (const run of leader.heard.runs) to.appendEncoded(run.bytes, (record) => seen.push(labelOf(record.payload)) > 0);
  expect(seen).toEqual(range(1, 10));
  expect(to.head).toEqual(from.head);
  await follower.until(() => to.durable === 10);
  const bytes = leader.heard.runs[0]?.bytes ?? new Uint8Array();
  expect(() => to.appendEncoded(bytes, () => true)).toThrow(expect.objectContaining({ code: 'LOCKSTEP_CHAIN_BROKEN' }));
  append(from, 'r11');
  append(from, 'r12');
  await leader.until(() => from.durable === 12);
  const next = (leader.heard.runs[10]?.bytes ?? new Uint8Array()).slice();
  expect(() => to.appendEncoded(next.subarray(0, next.length - 1), () => true)).toThrow(expect.objectContaining({ code: 'LOCKSTEP_CHAIN_BROKEN' }));
  // The first of the two was whole, and counts.
  expect(to.head.position).toBe(11);
  next[next.length - 1] = 1 ^ (next[next.length - 1] ?? 0);
  expect(() => to.appendEncoded(next.subarray(84), () => true)).toThrow(expect.objectContaining({ code: 'LOCKSTEP_CHAIN_BROKEN' }));
  expect(to.head.position).toBe(11);
});

test("of the leader's bytes as many are taken as are wanted, record by record", async () => {
  const leader = new Rig();
  const follower = new Rig(undefined, 2);
  const from = await leader.open();
  const to = await follower.open();
  for (const label of range(1, 5)) append(from, label);
  await leader.until(() => from.durable === 5);
  const bytes = Uint8Array.from(leader.heard.runs.flatMap((run) => [...run.bytes]));
  const taken = to.appendEncoded(bytes, ({ position }) => position < 2);
  expect(to.head.position).toBe(2);
  await follower.until(() => to.durable === 2);
  expect(taken).toBeLessThan(bytes.length);
  expect(to.appendEncoded(bytes.subarray(taken), () => true)).toBe(bytes.length - taken);
  expect(to.head).toEqual(from.head);
});

test('epochs say where each term begins, also after opening and compaction', async () => {
  const rig = new Rig();
  let journal = await rig.open();
  await fill(rig, journal, 1, 10, 60, 1 as Term);
  await fill(rig, journal, 11, 30, 60, 4 as Term);
  await fill(rig, journal, 31, 32, 60, 5 as Term);
  const epochs = [
    { term: 1, first: 1 },
    { term: 4, first: 11 },
    { term: 5, first: 31 },
  ];
  expect(journal.epochs()).toEqual(epochs);
  await rig.run(journal.close());
  journal = await rig.open();
  expect(journal.epochs()).toEqual(epochs);
  await rig.run(journal.compactBefore(at(25)));
  const first = journal.base.position + 1;
  expect(first).toBeGreaterThan(11);
  expect(first).toBeLessThanOrEqual(25);
  expect(journal.epochs()).toEqual([{ term: 4, first }, epochs[2]]);
  await rig.run(journal.close());
  journal = await rig.open();
  expect(journal.epochs()).toEqual([{ term: 4, first }, epochs[2]]);
  expect(await labels(rig, journal)).toEqual(range(first, 32));
});

describe('truncateAfter', () => {
  test.each([0, 1, 5, 9, 10, 19, 39])('after %d: the rest is in quarantine and the log goes on', async (position) => {
    const rig = new Rig();
    let journal = await rig.open();
    // Several records to a group, so that cuts fall within one.
    for (const label of range(1, 40)) append(journal, label);
    await rig.until(() => journal.durable === 40);
    const point = await rig.run(journal.pointAt(at(position)));
    const folder = await rig.run(journal.truncateAfter(at(position)));
    expect(folder).toMatch(new RegExp(`^journal/quarantine/1-${position === 0 ? 0 : 1}-${position}$`));
    expect(journal.head).toEqual(point);
    expect(journal.durable).toBe(position);
    const found = await pieces(rig, folder ?? '');
    expect(found.filter(({ kind }) => kind === 'trouble')).toEqual([]);
    expect(recordsIn(found).map(({ payload }) => labelOf(payload))).toEqual(range(position + 1, 40));
    for (let life = 0; life < 2; life++) {
      expect(await labels(rig, journal)).toEqual(range(1, position));
      await rig.run(journal.close());
      journal = await rig.open();
    }
    append(journal, 'new', 60, 2 as Term);
    await rig.until(() => journal.durable === position + 1);
    await rig.run(journal.close());
    journal = await rig.open();
    expect(await labels(rig, journal)).toEqual([...range(1, position), 'new']);
    expect(journal.epochs()).toEqual(position === 0 ? [{ term: 2, first: 1 }] : [{ term: 1, first: 1 }, { term: 2, first: position + 1 }]);
  });

  test('what was appended and not yet durable is in quarantine too', async () => {
    const rig = new Rig();
    const journal = await rig.open();
    await fill(rig, journal, 1, 3);
    append(journal, 'r4');
    const folder = await rig.run(journal.truncateAfter(at(2)));
    expect(recordsIn(await pieces(rig, folder ?? '')).map(({ payload }) => labelOf(payload))).toEqual(['r3', 'r4']);
  });

  test('nothing beyond: nothing happens', async () => {
    const rig = new Rig();
    const journal = await rig.open();
    await fill(rig, journal, 1, 3);
    expect(await rig.run(journal.truncateAfter(at(3)))).toBeNull();
    await fill(rig, journal, 4, 5);
    expect(await labels(rig, journal)).toEqual(range(1, 5));
  });
});

describe('restart', () => {
  const base = { term: 7 as Term, position: at(1000), chain: 99 };

  test.each([true, false])('begins at the base of a snapshot; new id: %s', async (newId) => {
    const rig = new Rig();
    let journal = await rig.open();
    const { id } = journal;
    await fill(rig, journal, 1, 30);
    const folder = await rig.run(journal.restart(base, newId));
    expect(recordsIn(await pieces(rig, folder ?? '')).map(({ payload }) => labelOf(payload))).toEqual(range(1, 30));
    expect(journal.id === id).toBe(!newId);
    expect(journal).toMatchObject({ base, head: base, durable: 1000 });
    append(journal, 'r1001', 60, 7 as Term);
    await rig.until(() => journal.durable === 1001);
    await rig.run(journal.close());
    const last = journal.id;
    journal = await rig.open();
    expect(journal).toMatchObject({ id: last, base, durable: 1001 });
    expect(await labels(rig, journal)).toEqual(['r1001']);
  });

  test('an empty log leaves no quarantine, also when the base stays the same', async () => {
    const rig = new Rig();
    const journal = await rig.open();
    expect(await rig.run(journal.restart(base, false))).toBeNull();
    expect(await rig.run(journal.restart(base, true))).toBeNull();
    await fill(rig, journal, 1001, 1002, 60, 8 as Term);
    expect(await labels(rig, journal)).toEqual(range(1001, 1002));
  });

  test('mends a damaged journal, under another id', async () => {
    const rig = new Rig();
    let journal = await rig.open();
    const { id } = journal;
    await fill(rig, journal, 1, 30);
    await rig.pass(100);
    rig.kill();
    rig.image.flipBit(`${FOLDER}/0000000000000001.segment`, 300, 3);
    journal = await rig.open();
    expect(journal.damage).toContain('0000000000000001.segment, offset');
    expect(() => append(journal, 'x')).toThrow(expect.objectContaining({ code: 'LOCKSTEP_JOURNAL_DAMAGED' }));
    expect(journal.canAppend(1)).toBe(false);
    const folder = await rig.run(journal.restart(EMPTY_LOG, false));
    expect(journal.damage).toBeNull();
    expect(journal.id).not.toBe(id);
    // All but what stands in the damaged group can be read in quarantine.
    const found = await pieces(rig, folder ?? '');
    expect(found.some(({ kind }) => kind === 'trouble')).toBe(true);
    expect(recordsIn(found)).toHaveLength(29);
    await fill(rig, journal, 1, 3);
    await rig.run(journal.close());
    journal = await rig.open();
    expect(journal.damage).toBeNull();
    expect(await labels(rig, journal)).toEqual(range(1, 3));
  });
});

test('terms begin where the log begins also when a compaction could not remove what it had given up', async () => {
  const rig = new Rig();
  const journal = await rig.open();
  await fill(rig, journal, 1, 10, 60, 1 as Term);
  await fill(rig, journal, 11, 40, 60, 2 as Term);
  rig.image.failNext('remove', 'EIO', 1, '.segment');
  await expect(rig.run(journal.compactBefore(at(30)))).rejects.toThrow('EIO');
  expect(journal.base.position).toBeGreaterThan(10);
  expect(journal.epochs()).toEqual([{ term: 2, first: journal.base.position + 1 }]);
});

test.each(['EIO', 'EMFILE', 'EACCES'])('a description that cannot be read (%s) is not taken for one that is damaged', async (code) => {
  const rig = new Rig();
  await rig.run((await rig.open()).close());
  rig.image.failNext('read', code, 1, 'journal.json');
  await expect(rig.open()).rejects.toMatchObject({ code: 'LOCKSTEP_JOURNAL_UNREADABLE', message: expect.stringContaining(code) as string });
  expect((await rig.open()).damage).toBeNull();
});

test('a segment that the host does not let read, for want of files, is no damage; one that the disk does not give is', async () => {
  const rig = new Rig();
  const journal = await rig.open();
  await fill(rig, journal, 1, 10);
  await rig.run(journal.close());
  rig.image.failNext('open', 'EMFILE', 1, '.segment');
  await expect(rig.open()).rejects.toMatchObject({ code: 'LOCKSTEP_JOURNAL_UNREADABLE' });
  rig.image.failNext('read', 'EIO', 1, '.segment');
  expect((await rig.open()).damage).toContain('cannot be read');
});

test('compaction removes what ends before a position and nothing else', async () => {
  const rig = new Rig();
  const journal = await rig.open();
  await fill(rig, journal, 1, 40);
  const bytes = journal.bytes;
  await rig.run(journal.compactBefore(at(20)));
  const first = journal.base.position + 1;
  expect(first).toBeLessThanOrEqual(20);
  expect(first).toBeGreaterThan(10);
  expect(journal.bytes).toBeLessThan(bytes);
  expect(await rig.run(journal.read(at(first - 1), 100))).toBeNull();
  await expect(rig.run(journal.recordAt(at(1)))).rejects.toMatchObject({ code: 'LOCKSTEP_RECORD_GONE' });
  expect(await labels(rig, journal)).toEqual(range(first, 40));
  await rig.run(journal.compactBefore(at(1_000_000)));
  await fill(rig, journal, 41, 42);
  expect((await labels(rig, journal)).slice(-2)).toEqual(range(41, 42));
});

test('how much stands behind a position is known to within the distance of the index, also after another opening', async () => {
  const rig = new Rig();
  let journal = await rig.open();
  await fill(rig, journal, 1, 40);
  for (let life = 0; life < 2; life++) {
    const behind = range(0, 41).map((_, position) => journal.bytesAfter(at(position)));
    expect(behind[0]).toBeLessThanOrEqual(journal.bytes);
    expect(behind[0]).toBeGreaterThan(journal.bytes / 2);
    expect(behind).toEqual([...behind].sort((one, other) => other - one));
    expect(behind[20]).toBeGreaterThan((behind[0] as number) / 3);
    expect(behind.slice(40)).toEqual([0, 0]);
    expect(behind[39]).toBeGreaterThan(0);
    await rig.run(journal.close());
    journal = await rig.open();
  }
});

test('payloads are read back in any order', async () => {
  const rig = new Rig();
  const journal = await rig.open({ preallocate: false, segmentBytes: 4096, groupBytes: 512, indexEveryBytes: 1024 });
  await fill(rig, journal, 1, 120);
  await rig.pass(1000);
  const order = [...Array.from({ length: 120 }, (_, i) => i + 1), ...Array.from({ length: 300 }, () => 1 + Math.floor(rig.prng.fraction() * 120)), ...Array.from({ length: 120 }, (_, i) => 120 - i)];
  for (const position of order) expect(Buffer.from((await rig.run(journal.recordAt(at(position)))).payload).toString()).toContain(`r${position}`);
});

test('records that come while a commit is under way are heard of before it ends, each once and in order', async () => {
  const rig = new Rig();
  const journal = await rig.open({ preallocate: false, segmentBytes: 64 * 1024, groupBytes: 400, hurryBytes: 600 });
  append(journal, 'r1');
  await rig.until(() => rig.heard.runs.length === 1);
  for (let next = 2; next <= 30; next++) append(journal, `r${next}`);
  await rig.pass(0);
  expect(journal.durable).toBe(0);
  expect(rig.heard.runs[rig.heard.runs.length - 1]?.last).toBe(30);
  append(journal, 'r31');
  await rig.pass(0);
  // Little alone waits for the commit that takes it along.
  expect(rig.heard.runs[rig.heard.runs.length - 1]?.last).toBe(30);
  await rig.until(() => journal.durable === 31);
  const runs = rig.heard.runs;
  expect(runs.map(({ first }) => first)).toEqual([1, ...runs.slice(0, -1).map(({ last }) => last + 1)]);
  expect(await labels(rig, journal)).toEqual(range(1, 31));
});

test('a mark that no sync took along is written again with the next commit: power lost behind it takes nothing that was durable', async () => {
  for (let seed = 1; seed <= 200; seed++) {
    const rig = new Rig(undefined, seed);
    const journal = await rig.open({ preallocate: false, segmentBytes: 64 * 1024, groupBytes: 4096 });
    let next = 1;
    for (let round = 0; round < 6; round++) {
      const last = next + (seed % 7) + 3;
      await fill(rig, journal, next, last);
      await rig.pass(100);
      next = last + 1;
    }
    append(journal, `r${next}`);
    await rig.until(() => journal.durable === next);
    rig.crash();
    const again = await rig.open();
    expect(`seed ${seed}: ${String(again.damage)}, ${again.head.position}`).toBe(`seed ${seed}: null, ${next}`);
  }
});

describe('trouble with the disk', () => {
  test('a failed sync ends the journal for good, also for the next opening', async () => {
    const rig = new Rig();
    let journal = await rig.open();
    await fill(rig, journal, 1, 3);
    await rig.pass(1000);
    rig.image.failNext('sync', 'EIO');
    append(journal, 'r4');
    await rig.until(() => rig.heard.failed.length > 0);
    expect(journal.damage).toContain('sync');
    expect(journal.durable).toBe(3);
    await rig.pass(5000);
    expect(journal.durable).toBe(3);
    expect(() => append(journal, 'r5')).toThrow(expect.objectContaining({ code: 'LOCKSTEP_JOURNAL_DAMAGED' }));
    await rig.run(journal.close());
    journal = await rig.open();
    expect(journal.damage).toContain('failed before');
  });

  test('no room: it waits, says so, stops accepting at its limit, and goes on by itself', async () => {
    const rig = new Rig();
    const journal = await rig.open({ pendingBytesMax: 1000 });
    await fill(rig, journal, 1, 3);
    await rig.pass(1000);
    rig.image.capacityBytes = rig.image.usedBytes;
    append(journal, 'r4');
    await rig.until(() => journal.full);
    expect(rig.heard.room).toEqual([true]);
    let next = 5;
    while (journal.canAppend(60)) append(journal, `r${next++}`);
    expect(next).toBeGreaterThan(8);
    expect(() => append(journal, 'x')).toThrow(expect.objectContaining({ code: 'LOCKSTEP_DISK_FULL' }));
    await rig.pass(5000);
    expect(journal.durable).toBe(3);
    rig.image.capacityBytes = Infinity;
    await rig.until(() => journal.durable === next - 1);
    expect(rig.heard.room).toEqual([true, false]);
    expect(rig.heard.runs.map(({ last }) => last)).toEqual([...new Set(rig.heard.runs.map(({ last }) => last))]);
    expect(await labels(rig, journal)).toEqual(range(1, next - 1));
  });

  test('no room, found out when what was written shall reach the disk: the commit is written again as a whole', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const rig = new Rig(undefined, seed);
      const journal = await rig.open({ preallocate: false });
      await fill(rig, journal, 1, 3);
      // A mark stands behind the third record; the sync that is refused forgets that too.
      await rig.pass(1000);
      rig.image.failNext('syncOfWrite', 'ENOSPC', 2);
      append(journal, 'r4');
      await rig.until(() => journal.full);
      expect(journal.damage).toBeNull();
      expect(journal.durable).toBe(3);
      await rig.until(() => journal.durable === 4);
      expect(rig.heard.room).toEqual([true, false]);
      rig.crash();
      expect(await labels(rig, await rig.open())).toEqual(range(1, 4));
    }
  });

  test('closing a journal that has no room says so', async () => {
    const rig = new Rig();
    const journal = await rig.open();
    rig.image.capacityBytes = rig.image.usedBytes;
    append(journal, 'r1');
    await expect(rig.run(journal.close())).rejects.toMatchObject({ code: 'LOCKSTEP_DISK_FULL' });
  });

  test('no room to mend a torn tail: opening is refused, and nothing is held to be damaged', async () => {
    const rig = new Rig();
    const journal = await rig.open({ preallocate: false });
    await fill(rig, journal, 1, 5);
    rig.kill();
    const path = rig.image.paths().find((name) => name.endsWith('.segment')) ?? '';
    rig.image.put(path, rig.image.content(path).slice(0, -10));
    rig.image.capacityBytes = rig.image.usedBytes;
    await expect(rig.open()).rejects.toMatchObject({ code: 'LOCKSTEP_DISK_FULL' });
    rig.image.capacityBytes = Infinity;
    const again = await rig.open();
    expect(again.damage).toBeNull();
    expect(await labels(rig, again)).toEqual(range(1, 4));
  });

  test('no room for the next segment', async () => {
    const rig = new Rig();
    const journal = await rig.open({ preallocate: false });
    const segment = (): number => rig.image.paths().filter((path) => path.endsWith('.segment')).length;
    for (let next = 1; segment() < 2; next++) {
      rig.image.capacityBytes = rig.image.usedBytes + 200;
      append(journal, `r${next}`);
      await rig.pass(30);
      if (journal.full) rig.image.capacityBytes += 100;
      await rig.until(() => journal.durable === next);
    }
    rig.image.capacityBytes = Infinity;
    await rig.run(journal.close());
    const again = await rig.open();
    expect(again.damage).toBeNull();
    expect(again.head.position).toBe(journal.head.position);
  });

  test('a segment that could not be filled in advance gives its room back', async () => {
    const rig = new Rig();
    const segmentBytes = 2 * 1024 * 1024;
    const journal = await rig.open({ segmentBytes });
    rig.image.failNext('sync', 'EDQUOT', 1, 'spare.tmp');
    await rig.until(() => rig.image.usedBytes > segmentBytes);
    await rig.until(() => !rig.image.awaitsFailure('sync'));
    await rig.pass(100);
    expect(rig.image.paths()).not.toContain(`${FOLDER}/spare.tmp`);
    expect(rig.image.usedBytes).toBeLessThan(10_000);
    await fill(rig, journal, 1, 3);
    await rig.run(journal.close());
  });

  test('nor does one that could not get its name keep it', async () => {
    const rig = new Rig();
    const journal = await rig.open();
    await rig.pass(1000);
    rig.image.failNext('rename', 'ENOSPC', 1, 'spare.tmp');
    for (let next = 1; !journal.full; next++) {
      append(journal, `r${next}`);
      await rig.pass(30);
    }
    expect(rig.image.paths()).not.toContain(`${FOLDER}/spare.tmp`);
    await rig.until(() => journal.durable === journal.head.position);
    expect(await labels(rig, journal)).toEqual(range(1, journal.head.position));
  });

  test('a bit that turned since the opening is found when it is read, and ends the journal', async () => {
    const rig = new Rig();
    const journal = await rig.open();
    await fill(rig, journal, 1, 10);
    rig.image.flipBit(`${FOLDER}/0000000000000001.segment`, 250, 1);
    await expect(labels(rig, journal)).rejects.toMatchObject({ code: 'LOCKSTEP_JOURNAL_DAMAGED' });
    expect(rig.heard.failed[0]).toContain('0000000000000001.segment, offset');
  });
});

describe('what opening refuses or finds', () => {
  async function filled(): Promise<Rig> {
    const rig = new Rig();
    const journal = await rig.open();
    await fill(rig, journal, 1, 40);
    await rig.run(journal.close());
    return rig;
  }
  const segments = (rig: Rig): string[] => rig.image.paths().filter((path) => path.startsWith(FOLDER) && path.endsWith('.segment'));

  test.each([0, 1, -1])('segment %d is missing', async (which) => {
    const rig = await filled();
    rig.image.take(segments(rig).at(which) ?? '');
    expect((await rig.open()).damage).not.toBeNull();
  });

  test('all segments are missing', async () => {
    const rig = await filled();
    for (const path of segments(rig)) rig.image.take(path);
    expect((await rig.open()).damage).toContain('no segment');
  });

  test('a segment of another journal', async () => {
    const rig = await filled();
    const other = new Rig(undefined, 77);
    await other.run((await other.open()).close());
    rig.image.put(segments(rig)[0] ?? '', other.image.content(segments(other)[0] ?? ''));
    await expect(rig.open()).rejects.toMatchObject({ code: 'LOCKSTEP_JOURNAL_FOREIGN' });
  });

  test('a file that is no segment', async () => {
    const rig = await filled();
    rig.image.put(segments(rig)[1] ?? '', new Uint8Array(5000).fill(0x41));
    await expect(rig.open()).rejects.toMatchObject({ code: 'LOCKSTEP_JOURNAL_FOREIGN' });
  });

  test('a segment of a later format', async () => {
    const rig = await filled();
    const path = segments(rig)[1] ?? '';
    const content = rig.image.content(path);
    const view = new DataView(content.buffer);
    view.setUint16(4, 2);
    view.setUint32(60, checksum(content.subarray(0, 60), 0));
    rig.image.put(path, content);
    await expect(rig.open()).rejects.toMatchObject({ code: 'LOCKSTEP_JOURNAL_NEWER' });
  });

  test.each([
    ['{"schema": 2}', 'LOCKSTEP_JOURNAL_NEWER'],
    ['{"schema": 1}', 'LOCKSTEP_JOURNAL_META_DAMAGED'],
    ['[1]', 'LOCKSTEP_JOURNAL_META_DAMAGED'],
    ['{', 'LOCKSTEP_JOURNAL_META_DAMAGED'],
  ])('journal.json says %s', async (content, code) => {
    const rig = await filled();
    rig.image.put(`${FOLDER}/journal.json`, new TextEncoder().encode(content));
    await expect(rig.open()).rejects.toMatchObject({ code });
  });

  test('journal.json is missing', async () => {
    const rig = await filled();
    rig.image.take(`${FOLDER}/journal.json`);
    await expect(rig.open()).rejects.toMatchObject({ code: 'LOCKSTEP_JOURNAL_META_MISSING' });
  });

  test('another cluster', async () => {
    const rig = await filled();
    await expect(rig.open({ cluster: 'other' })).rejects.toMatchObject({ code: 'LOCKSTEP_JOURNAL_FOREIGN' });
  });

  test('a disk that cannot be read is damage with its name', async () => {
    const rig = await filled();
    rig.image.failNext('read', 'EIO', 1, '.segment');
    expect((await rig.open()).damage).toContain('cannot be read: EIO');
  });
});

test('inspecting a healthy journal gives every record and no trouble, while it is open', async () => {
  const rig = new Rig();
  const journal = await rig.open();
  await fill(rig, journal, 1, 20);
  const found = await pieces(rig, FOLDER);
  expect(found.filter(({ kind }) => kind === 'trouble')).toEqual([]);
  expect(recordsIn(found).map(({ position, term }) => [position, term])).toEqual(Array.from({ length: 20 }, (_, index) => [index + 1, TERM]));
});

test('journal.json without the segment that it says is about to be cut: a copy that is put aside, not a server that ends again and again', async () => {
  const rig = new Rig();
  const journal = await rig.open({ preallocate: false });
  await fill(rig, journal, 1, 5);
  rig.kill();
  const meta = JSON.parse(new TextDecoder().decode(rig.image.content(`${FOLDER}/journal.json`))) as Record<string, unknown>;
  const { sum: _, ...content } = { ...meta, change: { kind: 'cut', segment: '0000000000000009.segment', length: 64, patch: null, move: [], quarantine: null } } as Record<string, unknown>;
  const sum = checksum(new TextEncoder().encode(JSON.stringify(content)), 0).toString(16).padStart(8, '0');
  rig.image.put(`${FOLDER}/journal.json`, new TextEncoder().encode(JSON.stringify({ ...content, sum })));
  await expect(rig.open()).rejects.toMatchObject({ code: 'LOCKSTEP_JOURNAL_META_DAMAGED', message: expect.stringContaining('0000000000000009.segment') as unknown });
});

test.each([
  ['open', 'spare.tmp', 'EMFILE', false],
  ['syncFolder', '', 'EMFILE', true],
  ['syncFolder', '', 'ENFILE', true],
] as const)('a want of files while a segment is begun (%s %s: %s) is waited for, as for room, and is no damage', async (operation, place, code, preallocate) => {
  const rig = new Rig();
  const journal = await rig.open({ preallocate });
  await fill(rig, journal, 1, 3);
  await rig.pass(1_000);
  rig.image.failNext(operation, code, 1, place);
  const waits: (string | null)[] = [];
  for (let next = 4; next < 60 && rig.image.awaitsFailure(operation); next++) {
    append(journal, `r${next}`);
    await rig.pass(30);
    waits.push(journal.waitsFor);
  }
  expect(waits).toContainEqual(expect.stringContaining(`no means to begin a segment (${code}`));
  expect(journal.damage).toBeNull();
  await rig.until(() => journal.durable === journal.head.position);
  expect(journal.waitsFor).toBeNull();
  expect(await labels(rig, journal)).toEqual(range(1, journal.head.position));
});

test('segments that the server removes while they are listed are no damage; one that cannot be read is', async () => {
  const rig = new Rig();
  const journal = await rig.open();
  await fill(rig, journal, 1, 60);
  const found: JournalPiece[] = [];
  const list = async (): Promise<void> => {
    for await (const piece of readSegments(rig.disk, FOLDER, checksum)) {
      if (found.length === 0) await journal.compactBefore(at(40));
      found.push(piece);
    }
  };
  await rig.run(list());
  expect(found.filter(({ kind }) => kind === 'trouble')).toEqual([]);
  const labelsFound = recordsIn(found).map(({ payload }) => labelOf(payload));
  expect(labelsFound).toContain('r1');
  expect(labelsFound).not.toContain('r20');
  expect(labelsFound.slice(-20)).toEqual(range(41, 60));
  rig.image.failNext('open', 'ENOENT', 1, '.segment');
  expect((await pieces(rig, FOLDER)).filter(({ kind }) => kind === 'trouble')).toHaveLength(1);
});

test('a group whose only record was refused waits for nothing, and takes no room from others', async () => {
  const rig = new Rig();
  const journal = await rig.open({ pendingBytesMax: 300 });
  await fill(rig, journal, 1, 1);
  const run = await rig.run(journal.read(at(1), 300));
  // It is the second record that is to come.
  expect(() => journal.appendEncoded(run?.bytes ?? new Uint8Array(0), () => true)).toThrow(expect.objectContaining({ code: 'LOCKSTEP_CHAIN_BROKEN' }));
  // One larger than all that may wait is taken only where nothing waits.
  expect(journal.canAppend(600)).toBe(true);
  append(journal, 'r2', 600);
  await rig.until(() => journal.durable === 2);
  expect(journal.canAppend(600)).toBe(true);
  expect(await labels(rig, journal)).toEqual(['r1', 'r2']);
});
