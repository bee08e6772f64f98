import type { Monotonic } from '../../core/identity.js';
import type { Clock } from '../../ports/clock.js';
import { KEEP_ALIVE_PROGRESS_BYTES, LONG_PACKET_BYTES_PER_SECOND } from './limits.js';

/** §3.1.2.10: a client may be silent for one and a half times its keep-alive, which is in seconds. */
const SILENCE_MS_PER_SECOND = 1_500;

/** How long a client may be silent, and since when it is. What counts as a sign of life: see `KEEP_ALIVE_PROGRESS_BYTES`; as going on of a packet: see `LONG_PACKET_BYTES_PER_SECOND`. */
export class KeepAlive {
  /** Infinity: for ever, as it is until a CONNECT sets a keep-alive. */
  silenceMs = Infinity;
  private heardAt: Monotonic;
  /** Up to when the packet under way has kept its pace. */
  private pacedAt: Monotonic;
  /** What came since `heardAt`, of a packet that is not whole. */
  private unheardBytes = 0;
  /** Since when the client is not read from. */
  private deafSince: Monotonic | null = null;

  constructor(private readonly clock: Clock) {
    this.heardAt = this.pacedAt = clock.monotonic();
  }

  /** Of a CONNECT; 0: none. */
  set(seconds: number): void {
    if (seconds > 0) this.silenceMs = seconds * SILENCE_MS_PER_SECOND;
  }

  /** `isLong`: they go on with a long packet. */
  came(bytes: number, isLong: boolean): void {
    this.unheardBytes += bytes;
    const now = this.clock.monotonic();
    this.pacedAt = isLong ? (Math.min(now, this.pacedAt + (bytes * 1_000) / LONG_PACKET_BYTES_PER_SECOND) as Monotonic) : now;
  }

  /** A packet was whole: the next one has its whole time. */
  begin(): void {
    this.pacedAt = this.clock.monotonic();
  }

  /** True: so much of a long packet came that it is a sign of life before it is whole. */
  get isProgress(): boolean {
    return this.unheardBytes >= KEEP_ALIVE_PROGRESS_BYTES;
  }

  hear(): void {
    this.heardAt = this.clock.monotonic();
    this.unheardBytes = 0;
  }

  /** The client is not read from: from now on its silence is ours. */
  pause(): void {
    this.deafSince ??= this.clock.monotonic();
  }

  /** It is read from again, and has been silent for as long as it had been before the pause. */
  resume(): void {
    if (this.deafSince === null) return;
    const pausedMs = this.clock.monotonic() - this.deafSince;
    this.deafSince = null;
    this.excuse(pausedMs);
  }

  /** So long it was not the client that was silent, within the time up to now. */
  excuse(ms: number): void {
    // Of a pause nothing counts anyway.
    if (this.deafSince !== null) return;
    const now = this.clock.monotonic();
    this.heardAt = Math.min(now, this.heardAt + ms) as Monotonic;
    this.pacedAt = Math.min(now, this.pacedAt + ms) as Monotonic;
  }

  isOver(now: Monotonic): boolean {
    return this.deafSince === null && now - this.heardAt > this.silenceMs;
  }

  /** True when the packet under way is so far behind its pace; of one that is not long: when not one byte came for so long. */
  isStalled(now: Monotonic, ms: number): boolean {
    return this.deafSince === null && now - this.pacedAt > ms;
  }
}
