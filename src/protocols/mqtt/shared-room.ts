/** Room for what is held of many connections; they share it, and each has a small part beside it for itself. */
export class SharedRoom {
  private taken = 0;
  /** Who wants more than there is, in the order in which they came. Nobody passes them. */
  private readonly waiting = new Set<Waiter>();

  constructor(
    private readonly bytesMax: number,
    private readonly freeBytes: number,
  ) {}

  /** A connection of which nothing is held. */
  enter(): Share {
    let held = 0;
    let waiter: Waiter | null = null;
    const shared = (bytes: number): number => Math.max(0, bytes - this.freeBytes);
    const more = (bytes: number): number => shared(bytes) - shared(held);
    const take = (bytes: number): void => {
      this.taken += more(bytes);
      held = bytes;
    };
    const hold = (bytes: number): boolean => {
      const [wasWaiting, before] = [waiter !== null && this.waiting.delete(waiter), this.taken];
      waiter = null;
      const fits = more(bytes) <= 0 || this.taken + more(bytes) <= this.bytesMax;
      if (fits) take(bytes);
      if (wasWaiting || this.taken < before) this.grant();
      return fits;
    };
    return {
      bytesMax: this.bytesMax,
      hold,
      bring: (count) => hold(held + count),
      leave: () => hold(0),
      reserve: (bytes, granted) => {
        if (more(bytes) <= 0 || this.waiting.size === 0) if (hold(bytes)) return 'held';
        if (shared(bytes) > this.bytesMax) return 'never';
        waiter = {
          fits: () => this.taken + more(bytes) <= this.bytesMax,
          granted: () => {
            waiter = null;
            take(bytes);
            granted();
          },
        };
        this.waiting.add(waiter);
        return 'waits';
      },
    };
  }

  /** The first ones that have room now. */
  private grant(): void {
    for (const waiter of this.waiting) {
      if (!waiter.fits()) return;
      this.waiting.delete(waiter);
      waiter.granted();
    }
  }
}

interface Waiter {
  fits(): boolean;
  granted(): void;
}

export interface Share {
  /** The size of the room that all share. */
  readonly bytesMax: number;
  /** So many bytes are held now, all in all. False: they have no room, and nothing has changed. Fewer than before always have. */
  hold(bytes: number): boolean;
  /** As `hold`, of so many more. */
  bring(count: number): boolean;
  /**
   * So many bytes are to be held, all in all, in place of what was. `waits`: until `granted` is called, which is when somebody else gives room back; nothing is held
   * more until then. `never`: the whole room is smaller.
   */
  reserve(bytes: number, granted: () => void): 'held' | 'waits' | 'never';
  /** Nothing is held of it any more, or not as one of these, and nothing is waited for. */
  leave(): void;
}
