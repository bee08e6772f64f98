import { isUtf8 } from 'node:buffer';
import { sep } from 'node:path';
import type { FileSystem } from './file-system.js';

/** What Node.js puts into a text for bytes that are no UTF-8: such a text asks for something else, or nothing. */
const UNREADABLE = '\ufffd';

/** Whether a name, or the target of a link, may stand for bytes that no text can ask for. */
export function mayBeRaw(text: string): boolean {
  return text.includes(UNREADABLE);
}

/** The names in a folder that are no UTF-8. */
export function rawNames(fs: FileSystem, folder: string): Buffer[] {
  return fs.readdirSync(folder, { encoding: 'buffer' }).filter((name) => !isUtf8(name));
}

export function rawAt(folder: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${folder}${sep}`), name]);
}
