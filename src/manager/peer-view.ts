import type { Monotonic, RunId } from '../core/identity.js';
import type { PeerStatus, PeerStatusBody } from '../core/control/peer.js';
import type { Situation } from '../core/ha/situation.js';
import { peerTakesPart } from '../core/ha/situation.js';
import type { Clock } from '../ports/clock.js';
import type { ManagerConfig } from './config.js';
import type { Knowledge } from './situate.js';

/** Sending times kept, to know how old the status is that the peer says it has heard; older ones count as never sent. */
const SENT_TIMES_MAX = 512;
/** Statuses by which the clocks are compared. */
const OFFSETS_MAX = 8;

/**
 * What this manager has heard of its peer, and what the peer is known to have heard of it. A status that was overtaken by
 * a newer one of its run is dropped; which run counts, the backchannel decides.
 */
export class PeerView {
  private latest: PeerStatus | null = null;
  private heardAt: Monotonic | null = null;
  private takingPartAt: Monotonic | null = null;
  /** Of each status its number and when it left, at the place that its number has among so many. */
  private readonly sent: { readonly seq: number; readonly at: Monotonic }[] = [];
  private seq = 0;
  /** Of the peer's clock to this server's, by each of its latest statuses. What one took on its way counts to it. */
  private readonly offsets: number[] = [];

  constructor(
    private readonly config: ManagerConfig,
    private readonly run: RunId,
    private readonly clock: Clock,
  ) {}

  hear(status: PeerStatus, receivedAt: Monotonic): void {
    if (status.server !== this.config.peerServer) return;
    if (this.latest !== null && this.latest.run === status.run && status.seq <= this.latest.seq) return;
    const isNew = this.latest?.run !== status.run;
    this.latest = status;
    this.heardAt = receivedAt;
    if (isNew) this.offsets.length = 0;
    if (status.wallTime === null) return;
    this.offsets.push(status.wallTime - this.clock.wall());
    if (this.offsets.length > OFFSETS_MAX) this.offsets.shift();
  }

  /** This manager stood still for so long, and told the peer nothing: that the peer has not heard it meanwhile is no deafness. */
  stoodStill(ms: number): void {
    const now = this.clock.monotonic();
    for (const [place, { seq, at }] of this.sent.entries()) this.sent[place] = { seq, at: Math.min(now, at + ms) as Monotonic };
  }

  heard(): PeerStatus['heard'] {
    return this.latest === null ? null : { run: this.latest.run, seq: this.latest.seq };
  }

  /** Gives a status its number and remembers when it left. */
  number(status: PeerStatusBody): PeerStatus {
    this.seq += 1;
    this.sent[placeOf(this.seq)] = { seq: this.seq, at: this.clock.monotonic() };
    return { ...status, seq: this.seq, wallTime: Math.round(this.clock.wall()) };
  }

  /** So far the peer's clock is ahead of this server's (behind it: negative), less what its quickest status of late took on its way. `null`: not enough was heard yet. Milliseconds. */
  get clockOffsetMs(): number | null {
    return this.offsets.length < OFFSETS_MAX ? null : Math.round(Math.max(...this.offsets));
  }

  judge(situation: Situation): void {
    if (peerTakesPart(situation)) this.takingPartAt = this.clock.monotonic();
  }

  knowledge(): Pick<Knowledge, 'peer' | 'peerHeardAt' | 'peerHeardOurs' | 'peerTookPartAt'> {
    const heard = this.latest?.heard ?? null;
    const ours = heard !== null && heard.run === this.run ? this.leftAt(heard.seq) : null;
    return { peer: this.latest, peerHeardAt: this.heardAt, peerHeardOurs: ours, peerTookPartAt: this.takingPartAt };
  }

  private leftAt(seq: number): Monotonic | null {
    const sent = this.sent[placeOf(seq)];
    return sent !== undefined && sent.seq === seq ? sent.at : null;
  }
}

/** The first number is 1. */
function placeOf(seq: number): number {
  return (seq - 1) % SENT_TIMES_MAX;
}
