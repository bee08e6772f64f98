import { strict as assert } from 'node:assert';
import { deserialize, serialize } from 'node:v8';
import fc from 'fast-check';
import { jsonLine, textLine } from '../../../src/log/line.js';
import { DIRECTIONS } from '../../unit/core/wire/control-samples.js';
import { changedJson, jsonChange, type JsonChange } from '../json.js';
import { budgetFor, meteredNow } from '../meter.js';
import { outcome } from '../outcome.js';
import { fraction } from '../place.js';
import { target } from '../target.js';

/*
 * What a process of a server says to another that was given a mind of its own: by a failing memory, or a build that was exchanged under it. Messages come
 * through a pipe that carries more than JSON, so that values of the language stand in them, too. Held: whatever comes is read or refused by
 * name; what is read, read again, is the same, and has none but the fields that belong to it; and a line for the log can be written whatever is in it.
 */

interface Input {
  readonly direction: number;
  readonly message: number;
  readonly changes: readonly JsonChange[];
  /** Put in at one place: what JSON cannot say. */
  readonly foreign: { readonly at: number; readonly what: number } | null;
}

/** Made anew for each execution. All of these come through the pipe. */
const FOREIGN: readonly (() => unknown)[] = [
  () => undefined, () => NaN, () => Infinity, () => -Infinity, () => 10n, () => new Date(NaN), () => new Date(0), () => new Map([['kind', 'order']]), () => new Set([1]), () => /x/, () => new Error('x'),
  () => new Uint8Array(7), () => new Array(5), () => Object.assign([], { kind: 'order' }), () => new Boolean(true), () => new String('x'), () => holdingItself(),
]; // prettier-ignore

function holdingItself(): object {
  const ring: Record<string, unknown> = { kind: 'log' };
  ring['self'] = ring;
  return ring;
}

const inputs: fc.Arbitrary<Input> = fc.record({
  direction: fc.nat(DIRECTIONS.length - 1),
  message: fc.nat(20),
  changes: fc.oneof(fc.constant([]), fc.array(jsonChange, { maxLength: 3 })),
  // `fc.option` has a value in five of six; what is foreign is mostly refused, and then nothing else is tried.
  foreign: fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 2, arbitrary: fc.record({ at: fraction(), what: fc.nat(FOREIGN.length - 1) }) }),
});

const STEPS_PER_BYTE = 300;
const BYTES_PER_BYTE = 24;

/** What the other process gets, and how long it was on the pipe. */
function sent(message: unknown, { changes, foreign }: Input): { readonly value: unknown; readonly bytes: number } | null {
  const changed: unknown = JSON.parse(changedJson(message, changes));
  const root = { value: changed };
  if (foreign !== null) putForeign(root, foreign.at, (FOREIGN[foreign.what] as () => unknown)());
  try {
    const bytes = serialize(root);
    return { value: (deserialize(bytes) as typeof root).value, bytes: bytes.length };
  } catch {
    return null; // Too deep for the pipe, which is the language's own: it does not come out at the other end.
  }
}

function putForeign(root: Record<string, unknown>, at: number, value: unknown): void {
  const spots: (readonly [Record<string, unknown>, string])[] = [];
  const queue: unknown[] = [root];
  // So many places are enough; a value that is far larger came from a change.
  for (let holder = queue.pop(); holder !== undefined && spots.length < 500; holder = queue.pop()) {
    if (typeof holder !== 'object' || holder === null) continue;
    for (const key of Object.keys(holder)) {
      spots.push([holder as Record<string, unknown>, key]);
      queue.push((holder as Record<string, unknown>)[key]);
    }
  }
  const spot = spots[Math.min(spots.length - 1, Math.floor(at * spots.length))];
  if (spot !== undefined) Object.defineProperty(spot[0], spot[1], { value, writable: true, enumerable: true, configurable: true });
}

interface LogLine {
  readonly kind: 'log';
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly message: string;
  readonly fields?: Record<string, unknown>;
}

export const control = target<Input>({
  name: 'control',
  inputs,
  gateRuns: 600,
  acceptedLeast: 150,
  holds(input) {
    const { read, messages } = DIRECTIONS[input.direction] as (typeof DIRECTIONS)[number];
    const message = messages[input.message % messages.length];
    const came = sent(message, input);
    if (came === null) return 0;
    const budget = budgetFor(came.bytes, STEPS_PER_BYTE, BYTES_PER_BYTE);
    const heard = meteredNow(budget, () => outcome(() => read(came.value)));
    if (input.changes.length === 0 && input.foreign === null) assert.deepEqual(JSON.parse(JSON.stringify(heard)), { kind: 'accepted', value: message });
    if (heard.kind === 'refused') return 0;
    assert.deepEqual(read(heard.value), heard.value);
    const said = heard.value as LogLine | { readonly kind: 'order' | 'status' | 'fatal' };
    if (said.kind === 'log') {
      const line = { at: new Date(0), level: said.level, message: said.message, fields: said.fields ?? {}, critical: false };
      meteredNow(budget, () => [jsonLine('primary', line), textLine('primary', line, true)]);
      return 1;
    }
    // Nothing but what was asked for by name: it fits into JSON, and is the same after it.
    assert.deepEqual(JSON.parse(JSON.stringify(said)), said);
    return 1;
  },
});
