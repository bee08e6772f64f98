import type { Monotonic } from '../../core/identity.js';
import type { Clock } from '../../ports/clock.js';
import { KEEP_ALIVE_PROGRESS_BYTES } from './limits.js';

/** §3.1.2.10: a client may be silent for one and a half times its keep-alive, which is in seconds. */
const SILENCE_MS_PER_SECOND = 1_500;

/** How long a client may be silent, and since when it is. What counts as a sign of life: see `KEEP_ALIVE_PROGRESS_BYTES`. */
export class KeepAlive {
  /** Infinity: for ever, as it is until a CONNECT sets a keep-alive. */
  silenceMs = Infinity;
  private heardAt: Monotonic;
  /** What came since `heardAt`, of a packet that is not whole. */
  private unheardBytes = 0;

  constructor(private readonly clock: Clock) {
    this.heardAt = clock.monotonic();
  }

  /** Of a CONNECT; 0: none. */
  set(seconds: number): void {
    if (seconds > 0) this.silenceMs = seconds * SILENCE_MS_PER_SECOND;
  }

  came(bytes: number): void {
    this.unheardBytes += bytes;
  }

  /** True: so much of a long packet came that it is a sign of life before it is whole. */
  get isProgress(): boolean {
    return this.unheardBytes >= KEEP_ALIVE_PROGRESS_BYTES;
  }

  hear(): void {
    this.heardAt = this.clock.monotonic();
    this.unheardBytes = 0;
  }

  /** Up to now the silence is none of the client's: it was not read from. */
  excuse(now: Monotonic): void {
    this.heardAt = now;
  }

  isOver(now: Monotonic): boolean {
    return now - this.heardAt > this.silenceMs;
  }
}
