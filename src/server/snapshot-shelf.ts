import type { Checksum, LogPoint } from '../core/journal/envelope.js';
import type { Position } from '../core/identity.js';
import type { Disk, DiskFile } from '../ports/disk.js';
import type { Log } from '../ports/log.js';
import { codeOf, describe, sync } from './disk-io.js';
import { isPassing } from './journal/files.js';
import { unreadable } from './journal/troubles.js';
import { PayloadIndex } from './payload-index.js';
import { damaged, readSnapshotHead, scanSnapshot, type PayloadPlace, type SnapshotHead } from './snapshot-file.js';

/*
 * The snapshots on this server's disk.
 *
 * Invariants
 * - A file under a snapshot's name was written and synced whole before it got that name, and that name is durable.
 * - The two newest are kept; one that is being sent to the follower is kept as long as that takes.
 * - A damaged one, or one that the disk does not give any more, is given to nobody, and builds no state. Its file stays for the payloads in it that are whole, until a newer snapshot is there.
 * - Who reads payloads from a snapshot knows its index: `PayloadIndex`, made when the file is written or scanned. One that was found at start, and on which
 *   no state was built, is scanned when a payload is asked for that a newer one does not give; one at a time.
 * - A payload is what it was when the index was made, or it is not given at all.
 */
export const SNAPSHOT_FOLDER = 'snapshots';
export const SNAPSHOT_SUFFIX = '.snap';
/** Behind the name of one that could not be made durable. */
export const UNSYNCED_SUFFIX = '.unsynced';
const KEPT = 2;
/** Pieces of snapshots kept in memory: the payloads of a queue stand one behind the other, and are asked for one by one. */
const PIECES_KEPT = 4;
const PIECE_BYTES = 256 * 1024;

export interface ShelvedSnapshot {
  readonly path: string;
  readonly head: SnapshotHead;
  readonly bytes: number;
}

export function snapshotPath(position: Position): string {
  return `${SNAPSHOT_FOLDER}/${String(position).padStart(16, '0')}${SNAPSHOT_SUFFIX}`;
}

export class SnapshotShelf {
  /** Oldest first. */
  private snapshots: ShelvedSnapshot[] = [];
  private readonly damagedPaths = new Set<string>();
  /** Under a snapshot's name, perhaps not whole on the disk, and used by nobody: good ones until their sync failed, and such as did not come to be used. */
  private readonly unsynced = new Set<string>();
  private readonly aside = new Set<string>();
  /** A good one could not be made durable. */
  hasLost = false;
  private readonly pins = new Map<string, number>();
  private readonly indexes = new Map<string, PayloadIndex>();
  /** Scans for an index, one after the other. */
  private scans: Promise<unknown> = Promise.resolve();
  /** By path and number of the piece; the longest known first. */
  private readonly pieces = new Map<string, Promise<Uint8Array>>();

  private constructor(
    private readonly disk: Disk,
    private readonly checksum: Checksum,
    private readonly cluster: string,
    private readonly log: Log,
  ) {}

  /** Looks through the folder. What is no snapshot of this cluster is left alone and said; unfinished files are removed. `settled`: as `settleComing`. */
  static async open(disk: Disk, checksum: Checksum, cluster: string, log: Log, settled = (names: string[]): Promise<string[]> => Promise.resolve(names)): Promise<SnapshotShelf> {
    const shelf = new SnapshotShelf(disk, checksum, cluster, log);
    await disk.makeFolder(SNAPSHOT_FOLDER);
    // The log is shortened on the strength of what stands here: also of one that a killed process named, and did not come to make durable.
    await disk.syncFolder(SNAPSHOT_FOLDER);
    for (const name of (await settled(await disk.list(SNAPSHOT_FOLDER))).sort()) {
      const path = `${SNAPSHOT_FOLDER}/${name}`;
      if (name.endsWith('.tmp')) await disk.remove(path);
      else if (name.endsWith(UNSYNCED_SUFFIX)) shelf.aside.add(path);
      else if (name.endsWith(SNAPSHOT_SUFFIX)) await shelf.look(path);
    }
    return shelf;
  }

  /** Damaged ones too. */
  get all(): readonly ShelvedSnapshot[] {
    return this.snapshots;
  }

