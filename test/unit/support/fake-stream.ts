import type { Clock } from '../../../src/ports/clock.js';
import type { Stream, StreamHandlers } from '../../../src/ports/stream.js';

/** So much of one direction of a pair is held between the writer and a reader that does not read. */
const WINDOW_BYTES = 1024 * 1024;

/**
 * One end of a stream in memory. Handlers are called by `Clock.soon`, never from within a call. Bytes that are written go to `taken`
 * (and to the other end of a pair) as far as the "operating system" takes them: all at once, unless `stall` was called or the other end holds a window full.
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
  private takenSum = 0;
  private stalled = false;
  private full = false;
  /** The other end of the pair has closed; what it sent before comes first. */
  private peerClosed = false;
  /** It is over, whether or not somebody listened. */
  private over = false;
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
    this.clock.soon(() => (this.over ? this.tell() : this.pass()));
  }

  write(bytes: Uint8Array): boolean {
    if (this.closedBy !== null || this.ended) return true;
    this.writes.push(bytes);
    this.outgoing.push(bytes);
    this.take();
    if (this.bufferedBytes <= this.highWaterBytes) return true;
    this.full = true;
    return false;
  }

  get bufferedBytes(): number {
    return this.outgoing.reduce((sum, { length }) => sum + length, 0);
  }

  get takenBytes(): number {
    return this.takenSum;
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
    this.take();
  }

  destroy(reason: string): void {
    if (this.closedBy !== null) return;
    this.outgoing.length = 0;
    this.incoming.length = 0;
    this.closeSoon(reason);
  }

  // The test's side.

  /** Bytes come in from the network. */
  receive(bytes: Uint8Array): void {
    if (this.closedBy !== null) return;
    this.incoming.push(bytes);
    this.clock.soon(() => this.pass());
  }

  /** The network fails, for both ends: neither waits for what was to be read. */
  lose(reason: string): void {
    this.closeSoon(reason, (peer) => peer.lose('closed by the other side'));
  }

  /** The other side reads nothing from now on. */
  stall(): void {
    this.stalled = true;
  }

  /** The other side reads everything again. */
  unstall(): void {
    this.stalled = false;
    this.take();
  }

  /** What was taken so far, in one piece; forgets it. */
  takeOutput(): Buffer {
    const all = Buffer.concat(this.taken);
    this.taken.length = 0;
    return all;
  }

  private take(): void {
    for (let next = this.outgoing[0]; next !== undefined && !this.stalled; next = this.outgoing[0]) {
      const room = this.peer?.room ?? Infinity;
      if (room <= 0) break;
      const part = next.length <= room ? next : next.subarray(0, room);
      if (part === next) this.outgoing.shift();
      else this.outgoing[0] = next.subarray(room);
      this.taken.push(part);
      this.takenSum += part.length;
      this.peer?.receive(part);
    }
    if (this.outgoing.length > 0) return;
    if (this.full) {
      this.full = false;
      this.clock.soon(() => {
        if (this.closedBy === null) this.handlers?.drain();
      });
    }
    if (this.ended) this.closeSoon('ended by this side');
  }

  private get room(): number {
    return this.closedBy === null ? WINDOW_BYTES - this.incoming.reduce((sum, { length }) => sum + length, 0) : Infinity;
  }

  private pass(): void {
    while (!this.paused && !this.over) {
      const [bytes] = this.incoming;
      if (bytes === undefined) {
        if (this.peerClosed) this.closeSoon('closed by the other side');
        return;
      }
      if (this.handlers === null) return;
      this.incoming.shift();
      this.handlers.data(bytes);
      this.peer?.take();
    }
  }

  private closeSoon(reason: string, tellPeer: (peer: FakeStream) => void = (peer) => peer.heardOfTheEnd()): void {
    if (this.closedBy !== null) return;
    this.closedBy = reason;
    this.clock.soon(() => {
      this.over = true;
      this.tell();
      if (this.peer !== null) tellPeer(this.peer);
    });
  }

  private heardOfTheEnd(): void {
    this.peerClosed = true;
    this.pass();
  }

  private tell(): void {
    if (this.handlers === null || this.told) return;
    this.told = true;
    this.handlers.close(this.closedBy ?? '');
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
