import { excerpt } from './excerpt.js';

const LINES = [
  '00:20.000 P:ACTIVE@2  S:PASS@2    pub1               PUBLISH pub1.11 qos 1 to t/pub1/b',
  '00:20.001 P:ACTIVE@2  S:PASS@2    pub2               PUBLISH pub2.4 qos 1 to t/pub2',
  '00:20.002 P:ACTIVE@2  S:PASS@2    con1               got pub2.4 on t/pub2 qos 1',
  '00:20.003 P:ACTIVE@2  S:PASS@2    con2               got pub1.11 on t/pub1/b qos 1',
  '00:20.004 P:-         S:PASS@2    primary            lost power',
];

describe('excerpt', () => {
  it('keeps of the clients what concerns the messages that the violation names', () => {
    const shown = excerpt(LINES, { check: 'durable at every member', detail: 'primary acknowledged pub1.11; it stands nowhere', atMs: 1 });
    expect(shown).toEqual([LINES[0], LINES[3], LINES[4]]);
  });

  it('keeps what a consumer did when only that one is named, and nothing of clients when none is', () => {
    expect(excerpt(LINES, { check: 'session lost', detail: 'primary does not know the session of con1', atMs: 1 })).toEqual([LINES[2], LINES[4]]);
    expect(excerpt(LINES, { check: 'R1: one run a term', detail: 'primary serves again', atMs: 1 })).toEqual([LINES[4]]);
  });

  it('keeps the last lines', () => {
    const many = Array.from({ length: 500 }, (_, index) => `00:20.000 P:WAIT      S:WAIT      share              line ${index}`);
    const shown = excerpt(many, { check: 'c', detail: '', atMs: 1 });
    expect(shown.length).toBeLessThanOrEqual(120);
    expect(shown.at(-1)).toBe(many.at(-1));
  });
});
