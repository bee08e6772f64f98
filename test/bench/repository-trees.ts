import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import path from 'node:path';

const PIECE_BYTES = 1024 * 1024;
const FILES_PER_FOLDER = 100;

/** `count` files of `bytes` random bytes each, 100 in a folder. */
export function makeSmallFiles(root: string, count: number, bytes: number): void {
  for (let at = 0; at < count; at++) {
    const folder = path.join(root, `folder-${Math.floor(at / FILES_PER_FOLDER)}`);
    if (at % FILES_PER_FOLDER === 0) fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(path.join(folder, `file-${at}`), randomBytes(bytes));
  }
}

export function makeLargeFile(file: string, bytes: number): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const fd = fs.openSync(file, 'w');
  for (let at = 0; at < bytes; at += PIECE_BYTES) fs.writeSync(fd, randomBytes(Math.min(PIECE_BYTES, bytes - at)));
  fs.closeSync(fd);
}

/** Replaces `bytes` in the middle, at an offset that is no multiple of any block. */
export function changeInTheMiddle(file: string, bytes: number): void {
  const fd = fs.openSync(file, 'r+');
  fs.writeSync(fd, randomBytes(bytes), 0, bytes, Math.floor(fs.fstatSync(fd).size / 2) + 12_345);
  fs.closeSync(fd);
}

/** SHA-256 over paths, kinds, permissions, times (microseconds) and contents. */
export function digestOf(root: string): string {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(PIECE_BYTES);
  const walk = (at: string): void => {
    for (const name of fs.readdirSync(path.join(root, at)).sort()) {
      const inner = path.join(at, name);
      const place = path.join(root, inner);
      const stats = fs.lstatSync(place);
      hash.update(`${inner}\0${(stats.mode & 0o7777).toString(8)}\0${stats.isDirectory() ? 'folder' : 'file'}\0${Math.round(stats.mtimeMs * 1000)}\0`);
      if (stats.isDirectory()) walk(inner);
      else if (stats.isSymbolicLink()) hash.update(fs.readlinkSync(place));
      else {
        const fd = fs.openSync(place, 'r');
        for (let bytes = fs.readSync(fd, buffer); bytes > 0; bytes = fs.readSync(fd, buffer)) hash.update(buffer.subarray(0, bytes));
        fs.closeSync(fd);
      }
    }
  };
  walk('');
  return hash.digest('hex');
}
