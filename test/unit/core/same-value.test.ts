import fc from 'fast-check';
import { sameBut, sameValue } from '../../../src/core/same-value.js';

describe('sameValue', () => {
  it('agrees with JSON on what says the same', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        expect(sameValue(one, structuredClone(one))).toBe(true);
        expect(sameValue(one, other)).toBe(isEqual(one, other));
      }),
    );
  });

  it('sees a change however deep, a key too many on either side, and an object that became an array', () => {
    const wish = { role: { kind: 'serve', inSync: [{ server: 'a', journal: 'j' }] }, until: null };
    expect(sameValue(wish, { ...wish, role: { ...wish.role, inSync: [{ server: 'a', journal: 'k' }] } })).toBe(false);
    expect(sameValue(wish, { ...wish, more: 1 })).toBe(false);
    expect(sameValue({ ...wish, more: 1 }, wish)).toBe(false);
    expect(sameValue({}, [])).toBe(false);
    expect(sameValue({ until: null }, { until: undefined })).toBe(false);
    expect(sameValue({ until: undefined }, {})).toBe(true);
  });
});

describe('sameBut', () => {
  it('leaves out what it is told to, and nothing else', () => {
    const status = { seq: 1, state: 'ACTIVE', heard: { run: 'r' } as { run: string } | undefined };
    expect(sameBut(status, { ...status, seq: 2 }, ['seq'])).toBe(true);
    expect(sameBut(status, { ...status, seq: 2, state: 'PASSIVE' }, ['seq'])).toBe(false);
    expect(sameBut(status, { ...status, heard: { run: 's' } }, ['seq'])).toBe(false);
    expect(sameBut(status, { ...status, heard: { run: 'r' } }, ['seq'])).toBe(true);
  });

  it('sees what only one of the two has', () => {
    const less: { seq: number; detail?: string } = { seq: 1 };
    const more: typeof less = { seq: 1, detail: 'd' };
    expect([sameBut(less, more, ['seq']), sameBut(more, less, ['seq'])]).toEqual([false, false]);
    expect([sameBut(less, more, ['detail']), sameBut(more, less, ['detail'])]).toEqual([true, true]);
  });
});

function isEqual(one: unknown, other: unknown): boolean {
  try {
    expect(one).toEqual(other);
    return true;
  } catch {
    return false;
  }
}