  /** Those that are not known to be damaged, oldest first. */
  get good(): readonly ShelvedSnapshot[] {
    return this.snapshots.filter((one) => !this.damagedPaths.has(one.path));
  }

  get newest(): ShelvedSnapshot | null {
    return this.good.at(-1) ?? null;
  }

  get oldest(): ShelvedSnapshot | null {
    return this.good[0] ?? null;
  }

  /** A damaged one is newer than all that are good. */
  get needsNew(): boolean {
    return this.snapshots.at(-1) !== this.good.at(-1);
  }

  /** A new file stands under this name, and the name is not durable yet. Until it is added nothing rests on it; what stood there before is gone. */
  named(path: string): void {
    this.forget(path);
    this.unsynced.add(path);
  }

  /** A snapshot that was just written, or read from its first byte to its last, and stands under its name durably. */
  add(snapshot: ShelvedSnapshot, index: PayloadIndex): void {
    const { path } = snapshot;
    this.named(path);
    this.unsynced.delete(path);
    this.put(snapshot);
    this.indexes.set(path, index);
  }

  /** Whether the payload stands in each of the snapshots that are kept, as far as is known, and these are two at least. */
  hasTwice(id: Position): boolean {
    const { good } = this;
    return good.length >= KEPT && good.every(({ path }) => (this.indexes.get(path)?.find(id) ?? null) !== null);
  }

  setIndex(path: string, index: PayloadIndex): void {
    this.indexes.set(path, index);
  }

  get hasDamaged(): boolean {
    return this.damagedPaths.size > 0;
  }

  /** Uses one no more but for its payloads. Not one in whose place another file was put since. */
  condemn(snapshot: ShelvedSnapshot, error: unknown): void {
    if (!this.snapshots.includes(snapshot) || this.damagedPaths.has(snapshot.path)) return;
    this.damagedPaths.add(snapshot.path);
    this.log.write('error', `Snapshot ${this.disk.place(snapshot.path)} cannot be used: ${describe(error)}`, { code: codeOf(error) });
  }

  /**
   * Syncs all that stand in the folder. A good one that cannot be synced is put aside: what the system shows of it may be gone with the power, and a second try can succeed without having
   * done anything; so is one that got its name and did not come to be used. Rejects with what passes by itself, and as long as such a one cannot be put aside.
   */
  async settle(): Promise<void> {
    // Another snapshot may get that name meanwhile.
    for (const path of [...this.unsynced]) if (this.unsynced.has(path)) await this.putAside(path);
    for (const name of (await this.disk.list(SNAPSHOT_FOLDER)).sort()) {
      const path = `${SNAPSHOT_FOLDER}/${name}`;
      if (!name.endsWith(SNAPSHOT_SUFFIX)) continue;
      const snapshot = this.good.find((one) => one.path === path);
      // Nothing rests on it.
      if (snapshot === undefined) await this.syncFound(path).catch(() => null);
      else await this.prove(snapshot);
    }
  }

  private async prove(snapshot: ShelvedSnapshot): Promise<void> {
    const { path } = snapshot;
    let failure: string | null;
    try {
      failure = await this.syncFound(path);
    } catch (error) {
      if (isPassing(error)) throw error;
      failure = describe(error);
    }
    if (failure === null) return;
    this.log.write('error', notDurable(this.disk.place(path), failure));
    this.hasLost = true;
    this.unsynced.add(path);
    this.forget(path);
    await this.putAside(path);
  }

