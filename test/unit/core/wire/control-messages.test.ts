import { CONTROL_TEXT_CHARS_MAX } from '../../../../src/core/wire/child-messages.js';
import { readKeeperToManager } from '../../../../src/core/wire/keeper-messages.js';
import { DIRECTIONS } from './control-samples.js';

const said = DIRECTIONS.flatMap(({ name, read, messages }) => messages.map((message, index) => [`${name}, ${index}`, read, message] as const));

/** Every field of a value, as a path to it. */
function paths(value: unknown, path: readonly string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => [[...path, key], ...paths(inner, [...path, key])]);
}

function changedAt(value: unknown, path: readonly string[], change: (holder: Record<string, unknown>, key: string) => void): unknown {
  const copy: unknown = structuredClone(value);
  const holder = path.slice(0, -1).reduce((at, key) => (at as Record<string, unknown>)[key] as object, copy as object);
  change(holder as Record<string, unknown>, path.at(-1) ?? '');
  return copy;
}

/** What may be left out, or be anything. */
const isFree = (path: readonly string[]): boolean => path[0] === 'fields' || path.at(-1) === 'forced';

describe('what the processes of one server say to each other', () => {
  test.each(said)('%s: is read as it was said', (_name, read, message) => {
    expect(read(message)).toEqual(message);
  });

  test.each(said)('%s: is refused by name without any one of its fields', (_name, read, message) => {
    for (const path of paths(message).filter((one) => !isFree(one))) {
      const key = path.at(-1) ?? '';
      if (/^\d+$/.test(key)) continue; // An element of a list: the list is a shorter one without it.
      expect(() => read(changedAt(message, path, (holder) => delete holder[key]))).toThrow(new RegExp(`\\b${key}\\b`));
    }
  });

  test.each(said)('%s: is refused with a field of another kind', (_name, read, message) => {
    for (const path of paths(message).filter((one) => !isFree(one))) {
      expect(() => read(changedAt(message, path, (holder, key) => (holder[key] = typeof holder[key] === 'function' ? 1 : () => 1)))).toThrow(/expected|allowed/);
    }
  });

  test.each(['text', 7, null, undefined, [], new Map(), { kind: 'order' }, { kind: 'status' }, { kind: 'walk' }])('%p is nothing that anybody says', (value) => {
    for (const { read } of DIRECTIONS) expect(() => read(value)).toThrow(/expected/);
  });

  test('a list with holes is refused', () => {
    const [order] = DIRECTIONS[4]?.messages ?? [];
    const holed = changedAt(order, ['order', 'wishes'], (holder, key) => (holder[key] = new Array(3)));
    expect(() => DIRECTIONS[4]?.read(holed)).toThrow(/wishes\[0\] missing/);
  });

  test('a text that is too long is cut, not refused: no honest message is lost for its words', () => {
    const line = { kind: 'log', level: 'info', message: 'x'.repeat(CONTROL_TEXT_CHARS_MAX + 1) };
    const read = readKeeperToManager(line);
    expect(read.kind === 'log' ? read.message.length : 0).toBe(CONTROL_TEXT_CHARS_MAX);
  });
});
