import type { Endpoint } from '../core/control/broker.js';

/** What a stream's user wants to hear. Each is called outside the call that caused it, never re-entrantly. */
export interface StreamHandlers {
  data(bytes: Uint8Array): void;
  /** After `write` returned false: there is room again. */
  drain(): void;
  /** Once, whoever closed it; nothing is called after. `reason` is for the log. */
  close(reason: string): void;
}

/** A reliable byte stream between two parties: a TCP connection, plain or TLS. */
export interface Stream {
  /** Address of the other side, for the log. */
  readonly remote: string;
  /** True when the other side proved, by the shared secret or a certificate, who it is. */
  readonly authenticated: boolean;
  /** Set once, at once after the stream was got. Data that came before waits. */
  handle(handlers: StreamHandlers): void;
  /** Hands bytes over, in order; the caller does not touch them again. False: more than the high-water mark waits. */
  write(bytes: Uint8Array): boolean;
  /** Bytes handed over and not yet taken by the operating system. */
  readonly bufferedBytes: number;
  /** Bytes that the operating system has taken since the connection stands, or more; grows also within one long write, of which `bufferedBytes` counts the whole until its end. */
  readonly takenBytes: number;
  pause(): void;
  resume(): void;
  /** Sends what is buffered, then closes. */
  end(): void;
  /** Closes at once; what is buffered is lost. */
  destroy(reason: string): void;
}

export interface Listener {
  /** The port in use, also when 0 was asked for. */
  readonly port: number;
  close(): void;
}

export interface Network {
  /**
   * Binds and listens.
   * @throws LockstepError LOCKSTEP_PORT_TAKEN, LOCKSTEP_PORT_REFUSED (rejects)
   */
  listen(endpoint: Endpoint, accept: (stream: Stream) => void): Promise<Listener>;
  /** Connects; rejects with a LockstepError LOCKSTEP_DIAL_FAILED when that did not happen within `timeoutMs`, LOCKSTEP_SECRET_REFUSED when what answers does not share our secret. */
  dial(endpoint: Endpoint, timeoutMs: number): Promise<Stream>;
}