  /** It stands there for whoever wants to look at it, until a newer snapshot is there; no process takes it for a good one. */
  private async putAside(path: string): Promise<void> {
    await this.disk.rename(path, path + UNSYNCED_SUFFIX).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw error;
    });
    await this.disk.syncFolder(SNAPSHOT_FOLDER);
    this.aside.add(path + UNSYNCED_SUFFIX);
    this.unsynced.delete(path);
  }

  /** Of a snapshot that came by the link, before it stands for the log. @throws Error when it is not durable (rejects) */
  async demandDurable(path: string): Promise<void> {
    const failure = await this.syncFound(path);
    if (failure !== null) throw new Error(`the snapshot could not be made durable: ${failure}`);
  }

  /** @returns why it is not durable, whatever the failure of the sync says: a second try can succeed without having done anything */
  private async syncFound(path: string): Promise<string | null> {
    const file = await this.disk.open(path, 'write');
    try {
      await sync(file);
      return null;
    } catch (error) {
      return describe(error);
    } finally {
      await file.close();
    }
  }

  /** Removes one that speaks of another log, or is not needed. */
  async discard(snapshot: ShelvedSnapshot): Promise<void> {
    this.forget(snapshot.path);
    await this.removeQuietly(snapshot.path);
  }

  private put(snapshot: ShelvedSnapshot): void {
    this.snapshots.push(snapshot);
    this.snapshots.sort((a, b) => a.head.point.position - b.head.point.position);
  }

  /** Whatever stands under this name is not of this shelf any more. */
  forget(path: string): void {
    this.snapshots = this.snapshots.filter((one) => one.path !== path);
    this.damagedPaths.delete(path);
    this.indexes.delete(path);
    this.forgetPieces(path);
  }

  /** Removes all but `keep`. */
  async keepOnly(keep: string | null): Promise<void> {
    for (const snapshot of this.snapshots.filter((one) => one.path !== keep)) await this.discard(snapshot);
  }

  /** Removes what is older than the two newest good ones, and damaged ones that a newer good one stands for, unless it is in use. */
  async prune(): Promise<void> {
    const kept = this.good.slice(-KEPT);
    const position = kept.at(-1)?.head.point.position ?? 0;
    const surplus = this.snapshots.filter((one) => !kept.includes(one) && one.head.point.position < position);
    for (const snapshot of surplus) if (!this.pins.has(snapshot.path)) await this.discard(snapshot);
    for (const path of this.aside) await this.removeQuietly(path);
    this.aside.clear();
  }

  /** Keeps a snapshot from being removed until the answer is called. */
  pin(path: string): () => void {
    this.pins.set(path, (this.pins.get(path) ?? 0) + 1);
    let pinned = true;
    return () => {
      if (!pinned) return;
      pinned = false;
      const left = (this.pins.get(path) ?? 1) - 1;
      if (left === 0) this.pins.delete(path);
      else this.pins.set(path, left);
    };
  }

  /**
   * The payload of a message that a snapshot holds; the newest first. A snapshot in which it has changed, or cannot be read, counts as damaged from then
   * on, and the next one is asked. `null` when none has it as it was.
   */
  async payload(id: Position): Promise<Uint8Array | null> {
    for (const snapshot of [...this.snapshots].reverse()) {
      const place = (this.indexes.get(snapshot.path) ?? (await this.indexFor(id, snapshot)))?.find(id) ?? null;
      if (place === null) continue;
      try {
        return await this.readPlace(snapshot.path, place);
      } catch (error) {
        if (!isUnusable(error)) throw error;
        this.condemn(snapshot, error);
      }
    }
    return null;
  }

  /** `null` for one that is damaged and was never scanned. Of one that is found damaged now, the payloads before the damage. */
  private async indexFor(id: Position, snapshot: ShelvedSnapshot): Promise<PayloadIndex | null> {
    // No message in a snapshot is younger than its point.
    if (id > snapshot.head.point.position || this.damagedPaths.has(snapshot.path)) return null;
    const scanned = this.scans.then(async () => {
      if (!this.indexes.has(snapshot.path) && this.snapshots.includes(snapshot)) await this.scan(snapshot);
    });
    this.scans = scanned.catch(() => undefined);
    await scanned;
    return this.indexes.get(snapshot.path) ?? null;
  }

  private async scan(snapshot: ShelvedSnapshot): Promise<void> {
    const { path } = snapshot;
    const index = new PayloadIndex();
    const unpin = this.pin(path);
    let file: DiskFile | null = null;
    try {
      file = await this.disk.open(path, 'read');
      await scanSnapshot(file, this.disk.place(path), this.checksum, {
        head: () => undefined,
        entry: (_, message) => message !== null && index.add(message.id, message),
        // Each piece is awaited from the disk: the others get their turn.
        pause: () => Promise.resolve(),
      });
    } catch (error) {
      if (!isUnusable(error)) throw error;
      this.condemn(snapshot, error);
    } finally {
      unpin();
      if (file !== null) await file.close();
    }
    // Another file may have got that name meanwhile.
    if (this.snapshots.includes(snapshot) && !this.indexes.has(path)) this.indexes.set(path, index);
  }

  private async readPlace(path: string, { offset, length, sum }: PayloadPlace): Promise<Uint8Array> {
    if (length === 0) return new Uint8Array(0);
    const number = Math.floor(offset / PIECE_BYTES);
    const from = offset - number * PIECE_BYTES;
    // What does not lie in one piece is read by itself.
    const whole = from + length > PIECE_BYTES;
    const bytes = whole ? await this.fetch(path, offset, length) : (await this.piece(path, number)).subarray(from, from + length);
    if (bytes.length !== length) throw damaged(this.disk.place(path), offset, 'it ends within a payload');
    if (this.checksum(bytes, 0) >>> 0 !== sum) throw damaged(this.disk.place(path), offset, 'a payload with a wrong checksum');
    // A copy: the view would keep its piece in memory.
    return whole ? bytes : bytes.slice();
  }

  private piece(path: string, number: number): Promise<Uint8Array> {
    const key = `${path}:${number}`;
    const known = this.pieces.get(key);
    if (known !== undefined) return known;
    const fetched = this.fetch(path, number * PIECE_BYTES, PIECE_BYTES);
    this.pieces.set(key, fetched);
    fetched.catch(() => this.pieces.delete(key));
    const longest = this.pieces.keys().next().value;
    if (this.pieces.size > PIECES_KEPT && longest !== undefined) this.pieces.delete(longest);
    return fetched;
  }

  /** Another file may get that name. */
  private forgetPieces(path: string): void {
    for (const key of [...this.pieces.keys()]) if (key.startsWith(`${path}:`)) this.pieces.delete(key);
  }

  /** As many bytes as there are, `length` at most. */
  private async fetch(path: string, offset: number, length: number): Promise<Uint8Array> {
    const unpin = this.pin(path);
    let file: DiskFile | null = null;
    try {
      file = await this.disk.open(path, 'read');
      return await file.read(offset, length);
    } finally {
      unpin();
      if (file !== null) await file.close();
    }
  }

  /** At one that was found: perhaps never synced, by a profile that went without until now, or by somebody who copied the folder here. */
  private async look(path: string): Promise<void> {
    let file: DiskFile | null = null;
    try {
      file = await this.disk.open(path, 'read');
      const head = await readSnapshotHead(file, this.disk.place(path), this.checksum);
      if (head.cluster !== this.cluster) {
        this.log.write('warn', `Snapshot ${this.disk.place(path)} belongs to cluster "${head.cluster}" and is left alone`);
        return;
      }
      if (!(await this.isDurable(path))) return;
      this.put({ path, head, bytes: await file.size() });
    } catch (error) {
      if (isPassing(error)) throw unreadable(this.disk.place(path), error);
      this.log.write('warn', `Snapshot ${this.disk.place(path)} cannot be used: ${describe(error)}`);
      // Another process may be able to read it, and shall not find half of it.
      await this.isDurable(path).catch((failure: unknown) => {
        if (isPassing(failure)) throw unreadable(this.disk.place(path), failure);
      });
    } finally {
      if (file !== null) await file.close();
    }
  }

  private async isDurable(path: string): Promise<boolean> {
    const failure = await this.syncFound(path);
    if (failure === null) return true;
    this.log.write('error', notDurable(this.disk.place(path), failure));
    await this.putAside(path).catch((error: unknown) => this.log.write('error', `Snapshot ${this.disk.place(path)} cannot be put aside: ${describe(error)}`));
    return false;
  }

  private async removeQuietly(path: string): Promise<void> {
    try {
      await this.disk.remove(path);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') this.log.write('warn', `Snapshot ${this.disk.place(path)} cannot be removed: ${describe(error)}`);
    }
  }
}

/** A snapshot that is not what it was, or that the disk does not give: but for a passing want of the host's, it is gone either way. */
export function isUnusable(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'LOCKSTEP_SNAPSHOT_DAMAGED' || (/^E[A-Z0-9]+$/.test(code) && !isPassing(error));
}

/** Whether a snapshot speaks of the log that has `point`. */
export function samePoint(one: LogPoint, other: LogPoint | null): boolean {
  return other !== null && one.position === other.position && one.chain === other.chain && one.term === other.term;
}

function notDurable(place: string, why: string): string {
  return `Snapshot ${place} could not be made durable, and is put aside: ${why}`;
}
