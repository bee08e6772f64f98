/** One block of a transcript: what was asked for, and what came of it. */
export interface Block {
  /** Lines above the commands, without `#`; for readers. */
  readonly remarks: readonly string[];
  readonly commands: readonly string[];
  readonly outcome: readonly string[];
}

const RULE = '----';
const REMARK = '#';

/**
 * Reads a transcript: blocks apart by blank lines. A block is remarks (`# …`), commands, `----`, and the outcome of the commands.
 * A block of remarks alone opens the file.
 *
 * @throws Error that names the line of a block without a rule
 */
export function readScript(text: string): Block[] {
  const blocks: Block[] = [];
  let lineNumber = 0;
  for (const part of text.replace(/\n+$/, '').split('\n\n')) {
    const lines = part.split('\n');
    const remarks = lines.filter((line) => line.startsWith(REMARK));
    const rest = lines.filter((line) => !line.startsWith(REMARK));
    const rule = rest.indexOf(RULE);
    if (rest.length > 0 && rule < 0) throw new Error(`line ${lineNumber + 1}: this block has commands and no line "${RULE}" below them`);
    blocks.push({ remarks: remarks.map((line) => line.slice(REMARK.length).trimStart()), commands: rest.slice(0, Math.max(0, rule)), outcome: rule < 0 ? [] : rest.slice(rule + 1) });
    lineNumber += lines.length + 1;
  }
  return blocks;
}

export function writeScript(blocks: readonly Block[]): string {
  const parts = blocks.map(({ remarks, commands, outcome }) => [...remarks.map((line) => `${REMARK} ${line}`.trimEnd()), ...commands, ...(commands.length > 0 ? [RULE] : []), ...outcome].join('\n'));
  return `${parts.join('\n\n')}\n`;
}
