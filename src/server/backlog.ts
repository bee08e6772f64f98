import type { Position } from '../core/identity.js';

/** How many bytes were appended (or taken in) and are not admitted yet, in steps: exact enough for a limit, cheap for each record. */
export class Backlog {
  private total = 0;
  private admitted = 0;
  private marks: { position: Position; total: number }[] = [];

  constructor(private readonly stepBytes: number) {}

  get bytes(): number {
    return this.total - this.admitted;
  }

  add(position: Position, bytes: number): void {
    this.total += bytes;
    const last = this.marks[this.marks.length - 1];
    if (last === undefined || this.total - (this.marks[this.marks.length - 2]?.total ?? this.admitted) > this.stepBytes) this.marks.push({ position, total: this.total });
    else {
      last.position = position;
      last.total = this.total;
    }
  }

  admit(position: Position): void {
    let count = 0;
    for (const mark of this.marks) {
      if (mark.position > position) break;
      this.admitted = mark.total;
      count += 1;
    }
    if (count > 0) this.marks.splice(0, count);
  }

  clear(): void {
    this.total = 0;
    this.admitted = 0;
    this.marks = [];
  }
}
