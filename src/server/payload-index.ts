import { BigMap } from '../core/big-map.js';
import type { Position } from '../core/identity.js';
import type { PayloadPlace } from './snapshot-file.js';

/**
 * Where each payload stands in one snapshot, and its checksum: 28 bytes a message. Messages stand there in the order in which they were stored, which is that of their
 * ids, but for those of wills: a will's bears the id of its CONNECT, which is older. Those few are kept apart, so that nothing has ever to be sorted.
 */
export class PayloadIndex {
  private ids = new Float64Array(1024);
  private offsets = new Float64Array(1024);
  private lengths = new Float64Array(1024);
  private sums = new Uint32Array(1024);
  private count = 0;
  /** With an id below one that came before. */
  private readonly strays = new BigMap<Position, PayloadPlace>();

  add(id: Position, place: PayloadPlace): void {
    if (this.count > 0 && id < (this.ids[this.count - 1] as number)) {
      this.strays.set(id, { offset: place.offset, length: place.length, sum: place.sum });
      return;
    }
    if (this.count === this.ids.length) this.grow();
    this.ids[this.count] = id;
    this.offsets[this.count] = place.offset;
    this.lengths[this.count] = place.length;
    this.sums[this.count] = place.sum;
    this.count += 1;
  }

  find(id: Position): PayloadPlace | null {
    let low = 0;
    let high = this.count - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = this.ids[middle] as number;
      if (found === id) return { offset: this.offsets[middle] as number, length: this.lengths[middle] as number, sum: this.sums[middle] as number };
      if (found < id) low = middle + 1;
      else high = middle - 1;
    }
    return this.strays.get(id) ?? null;
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
