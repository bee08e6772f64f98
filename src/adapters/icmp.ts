import net from 'node:net';
import { plainReason, systemCode } from './network-errors.js';

/** What is used of the package net-ping, which has no types. */
export interface NetPing {
  readonly NetworkProtocol: { readonly IPv4: number; readonly IPv6: number };
  createSession(options: { networkProtocol: number; retries: number; timeout: number; sessionId: number }): PingSession;
}

interface RawSocket {
  removeAllListeners(event: 'message'): unknown;
  on(event: 'message', listener: (bytes: Uint8Array, source: string) => void): unknown;
}

export interface PingSession {
  timeout: number;
  readonly socket?: RawSocket;
  on(event: 'error' | 'close', listener: (error?: unknown) => void): unknown;
  onSocketMessage?(bytes: Uint8Array, source: string): void;
  pingHost(address: string, done: (error: unknown) => void): unknown;
  close(): unknown;
}

/** @throws Error when the package is not installed, or its native part does not fit this Node.js; its message says which, and what to do */
export async function loadNetPing(): Promise<NetPing> {
  // By a variable: the package is optional, and the compiler has no types of it.
  const name = 'net-ping';
  try {
    const loaded = (await import(name)) as { default: NetPing };
    return loaded.default;
  } catch (error) {
    throw new Error(whyNotLoaded(error), { cause: error });
  }
}

/** Node.js says it in several lines, of which the first names a file alone. */
export function whyNotLoaded(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') return 'net-ping is not installed: npm leaves it out where it cannot be compiled';
  if (code === 'ERR_DLOPEN_FAILED') return `the native part of net-ping was built for another Node.js than this one (${process.version}): \`npm rebuild raw-socket\` in Lockstep's folder, with a compiler at hand`;
  return plainReason(error);
}

/** A session that could not be opened for want of something that the host has not to give just now is tried again so often in a row. */
export const TRIES_MAX = 10;
/** raw-socket gives the system's words, and no code. */
const PASSING = /\b(?:too many open files|cannot allocate memory|no buffer space available|resource temporarily unavailable)\b|\b(?:EMFILE|ENFILE|ENOMEM|ENOBUFS|EAGAIN)\b/i;

/**
 * ICMP echo by net-ping, with all of the package's ways to fail contained: it throws where raw sockets are not permitted,
 * throws inside its own callbacks on odd packets, emits errors late, and may not call back at all.
 */
export class IcmpEcho {
  private library: NetPing | null = null;
  private session: PingSession | null = null;
  private family = 0;
  private unavailable = false;
  private failures = 0;
  private ended = false;

  /** `onUnavailable` is called once, when it is clear that ICMP cannot be had in this process. */
  constructor(
    private readonly load: () => Promise<NetPing>,
    private readonly onUnavailable: (reason: string) => void,
  ) {}

  /** Whether `address` (IPv4 or IPv6) answered. Never rejects; may be late, so the caller sets the limit as well. */
  async ask(address: string, timeoutMs: number): Promise<boolean> {
    const session = await this.open(address);
    if (session === null) return false;
    return await new Promise<boolean>((resolve) => {
      try {
        session.timeout = timeoutMs;
        session.pingHost(address, (error) => resolve(error === null));
      } catch {
        this.drop(session); // a broken session is made anew at the next probe
        resolve(false);
      }
    });
  }

  /** For good. */
  close(): void {
    this.ended = true;
    if (this.session !== null) this.drop(this.session);
  }

  private async open(address: string): Promise<PingSession | null> {
    if (this.unavailable) return null;
    const family = net.isIPv6(address) ? 6 : 4;
    try {
      this.library ??= await this.load();
    } catch (error) {
      this.giveUp(error);
    }
    // After the waiting: another probe may have opened one meanwhile, or nobody asks any more.
    if (this.session !== null && this.family !== family) this.drop(this.session);
    if (this.session !== null || this.library === null || this.unavailable || this.ended) return this.session;
    try {
      this.family = family;
      this.session = this.start(this.library, family);
      this.failures = 0;
    } catch (error) {
      this.failures += 1;
      if (this.failures >= TRIES_MAX || !isPassing(error)) this.giveUp(error);
    }
    return this.session;
  }

  private giveUp(error: unknown): void {
    if (this.unavailable) return;
    this.unavailable = true;
    this.onUnavailable(plainReason(error));
  }

  private start({ createSession, NetworkProtocol }: NetPing, family: number): PingSession {
    const session = createSession({
      networkProtocol: family === 6 ? NetworkProtocol.IPv6 : NetworkProtocol.IPv4,
      retries: 0,
      timeout: 1000,
      sessionId: process.pid % 65535,
    });
    const broken = (): void => this.drop(session);
    session.on('error', broken);
    session.on('close', () => {
      if (this.session === session) this.session = null;
    });
    containMessages(session);
    return session;
  }

  private drop(session: PingSession): void {
    if (this.session === session) this.session = null;
    try {
      session.close();
    } catch {
      // It was closed already, or never open: gone either way.
    }
  }
}

function isPassing(error: unknown): boolean {
  return PASSING.test(`${systemCode(error) ?? ''} ${plainReason(error)}`);
}

/** The package reads packets that are shorter than it believes and then throws out of the socket's event: such a packet is no answer. */
function containMessages(session: PingSession): void {
  const { socket } = session;
  if (socket === undefined || session.onSocketMessage === undefined) return;
  const original = session.onSocketMessage.bind(session);
  socket.removeAllListeners('message');
  socket.on('message', (bytes, source) => {
    try {
      original(bytes, source);
    } catch {
      // Not an answer to us.
    }
  });
}
