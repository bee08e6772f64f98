/** What a disk writes whole or not at all. */
export const SECTOR_BYTES = 512;

type Sector = Uint8Array;
const BLANK: Sector = new Uint8Array(SECTOR_BYTES);

/** What a sync that began at some moment will have made durable. */
export interface SyncMark {
  /** Grows with every sync that begins. */
  readonly order: number;
  readonly size: number;
  /** `versions`: how often the sector had ever been written by then. */
  readonly sectors: ReadonlyMap<number, { readonly content: Sector; readonly versions: number }>;
}

/**
 * The content of one file: as the system shows it, and as the disk holds it. Sectors are never changed in place, so both may
 * share them; sectors of zeros take no memory.
 */
export class Inode {
  size = 0;
  private durableSize = 0;
  private readonly current = new Map<number, Sector>();
  private readonly durable = new Map<number, Sector>();
  /** For each sector written since its last sync: every content that it had meanwhile. */
  private dirty = new Map<number, Sector[]>();
  /** How often each sector was ever written, and how many of these writes a sync has taken along. */
  private readonly written = new Map<number, number>();
  private readonly taken = new Map<number, number>();
  /** Sectors that the system has let go of, as a sync of theirs failed, and that nobody has written since: it shows them, and the disk does not hold them. */
  private readonly forgotten = new Set<number>();
  private syncsBegun = 0;
  /** The order of the sync that the durable size is of. */
  private sizedBy = 0;

  get isSynced(): boolean {
    return this.dirty.size === 0 && this.durableSize === this.size;
  }

  read(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
    for (let at = 0; at < bytes.length; ) {
      const sector = Math.floor((offset + at) / SECTOR_BYTES);
      const from = (offset + at) % SECTOR_BYTES;
      const count = Math.min(SECTOR_BYTES - from, bytes.length - at);
      const content = this.current.get(sector);
      if (content !== undefined) bytes.set(content.subarray(from, from + count), at);
      at += count;
    }
    return bytes;
  }

  write(offset: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const sector = Math.floor((offset + at) / SECTOR_BYTES);
      const from = (offset + at) % SECTOR_BYTES;
      const count = Math.min(SECTOR_BYTES - from, bytes.length - at);
      const content = (this.current.get(sector) ?? BLANK).slice();
      content.set(bytes.subarray(at, at + count), from);
      this.change(sector, content);
      at += count;
    }
    this.size = Math.max(this.size, offset + bytes.length);
  }

  truncate(length: number): void {
    for (const sector of [...this.current.keys()]) {
      const keep = Math.max(0, Math.min(SECTOR_BYTES, length - sector * SECTOR_BYTES));
      if (keep === SECTOR_BYTES) continue;
      const content = (this.current.get(sector) ?? BLANK).slice();
      content.fill(0, keep);
      this.change(sector, content);
    }
    this.size = length;
  }

  /** @param from first byte that it shall make durable; @param to behind the last one */
  beginSync(from = 0, to = Infinity): SyncMark {
    const sectors = new Map<number, { content: Sector; versions: number }>();
    for (const [sector, versions] of this.dirty) {
      if ((sector + 1) * SECTOR_BYTES <= from || sector * SECTOR_BYTES >= to) continue;
      sectors.set(sector, { content: versions[versions.length - 1] ?? BLANK, versions: this.written.get(sector) ?? 0 });
    }
    this.syncsBegun += 1;
    return { order: this.syncsBegun, size: this.size, sectors };
  }

  /** What another one has made durable that began later and ended sooner stays. */
  endSync(mark: SyncMark): void {
    for (const [sector, { content, versions }] of mark.sectors) {
      if (versions <= (this.taken.get(sector) ?? 0)) continue;
      this.durable.set(sector, content);
      this.taken.set(sector, versions);
      const since = (this.written.get(sector) ?? 0) - versions;
      const left = since === 0 ? [] : (this.dirty.get(sector) ?? []).slice(-since);
      if (left.length > 0) this.dirty.set(sector, left);
      else this.dirty.delete(sector);
    }
    if (mark.order < this.sizedBy) return;
    this.durableSize = mark.size;
    this.sizedBy = mark.order;
  }

  /** A sync failed: the system goes on to show what was written, and has forgotten that the disk does not hold it. */
  failSync(): void {
    for (const sector of this.dirty.keys()) this.forgotten.add(sector);
    this.dirty = new Map();
  }

  /** Whether of the whole sectors before `end` something is shown that the disk does not hold, and that no sync will bring there any more. */
  hasForgotten(end: number): boolean {
    return [...this.forgotten].some((sector) => (sector + 1) * SECTOR_BYTES <= end);
  }

  syncNow(): void {
    this.endSync(this.beginSync());
  }

  /** Power is lost: each sector written since its last sync has one of its contents, whatever the others have. */
  losePower(random: () => number): void {
    const size = this.durableSize === this.size || random() < 0.4 ? this.durableSize : random() < 0.7 ? this.size : between(this.durableSize, this.size, random());
    for (const [sector, versions] of this.dirty) {
      const choice = Math.floor(random() * (versions.length + 1));
      if (choice > 0) this.durable.set(sector, versions[choice - 1] ?? BLANK);
    }
    this.dirty = new Map();
    this.forgotten.clear();
    this.current.clear();
    for (const [sector, content] of this.durable) this.current.set(sector, content);
    this.truncate(size);
    this.size = size;
    this.syncNow();
  }

  /** A bit turns while the data lies there; the system's cache is cold, so it is seen at once. Of what only the cache has, it turns there, and goes to the disk so. */
  flip(offset: number, bit: number): void {
    const sector = Math.floor(offset / SECTOR_BYTES);
    const turned = (before: Sector = BLANK): Sector => {
      const content = before.slice();
      content[offset % SECTOR_BYTES] = (content[offset % SECTOR_BYTES] ?? 0) ^ (1 << bit);
      return content;
    };
    for (const contents of [this.current, this.durable]) contents.set(sector, turned(contents.get(sector)));
    const versions = this.dirty.get(sector);
    if (versions !== undefined) this.dirty.set(sector, versions.map((one) => turned(one)));
  }

  private change(sector: number, content: Sector): void {
    const kept = isBlank(content) ? BLANK : content;
    this.current.set(sector, kept);
    this.forgotten.delete(sector);
    this.written.set(sector, (this.written.get(sector) ?? 0) + 1);
    const versions = this.dirty.get(sector);
    if (versions === undefined) this.dirty.set(sector, [kept]);
    else versions.push(kept);
  }
}

function isBlank(content: Sector): boolean {
  for (let i = 0; i < content.length; i += 1) if (content[i] !== 0) return false;
  return true;
}

function between(one: number, other: number, fraction: number): number {
  return Math.floor(Math.min(one, other) + Math.abs(one - other) * fraction);
}
