import type { Term } from '../../../../src/core/identity.js';
import { EMPTY_LOG } from '../../../../src/core/journal/envelope.js';
import type { Journal } from '../../../../src/server/journal/api.js';
import { readSegments } from '../../../../src/server/journal/inspect.js';
import { append, at, checksum, fill, FOLDER, labelOf, labels, range, Rig, TERM } from './rig.js';

/*
 * What a disk can refuse while the log's past is changed, and what is read meanwhile: the log is as it was, or as it shall be.
 */
const QUARANTINE = `${FOLDER}/quarantine`;
const PLAIN = { segmentBytes: 64 * 1024, groupBytes: 1024, preallocate: false };

async function filled(rig: Rig, count: number): Promise<Journal> {
  const journal = await rig.open(PLAIN);
  await fill(rig, journal, 1, count, 500);
  return journal;
}

const folders = (rig: Rig): Promise<string[]> => rig.run(rig.disk.list(QUARANTINE));

async function quarantined(rig: Rig): Promise<string[]> {
  const found: string[] = [];
  const collect = async (folder: string): Promise<void> => {
    for await (const piece of readSegments(rig.disk, folder, checksum)) if (piece.kind === 'records') found.push(...piece.records.map(({ payload }) => labelOf(payload)));
  };
  for (const name of await folders(rig)) await rig.run(collect(`${QUARANTINE}/${name}`));
  return found;
}

const CHANGES: [string, (journal: Journal) => Promise<string | null>, readonly string[]][] = [
  ['cut', (journal) => journal.truncateAfter(at(2)), range(3, 20)],
  ['begun anew', (journal) => journal.restart({ term: 3 as Term, position: at(500), chain: 5 }, false), range(1, 20)],
];

describe.each(CHANGES)('a log that shall be %s', (_, change, moved) => {
  test('while there is no room: the tries leave nothing, the log goes on, and with room it is done', async () => {
    const rig = new Rig();
    const journal = await filled(rig, 20);
    const before = rig.image.usedBytes;
    for (const room of [0, 200, 3_000, 200, 3_000]) {
      rig.image.capacityBytes = before + room;
      // So much that the quarantine folder can be made, and journal.json not.
      if (room === 3_000) rig.image.failNext('replaceFile', 'ENOSPC', 1, 'journal.json');
      const isRefused = moved.length < 20 || room !== 200;
      if (!isRefused) rig.image.failNext('replaceFile', 'EDQUOT', 1, 'quarantine.json');
      await expect(rig.run(change(journal))).rejects.toMatchObject({ code: isRefused ? 'ENOSPC' : 'EDQUOT' });
      rig.image.forgetFailures('replaceFile');
      expect([room, rig.image.usedBytes - before, await folders(rig), journal.damage]).toEqual([room, 0, [], null]);
    }
    rig.image.capacityBytes = Infinity;
    expect(await labels(rig, journal)).toEqual(range(1, 20));
    await rig.run(change(journal));
    expect((await folders(rig)).map((name) => name.split('-')[0])).toEqual(['1']);
    expect(await quarantined(rig)).toEqual(moved);
    expect(journal.damage).toBeNull();
  });

  test.each(['ENOSPC', 'EIO'])('and cannot be written down (%s): nothing has happened, also after a loss of power', async (code) => {
    const rig = new Rig();
    const journal = await filled(rig, 20);
    rig.image.failNext('replaceFile', code, 1, 'journal.json');
    await expect(rig.run(change(journal))).rejects.toMatchObject({ code });
    expect([journal.damage, rig.heard.failed, await folders(rig)]).toEqual([null, [], []]);
    await fill(rig, journal, 21, 25);
    rig.crash();
    const again = await rig.open(PLAIN);
    expect(again.damage).toBeNull();
    expect(await labels(rig, again)).toEqual(range(1, 25));
  });

  /** journal.json gets its new content, and the disk refuses to make the name durable. */
  function renamedOnly(rig: Rig, times: number, code = 'ENOSPC'): void {
    const replace = rig.disk.replaceFile.bind(rig.disk);
    let left = times;
    rig.disk.replaceFile = async (path, bytes) => {
      await replace(path, bytes);
      if (path.endsWith('journal.json') && left-- > 0) throw Object.assign(new Error(code), { code });
    };
  }

  test('and is written down, but not known to be: that is taken back, and no later record is cut off by it', async () => {
    const rig = new Rig();
    const journal = await filled(rig, 20);
    renamedOnly(rig, 1);
    await expect(rig.run(change(journal))).rejects.toMatchObject({ code: 'ENOSPC' });
    expect([journal.damage, await folders(rig)]).toEqual([null, []]);
    await fill(rig, journal, 21, 25);
    rig.crash();
    expect(await labels(rig, await rig.open(PLAIN))).toEqual(range(1, 25));
  });

  test('and is written down, and cannot be taken back: the journal takes no more', async () => {
    const rig = new Rig();
    const journal = await filled(rig, 20);
    renamedOnly(rig, 2);
    await expect(rig.run(change(journal))).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(journal.damage).not.toBeNull();
    expect(journal.canAppend(1)).toBe(false);
  });

  test('and is written down, and cannot be taken back since no file is to be had: that is no damage that lasts', async () => {
    const rig = new Rig();
    const journal = await filled(rig, 20);
    renamedOnly(rig, 2, 'EMFILE');
    await expect(rig.run(change(journal))).rejects.toMatchObject({ code: 'LOCKSTEP_JOURNAL_UNREADABLE' });
    expect(journal.canAppend(1)).toBe(false);
    await rig.run(journal.close());
    const again = await rig.open(PLAIN);
    expect([again.damage, again.id]).toEqual([null, journal.id]);
  });
});

