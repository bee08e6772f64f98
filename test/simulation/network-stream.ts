import { assert } from '../../src/core/errors.js';
import type { Stream, StreamHandlers } from '../../src/ports/stream.js';
import type { Path, SimMachine, SimNetwork, SimNode } from './network.js';

type Segment = { readonly kind: 'open' } | { readonly kind: 'bytes'; readonly bytes: Uint8Array } | { readonly kind: 'fin' } | { readonly kind: 'reset' };

/** How long an ended stream waits for the other side to close as well. */
const LINGER_MS = 2000;
/** So often what has come is handed over in two pieces, so that nobody counts on how bytes were cut. */
const SPLIT_CHANCE = 0.25;
/** The writer hears of room for this part of the window at a time. */
const CREDIT_PARTS = 4;

/** Makes both ends of a connection. The accepting end exists at once, the dialling one when the answer has come. */
export function connect(net: SimNetwork, dialler: SimNode, acceptor: SimNode, told: { accepted(stream: Stream): void; opened(stream: Stream): void }): void {
  const near = new SimStream(net, dialler, acceptor.machine);
  const far = new SimStream(net, acceptor, dialler.machine);
  near.join(far, () => told.opened(near));
  far.join(near, () => undefined);
  acceptor.schedule(0, () => told.accepted(far));
  far.open();
}

/** Segments on their way in one direction, always in order. */
class Pipe {
  private lastArrival = 0;
  private readonly onTheWay: Segment[] = [];

  constructor(
    private readonly net: SimNetwork,
    private readonly path: Path,
    private readonly arrive: (segment: Segment) => void,
  ) {}

  send(segment: Segment): void {
    const pieces = segment.kind === 'bytes' ? this.path.pieces(segment.bytes) : null;
    if (pieces === null) this.sendPiece(segment, 0);
    else for (const { bytes, takesMs } of pieces) this.sendPiece({ kind: 'bytes', bytes }, takesMs);
  }

  private sendPiece(segment: Segment, takesMs: number): void {
    this.onTheWay.push(segment);
    const { now, schedule } = this.net.shape;
    const at = Math.max(now() + this.path.drawDelay(), this.lastArrival) + takesMs;
    this.lastArrival = at;
    // Each arrival lets the oldest segment out, whichever segment it was scheduled for: order is kept also when some were held up.
    schedule(at - now(), () => this.let());
  }

  private let(): void {
    const oldest = this.onTheWay[0];
    if (!this.path.passes(oldest?.kind === 'bytes' ? oldest.bytes.length : 0)) {
      this.path.wait(() => this.let());
      return;
    }
    const next = this.onTheWay.shift();
    if (next !== undefined) this.arrive(next);
  }
}

/** One end of a simulated TCP connection. */
export class SimStream implements Stream {
  readonly remote: string;
  readonly authenticated: boolean;
  private state: 'open' | 'ending' | 'gone' = 'open';
  private peer: SimStream | null = null;
  private onOpen: () => void = () => undefined;
  private out: Pipe | null = null;
  private handlers: StreamHandlers | null = null;
  private queue: Uint8Array[] = [];
  private queued = 0;
  private handed = 0;
  private credit: number;
  /** Taken from the reader's side of the window and not yet told to the writer. */
  private taken = 0;
  private full = false;
  private readonly received: Uint8Array[] = [];
  private finished = false;
  private finSent = false;
  private paused = false;
  private delivering = false;
  private reason: string | null = null;

  constructor(
    private readonly net: SimNetwork,
    private readonly node: SimNode,
    readonly otherMachine: SimMachine,
  ) {
    this.remote = otherMachine.name;
    this.authenticated = net.shape.authenticated;
    this.credit = net.shape.windowBytes;
    node.streams.add(this);
  }

  get machine(): SimMachine {
    return this.node.machine;
  }

  get bufferedBytes(): number {
    return this.queued;
  }

  get takenBytes(): number {
    return this.handed - this.queued;
  }

  join(peer: SimStream, onOpen: () => void): void {
    this.peer = peer;
    this.onOpen = onOpen;
    this.out = new Pipe(this.net, this.net.path(this.machine, this.otherMachine), (segment) => peer.arrived(segment));
  }

  /** Tells the dialling end that the connection stands. */
  open(): void {
    this.out?.send({ kind: 'open' });
  }

  handle(handlers: StreamHandlers): void {
    assert(this.handlers === null, 'handlers of a stream are set once');
    this.handlers = handlers;
    if (this.state === 'gone') this.node.schedule(0, () => handlers.close(this.reason ?? 'closed'));
    else this.deliverSoon();
  }

  write(bytes: Uint8Array): boolean {
    if (this.state !== 'open') return true;
    if (bytes.length > 0) {
      this.queue.push(bytes);
      this.queued += bytes.length;
      this.handed += bytes.length;
      this.pump();
    }
    if (this.queued <= this.net.shape.highWaterBytes) return true;
    this.full = true;
    return false;
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.deliverSoon();
  }

