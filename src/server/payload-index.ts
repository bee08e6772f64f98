import type { Position } from '../core/identity.js';
import type { PayloadPlace } from './snapshot-file.js';

/** Where each payload stands in one snapshot, and its checksum, sorted by the ids: 28 bytes a message. */
export class PayloadIndex {
  private ids = new Float64Array(1024);
  private offsets = new Float64Array(1024);
  private lengths = new Float64Array(1024);
  private sums = new Uint32Array(1024);
  private count = 0;
  private sorted = true;

  add(id: Position, place: PayloadPlace): void {
    if (this.count === this.ids.length) this.grow();
    if (this.count > 0 && id < (this.ids[this.count - 1] as number)) this.sorted = false;
    this.ids[this.count] = id;
    this.offsets[this.count] = place.offset;
    this.lengths[this.count] = place.length;
    this.sums[this.count] = place.sum;
    this.count += 1;
  }

  find(id: Position): PayloadPlace | null {
    if (!this.sorted) this.sort();
    let low = 0;
    let high = this.count - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = this.ids[middle] as number;
      if (found === id) return { offset: this.offsets[middle] as number, length: this.lengths[middle] as number, sum: this.sums[middle] as number };
      if (found < id) low = middle + 1;
      else high = middle - 1;
    }
    return null;
  }

  private sort(): void {
    const order = Array.from({ length: this.count }, (_, i) => i).sort((a, b) => (this.ids[a] as number) - (this.ids[b] as number));
    this.ids = Float64Array.from(order, (i) => this.ids[i] as number);
    this.offsets = Float64Array.from(order, (i) => this.offsets[i] as number);
    this.lengths = Float64Array.from(order, (i) => this.lengths[i] as number);
    this.sums = Uint32Array.from(order, (i) => this.sums[i] as number);
    this.sorted = true;
  }

  private grow(): void {
    const wider = (from: Float64Array): Float64Array<ArrayBuffer> => {
      const to = new Float64Array(from.length * 2);
      to.set(from);
      return to;
    };
    this.ids = wider(this.ids);
    this.offsets = wider(this.offsets);
    this.lengths = wider(this.lengths);
    const sums = new Uint32Array(this.sums.length * 2);
    sums.set(this.sums);
    this.sums = sums;
  }
}
