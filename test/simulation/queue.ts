/** What an event must have to be ordered: virtual time in milliseconds, and the order of scheduling among equals. */
export interface Ordered {
  readonly at: number;
  readonly sequence: number;
}

function before(a: Ordered, b: Ordered): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence);
}

/** A binary heap by (time, sequence). */
export class EventQueue<Item extends Ordered> {
  private readonly heap: Item[] = [];

  get size(): number {
    return this.heap.length;
  }

  peek(): Item | undefined {
    return this.heap[0];
  }

  push(item: Item): void {
    const heap = this.heap;
    let at = heap.length;
    heap.push(item);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as Item;
      if (!before(item, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = item;
  }

  pop(): Item | undefined {
    const heap = this.heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      let child = heap[below] as Item;
      const right = heap[below + 1];
      if (right !== undefined && before(right, child)) {
        child = right;
        below += 1;
      }
      if (!before(child, last)) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = last;
    return first;
  }
}
