import { RepositoryFrameStream } from '../core/repository/frame-stream.js';
import { decodeRepositoryFrame, encodeRepositoryFrame, type RepositoryFrame } from '../core/repository/frames.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Stream } from '../ports/stream.js';
import { reasonOf } from './messages.js';

/** A side that has nothing to say says so. */
export const PING_MS = 2_000;
/** So long nothing came, and the link is given up. A sync that hangs in its file system is ended by the manager, who kills the keeper. */
export const SILENCE_MS = 30_000;
/** May wait in the stream before work pauses: a bulk transfer shall not stop and go. */
export const WAITING_BYTES = 4 * 1024 * 1024;
/** Work done before the event loop has its turn. */
export const TURN_MS = 10;

export interface LinkParts {
  readonly stream: Stream;
  readonly clock: Clock;
  readonly take: (frame: RepositoryFrame) => void;
  /** Does one small piece of work; false: there is nothing to do now. */
  readonly work: () => boolean;
  readonly failed: (error: unknown) => void;
  readonly closed: (reason: string) => void;
}

/**
 * One end of a repository link: frames in, bytes out, and turns of work between them. Work pauses while the stream is full, frames while
 * something is made durable.
 */
export class RepositoryLink {
  private readonly frames: RepositoryFrameStream;
  private isFull = false;
  private isHeld = false;
  private isTurning = false;
  private isClosed = false;
  /** Frames that came in one piece with one after which we must hold. */
  private readonly backlog: { readonly kind: number; readonly payload: Uint8Array }[] = [];
  private heardAt: number;
  private saidAt: number;
  private readonly cancelPing: { cancel: Cancel };
  /** Bytes that came and went, headers included. */
  readonly wire = { in: 0, out: 0 };

  constructor(private readonly parts: LinkParts) {
    const { stream, clock } = parts;
    this.heardAt = clock.monotonic();
    this.saidAt = this.heardAt;
    this.frames = new RepositoryFrameStream(({ kind, payload }) => {
      if (this.isHeld) this.backlog.push({ kind, payload: payload.slice() });
      else this.tell(kind, payload);
    });
    stream.handle({
      data: (bytes) => this.guarded(() => this.came(bytes)),
      drain: () => {
        this.isFull = false;
        this.turn();
      },
      close: (reason) => this.ended(reason),
    });
    this.cancelPing = { cancel: clock.after(PING_MS, () => this.ping()) };
  }

  /** Whole frames, or pieces of one in order. */
  readonly send = (bytes: Uint8Array): void => {
    if (this.isClosed) return;
    this.wire.out += bytes.length;
    this.saidAt = this.parts.clock.monotonic();
    if (!this.parts.stream.write(bytes)) this.isFull = true;
  };

  say(frame: RepositoryFrame): void {
    this.send(encodeRepositoryFrame(frame));
  }

  /** Takes nothing more from the link until `work` has ended. */
  hold(work: Promise<void>): void {
    if (this.isHeld) return;
    this.isHeld = true;
    this.parts.stream.pause();
    work.then(
      () => this.guarded(() => this.release()),
      (error: unknown) => this.guarded(() => this.parts.failed(error)),
    );
  }

  /** There may be work: does it in turns. */
  turn(): void {
    if (this.isTurning || this.isClosed) return;
    this.isTurning = true;
    this.parts.clock.soon(() => {
      this.isTurning = false;
      this.guarded(() => this.work());
    });
  }

  close(reason: string, refusal: string | null = null): void {
    if (this.isClosed) return;
    if (refusal === null) this.parts.stream.destroy(reason);
    else {
      this.say({ kind: 'refused', reason: refusal });
      this.parts.stream.end();
    }
    this.ended(reason);
  }

  private came(bytes: Uint8Array): void {
    this.wire.in += bytes.length;
    this.heardAt = this.parts.clock.monotonic();
    this.frames.push(bytes);
    this.turn();
  }

  /** A frame that fails its sync is no reason to lose the place of the next one, which may have come in the same piece. */
  private tell(kind: number, payload: Uint8Array): void {
    this.guarded(() => this.parts.take(decodeRepositoryFrame(kind, payload)));
  }

  private release(): void {
    this.isHeld = false;
    while (!this.isHeld && this.backlog.length > 0 && !this.isClosed) {
      const frame = this.backlog.shift();
      if (frame !== undefined) this.tell(frame.kind, frame.payload);
    }
    if (this.isHeld || this.isClosed) return;
    this.parts.stream.resume();
    this.turn();
  }

  private work(): void {
    const { clock, work } = this.parts;
    const until = clock.monotonic() + TURN_MS;
    while (!this.isFull && !this.isHeld && !this.isClosed) {
      if (!work()) return;
      if (clock.monotonic() >= until) return this.turn();
    }
  }

  private ping(): void {
    if (this.isClosed) return;
    const now = this.parts.clock.monotonic();
    if (!this.isHeld && now - this.heardAt >= SILENCE_MS) return this.close(`nothing came over the repository link for ${SILENCE_MS / 1000} s`);
    if (now - this.saidAt >= PING_MS) this.say({ kind: 'ping' });
    this.cancelPing.cancel = this.parts.clock.after(PING_MS, () => this.ping());
  }

  private guarded(action: () => void): void {
    if (this.isClosed) return;
    try {
      action();
    } catch (error) {
      this.parts.failed(error);
    }
  }

  private ended(reason: string): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.cancelPing.cancel();
    this.backlog.length = 0;
    this.parts.closed(reason);
  }

  /** Ends the conversation for a failure of it. */
  breakOff(error: unknown): void {
    this.close(reasonOf(error), reasonOf(error));
  }
}
