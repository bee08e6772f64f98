import { printable } from '../core/printable.js';
import type { LogLevel } from '../ports/log.js';

/** One line before it takes a form. */
export interface Line {
  readonly at: Date;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
  /** A change of role: it is handed on at once, so that it outlives a process that breaks right after. */
  readonly critical: boolean;
}

export const MESSAGE_CHARS_MAX = 8192;
const FIELD_CHARS_MAX = 4096;
const DEPTH_MAX = 5;
const ELEMENTS_MAX = 100;
const SECRET_NAME = /secret|passw|token|psk|credential|privatekey/i;

const LEVEL_WORD: Readonly<Record<LogLevel, string>> = { error: 'ERROR', warn: 'WARN ', info: 'INFO ', debug: 'DEBUG' };
const LEVEL_COLOUR: Readonly<Record<LogLevel, string>> = { error: '\u001b[31m', warn: '\u001b[33m', info: '\u001b[32m', debug: '\u001b[90m' };
const DIM = '\u001b[2m';
const PLAIN = '\u001b[0m';

/** `2026-11-21 10:00:00.123 [primary] INFO  message`, in local time and without control characters: one line, whatever it says. */
export function textLine(server: string, line: Line, colours: boolean): string {
  const time = localTime(line.at);
  const message = oneLine(line.message);
  if (!colours) return `${time} [${server}] ${LEVEL_WORD[line.level]} ${message}`;
  return `${DIM}${time}${PLAIN} [${server}] ${LEVEL_COLOUR[line.level]}${LEVEL_WORD[line.level]}${PLAIN} ${message}`;
}

/** The same for machines; docs/logs.md has the fields. */
export function jsonLine(server: string, line: Line): string {
  const fields = clean(line.fields, 0);
  const bare = { time: line.at.toISOString(), server, level: line.level, message: oneLine(line.message) };
  // It is read on terminals as well. What JSON lets stand as it is means the same as an escape.
  return printable(JSON.stringify(Object.keys(line.fields).length === 0 ? bare : { ...bare, fields }));
}

function oneLine(text: string): string {
  const line = text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]+/gu, ' ');
  return line.length <= MESSAGE_CHARS_MAX ? line : `${line.slice(0, MESSAGE_CHARS_MAX)}…`;
}

function localTime(at: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${date} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

/** A value that JSON can hold, of bounded size, without anything whose name says that it is secret. */
function clean(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return value.length <= FIELD_CHARS_MAX ? value : `${value.slice(0, FIELD_CHARS_MAX)}…`;
    case 'number':
    case 'boolean':
      return value;
    case 'object':
      return value === null ? null : cleanObject(value, depth);
    case 'undefined':
      return undefined;
    default:
      return String(value);
  }
}

function cleanObject(value: object, depth: number): unknown {
  if (depth >= DEPTH_MAX) return '…';
  // A date that is none has no such form, and throws.
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? String(value) : value.toISOString();
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (value instanceof Error) return { name: value.name, message: oneLine(value.message), ...('code' in value ? { code: String(value.code) } : {}) };
  if (Array.isArray(value)) return value.slice(0, ELEMENTS_MAX).map((element) => clean(element, depth + 1));
  const entries = Object.entries(value).slice(0, ELEMENTS_MAX);
  return Object.fromEntries(entries.map(([name, inner]) => [name, SECRET_NAME.test(name) ? '(not logged)' : clean(inner, depth + 1)]));
}