test('a damaged log that is begun anew while there is no room leaves no folders either', async () => {
  const rig = new Rig();
  await rig.run((await filled(rig, 5)).close());
  const path = rig.image.paths().find((name) => name.endsWith('.segment')) ?? '';
  rig.image.flipBit(path, 300, 3);
  const journal = await rig.open(PLAIN);
  expect(journal.damage).not.toBeNull();
  rig.image.capacityBytes = rig.image.usedBytes;
  for (let i = 0; i < 3; i++) await expect(rig.run(journal.restart(EMPTY_LOG, true))).rejects.toMatchObject({ code: 'ENOSPC' });
  expect(await folders(rig)).toEqual([]);
  rig.image.capacityBytes = Infinity;
  await rig.run(journal.restart(EMPTY_LOG, true));
  expect([journal.damage, (await folders(rig)).length]).toEqual([null, 1]);
});

test('a torn tail that cannot be cut off for want of room leaves nothing at each opening, and is kept when there is room', async () => {
  const rig = new Rig();
  await filled(rig, 5);
  rig.kill();
  const path = rig.image.paths().find((name) => name.endsWith('.segment')) ?? '';
  rig.image.put(path, rig.image.content(path).slice(0, -10));
  const before = rig.image.usedBytes;
  for (const room of [0, 300, 3_000]) {
    rig.image.capacityBytes = before + room;
    if (room === 3_000) rig.image.failNext('replaceFile', 'ENOSPC', 1, 'journal.json');
    await expect(rig.open(PLAIN)).rejects.toMatchObject({ code: 'LOCKSTEP_DISK_FULL' });
    expect([room, rig.image.usedBytes - before, await folders(rig)]).toEqual([room, 0, []]);
  }
  rig.image.capacityBytes = Infinity;
  const journal = await rig.open(PLAIN);
  expect(await labels(rig, journal)).toEqual(range(1, 4));
  expect(await folders(rig)).toHaveLength(1);
});

