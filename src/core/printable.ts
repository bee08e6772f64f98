/*
 * Text that somebody else chose (a client, a file's name, another program) on an operator's terminal: control characters, of which C1 are as good as an
 * escape sequence to some, move the cursor, change titles and colours, or begin a line that nobody wrote; marks of the direction of writing show words in another
 * order than they stand in.
 */
const UNPRINTABLE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

/** The same with each of them written as an escape of JSON: also of the end of a line, so that it stays one. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escaped);
}

/** The same, of text of several lines: ends of lines and tabs stay. */
export function printableLines(text: string): string {
  return text.replace(UNPRINTABLE, (character) => (character === '\n' || character === '\t' ? character : escaped(character)));
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
