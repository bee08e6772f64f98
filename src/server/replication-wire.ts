import { LockstepError } from '../core/errors.js';
import { decodeReplicationFrame, encodeReplicationFrame, recordPieces, type ReplicationFrame } from '../core/replication/frames.js';
import { FrameReader } from '../core/wire/frame.js';
import type { Stream } from '../ports/stream.js';
import { describe } from './disk-io.js';

export interface WireHandlers {
  /** Something came, a part of a frame at least: a long one is a while on its way. */
  came(): void;
  frame(frame: ReplicationFrame): void;
  /** There is room again. */
  drain(): void;
  /** Once. Also after `finish` and `destroy` of one's own. */
  closed(reason: string): void;
}

/**
 * The replication link as frames. Bytes that are no frame end it, by name.
 *
 * Invariant: after `finish` or `destroy` no frame comes in any more and nothing goes out, though the stream still closes.
 */
export class ReplicationWire {
  private open = true;
  /** What came that is no frame: why the stream was closed, whatever it says itself. */
  private nonsense: string | null = null;
  private roomy = true;
  private waits = false;
  private readonly reader: FrameReader;

  constructor(
    private readonly stream: Stream,
    /** Of what the other side may say: the longest frame, without its header. */
    frameBytesMax: number,
    private readonly handlers: WireHandlers,
  ) {
    this.reader = new FrameReader(frameBytesMax, ({ kind, payload }) => {
      if (this.open) this.handlers.frame(decodeReplicationFrame(kind, payload));
    });
    stream.handle({
      data: (bytes) => this.read(bytes),
      drain: () => {
        this.roomy = true;
        if (this.open) this.handlers.drain();
      },
      close: (reason) => {
        this.open = false;
        this.handlers.closed(this.nonsense ?? reason);
      },
    });
  }

  get remote(): string {
    return this.stream.remote;
  }
  /** False while what was written last has not found room yet. */
  get room(): boolean {
    return this.open && this.roomy;
  }
  get isOpen(): boolean {
    return this.open;
  }

  /** Nothing is read, because we asked for that. */
  get paused(): boolean {
    return this.waits;
  }

  send(frame: ReplicationFrame): void {
    if (this.open) this.roomy = this.stream.write(encodeReplicationFrame(frame));
  }

  sendRecords(bytes: Uint8Array): void {
    if (!this.open) return;
    for (const piece of recordPieces(bytes)) this.roomy = this.stream.write(piece);
  }

  pause(): void {
    this.waits = true;
    this.stream.pause();
  }

  resume(): void {
    this.waits = false;
    this.stream.resume();
  }

  /** Says why, when there is something to say, and closes. */
  finish(answer: string | null, reason: string): void {
    if (!this.open) return;
    if (answer === null) return this.destroy(reason);
    this.send({ kind: 'refused', reason: answer });
    this.open = false;
    this.stream.end();
  }

  destroy(reason: string): void {
    if (!this.open) return;
    this.open = false;
    this.stream.destroy(reason);
  }

  private read(bytes: Uint8Array): void {
    if (!this.open) return;
    this.handlers.came();
    try {
      this.reader.push(bytes);
    } catch (error) {
      if (!(error instanceof LockstepError)) throw error;
      // What came behind the last word of either side is nobody's.
      if (!this.isOpen) return;
      this.nonsense = describe(error);
      this.finish(this.nonsense, this.nonsense);
    }
  }
}
