/**
 * So many entries a Map surely takes. V8's holds 2^24, among them those that were deleted for as long as these are fewer than half: from 2^23 that are there
 * on, a further one can throw a RangeError. Below this number none does.
 */
export const MAP_ENTRIES_MAX = 8_000_000;

/** Smaller than a Map may be: one that grows is copied at each doubling, in one turn. */
const PART_ENTRIES = 1_048_576;

/**
 * A Map of any size: a row of Maps of bounded size. Iterated in the order in which the keys were set first, as a Map is; it must not be changed meanwhile.
 *
 * Invariants
 * - A key is in one part at most. The parts stand in the order of their entries; only the last one takes new keys.
 * - Two neighbours have more than a quarter of a full part together: there are never many parts for what they hold, so that looking for a key stays cheap.
 */
export class BigMap<K, V> {
  private readonly parts: Map<K, V>[] = [];
  private last = new Map<K, V>();
  private count = 0;
  private readonly partMax: number;

  /** @param mapMax what one Map takes; another than the usual for tests */
  constructor(mapMax: number = MAP_ENTRIES_MAX) {
    this.partMax = Math.min(mapMax, PART_ENTRIES);
    this.parts.push(this.last);
  }

  get size(): number {
    return this.count;
  }

  get(key: K): V | undefined {
    return this.parts.length === 1 ? this.last.get(key) : this.partOf(key)?.get(key);
  }

  has(key: K): boolean {
    return this.partOf(key) !== undefined;
  }

  set(key: K, value: V): void {
    const part = this.partOf(key);
    if (part !== undefined) {
      part.set(key, value);
      return;
    }
    if (this.last.size >= this.partMax) this.parts.push((this.last = new Map()));
    this.last.set(key, value);
    this.count += 1;
  }

  delete(key: K): boolean {
    const part = this.partOf(key);
    if (part === undefined) return false;
    part.delete(key);
    this.count -= 1;
    if (this.parts.length > 1) this.join(this.parts.indexOf(part));
    return true;
  }

  *entries(): Generator<[K, V]> {
    for (const part of this.parts) yield* part;
  }

  *values(): Generator<V> {
    for (const part of this.parts) yield* part.values();
  }

  [Symbol.iterator](): Generator<[K, V]> {
    return this.entries();
  }

  private partOf(key: K): Map<K, V> | undefined {
    if (this.parts.length === 1) return this.last.has(key) ? this.last : undefined;
    return this.parts.find((part) => part.has(key));
  }

  /** Makes one of this part and its neighbours, where they are few. Each part but the last was full once, so this comes after many deletions. */
  private join(at: number): void {
    const from = this.areFew(at - 1) ? at - 1 : at;
    const part = this.parts[from];
    while (part !== undefined && this.areFew(from)) {
      const [behind] = this.parts.splice(from + 1, 1);
      for (const [key, value] of behind ?? []) part.set(key, value);
    }
    this.last = this.parts.at(-1) ?? this.last;
  }

  /** Of a part and the one behind it. */
  private areFew(at: number): boolean {
    const part = this.parts[at];
    const behind = this.parts[at + 1];
    return part !== undefined && behind !== undefined && part.size + behind.size <= this.partMax / 4;
  }
}
