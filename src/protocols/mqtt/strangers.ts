import { STRANGER_BYTES_FREE } from './limits.js';

/** The room for what clients bring before they are let in; all connections of the process share it. */
export class Strangers {
  private taken = 0;

  constructor(private readonly bytesMax: number) {}

  /** A connection on which nothing has come. */
  enter(): Stranger {
    let bytes = 0;
    const over = (count: number): number => Math.max(0, count - STRANGER_BYTES_FREE);
    return {
      bring: (count) => {
        const more = over(bytes + count) - over(bytes);
        if (more > 0 && this.taken + more > this.bytesMax) return false;
        this.taken += more;
        bytes += count;
        return true;
      },
      leave: () => {
        this.taken -= over(bytes);
        bytes = 0;
      },
    };
  }
}

export interface Stranger {
  /** So many bytes more came. False: there is no room for them. */
  bring(count: number): boolean;
  /** Nothing is held of it any more, or it is let in. */
  leave(): void;
}
