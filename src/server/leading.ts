import type { ReplicationStatus, ServeRole } from '../core/control/broker.js';
import { NO_POSITION, type JournalId, type Monotonic, type Position, type RunId, type Term } from '../core/identity.js';
import { encodeReplicationFrame } from '../core/replication/frames.js';
import type { Listener, Network, Stream } from '../ports/stream.js';
import { describe } from './disk-io.js';
import { Feed, type FeedTools } from './feed.js';
import type { RecordRun } from './journal/api.js';
import { ThrottledLog } from './clients/throttled-log.js';
import type { BrokerConfig } from './config.js';

/*
 * The replication port: who may fetch the log from here, and how far that one is.
 *
 * Invariants
 * - Only the ordered peer, in the ordered run, is fed, and only while this server serves.
 * - What the peer has acknowledged stays true when the connection is gone: its copy has those records. It is forgotten when the
 *   peer comes with another journal, or confirms a shared point below it.
 */
export interface LeadingListener {
  /** The peer has acknowledged more. */
  acknowledged(): void;
  /** The phase, the connection or the port changed. */
  changed(): void;
}

type Peer = NonNullable<ServeRole['peer']>;

/** Wait before the port is tried again when it could not be bound. */
const RELISTEN_MS = 1_000;
const CROWDED = 'too many connections that have not said who they are';

export class Leading {
  private term: Term | null = null;
  private peer: Peer | null = null;
  private current: Feed | null = null;
  private readonly strangers = new Set<Feed>();
  private readonly strangerLog: ThrottledLog;
  private port: Listener | null = null;
  private closed = false;
  /**
   * Since when nothing came of what the peer owes, over all its connections, and up to where it had acknowledged then. `null`: the present connection has brought
   * more than that, or owed nothing; how long that one waits it says itself.
   */
  private owed: { readonly since: Monotonic; readonly beyond: Position } | null;
  private acknowledged: { journal: JournalId; position: Position } | null = null;
  private wasInStep = false;
  private wasJournal: JournalId | null = null;
  /** Why the port is not bound; `null` when it is. */
  portError: string | null = null;

  constructor(
    private readonly config: BrokerConfig,
    private readonly run: RunId,
    private readonly network: Network,
    private readonly tools: Omit<FeedTools, 'identity'>,
    private readonly listener: LeadingListener,
  ) {
    this.owed = { since: tools.clock.monotonic(), beyond: NO_POSITION };
    this.strangerLog = new ThrottledLog(tools.log, tools.clock);
  }

  /** Binds the port, and goes on trying. */
  open(): void {
    this.network.listen(this.config.replicationListen, (stream) => this.accept(stream)).then(
      (port) => {
        if (this.closed) return port.close();
        this.port = port;
        if (this.portError !== null) this.tools.log.write('info', `The replication port ${port.port} is bound now`);
        this.portError = null;
        this.listener.changed();
      },
      (error: unknown) => {
        if (this.portError === null) this.tools.log.write('error', `ha.replicationPort: the replication port cannot be bound: ${describe(error)}`);
        this.portError = describe(error);
        this.listener.changed();
        if (!this.closed) this.tools.clock.after(RELISTEN_MS, () => this.closed || this.open());
      },
    );
  }

  close(): void {
    this.closed = true;
    this.forbid('the broker is closing');
    this.port?.close();
  }

  /** From now on `peer` may fetch the log, in `term`. The same again changes nothing. */
  allow(term: Term, peer: Peer | null): void {
    const same = this.peer?.server === peer?.server && this.peer?.brokerRun === peer?.brokerRun;
    this.term = term;
    this.peer = peer;
    if (!same) {
      this.dropAll('another peer is expected');
      this.owed = { since: this.tools.clock.monotonic(), beyond: NO_POSITION };
    }
  }

  /** Nobody may fetch anything. What the peer has acknowledged stays known. */
  forbid(reason: string): void {
    this.term = null;
    this.peer = null;
    // What comes next may be another log: nothing of this one must be sent then.
    this.tools.recent.clear();
    this.dropAll(reason);
  }

  /** The first record of `term` will stand at `first`; it is not appended yet. */
  switchTerm(term: Term, first: Position): void {
    if (this.term === null) return;
    this.term = term;
    this.current?.switchTerm(term, first);
    for (const stranger of this.strangers) stranger.switchTerm(term, first);
  }

  /** Forgets what any peer has acknowledged: for a server that begins to serve after somebody else did. */
  forget(): void {
    this.acknowledged = null;
    if (this.owed !== null) this.owed = { ...this.owed, beyond: NO_POSITION };
  }

  /** Up to where the peer's copy is durable, and in which journal; `null` when it never said. */
  get peerDurable(): { readonly journal: JournalId; readonly position: Position } | null {
    return this.acknowledged;
  }
  get inStep(): boolean {
    return this.current?.inStep ?? false;
  }

