import type { RowReport } from './report.js';
import type { Outcome } from './row.js';

/*
 * A Markdown file with marked places, which the bench fills in: `<!-- bench:NAME -->` … `<!-- /bench:NAME -->`. What stands around them is
 * written by people.
 */

const HEAD = ['row', 'what', 'to reach', 'reached', ''] as const;

/** Replaces what stands at a marked place. @throws Error when the text has no such place */
export function withBlock(text: string, name: string, content: string): string {
  const [open, close] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const [from, to] = [text.indexOf(open), text.indexOf(close)];
  if (from < 0 || to < from) throw new Error(`the document has no place ${open} … ${close}`);
  return `${text.slice(0, from + open.length)}\n${content.trim()}\n${text.slice(to)}`;
}

/** Puts a row into the table, in its place among `order`, and its own block where the document has one. */
export function withRow(text: string, row: Pick<RowReport, 'name' | 'what' | 'reach' | 'reached' | 'verdict'>, outcome: Pick<Outcome, 'document'>, order: readonly string[]): string {
  const table = blockOf(text, 'table');
  const lines = new Map(table.split('\n').flatMap((line) => {
    const name = /^\| `([\w-]+)` \|/.exec(line)?.[1];
    return name === undefined ? [] : [[name, line] as const];
  }));
  lines.set(row.name, markdownRow([`\`${row.name}\``, row.what, row.reach, row.reached, row.verdict]));
  const sorted = order.flatMap((name) => lines.get(name) ?? []);
  const whole = withBlock(text, 'table', [markdownRow(HEAD), markdownRow(HEAD.map(() => '---')), ...sorted].join('\n'));
  return outcome.document === undefined ? whole : withBlock(whole, row.name, outcome.document);
}

export function markdownTable(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  return [head, head.map(() => '---'), ...rows].map(markdownRow).join('\n');
}

function markdownRow(cells: readonly (string | number)[]): string {
  return `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
}

function blockOf(text: string, name: string): string {
  const [from, to] = [text.indexOf(`<!-- bench:${name} -->`), text.indexOf(`<!-- /bench:${name} -->`)];
  return from < 0 ? '' : text.slice(from, to);
}