describe('a quarantine folder without its note', () => {
  test('that a crash left while it was made is removed at the next opening, and nothing is lost', async () => {
    let left = 0;
    for (let moment = 0; moment < 120; moment++) {
      const rig = new Rig(undefined, moment + 1);
      const journal = await filled(rig, 12);
      journal.truncateAfter(at(3)).catch(() => undefined);
      await rig.pass(moment / 20);
      if (moment % 2 === 0) rig.kill();
      else rig.crash();
      if ((await folders(rig)).length > 0 && !rig.image.paths().some((path) => path.endsWith('quarantine.json'))) left++;
      const again = await rig.open(PLAIN);
      const names = await folders(rig);
      expect([moment, again.damage, names.filter((name) => !rig.image.paths().includes(`${QUARANTINE}/${name}/quarantine.json`))]).toEqual([moment, null, []]);
      const found = new Set([...(await labels(rig, again)), ...(await quarantined(rig))]);
      expect([moment, range(1, 12).filter((label) => !found.has(label))]).toEqual([moment, []]);
    }
    expect(left).toBeGreaterThan(5);
  });

  test.each(['segments of the log', 'what somebody put there', 'a segment of another journal'])('stays where it holds something else: %s', async (what) => {
    const rig = new Rig();
    const journal = await filled(rig, 12);
    await rig.run(journal.truncateAfter(at(3)));
    await rig.run(journal.close());
    const folder = `${QUARANTINE}/${(await folders(rig))[0]}`;
    const content = rig.image.content(`${folder}/0000000000000004.segment`);
    rig.image.take(`${folder}/quarantine.json`);
    if (what === 'segments of the log') rig.image.put(`${folder}/0000000000000010.segment`, content);
    else if (what === 'what somebody put there') rig.image.put(`${folder}/notes.txt`, new Uint8Array(3));
    else {
      const other = new Rig(undefined, 77);
      await other.run((await filled(other, 1)).close());
      rig.image.put(`${folder}/0000000000000004.segment`, other.image.content(other.image.paths().find((path) => path.endsWith('.segment')) ?? ''));
    }
    const before = rig.image.paths().filter((path) => path.startsWith(folder));
    await rig.open(PLAIN);
    expect(rig.image.paths().filter((path) => path.startsWith(folder))).toEqual(before);
  });

  test('stays while the log is damaged: its copy may be the only one that is whole', async () => {
    const rig = new Rig();
    const journal = await filled(rig, 12);
    rig.image.failNext('replaceFile', 'ENOSPC', 1, 'quarantine.json');
    rig.image.failNext('remove', 'EIO', 9, 'quarantine.json');
    await expect(rig.run(journal.truncateAfter(at(3)))).rejects.toMatchObject({ code: 'ENOSPC' });
    rig.image.forgetFailures('remove');
    await rig.pass(100);
    rig.kill();
    const before = rig.image.paths().filter((path) => path.startsWith(QUARANTINE));
    expect(before).toHaveLength(1);
    rig.image.flipBit(`${FOLDER}/0000000000000001.segment`, 3_000, 3);
    expect((await rig.open(PLAIN)).damage).not.toBeNull();
    expect(rig.image.paths().filter((path) => path.startsWith(QUARANTINE))).toEqual(before);
  });
});

describe('an old segment that could not be removed', () => {
  const segments = (rig: Rig): string[] => rig.image.paths().filter((path) => /^journal\/\d+\.segment$/.test(path));

  async function left(): Promise<{ rig: Rig; journal: Journal; old: string }> {
    const rig = new Rig();
    const journal = await rig.open();
    await fill(rig, journal, 1, 40);
    const old = segments(rig)[0] as string;
    rig.image.failNext('remove', 'EIO', 1, old);
    await expect(rig.run(journal.compactBefore(at(14)))).rejects.toMatchObject({ code: 'EIO' });
    expect(segments(rig)).toContain(old);
    return { rig, journal, old };
  }

  test('does not stand in the way of the next cut', async () => {
    const { rig, journal } = await left();
    const { base } = journal;
    await rig.run(journal.truncateAfter(at(30)));
    expect(journal).toMatchObject({ damage: null, base, durable: 30 });
    expect(await labels(rig, journal)).toEqual(range(base.position + 1, 30));
  });

  test('keeps none of the others, and is removed by the next compaction, also by one that has nothing else to remove', async () => {
    const { rig, journal, old } = await left();
    expect(segments(rig).filter((path) => Number(/(\d+)\.segment/.exec(path)?.[1]) < journal.base.position)).toEqual([old]);
    await rig.run(journal.compactBefore(at(14)));
    expect(segments(rig)).not.toContain(old);
    expect(await labels(rig, journal)).toEqual(range(journal.base.position + 1, 40));
  });

  test('is removed at the next opening; where that is refused too, the journal opens without it', async () => {
    const { rig, journal, old } = await left();
    const { base } = journal;
    await rig.run(journal.close());
    rig.image.failNext('remove', 'EIO', 1, old);
    let again = await rig.open();
    expect(again).toMatchObject({ damage: null, base });
    expect(segments(rig)).toContain(old);
    await fill(rig, again, 41, 42);
    await rig.run(again.truncateAfter(at(41)));
    await rig.run(again.close());
    again = await rig.open();
    expect(segments(rig)).not.toContain(old);
    expect(await labels(rig, again)).toEqual(range(base.position + 1, 41));
  });
});

