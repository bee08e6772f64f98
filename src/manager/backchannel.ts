import { EventEmitter } from 'eventemitter3';
import type { Endpoint } from '../core/control/broker.js';
import type { Hello, PeerStatus } from '../core/control/peer.js';
import type { LockstepError } from '../core/errors.js';
import type { Monotonic, ServerId } from '../core/identity.js';
import { BackchannelKind } from '../core/wire/backchannel.js';
import { encodeFrame } from '../core/wire/frame.js';
import { encodePeerStatus } from '../core/wire/peer-status.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { Random } from '../ports/random.js';
import type { Listener, Network, Stream } from '../ports/stream.js';
import { BackchannelConnection, notUnderstood, type ConnectionTimes, type ConnectionUser } from './backchannel-connection.js';
import { PeerDialler } from './backchannel-dialler.js';
import { judgeHello, PeerRuns, unlike } from './backchannel-handshake.js';
import { printable, QuietLog } from './backchannel-log.js';
import { StatusReader } from './status-reader.js';

/** Accepted connections that have not said a hello yet; the oldest goes when another comes. */
export const STRANGERS_MAX = 8;
/** A refusal counts for so long; one that lasts comes again with each try to connect. */
export const REFUSAL_MS = 10_000;
/** Connections of the peer; the oldest goes when another comes. Two are usual: each server dials. */
export const CONNECTIONS_MAX = 4;

export interface BackchannelOptions {
  readonly hello: Hello;
  readonly expectedPeer: ServerId;
  readonly listenAt: Endpoint;
  readonly peerAt: Endpoint;
  readonly pingIntervalMs: number;
  /** So many ping intervals without a byte, and a connection is given up and dialled anew. */
  readonly missLimit: number;
  readonly handshakeTimeoutMs: number;
}

export interface BackchannelPorts {
  readonly network: Network;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface BackchannelEvents {
  /** A status newer than all before it, and when it came. */
  status: (status: PeerStatus, receivedAt: Monotonic) => void;
  /** A hello was accepted; again with each new connection. */
  'peer-hello': (hello: Hello) => void;
  /** Either side refuses the other; once per change of the reason. */
  refused: (reason: string) => void;
  /** Both sides have accepted each other: the first status came over the first connection. */
  connected: () => void;
  /** The last connection over which the peer had spoken is gone. It may be back in an instant: whether the peer is lost is judged by time. */
  disconnected: (reason: string) => void;
}

/**
 * The link to the peer's HA manager. Both servers listen and both dial, so that either direction of connecting is enough;
 * every status goes out over each connection that passed the handshake, and of what comes in only news is passed on.
 *
 * Invariants
 * - Statuses leave in (run, seq) order, whatever connection they came over; a run that was replaced is not heard while the newer one speaks.
 * - At most one status waits for each connection.
 */
export class Backchannel extends EventEmitter<BackchannelEvents> implements ConnectionUser {
  readonly statuses = new StatusReader();
  private readonly connections = new Set<BackchannelConnection>();
  private readonly runs: PeerRuns;
  private readonly quiet: QuietLog;
  private readonly times: ConnectionTimes;
  private readonly dialler: PeerDialler;
  private listener: Listener | null = null;
  private latest: Uint8Array | null = null;
  private lastRefusal: string | null = null;
  private lastRefusalOfPeer: string | null = null;
  /** The latest of each side, and when it was. */
  private readonly refusals = new Map<'ours' | 'theirs', { readonly reason: string; readonly at: Monotonic }>();
  /** What is not alike on the peer, by its latest hello; `null`: nothing. */
  unlike: string | null = null;
  private up = false;
  private stopped = false;

  constructor(
    private readonly options: BackchannelOptions,
    private readonly ports: BackchannelPorts,
  ) {
    super();
    this.quiet = new QuietLog(ports.log, ports.clock);
    this.runs = new PeerRuns(options.pingIntervalMs * options.missLimit);
    this.times = { handshakeTimeoutMs: options.handshakeTimeoutMs, silenceMs: options.pingIntervalMs * options.missLimit };
    this.dialler = new PeerDialler(options.peerAt, options.handshakeTimeoutMs, ports, this.quiet, {
      opened: (stream) => this.open(stream, true),
      unproven: (reason) => this.noteRefusal('ours', reason),
    });
  }

  /** Listens and begins to dial. @throws LockstepError LOCKSTEP_PORT_TAKEN, LOCKSTEP_PORT_REFUSED */
  async start(): Promise<void> {
    const listener = await this.ports.network.listen(this.options.listenAt, (stream) => this.accept(stream));
    if (this.stopped) {
      listener.close();
      return;
    }
    this.listener = listener;
    this.dialler.start();
  }

  /** Sends this status over every connection of the peer; one that has no room sends the newest once it has. */
  send(status: PeerStatus): void {
    if (this.stopped) return;
    const frame = encodeFrame(BackchannelKind.status, encodePeerStatus(status));
    this.latest = frame;
    for (const connection of this.connections) connection.send(frame);
  }

  /** True while a connection stands over which the peer has spoken. */
  get connected(): boolean {
    return this.up;
  }

  /** Why a conversation was refused, by either side, or did not begin for want of one secret; `null` once one has succeeded, and where none was refused of late. */
  get refused(): string | null {
    const since = this.ports.clock.monotonic() - REFUSAL_MS;
    const recent = [this.refusals.get('ours'), this.refusals.get('theirs')].find((refusal) => refusal !== undefined && refusal.at >= since);
    return recent?.reason ?? null;
  }

