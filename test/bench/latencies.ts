/** How long something took, many times. Milliseconds. */
export interface Spread {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Collects durations without an object for each. */
export class Latencies {
  private values = new Float64Array(4096);
  private count = 0;

  add(milliseconds: number): void {
    if (this.count === this.values.length) {
      const grown = new Float64Array(this.values.length * 2);
      grown.set(this.values);
      this.values = grown;
    }
    this.values[this.count++] = milliseconds;
  }

  addAll(other: Latencies): void {
    for (let at = 0; at < other.count; at++) this.add(other.values[at] as number);
  }

  /** All zero when nothing was added. Percentiles are the nearest value at or above the rank. */
  spread(): Spread {
    const sorted = this.values.slice(0, this.count).sort();
    const at = (share: number): number => round(sorted[Math.min(this.count - 1, Math.ceil(share * this.count) - 1)] ?? 0);
    return { count: this.count, p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) };
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return 0;
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

export function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