describe.each(CHANGES)('a log that is being %s, when that was written down', (how, change) => {
  test.each([
    ['no file is to be had', 'open', 'EMFILE', 'LOCKSTEP_JOURNAL_UNREADABLE'],
    ['there is no room', 'sync', 'ENOSPC', 'ENOSPC'],
  ] as const)('and %s: that is no damage that lasts, and the next opening finishes it', async (_, operation, code, told) => {
    const rig = new Rig();
    const journal = await filled(rig, 20);
    rig.image.named = (path) => {
      if (!path.endsWith('/journal.json')) return;
      rig.image.named = () => undefined;
      // The file that is closed before is told of it, too, and does not care.
      rig.image.failNext(operation, code, how === 'cut' && operation === 'open' ? 2 : 1, how === 'cut' ? `${FOLDER}/0000000000000001.segment` : 'spare.tmp');
    };
    await expect(rig.run(change(journal))).rejects.toMatchObject({ code: told });
    await rig.pass(100);
    expect(journal.canAppend(1)).toBe(false);
    await rig.run(journal.close());
    const again = await rig.open(PLAIN);
    expect([again.damage, again.id, await labels(rig, again)]).toEqual([null, journal.id, how === 'cut' ? range(1, 2) : []]);
    await fill(rig, again, 501, 502, 60, 3 as Term);
    expect((await labels(rig, again)).slice(-2)).toEqual(range(501, 502));
  });
});

describe('what is read while the log is changed', () => {
  const CODES = [undefined, 'LOCKSTEP_RECORD_GONE'];
  const wholePieces = { ...PLAIN, indexEveryBytes: 16 * 1024 };

  test.each(['cut', 'begun anew'])('is as it was, or gone, and never damage: %s', async (how) => {
    let gone = 0;
    for (let moment = 0; moment < 80; moment++) {
      const rig = new Rig(undefined, moment + 1);
      const journal = await rig.open(wholePieces);
      await fill(rig, journal, 1, 12, 500);
      const change = how === 'cut' ? journal.truncateAfter(at(10)) : journal.restart({ term: TERM, position: at(500), chain: 5 }, false);
      const answers: Promise<unknown>[] = [];
      const ask = (answer: Promise<string | undefined>): void => void answers.push(answer.then((label) => expect(label).toBe('r2'), (error: { code?: string }) => expect([moment, CODES.includes(error.code) && (gone += 1) > 0, String(error)]).toEqual([moment, true, String(error)])));
      rig.clock.after(moment / 10, () => {
        ask(journal.recordAt(at(2)).then(({ payload }) => labelOf(payload)));
        if (how === 'begun anew') return;
        ask(journal.read(at(2), 10).then((run) => (run === null ? undefined : labelOf(run.bytes.subarray(24)))));
        ask(journal.pointAt(at(2)).then((point) => (point === null ? undefined : `r${point.position}`)));
      });
      await rig.run(change);
      await rig.pass(50);
      await Promise.all(answers);
      expect([moment, journal.damage, rig.heard.failed]).toEqual([moment, null, []]);
      if (how === 'cut') expect(await labels(rig, journal)).toEqual(range(1, 10));
    }
    expect(gone).toBeGreaterThan(10);
  });

  test('a bit that turned is found afterwards as ever', async () => {
    const rig = new Rig();
    const journal = await filled(rig, 12);
    await rig.run(journal.truncateAfter(at(10)));
    rig.image.flipBit(`${FOLDER}/0000000000000001.segment`, 400, 1);
    await expect(rig.run(journal.recordAt(at(1)))).rejects.toMatchObject({ code: 'LOCKSTEP_JOURNAL_DAMAGED' });
    expect(rig.heard.failed[0]).toContain('0000000000000001.segment, offset');
  });

  test('what was appended behind it is read', async () => {
    const rig = new Rig();
    const journal = await filled(rig, 12);
    await rig.run(journal.truncateAfter(at(10)));
    append(journal, 'new');
    expect(labelOf((await journal.recordAt(at(11))).payload)).toBe('new');
  });
});

const SMALL = { segmentBytes: 1024, groupBytes: 512, preallocate: false };

test('a segment that is being begun when the journal fails does not come into the log that takes its place', async () => {
  for (let step = 0; step < 60; step++) {
    const rig = new Rig(undefined, step + 1);
    const journal = await rig.open(SMALL);
    await fill(rig, journal, 1, 6);
    rig.image.slownessMs = 5;
    for (const label of range(7, 12)) append(journal, label);
    await rig.pass(step);
    journal.giveUp('a reason');
    rig.image.slownessMs = 0;
    await rig.run(journal.restart(EMPTY_LOG, true));
    await fill(rig, journal, 1, 20);
    await rig.pass(200);
    expect([step, journal.damage, await labels(rig, journal)]).toEqual([step, null, range(1, 20)]);
    await rig.run(journal.close());
    const again = await rig.open(SMALL);
    expect([step, again.damage, await labels(rig, again)]).toEqual([step, null, range(1, 20)]);
  }
});