  /** The `status` event in the form that the HA manager takes. */
  handle(handlers: { status(status: PeerStatus, receivedAt: Monotonic): void }): void {
    this.on('status', (status, receivedAt) => handlers.status(status, receivedAt));
  }

  /** Says goodbye and closes everything. No event follows. */
  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.removeAllListeners();
    this.dialler.stop();
    this.listener?.close();
    for (const connection of this.connections) connection.end('bye', `server "${this.options.hello.server}" is stopping`);
  }

  judge(connection: BackchannelConnection, hello: Hello): string | null {
    const refusal = judgeHello(this.options.hello, hello, this.options.expectedPeer)?.reason ?? this.whyReplaced(hello);
    if (refusal !== null) this.noteRefusal('ours', refusal);
    if (refusal !== null && refusal !== this.lastRefusal) {
      this.lastRefusal = refusal;
      this.ports.log.write('error', `refused ${connection.remote} on the backchannel: ${printable(refusal)}`);
      this.emit('refused', refusal);
    }
    return refusal;
  }

  accepted(connection: BackchannelConnection, hello: Hello): void {
    if (this.runs.enter(hello.run, this.ports.clock.monotonic())) {
      // The process at the other end of these is gone, or should be.
      for (const other of [...this.connections]) if (other.hello !== null && other.hello.run !== hello.run) other.destroy(`server "${hello.server}" was started anew`);
    }
    this.evict(CONNECTIONS_MAX, (other) => other.hello !== null, 'newer connections stand');
    this.compare(hello);
    this.emit('peer-hello', hello);
    if (this.latest !== null) connection.send(this.latest);
  }

  status(connection: BackchannelConnection, status: PeerStatus): void {
    connection.working = true;
    if (connection.dialled) this.dialler.succeeded();
    if (!this.up) {
      this.up = true;
      this.lastRefusal = null;
      this.lastRefusalOfPeer = null;
      this.refusals.clear();
      this.emit('connected');
    }
    const now = this.ports.clock.monotonic();
    if (this.runs.isNews(status.run, status.seq, now)) this.emit('status', status, now);
  }

  wasRefused(connection: BackchannelConnection, reason: string): void {
    this.noteRefusal('theirs', printable(reason));
    if (reason === this.lastRefusalOfPeer) return;
    this.lastRefusalOfPeer = reason;
    const line = `the server at ${connection.remote} refused us: ${printable(reason)}`;
    // Where it is a later word than the hello that is not understood, each new connection works for a moment.
    this.quiet.write('error', reason, line);
    this.emit('refused', line);
  }

  nonsense(connection: BackchannelConnection, error: LockstepError): void {
    // Who is met at the peer's address is the peer, or what stands in its place.
    if (connection.dialled && !connection.working) this.noteRefusal('ours', printable(notUnderstood(error)));
    this.quiet.write('warn', error.code, `closed a backchannel connection with ${connection.remote}: ${error.message}. ${error.remedy}`);
  }

  closed(connection: BackchannelConnection, reason: string): void {
    this.connections.delete(connection);
    if (connection.dialled) this.dialler.again();
    if (!connection.working || !this.up) return;
    for (const other of this.connections) if (other.working && !other.over) return;
    this.up = false;
    this.emit('disconnected', printable(reason));
  }

  /** Said once, however often the two connect, until it is another. */
  private compare(hello: Hello): void {
    const found = unlike(this.options.hello, hello);
    if (found === this.unlike) return;
    this.unlike = found;
    if (found === null) this.ports.log.write('info', `Version and settings are the same as on the ${hello.server} server again`, { event: 'unlike' });
    else this.ports.log.write('warn', printable(found.charAt(0).toUpperCase() + found.slice(1)), { event: 'unlike', code: 'LOCKSTEP_SERVERS_UNLIKE' });
  }

  private noteRefusal(side: 'ours' | 'theirs', reason: string): void {
    this.refusals.set(side, { reason, at: this.ports.clock.monotonic() });
  }

  private accept(stream: Stream): void {
    this.evict(STRANGERS_MAX - 1, (other) => other.hello === null && !other.dialled, 'too many connections without a hello');
    this.open(stream, false);
  }

  private open(stream: Stream, dialled: boolean): void {
    if (this.stopped) stream.destroy('stopping');
    else this.connections.add(new BackchannelConnection(stream, dialled, this.options.hello, this.times, this.ports.clock, this));
  }

  /** Keeps the newest `keep` connections of a sort. A Set gives them back oldest first. */
  private evict(keep: number, ofSort: (connection: BackchannelConnection) => boolean, reason: string): void {
    const some = [...this.connections].filter((connection) => !connection.over && ofSort(connection));
    for (const connection of some.slice(0, Math.max(0, some.length - keep))) {
      this.quiet.write('warn', reason, `closed a backchannel connection with ${connection.remote}: ${reason}`);
      connection.destroy(reason);
    }
  }

  private whyReplaced(hello: Hello): string | null {
    if (!this.runs.isReplaced(hello.run, this.ports.clock.monotonic())) return null;
    return `another process of server "${hello.server}" has been started since (run ${String(this.runs.current)}); this one (run ${hello.run}) must be stopped`;
  }
}
