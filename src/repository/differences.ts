import { counted } from '../core/counted.js';
import { sameShape } from '../core/repository/entry.js';
import type { Plan } from '../core/repository/plan.js';
import { clip } from '../core/wire/fields.js';
import type { SyncDifference } from './session.js';

/** What a plan would change, as an operator reads it: sorted by path. */
export function differencesOf(plan: Plan): SyncDifference[] {
  const found: SyncDifference[] = [];
  const cleared = new Set(plan.clear.map((entry) => entry.path));
  for (const entry of plan.remove) found.push({ path: entry.path, what: 'extra' });
  for (const entry of plan.clear) found.push({ path: entry.path, what: 'kind' });
  for (const step of plan.steps) {
    const { path } = step.entry;
    if (step.do === 'keep' || cleared.has(path)) continue;
    if (step.do === 'touch' || (step.do === 'folder' && !step.fresh)) found.push({ path, what: 'meta' });
    else if (step.do === 'folder' || step.here === null) found.push({ path, what: 'missing' });
    else found.push({ path, what: step.here.kind === step.entry.kind ? 'content' : 'kind' });
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** What differs and is none of the steps of `plan`, because PARTIAL leaves it; `full`: of the same manifests, planned as FULL. As far as it is known without reading a file. */
export function leftDiffering(full: Plan, plan: Plan): SyncDifference[] {
  const added = new Set(differencesOf(plan).map(({ path }) => path));
  const unread = new Set(full.steps.filter((step) => step.do === 'compare' && sameShape(step.entry, step.here)).map(({ entry }) => entry.path));
  return differencesOf(full).filter(({ path }) => !added.has(path) && !unread.has(path));
}

const NAMED = 3;
const PATH_CHARS = 150;

/** The first of them, for a line. */
export function namesOf(differences: readonly SyncDifference[], total = differences.length): string {
  const named = differences.slice(0, NAMED).map(({ path, what }) => `${clip(path, PATH_CHARS)} (${what})`);
  return `${named.join(', ')}${total > named.length ? ' …' : ''}`;
}

/** `null`: nothing is left. */
export function leftText(left: readonly SyncDifference[]): string | null {
  return left.length === 0 ? null : `${counted(left.length, 'difference')} ${left.length === 1 ? 'is left as it is' : 'are left as they are'} (PARTIAL): ${namesOf(left)}`;
}
