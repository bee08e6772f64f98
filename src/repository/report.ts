import { PATH_BYTES_MAX } from '../core/repository/names.js';
import { Fields, textElement } from '../core/wire/fields.js';
import type { RepositorySettings, SyncType } from '../core/repository/entry.js';
import type { SyncDifference, SyncHint, SyncPurpose, SyncReport } from './session.js';

/* What receiver and sender tell each other beside the sync itself, as JSON. */

/** Of one report. */
export const DIFFERENCES_MAX = 1000;
/** Of one report or hint; more folders than this: look at everything. */
export const NAMED_MAX = 1000;
const NAME_CHARS_MAX = 128;
const DETAIL_CHARS_MAX = 4096;
const PATTERN_CHARS_MAX = 1024;
const TYPES: readonly SyncType[] = ['FULL', 'PARTIAL', 'NO'];
const PURPOSES: readonly SyncPurpose[] = ['sync', 'diff', 'verify'];
const OUTCOMES: readonly SyncReport['outcome'][] = ['same', 'changed', 'differs', 'failed'];
const WHATS: readonly SyncDifference['what'][] = ['missing', 'extra', 'content', 'meta', 'kind'];

/** Of what could not be begun. */
export function failedReport(repository: string, purpose: SyncPurpose, detail: string): SyncReport {
  return { repository, purpose, outcome: 'failed', detail, files: 0, bytes: 0, wireBytes: 0, elapsedMs: 0, kept: null, differences: [], differencesTotal: 0, leftOut: [] };
}

/** @throws MessageRefused */
export function readReport(json: string): SyncReport {
  const fields = Fields.of('report', parsed(json));
  return {
    repository: fields.name('repository', NAME_CHARS_MAX),
    purpose: fields.oneOf('purpose', PURPOSES),
    outcome: fields.oneOf('outcome', OUTCOMES),
    detail: fields.nullable('detail', (from, name) => from.text(name, DETAIL_CHARS_MAX)),
    files: fields.whole('files'),
    bytes: fields.whole('bytes'),
    wireBytes: fields.whole('wireBytes'),
    elapsedMs: fields.whole('elapsedMs'),
    kept: fields.nullable('kept', (from, name) => from.text(name, NAME_CHARS_MAX)),
    differences: fields.list('differences', 0, DIFFERENCES_MAX, readDifference),
    differencesTotal: fields.whole('differencesTotal'),
    leftOut: fields.list('leftOut', 0, NAMED_MAX, textElement(2 * PATH_BYTES_MAX)),
  };
}

/** @throws MessageRefused */
export function readHint(json: string): SyncHint {
  const fields = Fields.of('hint', parsed(json));
  return {
    repository: fields.name('repository', NAME_CHARS_MAX),
    purpose: fields.oneOf('purpose', PURPOSES),
    folders: fields.nullable('folders', (from, name) => from.list(name, 0, NAMED_MAX, textElement(PATH_BYTES_MAX))),
  };
}

/** @throws MessageRefused */
export function readSettings(json: string): RepositorySettings[] {
  return Fields.of('settings', parsed(json)).list('repositories', 0, NAMED_MAX, (element, path) => {
    const fields = Fields.of(path, element);
    const patterns = (name: string): string[] => fields.list(name, 0, NAMED_MAX, textElement(PATTERN_CHARS_MAX));
    return { name: fields.name('name', NAME_CHARS_MAX), syncType: fields.oneOf('syncType', TYPES), include: patterns('include'), exclude: patterns('exclude') };
  });
}

function readDifference(element: unknown, path: string): SyncDifference {
  const fields = Fields.of(path, element);
  return { path: fields.text('path', PATH_BYTES_MAX), what: fields.oneOf('what', WHATS) };
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null; // Refused by `Fields.of`, which names the message.
  }
}
