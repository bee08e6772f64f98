import { changedBy, compile } from './flawed-build.js';
import { FLAWS } from './flaws.js';

const REPOSITORY = new URL('../..', import.meta.url).pathname;

describe('planted flaws', () => {
  it.each(FLAWS.map((flaw) => [flaw.name, flaw] as const))('%s stands in the present source', (_, flaw) => {
    const changed = changedBy(flaw, REPOSITORY);
    expect(changed.size).toBeGreaterThan(0);
    for (const [file, source] of changed) expect(compile(file, source).length).toBeGreaterThan(0);
  });

  it('are refused when the source is another', () => {
    const [flaw] = FLAWS;
    const edit = { file: 'src/core/ha/alone.ts', find: 'no such text', put: '' };
    expect(() => changedBy({ ...flaw, name: 'old', rule: '', edits: [edit] }, REPOSITORY)).toThrow('stands 0 times in src/core/ha/alone.ts');
    expect(() => changedBy({ ...flaw, name: 'vague', rule: '', edits: [{ ...edit, find: 'return' }] }, REPOSITORY)).toThrow(/stands \d+ times/);
  });

  it('have names and rules of their own', () => {
    expect(new Set(FLAWS.map(({ name }) => name)).size).toBe(FLAWS.length);
    expect(FLAWS.every(({ rule }) => rule.length > 0)).toBe(true);
  });
});
