import { carryOut } from './commands.js';
import { readScript, writeScript, type Block } from './script.js';
import { Stage } from './stage.js';

/** Plays the commands of a transcript anew. Answers its text with what comes of them now. @throws Error for a wrong command, or a state that does not come */
export async function play(text: string): Promise<string> {
  const stage = new Stage();
  const blocks: Block[] = [];
  try {
    for (const block of readScript(text)) {
      for (const command of block.commands) await carryOut(stage, command);
      blocks.push({ ...block, outcome: block.commands.length === 0 ? [] : stage.take() });
      if (stage.broken !== null) throw new Error(`a promise was broken: ${stage.broken}\n${writeScript(blocks)}`);
    }
    return writeScript(blocks);
  } finally {
    stage.close();
  }
}
