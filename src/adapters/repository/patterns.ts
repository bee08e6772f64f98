import picomatch from 'picomatch';
import { LockstepError } from '../../core/errors.js';

/** Which paths of a folder belong to the repository. */
export interface Selection {
  /** False for a folder: nothing below it belongs either, which is not seen by the path of what lies below: whoever begins there asks for each folder above. */
  takesFolder(path: string): boolean;
  takesFile(path: string): boolean;
}

/** Takes no path. */
export const NOTHING: Selection = { takesFolder: () => false, takesFile: () => false };

const OPTIONS = { dot: true, nocase: false } as const;
export const PATTERN_CHARS_MAX = 1024;

/**
 * Globs against the whole path; one without `/` against the last part at any depth. What matches `exclude` does not belong, with all below it; with `include`
 * only files and links that match it do. An empty `include` takes all.
 * @throws LockstepError LOCKSTEP_REPOSITORY_PATTERN
 */
export function createSelection(include: readonly string[], exclude: readonly string[]): Selection {
  const included = include.length === 0 ? () => true : matcher(include);
  const excluded = exclude.length === 0 ? () => false : matcher(exclude);
  return {
    takesFolder: (path) => !excluded(path),
    takesFile: (path) => !excluded(path) && included(path),
  };
}

function matcher(patterns: readonly string[]): (path: string) => boolean {
  const tests = patterns.map((pattern) => {
    if (pattern === '' || pattern.length > PATTERN_CHARS_MAX) throw refused(pattern, `a pattern has 1 to ${PATTERN_CHARS_MAX} characters`);
    const trimmed = pattern.replace(/^\//, '').replace(/\/$/, '');
    try {
      return picomatch(trimmed.includes('/') || pattern.startsWith('/') ? trimmed : `**/${trimmed}`, OPTIONS);
    } catch (error) {
      throw refused(pattern, error instanceof Error ? error.message : String(error));
    }
  });
  return (path) => tests.some((test) => test(path));
}

function refused(pattern: string, why: string): LockstepError {
  return new LockstepError('LOCKSTEP_REPOSITORY_PATTERN', `the pattern ${JSON.stringify(pattern)} cannot be used: ${why}`, 'Correct it in the profile; globs are *, **, ?, [abc] and {a,b}.');
}
