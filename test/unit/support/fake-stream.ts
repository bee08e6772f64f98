import type { Clock } from '../../../src/ports/clock.js';
import type { Stream, StreamHandlers } from '../../../src/ports/stream.js';

/**
 * One end of a stream in memory. Handlers are called by `Clock.soon`, never from within a call. Bytes that are written go to `taken`
 * (and to the other end of a pair) as far as the "operating system" takes them: all at once, unless `stall` was called.
 */
export class FakeStream implements Stream {
  authenticated = false;
  /** Everything handed over by `write`, one entry a call. */
  readonly writes: Uint8Array[] = [];
  /** What the operating system took. */
  readonly taken: Uint8Array[] = [];
  paused = false;
  /** Why it was closed; `null` while it is open. */
  closedBy: string | null = null;
  ended = false;

  peer: FakeStream | null = null;
  private handlers: StreamHandlers | null = null;
  private incoming: Uint8Array[] = [];
  private readonly outgoing: Uint8Array[] = [];
  private stalled = false;
  private full = false;
  private told = false;

  constructor(
    private readonly clock: Clock,
    readonly remote: string = '192.0.2.1:40000',
    readonly highWaterBytes: number = 16 * 1024,
  ) {}

  // The port.

  handle(handlers: StreamHandlers): void {
    if (this.handlers !== null) throw new Error('handlers are set once');
    this.handlers = handlers;
    this.clock.soon(() => this.pass());
  }

  write(bytes: Uint8Array): boolean {
    if (this.closedBy !== null || this.ended) return true;
    this.writes.push(bytes);
    this.outgoing.push(bytes);
    if (!this.stalled) this.takeAll();
    if (this.bufferedBytes <= this.highWaterBytes) return true;
    this.full = true;
    return false;
  }

  get bufferedBytes(): number {
    return this.outgoing.reduce((sum, { length }) => sum + length, 0);
  }

  get takenBytes(): number {
    return this.taken.reduce((sum, { length }) => sum + length, 0);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.clock.soon(() => this.pass());
  }

  end(): void {
    if (this.ended || this.closedBy !== null) return;
    this.ended = true;
    if (this.bufferedBytes === 0) this.closeSoon('ended by this side');
  }

  destroy(reason: string): void {
    if (this.closedBy !== null) return;
    this.outgoing.length = 0;
    this.closeSoon(reason);
  }

  // The test's side.

  /** Bytes come in from the network. */
  receive(bytes: Uint8Array): void {
    this.incoming.push(bytes);
    this.clock.soon(() => this.pass());
  }

  /** The other side closes, or the network fails. */
  lose(reason: string): void {
    if (this.closedBy === null) this.closeSoon(reason);
  }

  /** The other side reads nothing from now on. */
  stall(): void {
    this.stalled = true;
  }

  /** The other side reads everything again. */
  unstall(): void {
    this.stalled = false;
    this.takeAll();
    if (this.full) {
      this.full = false;
      this.clock.soon(() => {
        if (!this.told && this.closedBy === null) this.handlers?.drain();
      });
    }
    if (this.ended) this.closeSoon('ended by this side');
  }

  /** What was taken so far, in one piece; forgets it. */
  takeOutput(): Buffer {
    const all = Buffer.concat(this.taken);
    this.taken.length = 0;
    return all;
  }

  private takeAll(): void {
    for (const bytes of this.outgoing.splice(0)) {
      this.taken.push(bytes);
      this.peer?.receive(bytes);
    }
  }

  private pass(): void {
    while (this.handlers !== null && !this.paused && !this.told) {
      const bytes = this.incoming.shift();
      if (bytes === undefined) return;
      this.handlers.data(bytes);
    }
  }

  private closeSoon(reason: string): void {
    if (this.closedBy !== null) return;
    this.closedBy = reason;
    this.clock.soon(() => {
      this.told = true;
      this.handlers?.close(reason);
      this.peer?.lose('closed by the other side');
    });
  }
}

/** Two ends: what one writes, the other receives. */
export function fakeStreamPair(clock: Clock): [FakeStream, FakeStream] {
  const one = new FakeStream(clock, '192.0.2.1:1');
  const other = new FakeStream(clock, '192.0.2.2:2');
  one.peer = other;
  other.peer = one;
  return [one, other];
}
