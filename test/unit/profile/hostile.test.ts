import { PROBLEMS_MAX, ProfileError } from '../../../src/profile/problem.js';
import { parseProfile } from '../../../src/profile/load.js';

/** What fuzzing found: each of these once ended the command, hung it, or was taken for a profile. */
function refusal(text: string): ProfileError {
  try {
    parseProfile(text, '/x/lockstep.yaml');
  } catch (error) {
    if (error instanceof ProfileError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

test.each([
  ['lists', '['.repeat(100_000)],
  ['maps', '{a: '.repeat(50_000)],
  ['lists within a key', `server:\n  role: ${'['.repeat(1_000)}${']'.repeat(1_000)}\n`],
  ['lists that are closed again', `${'['.repeat(50_000)}${']'.repeat(50_000)}`],
  ['lists in a row', '- '.repeat(50_000)],
  ['keys of keys', `${'? '.repeat(50_000)}x`],
  ['lists on lines of their own', Array.from({ length: 400 }, (_, i) => `${' '.repeat(i)}-`).join('\n')],
  ['a list that holds itself', 'server: &s\n  role: [*s]\n'],
])('what nests without end: %s', (_, text) => expect(refusal(text).problems.length).toBeGreaterThan(0));

test.each(['constructor', 'toString', 'valueOf', '__proto__', 'hasOwnProperty'])('a word that every object of the language has is not a word of ours: %s', (word) => {
  expect(refusal(`server:\n  cluster: c\n  role: ${word}\n`).message).toContain(`server.role: must be one of primary, secondary; found "${word}"`);
  expect(refusal(`${word}:\n  a: 1\n`).message).toContain(`${word}: is not a known section`);
});

test('a value that cannot be made a text is shown all the same', () => {
  expect(refusal('server:\n  role: {toString: 1}\n').message).toContain('server.role: must be one of primary, secondary; found {"toString":1}');
});

test('of thousands of problems the first are told, and how many there are', () => {
  const many = refusal(Array.from({ length: 20_000 }, (_, i) => `key${i}: 1`).join('\n'));
  expect(many.problems.length).toBeLessThanOrEqual(PROBLEMS_MAX + 1);
  expect(many.message).toContain('more');
  const long = refusal(`${'k'.repeat(200_000)}: 1\n`);
  expect(long.message.length).toBeLessThan(20_000);
});
