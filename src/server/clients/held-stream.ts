import { assert } from '../../core/errors.js';
import type { Stream, StreamHandlers } from '../../ports/stream.js';

/**
 * A client's stream that is held unread until a protocol takes it over. The network's side of it is handled from the first moment, so that the
 * listener knows which connections are open. Of one that has sent something and gives up the system tells only when that is read.
 */
export class HeldStream implements Stream {
  private handlers: StreamHandlers | null = null;
  /** What came although the stream was paused. */
  private early: Uint8Array[] = [];
  private closed: string | null = null;

  /** @param gone called once when the stream is closed, before the protocol hears it */
  constructor(
    private readonly inner: Stream,
    private readonly gone: (stream: HeldStream) => void,
  ) {
    inner.pause();
    inner.handle({
      data: (bytes) => {
        if (this.handlers === null) this.early.push(bytes);
        else this.handlers.data(bytes);
      },
      drain: () => this.handlers?.drain(),
      close: (reason) => {
        this.closed = reason;
        this.gone(this);
        this.handlers?.close(reason);
      },
    });
  }

  get remote(): string {
    return this.inner.remote;
  }

  get authenticated(): boolean {
    return this.inner.authenticated;
  }

  get bufferedBytes(): number {
    return this.inner.bufferedBytes;
  }

  get takenBytes(): number {
    return this.inner.takenBytes;
  }

  /** The protocol takes over: what came before is passed on, and reading begins. Not to be called when `isClosed`. */
  handle(handlers: StreamHandlers): void {
    assert(this.handlers === null, 'handlers of a stream are set once');
    assert(this.closed === null, 'a protocol is started on an open stream');
    this.handlers = handlers;
    this.inner.resume();
    const early = this.early;
    this.early = [];
    for (const bytes of early) handlers.data(bytes);
  }

  get isClosed(): boolean {
    return this.closed !== null;
  }

  write(bytes: Uint8Array): boolean {
    return this.inner.write(bytes);
  }

  pause(): void {
    this.inner.pause();
  }

  resume(): void {
    this.inner.resume();
  }

  end(): void {
    this.inner.end();
  }

  destroy(reason: string): void {
    this.inner.destroy(reason);
  }
}
