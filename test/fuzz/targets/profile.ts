import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { encodeText } from '../../../src/core/wire/bytes.js';
import { parseProfile } from '../../../src/profile/load.js';
import { ProfileError, PROBLEMS_MAX } from '../../../src/profile/problem.js';
import { SECTIONS } from '../../../src/profile/keys.js';
import { readYaml } from '../../../src/profile/read-yaml.js';
import { validate } from '../../../src/profile/validate.js';
import { changedJson, jsonChange, type JsonChange } from '../json.js';
import { budgetFor, meteredNow } from '../meter.js';
import { damaged, damages, type Damage } from '../mutate.js';
import { outcome } from '../outcome.js';
import { fraction } from '../place.js';
import { target } from '../target.js';

/*
 * The text of a profile, as an operator may have spoilt it. Held: it is a profile, every value of which is of its key's kind and comes out of what it
 * was read to as it went in; or it is refused with every problem named, in a report of bounded length.
 */

const FILE = '/etc/lockstep/lockstep.yaml';
// Jest and the long form both run in the project's own folder.
const TEXTS = ['haprofile1/primary', 'haprofile1/secondary', 'haprofile2/primary'].map((name) => readFileSync(`profiles/${name}/lockstep.yaml`, 'utf8'));
const BYTES = TEXTS.map(encodeText);
const VALUES = TEXTS.map((text) => readYaml(text).value);

/** What YAML has beside plain values. */
const PHRASES: readonly string[] = [
  'a: &a [x, x]\n', 'b: &b [*a, *a, *a, *a, *a, *a, *a, *a]\n', 'c: [*b, *b, *b, *b, *b, *b, *b, *b]\n', 'server: &s\n  cluster: *s\n', '<<: *a\n', '? [a, b]\n: c\n', '!!binary aGFsbG8=', '!!set {a}', '!!js/function x',
  '--- \n', '...\n', '%YAML 1.1\n', '%TAG ! tag:x,2000:\n', '\t', '"\\ud800"', '1e999', '.nan', '-.inf', '0x7fffffffffffffff', '123456789012345678901234567890', '|\n  text\n', '>-\n', '&x', '*x', '!<tag:x> y', 'null', '~',
  '__proto__:\n  a: 1\n', 'constructor: {}\n', 'server: constructor\n', 'role: constructor', 'role: {toString: 1}', 'level: valueOf', '\u2028', '\u0000', '\ufeff', '[', '{', '- - - - - - - -\n', "'", '"', '#',
]; // prettier-ignore

interface Input {
  readonly which: number;
  readonly as: 'text' | 'json' | 'yaml';
  readonly changes: readonly JsonChange[];
  readonly damage: Damage;
  readonly phrases: readonly { readonly at: number; readonly which: number; readonly times: number }[];
}

const inputs: fc.Arbitrary<Input> = fc.record({
  which: fc.nat(TEXTS.length - 1),
  as: fc.constantFrom('text', 'text', 'json', 'yaml') as fc.Arbitrary<Input['as']>,
  changes: fc.array(jsonChange, { minLength: 1, maxLength: 3 }),
  damage: damages(0, 2),
  phrases: fc.array(fc.record({ at: fraction(), which: fc.nat(PHRASES.length - 1), times: fc.constantFrom(1, 1, 1, 2, 40, 400) }), { maxLength: 2 }),
});

const STEPS_PER_BYTE = 800;
const BYTES_PER_BYTE = 64;
/** Fifty problems, each with its place, its key and what was found. */
const REPORT_CHARS_MAX = 40_000;

function textOf({ which, as, changes, damage, phrases }: Input): string {
  let text: string;
  if (as === 'text') text = new TextDecoder().decode(damaged(BYTES[which] as Uint8Array, damage, BYTES));
  else {
    text = changedJson(VALUES[which], changes);
    // Another spelling of the same, where it does not nest too deep for its writer.
    if (as === 'yaml' && !text.includes('[[[[[[') && !text.includes('{"a":{"a":{"a":')) text = stringify(JSON.parse(text));
  }
  for (const phrase of phrases) {
    const lines = text.split('\n');
    lines.splice(Math.floor(phrase.at * lines.length), 0, (PHRASES[phrase.which] as string).repeat(phrase.times));
    text = lines.join('\n');
  }
  return text;
}

export const profile = target<Input>({
  name: 'profile',
  inputs,
  gateRuns: 120,
  acceptedLeast: 10,
  holds(input) {
    const text = textOf(input);
    const read = outcome(() => meteredNow(budgetFor(text.length, STEPS_PER_BYTE, BYTES_PER_BYTE), () => reading(text)), REPORT_CHARS_MAX);
    if (read.kind === 'refused') {
      assert.ok(['LOCKSTEP_PROFILE_YAML', 'LOCKSTEP_PROFILE_INVALID'].includes(read.code), read.code);
      return 0;
    }
    const { value } = readYaml(text);
    const validated = validate(value);
    assert.equal(validated.kind, 'valid');
    if (validated.kind !== 'valid') return 0;
    plain(validated.values);
    // What was read, written plainly, is the same profile.
    const kept = Object.fromEntries(Object.entries(validated.values).map(([section, keys]) => [section, Object.fromEntries(Object.entries(keys).filter(([, one]) => one !== null))]));
    assert.deepEqual(validate(JSON.parse(JSON.stringify(kept))), validated);
    assert.deepEqual(Object.keys(validated.values).sort(), Object.keys(SECTIONS).sort());
    return 1;
  },
});

/** A report has bounded length, whatever was wrong. */
function reading(text: string): unknown {
  try {
    return parseProfile(text, FILE).profile;
  } catch (error) {
    if (error instanceof ProfileError) assert.ok(error.problems.length > 0 && error.problems.length <= PROBLEMS_MAX + 2, `${error.problems.length} problems`);
    throw error;
  }
}

/** Numbers, texts, flags, and lists of texts. Nothing that came by way of a language's own properties. */
function plain(values: object): void {
  for (const section of Object.values(values)) {
    for (const [key, value] of Object.entries(section as object)) {
      const good = value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value) || (Array.isArray(value) && value.every((one) => typeof one === 'string'));
      assert.ok(good, `${key} is ${typeof value}`);
    }
  }
}
