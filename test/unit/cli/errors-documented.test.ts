import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Names of the form that are no error codes. */
const NO_CODES = new Set([
  'LOCKSTEP_DEBUG', // an environment variable
  'LOCKSTEP_BROKER_NODE_OPTIONS', // another one
  'LOCKSTEP_AREA_WHAT', // the form itself
]);

function codesIn(text: string): string[] {
  return (text.match(/LOCKSTEP_[A-Z0-9]+(?:_[A-Z0-9]+)*/g) ?? []).filter((code) => !NO_CODES.has(code));
}

it('every error code of the sources is in docs/errors.md, and no other', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const used = new Set(files.flatMap((file) => codesIn(readFileSync(join('src', file), 'utf8'))));
  const documented = readFileSync('docs/errors.md', 'utf8')
    .split('\n')
    .flatMap((line) => /^\| `(LOCKSTEP_[A-Z0-9_]+)` \| \S.* \| \S.* \|$/.exec(line)?.[1] ?? []);
  expect(files.length).toBeGreaterThan(50);
  expect([...new Set(documented)]).toEqual(documented);
  expect([...used].filter((code) => !documented.includes(code))).toEqual([]);
  expect(documented.filter((code) => !used.has(code))).toEqual([]);
});
