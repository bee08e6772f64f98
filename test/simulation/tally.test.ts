import { RecordType } from '../../src/core/broker/operations.js';
import { LogMark } from '../../src/core/replication/log-marks.js';
import { MOVES_TO_SEE } from './moves.js';
import type { SeedResult } from './run-seed.js';
import { COVERED_IN_SEEDS, Tally } from './tally.js';

const TYPES: readonly number[] = [...Object.values(RecordType), ...Object.values(LogMark)];

function result(seed: number, moves: readonly string[], types: readonly number[]): SeedResult {
  return {
    seed,
    violation: null,
    hash: '',
    transcript: [],
    faults: [],
    happened: 0,
    plan: [],
    virtualMs: 1,
    events: 1,
    moves: new Map(moves.map((move) => [move, 1])),
    records: new Map(types.map((type) => [type, 1])),
    figures: { published: 0, acked: 0, delivered: 0, duplicates: 0, connects: 0, takeovers: 0, wills: 0 },
    healedAfterMs: null,
  };
}

describe('the coverage of a thousand seeds', () => {
  it('is whole when each row of the table and each record type was seen in one of them', () => {
    const tally = new Tally();
    tally.add(result(1, MOVES_TO_SEE, TYPES));
    for (let seed = 2; seed <= COVERED_IN_SEEDS; seed += 1) tally.add(result(seed, [], []));
    expect(tally.missing).toEqual([]);
  });

  it('names what a thousand did not see, and asks each thousand anew', () => {
    const tally = new Tally();
    tally.add(result(1, MOVES_TO_SEE, TYPES));
    for (let seed = 2; seed <= COVERED_IN_SEEDS; seed += 1) tally.add(result(seed, [], []));
    const most = MOVES_TO_SEE.filter((move) => move !== 'PASSIVE ACTIVE');
    for (let seed = 1; seed <= COVERED_IN_SEEDS; seed += 1) tally.add(result(COVERED_IN_SEEDS + seed, most, TYPES.filter((type) => type !== RecordType.unsubscribe)));
    expect(tally.missing).toHaveLength(1);
    expect(tally.missing[0]).toContain('move PASSIVE -> ACTIVE');
    expect(tally.missing[0]).toContain('record unsubscribe');
    expect(tally.missing[0]).not.toContain('STANDALONE');
  });

  it('asks nothing of fewer', () => {
    const tally = new Tally();
    tally.add(result(1, [], []));
    expect(tally.missing).toEqual([]);
  });
});
