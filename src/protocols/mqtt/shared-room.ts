/** Room for what is held of many connections; they share it, and each has a small part beside it for itself. */
export class SharedRoom {
  private taken = 0;

  constructor(
    private readonly bytesMax: number,
    private readonly freeBytes: number,
  ) {}

  /** A connection of which nothing is held. */
  enter(): Share {
    let held = 0;
    const over = (bytes: number): number => Math.max(0, bytes - this.freeBytes);
    const hold = (bytes: number): boolean => {
      const more = over(bytes) - over(held);
      if (more > 0 && this.taken + more > this.bytesMax) return false;
      this.taken += more;
      held = bytes;
      return true;
    };
    return {
      bytesMax: this.bytesMax,
      hold,
      bring: (count) => hold(held + count),
      leave: () => hold(0),
    };
  }
}

export interface Share {
  /** The size of the room that all share. */
  readonly bytesMax: number;
  /** So many bytes are held now, all in all. False: they have no room, and nothing has changed. Fewer than before always have. */
  hold(bytes: number): boolean;
  /** As `hold`, of so many more. */
  bring(count: number): boolean;
  /** Nothing is held of it any more, or not as one of these. */
  leave(): void;
}
