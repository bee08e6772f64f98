import { dirname } from 'node:path';
import { ByteReader, ByteWriter, MalformedBytes } from '../../core/wire/bytes.js';
import { readDigest, writeDigest } from '../../core/repository/manifest.js';
import type { Digest, Entry } from '../../core/repository/entry.js';
import { makeFolders, PRIVATE_FOLDER } from '../folders.js';
import { unlessAbsent } from './file-errors.js';
import type { FileSystem } from './file-system.js';
import { sameStamp, type Stamp } from './stamps.js';

const MAGIC = 0x4c4b5252; // "LKRR"
const VERSION = 1;
const PIECE_BYTES = 1024 * 1024;

interface Recorded {
  readonly stamp: Stamp;
  readonly digest: Digest;
  /** Nobody else has touched it since: another name that we gave it, or took from it, is none of its content. */
  readonly restedUs: number;
}

/**
 * Digests of files by what tells that they are unchanged. A record that is lost or cannot be read costs the reading of the
 * files, and nothing else.
 */
export class DigestRecord {
  private readonly byPath = new Map<string, Recorded>();
  private changed = false;

  private constructor(
    private readonly fs: FileSystem,
    private readonly file: string,
  ) {}

  static load(fs: FileSystem, file: string): DigestRecord {
    const record = new DigestRecord(fs, file);
    const bytes = unlessAbsent(() => fs.readFileSync(file));
    if (bytes !== null) record.read(bytes);
    return record;
  }

  get size(): number {
    return this.byPath.size;
  }

  /** The digest of the file that has this stamp; `null` when it is not known. */
  find(path: string, stamp: Stamp): Digest | null {
    const recorded = this.byPath.get(path);
    return recorded !== undefined && sameStamp(recorded.stamp, stamp) ? recorded.digest : null;
  }

  set(path: string, stamp: Stamp, digest: Digest): void {
    // What is read again, and is what it was, has rested as long as before.
    if (this.find(path, stamp) !== digest) this.put(path, { stamp, digest, restedUs: lastOf(stamp) });
  }

  /** It got another name by us, or lost one, and is what was recorded: the system counts that as a change of it. False: that was not recorded. */
  renew(path: string, stamp: Stamp, digest: Digest): boolean {
    const recorded = this.byPath.get(path);
    if (recorded?.digest !== digest || !sameStamp({ ...recorded.stamp, ctimeUs: stamp.ctimeUs }, stamp)) return false;
    this.put(path, { ...recorded, stamp });
    return true;
  }

  private put(path: string, recorded: Recorded): void {
    this.byPath.set(path, recorded);
    this.changed = true;
  }

  /** Forgets all that is not among these: after a look at the whole tree. */
  retain(entries: readonly Entry[]): void {
    // Without a removal there is nothing to forget; what was recorded cannot be more than there is then.
    if (this.byPath.size <= entries.reduce((sum, { digest }) => sum + (digest === null ? 0 : 1), 0)) return;
    const paths = new Set(entries.map(({ path }) => path));
    for (const path of this.byPath.keys()) {
      if (paths.has(path)) continue;
      this.byPath.delete(path);
      this.changed = true;
    }
  }

  /** @param restedMs only of files that nobody has touched for so long */
  save(restedMs = 0): void {
    if (!this.changed) return;
    const { fs } = this;
    const untilUs = restedMs === 0 ? Number.POSITIVE_INFINITY : (fs.now() - restedMs) * 1000;
    const rested = [...this.byPath].filter(([, { restedUs }]) => restedUs < untilUs);
    makeFolders(dirname(this.file), { mode: PRIVATE_FOLDER, fs });
    const temporary = `${this.file}.tmp`;
    const fd = fs.openSync(temporary, 'w', 0o600);
    try {
      const writer = new ByteWriter(PIECE_BYTES + 8192);
      writer.u32(MAGIC).u32(VERSION).u32(rested.length);
      for (const [path, { stamp, digest }] of rested) {
        writer.text(path).u64(stamp.size).u64(stamp.mtimeUs).u64(stamp.ctimeUs).text(String(stamp.inode));
        writeDigest(writer, digest);
        if (writer.length >= PIECE_BYTES) fs.writeSync(fd, writer.lend());
      }
      fs.writeSync(fd, writer.lend());
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(temporary, this.file);
    this.changed = rested.length < this.byPath.size;
  }

  private read(bytes: Uint8Array): void {
    try {
      const reader = new ByteReader(bytes);
      if (reader.u32() !== MAGIC || reader.u32() !== VERSION) return;
      for (let count = reader.u32(); count > 0; count -= 1) {
        const path = reader.text();
        const stamp = { size: reader.u64(), mtimeUs: reader.u64(), ctimeUs: reader.u64(), inode: Number(reader.text()) };
        this.byPath.set(path, { stamp, digest: readDigest(reader), restedUs: lastOf(stamp) });
      }
      reader.end();
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error;
      this.byPath.clear(); // Damaged: the files are read again.
    }
  }
}

function lastOf({ mtimeUs, ctimeUs }: Stamp): number {
  return Math.max(mtimeUs, ctimeUs);
}
