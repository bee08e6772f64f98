import { z } from 'zod';
import { glimpse } from '../core/glimpse.js';
import { KEYS, SECTIONS } from './keys.js';
import type { ProfileValues } from './keys.js';
import { PROBLEMS_MAX } from './problem.js';
import { nearest } from './nearest.js';

export interface Complaint {
  /** `section.key`, `section`, or empty. */
  readonly key: string;
  readonly text: string;
}

export type Validated =
  | { readonly kind: 'valid'; readonly values: ProfileValues }
  /** `rest`: what can be validated when the keys complained of are left out; `null` when a required one is among them. */
  | { readonly kind: 'invalid'; readonly complaints: readonly Complaint[]; readonly rest: ProfileValues | null };

const schema = z.strictObject(
  Object.fromEntries(Object.entries(SECTIONS).map(([section, keys]) => [section, z.strictObject(Object.fromEntries(Object.entries(keys).map(([key, entry]) => [key, entry.schema])))])),
);

/** Not the content: a file of the same folder that was named by mistake can be a secret. */
function kindOf(input: unknown): string {
  if (input === null || input === undefined) return 'nothing';
  return Array.isArray(input) ? 'a list' : 'a single value';
}

/** Holds plain values against the table of keys. Never throws. */
export function validate(input: unknown): Validated {
  const complete = withAllSections(input);
  if (complete === null) {
    return { kind: 'invalid', complaints: [{ key: '', text: `must be a map of sections: ${Object.keys(KEYS).join(', ')}; found ${kindOf(input)}: is this a profile?` }], rest: null };
  }
  const parsed = schema.safeParse(complete);
  if (parsed.success) return { kind: 'valid', values: parsed.data as unknown as ProfileValues };
  const complaints = parsed.error.issues.flatMap((issue) => complain(issue, complete));
  const rest = schema.safeParse(without(complete, complaints));
  return { kind: 'invalid', complaints, rest: rest.success ? (rest.data as unknown as ProfileValues) : null };
}

/** A section that is left out, or left empty, is a section of defaults. */
function withAllSections(input: unknown): Record<string, unknown> | null {
  if (!isRecord(input)) return input === null || input === undefined ? withAllSections({}) : null;
  const complete: Record<string, unknown> = { ...input };
  for (const section of Object.keys(SECTIONS)) complete[section] ??= {};
  return complete;
}

function complain(issue: z.core.$ZodIssue, input: Record<string, unknown>): Complaint[] {
  const [section, key] = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    // What was meant is looked for among all that is known: not for more than will be told.
    const shown = issue.keys.slice(0, PROBLEMS_MAX).map((unknown) => unknownKey(section ?? null, unknown));
    const more = issue.keys.length - shown.length;
    return more === 0 ? shown : [...shown, { key: section ?? '', text: `and ${more} more keys that are not known` }];
  }
  if (section === undefined) return [{ key: '', text: issue.message }];
  const holder = input[section];
  if (key === undefined) return [{ key: section, text: `must be a map of keys; found ${show(holder)}` }];
  const given = isRecord(holder) ? holder[key] : undefined;
  const allowed = SECTIONS[section]?.[key]?.allowed ?? issue.message;
  if (given === undefined) return [{ key: `${section}.${key}`, text: `is missing; it must be ${allowed}` }];
  const faults = SECTIONS[section]?.[key]?.faults?.(given) ?? [];
  if (faults.length > 0) return faults.slice(0, PROBLEMS_MAX).map(({ path, text }) => ({ key: `${section}.${key}${path}`, text }));
  return [{ key: `${section}.${key}`, text: `must be ${allowed}; found ${show(given)}` }];
}

function unknownKey(section: string | null, word: string): Complaint {
  const key = section === null ? word : `${section}.${word}`;
  if (section === null) {
    const inside = findElsewhere(word, null);
    const near = nearest(word, Object.keys(SECTIONS));
    if (near !== null && inside?.exact !== true) return { key, text: `is not a known section; did you mean ${near}?` };
    if (inside !== null) return { key, text: `is not a known section; did you mean ${inside.key}?` };
    return { key, text: `is not a known section; known are ${Object.keys(SECTIONS).join(', ')}` };
  }
  const here = Object.keys(SECTIONS[section] ?? {});
  const elsewhere = findElsewhere(word, section);
  if (elsewhere?.exact === true) return { key, text: `is not a known key of ${section}; did you mean ${elsewhere.key}?` };
  const near = nearest(word, here);
  if (near !== null) return { key, text: `is not a known key; did you mean ${near}?` };
  if (elsewhere !== null) return { key, text: `is not a known key of ${section}; did you mean ${elsewhere.key}?` };
  return { key, text: `is not a known key; known in ${section} are ${here.join(', ')}` };
}

/** The same word in another section, a name of the reference, or something near to one of these. */
function findElsewhere(word: string, except: string | null): { readonly key: string; readonly exact: boolean } | null {
  const candidates = new Map<string, string>();
  for (const [section, keys] of Object.entries(SECTIONS)) {
    for (const [key, entry] of Object.entries(keys)) {
      if (section !== except) candidates.set(key.toLowerCase(), candidates.get(key.toLowerCase()) ?? `${section}.${key}`);
      if (entry.reference !== null) candidates.set(entry.reference.toLowerCase(), `${section}.${key}`);
    }
  }
  const exact = candidates.get(word.toLowerCase());
  if (exact !== undefined) return { key: exact, exact: true };
  const near = nearest(word, [...candidates.keys()]);
  const key = near === null ? undefined : candidates.get(near);
  return key === undefined ? null : { key, exact: false };
}

function without(input: Record<string, unknown>, complaints: readonly Complaint[]): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [section, value] of Object.entries(input)) copy[section] = isRecord(value) ? { ...value } : value;
  for (const { key } of complaints) {
    const [section, inner] = key.split('.');
    if (section === undefined) continue;
    const holder = copy[section];
    if (inner !== undefined && isRecord(holder)) delete holder[inner];
    else if (SECTIONS[section] === undefined) delete copy[section];
    else copy[section] = {};
  }
  return copy;
}

/** A value as the operator would recognise it, short. */
export function show(value: unknown): string {
  return value === undefined ? 'nothing' : glimpse(value, 60);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
