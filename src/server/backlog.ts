import type { Position } from '../core/identity.js';

/** What an effect counts while it is held, or a delivery that only went into a queue: a record may have as many as there are subscribers. */
export const EFFECT_BYTES = 64;
/** What an effect takes of the heap while it is held. */
export const EFFECT_HEAP_BYTES = 100;
/** What a level of a topic or filter counts that was looked at: the peer takes as long over it, and must come after before more is taken. */
export const LOOK_BYTES = 8;
/** What a delivery counts that is dropped with its session; a subscription counts as some twenty of them. */
export const REMOVED_BYTES = 8;

/** How many bytes were appended (or taken in) and are not done with, in steps: exact enough for a limit, cheap for each record. */
export class Backlog {
  private total = 0;
  private done = 0;
  private marks: { position: Position; total: number }[] = [];
  private readonly stepBytes: number;
  private viewed: ArrayBufferLike | null = null;

  constructor(private readonly bytesMax: number) {
    this.stepBytes = Math.min(64 * 1024, bytesMax / 16);
  }

  get bytes(): number {
    return this.total - this.done;
  }

  /** More waits than so many times the limit. */
  exceeds(times: number): boolean {
    return this.bytes > times * this.bytesMax;
  }

  add(position: Position, bytes: number): void {
    this.total += bytes;
    const last = this.marks[this.marks.length - 1];
    if (last === undefined || this.total - (this.marks[this.marks.length - 2]?.total ?? this.done) > this.stepBytes) this.marks.push({ position, total: this.total });
    else {
      last.position = position;
      last.total = this.total;
    }
  }

  /** What a view that is kept weighs: all the bytes that it came in, which may be many times its own, but once for those that follow one another in them. */
  viewBytes({ buffer }: Uint8Array): number {
    if (buffer === this.viewed) return 0;
    this.viewed = buffer;
    return buffer.byteLength;
  }

  /** Up to this position nothing waits any more. */
  release(position: Position): void {
    let count = 0;
    for (const mark of this.marks) {
      if (mark.position > position) break;
      this.done = mark.total;
      count += 1;
    }
    if (count > 0) this.marks.splice(0, count);
    if (this.marks.length === 0) this.viewed = null;
  }

  clear(): void {
    this.total = 0;
    this.done = 0;
    this.marks = [];
    this.viewed = null;
  }
}
