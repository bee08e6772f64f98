import { LockstepError } from '../errors.js';
import { glimpse } from '../glimpse.js';
import { decodeText, encodeText, MalformedBytes } from './bytes.js';

/** A message whose bytes arrived whole but which does not say what it should. Names the field, what came and what is expected. */
export class MessageRefused extends LockstepError {
  constructor(what: string) {
    super('LOCKSTEP_MESSAGE_MALFORMED', what, 'Run the same version of Lockstep on both servers, and check that nothing else dials this port.');
  }
}

const SHOWN_CHARS_MAX = 40;

/** What came, short enough for a log line. */
function shown(value: unknown): string {
  return value === undefined ? 'missing' : `is ${glimpse(value, SHOWN_CHARS_MAX)}`;
}

/**
 * Reads an object of unknown origin field by field. Every read checks; a field that nobody asks for is tolerated, so that a
 * newer version may add some.
 */
export class Fields {
  private constructor(
    private readonly path: string,
    private readonly values: Readonly<Record<string, unknown>>,
  ) {}

  /** @throws MessageRefused unless `value` is an object; `path` names it in errors */
  static of(path: string, value: unknown): Fields {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new MessageRefused(`${path} ${shown(value)}; an object is expected`);
    return new Fields(path, value as Record<string, unknown>);
  }

  /** A string of at most `charsMax` UTF-16 units. */
  text(name: string, charsMax: number): string {
    const value = this.get(name);
    if (typeof value !== 'string') this.refuse(name, 'a text is expected');
    if (value.length > charsMax) this.refuse(name, `at most ${charsMax} characters are allowed, ${value.length} came`);
    return value;
  }

  /** As `text`, and not empty. For names. */
  name(name: string, charsMax: number): string {
    const value = this.text(name, charsMax);
    if (value.length === 0) this.refuse(name, 'a name is expected');
    return value;
  }

  /** A whole number from `min` to `max` (2^53 - 1 at most). */
  whole(name: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
    const value = this.get(name);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) this.refuse(name, `a whole number from ${min} to ${max} is expected`);
    return value;
  }

  /** A number from `min` to `max`, whole or not. For times and estimates. */
  measure(name: string, min = 0, max = Number.MAX_SAFE_INTEGER): number {
    const value = this.get(name);
    if (typeof value !== 'number' || !(value >= min && value <= max)) this.refuse(name, `a number from ${min} to ${max} is expected`);
    return value;
  }

  flag(name: string): boolean {
    const value = this.get(name);
    if (typeof value !== 'boolean') this.refuse(name, 'true or false is expected');
    return value;
  }

  oneOf<Word extends string>(name: string, words: readonly Word[]): Word {
    const value = this.get(name);
    const found = words.find((word) => word === value);
    if (found === undefined) this.refuse(name, `one of ${words.join(', ')} is expected`);
    return found;
  }

  /** `null`, or what `read` makes of the field. A missing field is refused: silence is not null. */
  nullable<Value>(name: string, read: (fields: Fields, name: string) => Value): Value | null {
    return this.get(name) === null ? null : read(this, name);
  }

  /**
   * A field that was added after the first version: as `nullable`, and `null` also where an older server does not say it. So servers of two versions are a pair while
   * they are upgraded one after the other.
   */
  added<Value>(name: string, read: (fields: Fields, name: string) => Value): Value | null {
    return this.has(name) ? this.nullable(name, read) : null;
  }

  object(name: string): Fields {
    return Fields.of(`${this.path}.${name}`, this.get(name));
  }

  /** Each element of an array of `countMin` to `countMax` elements, read by `read`. */
  list<Value>(name: string, countMin: number, countMax: number, read: (element: unknown, path: string) => Value): Value[] {
    const value = this.get(name);
    if (!Array.isArray(value)) this.refuse(name, 'a list is expected');
    if (value.length < countMin || value.length > countMax) throw new MessageRefused(`${this.path}.${name} has ${value.length} elements; ${countMin} to ${countMax} are expected`);
    // Not `map`, which leaves out what a list has no element for: such a hole would be read by nobody.
    return Array.from(value, (element: unknown, index) => read(element, `${this.path}.${name}[${index}]`));
  }

  /** An object of texts, of at most `countMax` keys. */
  texts(name: string, countMax: number, keyCharsMax: number, valueCharsMax: number): Record<string, string> {
    const inner = this.object(name);
    const keys = Object.keys(inner.values);
    if (keys.length > countMax) throw new MessageRefused(`${inner.path} has ${keys.length} keys; at most ${countMax} are allowed`);
    // fromEntries defines the keys, it does not assign them: "__proto__" is a key like any other.
    return Object.fromEntries(
      keys.map((key) => {
        if (key.length === 0 || key.length > keyCharsMax) throw new MessageRefused(`${inner.path} has a key of ${key.length} characters; 1 to ${keyCharsMax} are allowed`);
        return [key, inner.text(key, valueCharsMax)];
      }),
    );
  }

  /** The field as it came; for a reader of its own. */
  raw(name: string): unknown {
    return this.get(name);
  }

  has(name: string): boolean {
    return Object.hasOwn(this.values, name);
  }

  private get(name: string): unknown {
    return this.has(name) ? this.values[name] : undefined;
  }

  private refuse(name: string, expected: string): never {
    throw new MessageRefused(`${this.path}.${name} ${shown(this.get(name))}; ${expected}`);
  }
}

/** Reads one text out of a list. */
export function textElement(charsMax: number): (element: unknown, path: string) => string {
  return (element, path) => {
    if (typeof element !== 'string' || element.length > charsMax) throw new MessageRefused(`${path} ${shown(element)}; a text of at most ${charsMax} characters is expected`);
    return element;
  };
}

/** A text cut to what the other side accepts, so that a long reason cannot end the conversation. */
export function clip(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  const cut = text.slice(0, charsMax - 1);
  // Half of a surrogate pair would not survive UTF-8.
  const last = cut.charCodeAt(cut.length - 1);
  return `${last >= 0xd800 && last <= 0xdbff ? cut.slice(0, -1) : cut}…`;
}

export function encodeJson(value: unknown): Uint8Array {
  return encodeText(JSON.stringify(value));
}

/** @throws MessageRefused when `bytes` are not JSON in UTF-8; `what` names the message */
export function decodeJson(what: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decodeText(bytes));
  } catch (error) {
    // Both a SyntaxError and text that is not UTF-8 mean the same here: whoever sent this does not speak our language.
    throw new MessageRefused(`${what} of ${bytes.length} bytes is not JSON${error instanceof MalformedBytes ? ': not UTF-8' : ''}`);
  }
}
