import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { play } from './play.js';
import { readScript, writeScript } from './script.js';

const FOLDER = import.meta.dirname;
const FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));

/** A change that is wanted is written by `npm run transcripts`, and reviewed as a difference. */
describe('conversations of the pair', () => {
  it.each(FILES)('%s is as it was', async (name) => {
    const golden = readFileSync(join(FOLDER, name), 'utf8');
    expect(await play(golden)).toBe(golden);
  });
});

describe('a transcript', () => {
  it('is written as it was read', () => {
    const text = '# About.\n\nstart both\nrun 1 s\n----\n  0.0  primary    "x"\nboth\n';
    expect(writeScript(readScript(text))).toBe(text);
  });

  it.each([
    ['walk away\n----\n', '"walk away" is no command'],
    ['fault earthquake primary\n----\n', '"earthquake" is no kind of fault'],
    ['start tertiary\n----\n', '"tertiary" is not a server'],
    ['durability none\n----\n', '"none" is no durability'],
    ['until primary HAPPY\n----\n', '"HAPPY" is no state'],
    ['mend link-cut\n----\n', 'nothing to mend'],
    ['start both', 'line 1: this block has commands and no line'],
  ])('is refused when it asks for what there is not: %#', async (text, reason) => {
    await expect(play(text)).rejects.toThrow(reason);
  });
});
