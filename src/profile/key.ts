import { z } from 'zod';
import { isIP } from 'node:net';
import { formatBytes, formatDuration, parseBytes, parseDuration } from './values.js';

/** One key of a profile: how its value is read, and what an operator must know of it. */
export interface Key<T> {
  readonly schema: z.ZodType<T>;
  /** What may stand there, as the end of the sentence "must be …". */
  readonly allowed: string;
  /** As it would be written in the profile; `null`: nothing is assumed when it is left out. */
  readonly fallback: string | number | boolean | null;
  readonly required: boolean;
  /** What it does, and what happens at a limit. */
  readonly effect: string;
  /** The reference's name, in the reference's spelling; `null` when the reference has no such parameter. */
  readonly reference: string | null;
  readonly faults?: (input: unknown) => readonly Fault[];
}

/** What is wrong with a part of a value: its place below the key, and the end of a sentence about it. */
export interface Fault {
  readonly path: string;
  readonly text: string;
}

/** How a value is read: `null` when it is not allowed. */
export interface Kind<T> {
  readonly allowed: string;
  readonly parse: (input: unknown) => T | null;
  /** Of a value with parts: what is wrong with which. */
  readonly faults?: (input: unknown) => readonly Fault[];
}

/** A key that must be there. */
export function required<T>(kind: Kind<T>, effect: string, reference: string | null = null): Key<T> {
  return { schema: reading(kind), allowed: kind.allowed, fallback: null, required: true, effect, reference };
}

/** A key that has a value of its own when it is left out. */
export function defaulted<T>(kind: Kind<T>, fallback: string | number | boolean, effect: string, reference: string | null = null): Key<T> {
  const value = kind.parse(fallback);
  if (value === null) throw new TypeError(`default ${String(fallback)} is not ${kind.allowed}`);
  const schema: z.ZodType<T> = z.optional(reading(kind)).transform((given) => given ?? value);
  return { schema, allowed: kind.allowed, fallback, required: false, effect, reference };
}

/** A key that may be absent; it then reads `null`. */
export function optional<T>(kind: Kind<T>, effect: string, reference: string | null = null): Key<T | null> {
  const schema: z.ZodType<T | null> = z.optional(reading(kind)).transform((given) => given ?? null);
  return { schema, allowed: kind.allowed, fallback: null, required: false, effect, reference, ...(kind.faults === undefined ? {} : { faults: kind.faults }) };
}

/** The same, where something is assumed elsewhere when it is left out: `fallback` is what an operator reads of it. */
export function assumed<T>(kind: Kind<T>, fallback: string, effect: string, reference: string | null = null): Key<T | null> {
  return { ...optional(kind, effect, reference), fallback };
}

function reading<T>(kind: Kind<T>): z.ZodType<T> {
  return z.unknown().transform((input, context) => {
    const value = kind.parse(input);
    if (value !== null) return value;
    context.issues.push({ code: 'custom', message: `must be ${kind.allowed}`, input });
    return z.NEVER;
  });
}

export function duration(minMs: number, maxMs: number): Kind<number> {
  return {
    allowed: `a duration from ${formatDuration(minMs)} to ${formatDuration(maxMs)}, such as 500ms, 5s, 2m, or plain milliseconds`,
    parse: (input) => within(parseDuration(input), minMs, maxMs),
  };
}

export function bytes(min: number, max: number): Kind<number> {
  return {
    allowed: `a size from ${formatBytes(min)} to ${formatBytes(max)}, such as 64MiB, or plain bytes`,
    parse: (input) => within(parseBytes(input), min, max),
  };
}

export function count(min: number, max: number): Kind<number> {
  return {
    allowed: `a whole number from ${min} to ${max}`,
    parse: (input) => (typeof input === 'number' && Number.isSafeInteger(input) ? within(input, min, max) : null),
  };
}

export const port: Kind<number> = { ...count(1, 65_535), allowed: 'a port number from 1 to 65535' };

export const flag: Kind<boolean> = { allowed: 'true or false', parse: (input) => (typeof input === 'boolean' ? input : null) };

export const host: Kind<string> = {
  allowed: 'an IP address or a host name, without a port',
  parse: (input) => {
    if (typeof input !== 'string') return null;
    if (isIP(input) !== 0) return input;
    // A name of digits and dots alone is a mistyped IPv4 address, not a name.
    if (/^[\d.]+$/.test(input) || input.length > 253) return null;
    return /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/.test(input) ? input : null;
  },
};

export const path: Kind<string> = {
  allowed: 'a path, absolute or relative to the profile file',
  parse: (input) => (typeof input === 'string' && input.length > 0 && input.length <= 4096 && !input.includes('\0') ? input : null),
};

export const name: Kind<string> = {
  allowed: 'a name of 1 to 64 letters, digits, dots, dashes and underscores',
  parse: (input) => (typeof input === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(input) ? input : null),
};

export const url: Kind<string> = {
  allowed: 'a URL with a host and a port, such as mqtt://192.168.1.10:1883',
  parse: (input) => (typeof input === 'string' && /^[a-z][a-z0-9+_.-]*:\/\/[^\s/:]+:\d{1,5}(\/\S*)?$/i.test(input) && input.length <= 1024 ? input : null),
};

export function listOf<T>(kind: Kind<T>, max: number): Kind<readonly T[]> {
  return {
    allowed: `a list of up to ${max}, each ${kind.allowed}`,
    parse: (input) => {
      if (!Array.isArray(input) || input.length > max) return null;
      const values: T[] = [];
      for (const item of input) {
        const value = kind.parse(item);
        if (value === null) return null;
        values.push(value);
      }
      return values;
    },
  };
}

/** One word of several. `aliases`: other spellings of the same, that are read and not advertised first. */
export function oneOf<const T extends string>(words: readonly T[], aliases: Readonly<Record<string, T>> = {}): Kind<T> {
  const others = Object.keys(aliases);
  return {
    allowed: `one of ${words.join(', ')}${others.length > 0 ? ` (or ${others.join(', ')})` : ''}`,
    // An own property only: `constructor` is a word like any other.
    parse: (input) => words.find((word) => word === input) ?? ((typeof input === 'string' || typeof input === 'number') && Object.hasOwn(aliases, input) ? (aliases[input] ?? null) : null),
  };
}

function within(value: number | null, min: number, max: number): number | null {
  return value !== null && value >= min && value <= max ? value : null;
}
