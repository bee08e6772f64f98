import { Cron } from 'croner';
import { glimpse } from '../core/glimpse.js';
import type { SyncType } from '../core/repository/entry.js';
import { bytes, count, name, oneOf, path } from './key.js';
import type { Fault, Kind } from './key.js';
import { nearest } from './nearest.js';
import { parseDuration } from './values.js';

/*
 * `repositories.folders`: the one place of a profile that is deeper than a section and its keys, because the names of repositories are the operator's.
 */

/** Of the reference's repositories: where they are when nothing is said. Relative to the profile. */
export const DEFAULT_PATHS = { applications: 'repository/applications', components: 'repository/components', peers: 'repository/peers' } as const;
export type ReferenceRepository = keyof typeof DEFAULT_PATHS;
export const REFERENCE_REPOSITORIES = Object.keys(DEFAULT_PATHS) as readonly ReferenceRepository[];

export const REPOSITORIES_MAX = 64;
const PATTERNS_MAX = 256;
const PATTERN_CHARS_MAX = 1024;
const INTERVAL_MS_MIN = 1_000;
const INTERVAL_MS_MAX = 31 * 24 * 3_600_000;
const KIB = 1024;
const GIB = 1024 ** 3;

export const syncType: Kind<SyncType> = oneOf(['FULL', 'PARTIAL', 'NO'], { '0': 'FULL', '1': 'PARTIAL', '2': 'NO' });

/** When a repository is synced, beyond the joining of a server. */
export type Schedule = { readonly kind: 'interval'; readonly ms: number } | { readonly kind: 'cron'; readonly expression: string };

export interface FolderValues {
  readonly path: string | null;
  readonly syncType: SyncType | null;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly when: 'join' | 'continuous' | 'schedule';
  readonly schedule: Schedule | null;
  readonly throttle: number | null;
  readonly keptVersions: number;
}

export interface FolderKey {
  readonly kind: Kind<unknown>;
  readonly fallback: string | number | null;
  readonly effect: string;
}

const pattern: Kind<string> = {
  allowed: 'a pattern such as *.tmp, cache/** or **/.git',
  parse: (input) => (typeof input === 'string' && input.length > 0 && input.length <= PATTERN_CHARS_MAX && !input.startsWith('/') && !input.includes('\0') ? input : null),
};

const patterns: Kind<readonly string[]> = {
  allowed: `a list of up to ${PATTERNS_MAX} patterns, each such as *.tmp, cache/** or **/.git`,
  parse: (input) => (Array.isArray(input) && input.length <= PATTERNS_MAX && input.every((item) => pattern.parse(item) !== null) ? (input as string[]) : null),
};

const schedule: Kind<Schedule> = {
  allowed: 'an interval from 1s to 31 days, such as 15m, or a cron expression of five fields, such as "30 2 * * *"',
  parse: (input) => {
    const ms = parseDuration(input);
    if (ms !== null) return ms >= INTERVAL_MS_MIN && ms <= INTERVAL_MS_MAX ? { kind: 'interval', ms } : null;
    return typeof input === 'string' && isCron(input) ? { kind: 'cron', expression: input } : null;
  },
};

function isCron(text: string): boolean {
  if (text.length > 256 || text.trim().split(/\s+/).length !== 5) return false;
  try {
    return new Cron(text, { paused: true }).nextRun() !== null;
  } catch {
    return false; // It says why in words of its own; what is allowed is said by ours.
  }
}

/** Keys of one repository under `folders`. */
export const FOLDER_KEYS = {
  path: { kind: path, fallback: null, effect: 'The folder, absolute or relative to the profile. Required but for applications, components and peers. It may differ on the two servers; its parent must be writable (`docs/operations.md`).' },
  syncType: { kind: syncType, fallback: 'FULL', effect: 'FULL (0), PARTIAL (1) or NO (2), as of applicationSyncType. What the receiving server has here decides.' },
  include: { kind: patterns, fallback: null, effect: 'Only what matches one of these is part of the repository. A pattern without a slash matches names in every folder. The same on both servers.' },
  exclude: { kind: patterns, fallback: null, effect: 'What matches one of these is no part of it: neither copied nor removed nor kept.' },
  when: { kind: oneOf(['join', 'continuous', 'schedule']), fallback: 'continuous', effect: 'join: when a server joins the serving one, and when asked for. continuous: also whenever something changes. schedule: also at the times of schedule. The same on both servers.' },
  schedule: { kind: schedule, fallback: null, effect: 'An interval (15m), or a cron expression of five fields ("30 2 * * *", local time of the passive server). Needs, and is needed by, `when: schedule`.' },
  throttle: { kind: bytes(16 * KIB, 100 * GIB), fallback: null, effect: 'At most so many bytes a second leave this server for it. Default: no limit.' },
  keptVersions: { kind: count(0, 1_000), fallback: 5, effect: 'So many folders with what was replaced or removed are kept beside it; older ones are removed. Continuous changes share one a minute.' },
} as const satisfies Readonly<Record<string, FolderKey>>;

