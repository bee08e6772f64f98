import { LockstepError } from '../core/errors.js';
import type { Hello, PeerStatus } from '../core/control/peer.js';
import { BACKCHANNEL_PAYLOAD_BYTES_MAX, BackchannelKind, REASON_CHARS_MAX } from '../core/wire/backchannel.js';
import { decodeText, encodeText } from '../core/wire/bytes.js';
import { clip, MessageRefused } from '../core/wire/fields.js';
import { encodeFrame, FrameReader, type Frame } from '../core/wire/frame.js';
import { decodeHello, encodeHello } from '../core/wire/hello.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Stream } from '../ports/stream.js';
import type { StatusReader } from './status-reader.js';

export interface ConnectionTimes {
  readonly handshakeTimeoutMs: number;
  /** An accepted connection on which nothing came for so long is of no use. */
  readonly silenceMs: number;
}

export interface ConnectionUser {
  /** One for all connections. */
  readonly statuses: StatusReader;
  /** Why this hello is refused; `null` accepts it. */
  judge(connection: BackchannelConnection, hello: Hello): string | null;
  accepted(connection: BackchannelConnection, hello: Hello): void;
  status(connection: BackchannelConnection, status: PeerStatus): void;
  /** The other side has refused us. */
  wasRefused(connection: BackchannelConnection, reason: string): void;
  /** Something came that no peer of ours says. */
  nonsense(connection: BackchannelConnection, error: LockstepError): void;
  closed(connection: BackchannelConnection, reason: string): void;
}

/** For both operators, where the two servers run versions that do not understand each other. */
export function notUnderstood({ message, remedy }: LockstepError): string {
  return `one server does not understand what the other says: ${message}. ${remedy.replace(/\.$/, '')}`;
}

/**
 * One connection of the backchannel. Sends our hello at once, waits for the other's, and then carries statuses. Never
 * holds more than one status that the stream has no room for: a newer one takes its place.
 */
export class BackchannelConnection {
  /** The other side's hello, once we have accepted it. */
  hello: Hello | null = null;
  /** A status has come: the other side has accepted us as well. */
  working = false;
  private congested = false;
  private waiting: Uint8Array | null = null;
  private retired = false;
  private lastHeard: number;
  private timer: Cancel;
  private readonly reader: FrameReader;

  constructor(
    private readonly stream: Stream,
    readonly dialled: boolean,
    ours: Hello,
    private readonly times: ConnectionTimes,
    private readonly clock: Clock,
    private readonly user: ConnectionUser,
  ) {
    this.lastHeard = clock.monotonic();
    this.reader = new FrameReader(BACKCHANNEL_PAYLOAD_BYTES_MAX, (frame) => this.frame(frame));
    stream.handle({
      data: (bytes) => this.data(bytes),
      drain: () => this.drained(),
      close: (reason) => this.closed(reason),
    });
    this.timer = clock.after(times.handshakeTimeoutMs, () => this.destroy(`no handshake within ${times.handshakeTimeoutMs} ms`));
    this.congested = !stream.write(encodeFrame(BackchannelKind.hello, encodeHello(ours)));
  }

  get remote(): string {
    return this.stream.remote;
  }

  /** Nothing is sent or heard over it any more; `closed` follows, or has been. */
  get over(): boolean {
    return this.retired;
  }

  /** A status frame. Before the other side's hello is accepted, nothing is sent. */
  send(frame: Uint8Array): void {
    if (this.retired || this.hello === null) return;
    if (this.congested) this.waiting = frame;
    else this.congested = !this.stream.write(frame);
  }

  /** Says why, and closes. */
  end(kind: 'refused' | 'bye', reason: string): void {
    if (this.retired) return;
    this.stream.write(encodeFrame(BackchannelKind[kind], encodeText(clip(reason, REASON_CHARS_MAX))));
    this.retire();
    this.stream.end();
  }

  destroy(reason: string): void {
    if (this.retired) return;
    this.retire();
    this.stream.destroy(reason);
  }

  private data(bytes: Uint8Array): void {
    if (this.retired) return;
    this.lastHeard = this.clock.monotonic();
    try {
      this.reader.push(bytes);
    } catch (error) {
      if (!(error instanceof LockstepError)) throw error;
      // What came behind the other side's last word is nobody's.
      if (this.over) return;
      // What follows cannot be understood; the connection holds no authority, so that its loss is only a cycle's.
      this.user.nonsense(this, error);
      // Who has accepted our hello, of another version than this one, would not know why it is not heard.
      this.end('refused', notUnderstood(error));
    }
  }

  private frame({ kind, payload }: Frame): void {
    if (this.retired) return;
    switch (kind) {
      case BackchannelKind.hello:
        this.greeted(decodeHello(payload));
        return;
      case BackchannelKind.status:
        this.told(this.user.statuses.read(payload));
        return;
      case BackchannelKind.refused: {
        const reason = decodeText(payload);
        this.user.wasRefused(this, reason);
        this.destroy(`refused by the peer: ${reason}`);
        return;
      }
      case BackchannelKind.bye:
        this.destroy(`the peer closed it: ${decodeText(payload)}`);
        return;
      default:
        throw new MessageRefused(`a frame of unknown kind ${kind} came`);
    }
  }

  private greeted(hello: Hello): void {
    if (this.hello !== null) throw new MessageRefused('a second hello came');
    const refusal = this.user.judge(this, hello);
    if (refusal !== null) {
      this.end('refused', refusal);
      return;
    }
    this.hello = hello;
    this.timer();
    this.watch(this.times.silenceMs);
    this.user.accepted(this, hello);
  }

  private told(status: PeerStatus): void {
    if (this.hello === null) throw new MessageRefused('a status came before the hello');
    if (status.server !== this.hello.server || status.run !== this.hello.run) {
      throw new MessageRefused(`a status of server "${status.server}", run ${status.run} came from server "${this.hello.server}", run ${this.hello.run}`);
    }
    this.user.status(this, status);
  }

  private watch(delayMs: number): void {
    this.timer = this.clock.after(delayMs, () => {
      // Had this process been paused, what came meanwhile is still to be read: one turn first.
      this.clock.soon(() => {
        if (this.retired) return;
        const leftMs = this.lastHeard + this.times.silenceMs - this.clock.monotonic();
        if (leftMs > 0) this.watch(leftMs);
        else this.destroy(`nothing came for ${this.times.silenceMs} ms`);
      });
    });
  }

  private drained(): void {
    this.congested = false;
    const { waiting } = this;
    this.waiting = null;
    if (waiting !== null) this.send(waiting);
  }

  private retire(): void {
    this.retired = true;
    this.waiting = null;
    this.timer();
  }

  private closed(reason: string): void {
    this.retire();
    this.user.closed(this, reason);
  }
}
