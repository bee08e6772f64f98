import type { Plan } from '../core/repository/plan.js';
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
