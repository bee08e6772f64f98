import type { RepositorySettings } from '../core/repository/entry.js';

/** Characters of one value in a message. */
const SHOWN_CHARS = 200;

/**
 * How the profiles of the two servers differ in one repository, and which counts, as an operator reads it; `null`: they do not. What may become of a folder is
 * decided by the server that it lies on; which files the repository consists of by the one that serves: two that select differently would never be equal.
 */
export function disagreement(own: RepositorySettings, theirs: RepositorySettings): string | null {
  const keys = [
    { key: 'syncType', here: own.syncType, there: theirs.syncType, counts: 'this server\'s' },
    { key: 'include', here: patternsText(own.include), there: patternsText(theirs.include), counts: 'the serving server\'s' },
    { key: 'exclude', here: patternsText(own.exclude), there: patternsText(theirs.exclude), counts: 'the serving server\'s' },
  ];
  const differing = keys.filter(({ here, there }) => here !== there).map(({ key, here, there, counts }) => `${key} is ${clipped(here)} here and ${clipped(there)} on the serving server (${counts} counts)`);
  return differing.length === 0 ? null : `its profiles differ: ${differing.join('; ')}. Make the two profiles equal`;
}

/** Their order says nothing. */
function patternsText(patterns: readonly string[]): string {
  return JSON.stringify([...patterns].sort());
}

function clipped(text: string): string {
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
}
