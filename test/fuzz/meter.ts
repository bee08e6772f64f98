/*
 * What an execution costs, counted and not timed: steps are calls of the language's own functions that every reader of
 * bytes or text lives by, memory is what is asked of typed arrays. Both come out equal on every machine. A loop that never ends
 * calls one of them sooner or later, and is ended there.
 */

/** What one execution may cost, from what it was given. */
export interface Budget {
  readonly steps: number;
  readonly bytes: number;
}

export interface Cost {
  steps: number;
  bytes: number;
}

/** An execution took more than its budget. Thrown from within what it called, again and again until it gives up. */
export class BudgetExceeded extends Error {}

/** A budget that grows with the input and with nothing that the input merely announces. */
export function budgetFor(inputBytes: number, stepsPerByte: number, bytesPerByte: number): Budget {
  return { steps: STEPS_BASE + stepsPerByte * inputBytes, bytes: BYTES_BASE + bytesPerByte * inputBytes };
}
const STEPS_BASE = 20_000;
const BYTES_BASE = 256 * 1024;

type Method = (this: unknown, ...args: unknown[]) => unknown;
type Holder = Record<string, Method>;

/** Where the counted functions live, and their names. */
const COUNTED: readonly (readonly [holder: object, names: readonly string[]])[] = [
  [DataView.prototype, ['getUint8', 'getUint16', 'getUint32', 'setUint8', 'setUint16', 'setUint32']],
  [Object.getPrototypeOf(Uint8Array.prototype) as object, ['subarray', 'slice', 'set', 'fill', 'indexOf']],
  [Array.prototype, ['push', 'shift', 'splice', 'slice', 'map', 'filter', 'find', 'some', 'every', 'includes', 'indexOf', 'join']],
  [Map.prototype, ['get', 'set', 'has', 'delete']],
  [Set.prototype, ['add', 'has', 'delete']],
  [String.prototype, ['slice', 'split', 'trim', 'charCodeAt', 'codePointAt', 'indexOf', 'includes', 'startsWith', 'endsWith', 'toLowerCase', 'replace', 'substring', 'padStart']],
  [RegExp.prototype, ['exec', 'test']],
  [JSON, ['parse', 'stringify']],
  [Math, ['min', 'max', 'floor', 'imul']],
  [Object, ['keys', 'entries', 'fromEntries', 'hasOwn']],
  [Number, ['isSafeInteger', 'isInteger']],
  [TextDecoder.prototype, ['decode']],
  [TextEncoder.prototype, ['encode', 'encodeInto']],
];

/**
 * Runs `action` and counts.
 * @throws BudgetExceeded when it took more, however it ended
 */
export async function metered<T>(budget: Budget, action: () => T | Promise<T>): Promise<{ readonly value: T; readonly cost: Cost }> {
  const cost: Cost = { steps: 0, bytes: 0 };
  const restore = install(cost, budget);
  let value: T;
  try {
    value = await action();
  } finally {
    restore();
    if (cost.steps > budget.steps || cost.bytes > budget.bytes) throw exceeded(cost, budget);
  }
  return { value, cost };
}

/** The same for what ends without waiting. */
export function meteredNow<T>(budget: Budget, action: () => T): T {
  const cost: Cost = { steps: 0, bytes: 0 };
  const restore = install(cost, budget);
  try {
    return action();
  } finally {
    restore();
    if (cost.steps > budget.steps || cost.bytes > budget.bytes) throw exceeded(cost, budget);
  }
}

function exceeded(cost: Cost, budget: Budget): BudgetExceeded {
  return new BudgetExceeded(`${cost.steps} steps and ${cost.bytes} bytes were taken; ${budget.steps} steps and ${budget.bytes} bytes are allowed for such an input`);
}

/** Puts counting functions in the place of the language's. @returns what puts them back */
function install(cost: Cost, budget: Budget): () => void {
  const undo: (() => void)[] = [];
  const count = (bytes: number): void => {
    cost.steps += 1;
    cost.bytes += bytes;
    if (cost.steps > budget.steps || cost.bytes > budget.bytes) throw exceeded(cost, budget);
  };
  for (const [holder, names] of COUNTED) {
    const methods = holder as Holder;
    for (const name of names) {
      const original = methods[name];
      if (original === undefined) continue;
      const copies = holder === COUNTED[1]?.[0] && name === 'slice';
      methods[name] = function counted(this: unknown, ...args: unknown[]): unknown {
        count(0);
        const answer = Reflect.apply(original, this, args);
        if (copies) count((answer as Uint8Array).byteLength);
        return answer;
      };
      undo.push(() => {
        methods[name] = original;
      });
    }
  }
  undo.push(countAllocations(count));
  return () => {
    for (const each of undo) each();
  };
}

function countAllocations(count: (bytes: number) => void): () => void {
  const world = globalThis as unknown as Record<string, unknown>;
  const names = ['Uint8Array', 'Float64Array', 'Uint16Array', 'ArrayBuffer'];
  const originals = names.map((name) => world[name] as new (...args: unknown[]) => object);
  names.forEach((name, at) => {
    world[name] = new Proxy(originals[at] as object, {
      construct(target, args: unknown[], newTarget): object {
        const [first] = args;
        // A view takes nothing; a length is asked for, or what is there is copied.
        if (typeof first === 'number') count(first);
        else if (first instanceof Array) count(first.length);
        else if (ArrayBuffer.isView(first)) count(first.byteLength);
        return Reflect.construct(target as new () => object, args, newTarget === world[name] ? (target as new () => object) : newTarget) as object;
      },
    });
  });
  const { alloc, allocUnsafe, concat } = Buffer;
  Buffer.alloc = ((size: number, ...rest: []) => (count(size), alloc(size, ...rest))) as typeof alloc;
  Buffer.allocUnsafe = (size: number) => (count(size), allocUnsafe(size));
  Buffer.concat = ((list: Uint8Array[], total?: number) => {
    count(list.reduce((sum, one) => sum + one.length, 0));
    return concat(list, total);
  }) as typeof concat;
  return () => {
    names.forEach((name, at) => {
      world[name] = originals[at];
    });
    Object.assign(Buffer, { alloc, allocUnsafe, concat });
  };
}