  end(): void {
    if (this.state !== 'open') return;
    this.state = 'ending';
    this.reason = 'closed by this side';
    this.received.length = 0;
    this.pump();
    this.net.shape.schedule(LINGER_MS, () => this.destroy('closed by this side'));
    if (this.finished) this.finish('closed by this side');
  }

  destroy(reason: string): void {
    if (this.state === 'gone') return;
    // With bytes of the other side unread, a system resets in place of closing.
    this.out?.send({ kind: this.received.length > 0 ? 'reset' : 'fin' });
    this.finish(reason);
  }

  /** The process of this end is gone. */
  vanish(how: 'noticed' | 'silent'): void {
    if (how === 'noticed') this.destroy('the process ended');
    else this.finish('the machine is off');
  }

  /** Somebody between the two ends resets the connection. */
  reset(): void {
    this.finish('the other side reset the connection (ECONNRESET)');
  }

  private arrived(segment: Segment): void {
    if (this.state === 'gone') {
      // Whoever sends to a connection that is not there (any more) is told so, as far as it can be reached.
      if (segment.kind === 'bytes' || segment.kind === 'open') this.net.path(this.machine, this.otherMachine).carry(() => this.peer?.reset(), 'once');
      return;
    }
    switch (segment.kind) {
      case 'open':
        this.node.schedule(0, this.onOpen);
        return;
      case 'reset':
        this.reset();
        return;
      case 'fin':
        this.finished = true;
        break;
      case 'bytes':
        if (this.state === 'ending') this.giveCredit(segment.bytes.length);
        else this.received.push(segment.bytes);
    }
    if (this.state === 'ending' && this.finished) this.finish('closed by this side');
    else if (this.mayDeliver) {
      this.delivering = true;
      this.node.arrive(this.delivers);
    }
  }

  private get mayDeliver(): boolean {
    if (this.delivering || this.paused || this.handlers === null || this.state !== 'open') return false;
    return this.received.length > 0 || this.finished;
  }

  private deliverSoon(): void {
    if (!this.mayDeliver) return;
    this.delivering = true;
    this.node.schedule(0, this.delivers);
  }

  private readonly delivers = (): void => this.deliver();

  private deliver(): void {
    this.delivering = false;
    if (this.paused || this.handlers === null || this.state !== 'open') return;
    if (this.received.length === 0) {
      if (this.finished) this.destroy('the other side closed the connection');
      return;
    }
    const bytes = this.takeReceived();
    this.giveCredit(bytes.length);
    this.handlers.data(bytes);
    this.deliverSoon();
  }

  private takeReceived(): Uint8Array {
    const [first] = this.received;
    const all = this.received.length === 1 && first !== undefined ? first : Buffer.concat(this.received);
    this.received.length = 0;
    const { random } = this.net.shape;
    if (all.length < 2 || random.fraction() >= SPLIT_CHANCE) return all;
    const at = 1 + Math.floor(random.fraction() * (all.length - 1));
    this.received.push(all.subarray(at));
    return all.subarray(0, at);
  }

  /** The reader has taken bytes: the writer may send as many more, once it hears of it; which it does when it is worth a segment. */
  private giveCredit(bytes: number): void {
    this.taken += bytes;
    const { taken } = this;
    if (taken < this.net.shape.windowBytes / CREDIT_PARTS) return;
    this.taken = 0;
    this.net.path(this.machine, this.otherMachine).carry(() => this.peer?.gotCredit(taken), 'again');
  }

  private gotCredit(bytes: number): void {
    this.credit += bytes;
    if (this.state !== 'gone') this.pump();
  }

  private pump(): void {
    for (let next = this.queue[0]; next !== undefined && this.credit > 0; next = this.queue[0]) {
      const part = next.length <= this.credit ? next : next.subarray(0, this.credit);
      if (part === next) this.queue.shift();
      else this.queue[0] = next.subarray(part.length);
      this.credit -= part.length;
      this.queued -= part.length;
      this.out?.send({ kind: 'bytes', bytes: part });
    }
    if (this.queued > 0) return;
    if (this.state === 'ending') {
      if (!this.finSent) this.out?.send({ kind: 'fin' });
      this.finSent = true;
    } else if (this.full) {
      this.full = false;
      this.node.schedule(0, () => {
        if (this.state === 'open') this.handlers?.drain();
      });
    }
  }

  private finish(reason: string): void {
    if (this.state === 'gone') return;
    this.state = 'gone';
    this.reason = reason;
    this.queue = [];
    this.queued = 0;
    this.received.length = 0;
    this.node.streams.delete(this);
    const { handlers } = this;
    if (handlers !== null) this.node.schedule(0, () => handlers.close(reason));
  }
}
