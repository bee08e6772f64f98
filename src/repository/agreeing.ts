import type { RepositorySettings } from '../core/repository/entry.js';

/** Characters of one value in a message. */
const SHOWN_CHARS = 200;

/** How the profiles of the two servers differ in one repository, as an operator reads it; `null`: they do not. The serving server's count while it serves. */
export function disagreement(own: RepositorySettings, theirs: RepositorySettings): string | null {
  const keys = [
    { key: 'syncType', here: own.syncType, there: theirs.syncType },
    { key: 'include', here: patternsText(own.include), there: patternsText(theirs.include) },
    { key: 'exclude', here: patternsText(own.exclude), there: patternsText(theirs.exclude) },
  ];
  const differing = keys.filter(({ here, there }) => here !== there).map(({ key, here, there }) => `${key} is ${clipped(here)} here and ${clipped(there)} on the serving server`);
  return differing.length === 0 ? null : `its profiles differ: ${differing.join('; ')}. The serving server's count; make the two profiles equal`;
}

/** Their order says nothing. */
function patternsText(patterns: readonly string[]): string {
  return JSON.stringify([...patterns].sort());
}

function clipped(text: string): string {
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
}
