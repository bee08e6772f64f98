import { LineCounter, isMap, isScalar, parseDocument } from 'yaml';
import type { Document, Pair, YAMLMap } from 'yaml';
import type { Problem } from './problem.js';

/** Where a key stands in the file; line and column from 1. */
export type Locate = (key: string) => { readonly line: number; readonly column: number } | null;

export interface YamlText {
  /** Plain values: what the file says, not yet validated. */
  readonly value: unknown;
  readonly problems: readonly Problem[];
  readonly locate: Locate;
}

/** Reads YAML 1.2 (`NO` is a word there, not false). Never throws: what is wrong is in `problems`. */
export function readYaml(text: string): YamlText {
  const lines = new LineCounter();
  const document = parsed(text, lines);
  if (document === null) {
    return { value: null, problems: [{ key: '', line: null, column: null, text: 'it nests deeper than it can be read; a profile has sections and keys, and a list here and there' }], locate: () => null };
  }
  const problems = document.errors.map((error): Problem => {
    const at = lines.linePos(error.pos[0]);
    return { key: '', line: at.line, column: at.col, text: error.message };
  });
  const value: unknown = problems.length === 0 ? plain(document, problems) : null;
  return { value, problems, locate: (key) => locate(document, lines, key) };
}

/** Lists and maps within each other; a profile has four. The package's work grows with the square of the depth, and its calls nest as the text does. */
const DEPTH_MAX = 64;
const INDICATORS = new RegExp(`(?:[-?:][ \\t]+){${DEPTH_MAX},}`);

/** Brackets that are open at once, wherever they stand, or indicators of lists and maps in a row: never too few of them. */
function nestsTooDeep(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit === 0x5b || unit === 0x7b) depth += 1;
    else if ((unit === 0x5d || unit === 0x7d) && depth > 0) depth -= 1;
    if (depth > DEPTH_MAX) return true;
  }
  return INDICATORS.test(text);
}

/** `null`: it nests deeper than it can be read. */
function parsed(text: string, lines: LineCounter): Document | null {
  if (nestsTooDeep(text)) return null;
  try {
    return parseDocument(text, { lineCounter: lines, prettyErrors: false, strict: true, uniqueKeys: true, logLevel: 'error' });
  } catch (error) {
    // Indentation can nest, too: the end of the stack.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function plain(document: Document, problems: Problem[]): unknown {
  try {
    // A profile has no use for aliases; a bomb of them must not get far.
    return document.toJS({ maxAliasCount: 16 });
  } catch (error) {
    problems.push({ key: '', line: null, column: null, text: error instanceof Error ? error.message : String(error) });
    return null;
  }
}

/** The key itself; when it is not there, the section that it would stand in. */
function locate(document: Document, lines: LineCounter, key: string): { line: number; column: number } | null {
  let map: unknown = document.contents;
  let offset: number | null = null;
  for (const name of key.split('.')) {
    if (!isMap(map)) break;
    const pair = findPair(map, name);
    if (pair === null) break;
    if (isScalar(pair.key) && pair.key.range) offset = pair.key.range[0];
    map = pair.value;
  }
  if (offset === null) return null;
  const at = lines.linePos(offset);
  return { line: at.line, column: at.col };
}

function findPair(map: YAMLMap, name: string): Pair | null {
  return map.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === name) ?? null;
}
