import { constants } from 'node:fs';
import { LockstepError } from '../../core/errors.js';
import type { Digest } from '../../core/repository/entry.js';
import { shown } from '../../core/repository/names.js';
import type { ContentFile } from '../../ports/repository.js';
import type { DigestRecord } from './digest-record.js';
import { codeOf } from './file-errors.js';
import type { FileSystem } from './file-system.js';
import { carriedMode } from './looking.js';
import { Places } from './places.js';
import { isSettled, sameStamp, stampOf, type Stamp } from './stamps.js';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
/** Neither through a link, nor waiting for a pipe that stands there by now. Windows has neither. */
const FLAGS = O_RDONLY | (O_NOFOLLOW ?? 0) | (O_NONBLOCK ?? 0);

/** A file of a repository that is read. */
export class NodeContent implements ContentFile {
  readonly size: number;
  readonly mtimeUs: number;
  readonly mode: number;

  constructor(
    private readonly fs: FileSystem,
    private readonly fd: number,
    private readonly path: string,
    private readonly place: string,
    /** As it was opened. */
    readonly stamp: Stamp,
    mode: number,
    private readonly openedAt: number,
    private readonly record_: DigestRecord | null,
  ) {
    this.size = stamp.size;
    this.mtimeUs = stamp.mtimeUs;
    this.mode = mode;
  }

  read(into: Uint8Array, offset: number): number {
    return this.fs.readSync(this.fd, into, 0, into.length, offset);
  }

  piece(bytes: number, offset: number): Uint8Array {
    const into = Buffer.allocUnsafeSlow(Math.max(0, Math.min(bytes, this.size - offset)));
    return into.subarray(0, into.length === 0 ? 0 : this.read(into, offset));
  }

  changed(): boolean {
    if (!sameStamp(stampOf(this.fs.fstatSync(this.fd)), this.stamp)) return true;
    const now = this.fs.lstatSync(this.place, { throwIfNoEntry: false });
    return now === undefined || now.ino !== this.stamp.inode;
  }

  record(digest: Digest): void {
    if (this.record_ !== null && isSettled(this.stamp, this.openedAt)) this.record_.set(this.path, this.stamp, digest);
  }

  /** For a copy within the system. */
  get descriptor(): number {
    return this.fd;
  }

  close(): void {
    this.fs.closeSync(this.fd);
  }
}

/** @throws LockstepError LOCKSTEP_REPOSITORY_NO_FILE when a link or something special stands there; ENOENT … of the system */
export function openContent(parts: { readonly fs: FileSystem; readonly root: string; readonly record: DigestRecord | null }, path: string, through?: string): NodeContent {
  const { fs } = parts;
  const place = Places.at(parts.root, path);
  let fd: number;
  try {
    fd = fs.openSync(through ?? place, FLAGS);
  } catch (error) {
    if (codeOf(error) === 'ELOOP' || codeOf(error) === 'ENXIO') throw noFile(path);
    throw error;
  }
  const stats = fs.fstatSync(fd);
  if (!stats.isFile()) {
    fs.closeSync(fd);
    throw noFile(path);
  }
  return new NodeContent(fs, fd, path, place, stampOf(stats), carriedMode(stats.mode), fs.now(), parts.record);
}

function noFile(path: string): LockstepError {
  return new LockstepError('LOCKSTEP_REPOSITORY_NO_FILE', `${shown(path)} is no file any more`, 'Nothing needs to be done: the next look at the repository sees what it is.');
}