const NAMES = Object.keys(FOLDER_KEYS);

/** Further repositories by their names, and further settings of the reference's. */
export const folders: Kind<ReadonlyMap<string, FolderValues>> = {
  allowed: `a map of up to ${REPOSITORIES_MAX} names, each with some of ${NAMES.join(', ')}`,
  parse: (input) => {
    if (!isRecord(input) || faultsOf(input).length > 0) return null;
    return new Map(Object.entries(input).map(([of, values]) => [of, valuesOf(isRecord(values) ? values : {})]));
  },
  faults: (input) => (isRecord(input) ? faultsOf(input) : []),
};

function faultsOf(input: Record<string, unknown>): Fault[] {
  const entries = Object.entries(input);
  if (entries.length > REPOSITORIES_MAX) return [{ path: '', text: `has ${entries.length} repositories; at most ${REPOSITORIES_MAX} are allowed` }];
  return entries.flatMap(([of, values]) => {
    const at = `.${of}`;
    if (name.parse(of) === null || of.startsWith('.') || of.startsWith('-')) return [{ path: at, text: `is no name of a repository: it must be ${name.allowed}, and begin with a letter or a digit` }];
    if (values === null && isReference(of)) return [];
    if (!isRecord(values)) return [{ path: at, text: `must be a map with some of ${NAMES.join(', ')}; found ${glimpse(values, 60)}` }];
    return [...keyFaults(values), ...togetherFaults(of, values)].map(({ path: key, text }) => ({ path: `${at}${key}`, text }));
  });
}

function keyFaults(values: Record<string, unknown>): Fault[] {
  return Object.entries(values).flatMap(([key, value]) => {
    const known = Object.hasOwn(FOLDER_KEYS, key) ? (FOLDER_KEYS as Readonly<Record<string, FolderKey>>)[key] : undefined;
    if (known === undefined) {
      const near = nearest(key, NAMES);
      return [{ path: `.${key}`, text: `is not a known key; ${near === null ? `known are ${NAMES.join(', ')}` : `did you mean ${near}?`}` }];
    }
    return known.kind.parse(value) === null ? [{ path: `.${key}`, text: `must be ${known.kind.allowed}; found ${glimpse(value, 60)}` }] : [];
  });
}

/** Keys that need each other. */
function togetherFaults(of: string, values: Record<string, unknown>): Fault[] {
  const faults: Fault[] = [];
  if (values['path'] === undefined && !isReference(of)) faults.push({ path: '', text: 'has no path; every repository but applications, components and peers needs one' });
  if (values['when'] === 'schedule' && values['schedule'] === undefined) faults.push({ path: '.when', text: 'is schedule, and there is no schedule' });
  if (values['when'] !== 'schedule' && values['schedule'] !== undefined) faults.push({ path: '.schedule', text: 'counts only with `when: schedule`' });
  return faults;
}

function valuesOf(values: Record<string, unknown>): FolderValues {
  const read = <T>(kind: Kind<T>, key: keyof typeof FOLDER_KEYS): T | null => (values[key] === undefined ? null : kind.parse(values[key]));
  return {
    path: read(FOLDER_KEYS.path.kind, 'path'),
    syncType: read(FOLDER_KEYS.syncType.kind, 'syncType'),
    include: read(FOLDER_KEYS.include.kind, 'include') ?? [],
    exclude: read(FOLDER_KEYS.exclude.kind, 'exclude') ?? [],
    when: read(FOLDER_KEYS.when.kind, 'when') ?? FOLDER_KEYS.when.fallback,
    schedule: read(FOLDER_KEYS.schedule.kind, 'schedule'),
    throttle: read(FOLDER_KEYS.throttle.kind, 'throttle'),
    keptVersions: read(FOLDER_KEYS.keptVersions.kind, 'keptVersions') ?? FOLDER_KEYS.keptVersions.fallback,
  };
}

export const NO_VALUES: FolderValues = valuesOf({});

export function isReference(of: string): of is ReferenceRepository {
  return Object.hasOwn(DEFAULT_PATHS, of);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