  /** @param awaited records wait for the peer, or would */
  stalledMs(awaited: boolean): number {
    const now = this.tools.clock.monotonic();
    const { current, owed } = this;
    const before = owed === null || !awaited ? 0 : Math.max(0, now - owed.since);
    if (current === null || current.durable === null) return before;
    return awaited || current.inStep ? Math.max(before, current.stalledMs(now)) : 0;
  }

  status(awaited: boolean): ReplicationStatus | null {
    if (this.term === null || this.peer === null) return null;
    const stalledMs = this.stalledMs(awaited);
    if (this.current !== null) return this.current.status(stalledMs);
    const durable = this.acknowledged?.position ?? NO_POSITION;
    return {
      phase: 'connecting',
      peerRun: this.peer.brokerRun,
      peerJournal: null,
      term: this.term,
      peerDurable: durable,
      stalledMs,
      lagRecords: Math.max(0, this.tools.copy.head.position - durable),
      lagBytes: 0,
      progress: null,
    };
  }

  /** Records are on their way to the disk. */
  records(run: RecordRun): void {
    if (this.term === null) return;
    this.tools.recent.push(run);
    this.current?.pump();
  }

  /** More is durable here. */
  pump(): void {
    this.current?.pump();
  }

  private accept(stream: Stream): void {
    const { config, tools } = this;
    const refusal = this.refusal(stream);
    if (refusal !== null) {
      // That one side is not ready yet is an ordinary state of a pair.
      if (refusal === CROWDED) this.strangerLog.write('crowded', 'warn', `A connection to the replication port from ${stream.remote} was refused: ${refusal}`);
      else tools.log.write('debug', `A connection to the replication port from ${stream.remote} was refused: ${refusal}`);
      return refuse(stream, refusal);
    }
    if (this.term === null || this.peer === null) return;
    const identity = { cluster: config.cluster, run: this.run, peer: this.peer };
    const feed: Feed = new Feed(stream, { ...tools, identity }, { known: (one) => this.onKnown(one), progress: (one) => this.onProgress(one), ended: (one, reason) => this.onEnded(one, reason) }, this.term);
    this.strangers.add(feed);
  }

  private refusal(stream: Stream): string | null {
    if (this.config.replicationSecured && !stream.authenticated) return 'the other side did not prove the shared secret';
    if (this.term === null) return 'this server does not serve';
    if (this.peer === null) return 'nobody is expected here';
    if (!this.tools.copy.ready) return 'this server is not ready';
    if (this.strangers.size >= this.config.tuning.strangersMax) return CROWDED;
    return null;
  }

  private onKnown(feed: Feed): void {
    this.strangers.delete(feed);
    // The follower dials again only when its old connection is dead to it.
    this.current?.stop('the follower has connected anew', null);
    this.current = feed;
    this.tools.log.write('debug', `${this.peer?.server ?? 'The peer'} connected from ${feed.remote}`);
    this.listener.changed();
  }

  private onProgress(feed: Feed): void {
    if (feed !== this.current) return;
    const { durable, journal } = feed;
    if (durable !== null && journal !== null) {
      const known = this.acknowledged;
      if (known !== null && known.journal === journal && durable < known.position) {
        this.tools.log.write('error', `The peer's copy ends at position ${durable}; it had acknowledged ${known.position}. Its disk has lost data`, { code: 'LOCKSTEP_PEER_LOST_DATA' });
      }
      this.acknowledged = { journal, position: durable };
      if (known?.journal !== journal || durable > (this.owed?.beyond ?? NO_POSITION) || durable >= this.tools.copy.head.position) this.owed = null;
      this.listener.acknowledged();
    }
    if (feed.inStep === this.wasInStep && journal === this.wasJournal) return;
    this.wasInStep = feed.inStep;
    this.wasJournal = journal;
    this.listener.changed();
  }

  private onEnded(feed: Feed, reason: string): void {
    if (this.strangers.delete(feed)) {
      this.strangerLog.write('stranger', 'warn', `A connection to the replication port from ${feed.remote} ended before it said who it is: ${reason}`);
      return;
    }
    this.current = null;
    this.tools.copy.neededFrom = Number.MAX_SAFE_INTEGER as Position;
    const now = this.tools.clock.monotonic();
    this.owed ??= { since: (now - feed.stalledMs(now)) as Monotonic, beyond: this.acknowledged?.position ?? NO_POSITION };
    this.tools.log.write('info', `The replication link to ${feed.remote} ended: ${reason}`);
    this.listener.changed();
  }

  private dropAll(reason: string): void {
    for (const feed of [...this.strangers]) feed.stop(reason, reason);
    this.current?.stop(reason, reason);
  }
}

function refuse(stream: Stream, reason: string): void {
  stream.handle({ data: () => undefined, drain: () => undefined, close: () => undefined });
  stream.write(encodeReplicationFrame({ kind: 'refused', reason }));
  stream.end();
}
