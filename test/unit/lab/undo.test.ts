import { Undo } from '../../lab/undo.js';

describe('what a run takes back', () => {
  it('is taken back once, the last thing first, whatever fails', async () => {
    const undo = new Undo();
    const taken: string[] = [];
    undo.push('first', () => void taken.push('first'));
    undo.push('second', () => {
      taken.push('second');
      throw new Error('busy');
    });
    undo.push('third', () => void taken.push('third'));
    expect(await Promise.all([undo.all(), undo.all()])).toEqual([['second: busy'], ['second: busy']]);
    expect(taken).toEqual(['third', 'second', 'first']);
  });

  it('is not added to afterwards', async () => {
    const undo = new Undo();
    await undo.all();
    expect(() => undo.push('late', () => undefined)).toThrow('late is not made');
  });
});
