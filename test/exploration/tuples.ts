/**
 * Rows of whole numbers, each with a key and what is known about it, numbered from 0 in the order in which they came. A row is found again by
 * its key: open addressing over typed arrays, so that millions of rows cost their numbers and no objects.
 */
export class Tuples {
  size = 0;
  private rows: Uint32Array;
  private slots: Uint32Array;

  /** @param keyWidth numbers that a row is known by @param width numbers in a row, the key first */
  constructor(
    private readonly keyWidth: number,
    private readonly width = keyWidth,
    rowsAtFirst = 1_024,
  ) {
    this.rows = new Uint32Array(rowsAtFirst * width);
    this.slots = new Uint32Array(2 * powerOfTwo(rowsAtFirst));
  }

  /** The number of the row with this key; its other numbers are taken over only when it is new: `size` tells. */
  add(row: ArrayLike<number>): number {
    let slot = this.slotOf(row, 0);
    for (let at = this.slots[slot] ?? 0; at !== 0; at = this.slots[slot] ?? 0) {
      if (this.isSame((at - 1) * this.width, row)) return at - 1;
      slot = (slot + 1) & (this.slots.length - 1);
    }
    const number = this.size;
    if ((number + 1) * this.width > this.rows.length) this.growRows();
    const start = number * this.width;
    for (let i = 0; i < this.width; i += 1) this.rows[start + i] = row[i] ?? 0;
    this.slots[slot] = number + 1;
    this.size += 1;
    if (2 * this.size > this.slots.length) this.growSlots();
    return number;
  }

  at(number: number, column: number): number {
    return this.rows[number * this.width + column] ?? 0;
  }

  set(number: number, column: number, value: number): void {
    this.rows[number * this.width + column] = value;
  }

  get bytes(): number {
    return this.rows.byteLength + this.slots.byteLength;
  }

  private isSame(start: number, row: ArrayLike<number>): boolean {
    for (let i = 0; i < this.keyWidth; i += 1) if (this.rows[start + i] !== row[i]) return false;
    return true;
  }

  private slotOf(row: ArrayLike<number>, start: number): number {
    let hash = 0x811c9dc5;
    for (let i = 0; i < this.keyWidth; i += 1) {
      hash = Math.imul(hash ^ (row[start + i] ?? 0), 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash, 0x85ebca6b);
    return (hash ^ (hash >>> 13)) & (this.slots.length - 1);
  }

  private growRows(): void {
    const grown = new Uint32Array(this.rows.length * 2);
    grown.set(this.rows);
    this.rows = grown;
  }

  private growSlots(): void {
    this.slots = new Uint32Array(this.slots.length * 2);
    for (let number = 0; number < this.size; number += 1) {
      let slot = this.slotOf(this.rows, number * this.width);
      while (this.slots[slot] !== 0) slot = (slot + 1) & (this.slots.length - 1);
      this.slots[slot] = number + 1;
    }
  }
}

function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(atLeast));
}
