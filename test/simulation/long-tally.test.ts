import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RecordType } from '../../src/core/broker/operations.js';
import { readTally, writeTally } from './long-file.js';
import { begin, parseTally, TallyRefused, withProcessorTime, withSeed, type LongTally, type Sitting } from './long-tally.js';
import type { SeedResult } from './run-seed.js';

const SITTING: Sitting = { commit: 'c1', changed: [], minutes: 10, firstSeed: null };

function result(seed: number, failed: string | null = null): SeedResult {
  return {
    seed,
    violation: failed === null ? null : { check: failed, detail: 'as it is', atMs: 1 },
    hash: '',
    transcript: [],
    faults: [],
    happened: 6,
    plan: [],
    virtualMs: 600_000,
    events: 1,
    moves: new Map([['WAITING PASSIVE_SYNC', 2]]),
    records: new Map([[RecordType.publish, 100]]),
    figures: { published: 400, acked: 0, delivered: 590, duplicates: 0, connects: 10, takeovers: 0, wills: 0 },
    healedAfterMs: 1,
  };
}

function refusal(standing: LongTally | null, sitting: Partial<Sitting>): string {
  try {
    begin(standing, { ...SITTING, ...sitting });
  } catch (error) {
    if (error instanceof TallyRefused) return error.message;
    throw error;
  }
  return '';
}

describe('the tally of a long run', () => {
  it('adds up what its seeds had', () => {
    const tally = withProcessorTime(withSeed(withSeed(begin(null, { ...SITTING, firstSeed: 50 }), result(50)), result(51)), 1_800_000);
    expect(tally).toMatchObject({ commit: 'c1', firstSeed: 50, nextSeed: 52, seeds: 2, clientOperations: 2_000, faults: 12, processorHours: 0.5, findings: [] });
    expect(tally.virtualHours).toBeCloseTo(1 / 3);
    expect(tally.moves).toEqual({ 'WAITING -> PASSIVE_SYNC': 4 });
    expect(tally.records).toEqual({ publish: 200 });
  });

  it('goes on where it stands, and keeps what was found', () => {
    const first = withSeed(withSeed(begin(null, SITTING), result(1)), result(2, 'one log'));
    const second = withSeed(begin(first, SITTING), result(3));
    expect(second).toMatchObject({ firstSeed: 1, nextSeed: 4, seeds: 3, findings: [{ seed: 2, check: 'one log', detail: 'as it is' }] });
  });

  it('names what a thousand of its seeds did not see', () => {
    let tally = begin(null, SITTING);
    for (let seed = 1; seed <= 1_000; seed += 1) tally = withSeed(tally, result(seed));
    expect(tally.coverage.gaps).toHaveLength(1);
    expect(tally.coverage.gaps[0]).toContain('in the 1000 seeds that end with 1000 there was no move WAITING -> ACTIVE_SYNC');
    expect(tally.coverage.gaps[0]).not.toContain('move WAITING -> PASSIVE_SYNC');
  });

  it('takes no seed twice, and leaves none out', () => {
    const tally = withSeed(begin(null, SITTING), result(1));
    expect(() => withSeed(tally, result(1))).toThrow('2 is the next one');
    expect(() => withSeed(tally, result(3))).toThrow('2 is the next one');
  });

  it('refuses another commit, a changed tree, other seeds and another beginning', () => {
    const tally = begin(null, SITTING);
    expect(refusal(tally, {})).toBe('');
    expect(refusal(tally, { commit: 'c2' })).toContain('commit c1, and this is c2');
    expect(refusal(tally, { changed: ['src/core/ha/alone.ts'] })).toContain('src/core/ha/alone.ts');
    expect(refusal(null, { changed: ['a', 'b', 'c', 'd', 'e', 'f', 'g'] })).toContain('a, b, c, d, e and 2 more');
    expect(refusal(tally, { minutes: 2 })).toContain('10 virtual minutes, these 2');
    expect(refusal(tally, { firstSeed: 9 })).toContain('begins with seed 1');
  });
});

describe('the file of a tally', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tally-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('gives back what was written, and leaves nothing beside it', () => {
    const file = join(folder, 'long.json');
    expect(readTally(file)).toBeNull();
    const tally = withSeed(begin(null, SITTING), result(1, 'one log'));
    writeTally(file, tally);
    expect(readTally(file)).toEqual(tally);
    const more = withSeed(tally, result(2));
    writeTally(file, more);
    expect(readTally(file)).toEqual(more);
    expect(readdirSync(folder)).toEqual(['long.json']);
  });

  it('is whole after a write that did not come to its end', () => {
    const file = join(folder, 'long.json');
    const tally = begin(null, SITTING);
    writeTally(file, tally);
    // A crash while the next one was being written.
    writeFileSync(`${file}.new`, '{"schema":1,"comm');
    expect(readTally(file)).toEqual(tally);
    writeTally(file, withSeed(tally, result(1)));
    expect(readTally(file)?.seeds).toBe(1);
  });

  it('is not taken for a tally when it is none', () => {
    const file = join(folder, 'long.json');
    writeTally(file, begin(null, SITTING));
    const text = readFileSync(file, 'utf8');
    for (const wrong of ['', 'x', '[]', text.slice(0, -9), text.replace('"seeds": 0', '"seeds": 7'), text.replace('"schema": 2', '"schema": 3')]) {
      expect(() => parseTally(wrong, file)).toThrow(`${file} is no tally`);
    }
    expect(() => readTally(folder)).toThrow('cannot be read');
  });
});
