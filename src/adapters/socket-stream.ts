import type { Socket } from 'node:net';
import { assert } from '../core/errors.js';
import type { Stream, StreamHandlers } from '../ports/stream.js';
import { plainReason } from './network-errors.js';

/** Bytes handed over and not yet taken by the operating system, above which `write` answers false. */
export const HIGH_WATER_BYTES = 256 * 1024;
/** How long a connection that we ended may linger for the other side to take what is buffered and close as well. */
export const LINGER_MS = 2000;
/** TCP's own probes on a connection on which nothing passes, so that idle clients that vanished are noticed some time. */
const KEEP_ALIVE_DELAY_MS = 30_000;

export interface SocketStreamOptions {
  readonly remote: string;
  readonly authenticated: boolean;
  readonly highWaterBytes?: number;
}

/** What Node's own time-outs of sockets go by (net.js); not in its types. A TLS socket's bytes are those of the one below it. */
interface Handle {
  readonly bytesWritten?: number;
  readonly writeQueueSize?: number;
  readonly _parent?: Handle | null;
}

/** A Stream on a connected socket, plain or TLS. Writes of one turn leave together. */
export class SocketStream implements Stream {
  readonly remote: string;
  readonly authenticated: boolean;
  private readonly highWaterBytes: number;
  private handlers: StreamHandlers | null = null;
  private corked = false;
  private full = false;
  private paused = false;
  private ending = false;
  private linger: NodeJS.Timeout | null = null;
  private reason: string | null = null;
  private closed = false;
  private written = 0;
  private taken = 0;

  constructor(
    private readonly socket: Socket,
    options: SocketStreamOptions,
  ) {
    this.remote = options.remote;
    this.authenticated = options.authenticated;
    this.highWaterBytes = options.highWaterBytes ?? HIGH_WATER_BYTES;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
    // From here on an error can come at any time; without a listener it would end the process.
    socket.on('error', (error) => (this.reason ??= plainReason(error)));
    socket.on('end', () => (this.reason ??= 'the other side closed the connection'));
    socket.on('drain', () => this.drained());
    socket.on('close', () => this.onClose());
  }

  get bufferedBytes(): number {
    return this.socket.writableLength;
  }

  get takenBytes(): number {
    const { _handle: handle } = this.socket as unknown as { readonly _handle?: Handle | null };
    const { bytesWritten, writeQueueSize } = handle?._parent ?? handle ?? {};
    const taken = bytesWritten === undefined || writeQueueSize === undefined ? this.written - this.socket.writableLength : bytesWritten - writeQueueSize;
    this.taken = Math.max(this.taken, taken);
    return this.taken;
  }

  handle(handlers: StreamHandlers): void {
    assert(this.handlers === null, 'handlers of a stream are set once');
    this.handlers = handlers;
    if (this.closed) {
      setImmediate(() => handlers.close(this.reason ?? 'closed'));
      return;
    }
    this.socket.on('data', (bytes: Uint8Array) => {
      if (!this.ending) handlers.data(bytes);
    });
    // Attaching the listener makes the socket flow, unless the user has asked for a pause first.
    if (this.paused && !this.ending) this.socket.pause();
  }

  write(bytes: Uint8Array): boolean {
    if (this.ending || this.socket.destroyed) return true; // `close` follows; nobody waits for room
    if (!this.corked) {
      this.corked = true;
      this.socket.cork();
      process.nextTick(() => this.uncork());
    }
    this.written += bytes.length;
    this.socket.write(bytes);
    if (this.socket.writableLength <= this.highWaterBytes) return true;
    this.full = true;
    return false;
  }

  pause(): void {
    this.paused = true;
    if (!this.ending) this.socket.pause();
  }

  resume(): void {
    this.paused = false;
    if (this.handlers !== null) this.socket.resume();
  }

  end(): void {
    if (this.ending || this.socket.destroyed) return;
    this.ending = true;
    this.reason ??= 'closed by this side';
    this.uncork();
    this.socket.end();
    // What still comes in is read and dropped: closing with unread bytes would reset the connection, and the other side
    // could lose the last thing that we told it.
    this.socket.resume();
    this.linger = setTimeout(() => this.socket.destroy(), LINGER_MS);
  }

  destroy(reason: string): void {
    if (this.socket.destroyed) return;
    this.ending = true;
    this.reason = reason;
    this.socket.destroy();
  }

  private uncork(): void {
    if (!this.corked) return;
    this.corked = false;
    this.socket.uncork();
  }

  private drained(): void {
    if (!this.full || this.ending) return;
    this.full = false;
    this.handlers?.drain();
  }

  private onClose(): void {
    if (this.closed) return;
    this.closed = true;
    if (this.linger !== null) clearTimeout(this.linger);
    this.reason ??= 'closed';
    this.handlers?.close(this.reason);
  }
}
