import type { PeerStatus } from '../../src/core/control/peer.js';
import type { Monotonic, RunId } from '../../src/core/identity.js';
import { isServing, type ServerState } from '../../src/core/identity.js';
import type { TermRecord } from '../../src/core/terms/record.js';
import type { HostName } from './faults.js';
import type { Move } from './probe.js';

/** The profile's times by which a right begins or ends, milliseconds. */
export interface RightTimes {
  readonly pingIntervalMs: number;
  readonly pingMissLimit: number;
  readonly peerWaitMs: number;
}

/** Statuses whose sending is remembered; the peer's word of an older one says that it is behind. */
const SENT_KEPT = 64;

/**
 * What came to one run of a manager from outside: answers of the gateway, the peer's words. By it each of its claims and moves is held against
 * its right (design: arbitration, R3, R8 and the table of moves), on that server's own monotonic clock, whatever the manager makes of it.
 */
export class Testimony {
  /** When the newest probe was sent that the gateway answered. */
  private askedAt: Monotonic | null = null;
  private heardAt: Monotonic | null = null;
  private said: PeerStatus | null = null;
  /** What this run has told the peer last. */
  private told: PeerStatus | null = null;
  /** When the peer was last heard, had heard this run lately, and could take part in what is next. */
  private connectedAt: Monotonic | null = null;
  private waitingSince: Monotonic;
  private state: ServerState = 'WAITING';
  private readonly sent = new Map<number, Monotonic>();

  /** `fail`: told of a right that was not there. */
  constructor(
    private readonly name: HostName,
    private readonly run: RunId,
    private readonly times: RightTimes,
    private readonly now: () => Monotonic,
    private readonly fail: (check: string, detail: string) => void,
  ) {
    this.waitingSince = now();
  }

  gatewayAnswered(askedAt: Monotonic): void {
    this.askedAt = askedAt;
  }

  tellsPeer(status: PeerStatus): void {
    const { seq } = status;
    this.told = status;
    this.sent.set(seq, this.now());
    this.sent.delete(seq - SENT_KEPT);
  }

  /** `at`: when it came, as the backchannel says. */
  hearsPeer(status: PeerStatus, at: Monotonic): void {
    if (this.said?.run === status.run && status.seq <= this.said.seq) return;
    this.said = status;
    this.heardAt = at;
    const ours = status.heard?.run === this.run ? this.sent.get(status.heard.seq) : undefined;
    if (ours !== undefined && this.now() - ours <= this.silenceMs && this.takesPart(status)) this.connectedAt = at;
  }

  /** Not without a broker; nor with another share, where this server alone counts. But whoever knows of a term that this server does not know has part in what is next. */
  private takesPart({ state, broker, brokerDown, shareId, shareReplaced, record, inDoubt }: PeerStatus): boolean {
    if (isServing(state) || state === 'PASSIVE') return true;
    const mine = this.told?.record ?? null;
    const knowsMore = inDoubt !== null || (record !== null && (mine === null || record.term > mine.term || (record.term === mine.term && record.nonce !== mine.nonce)));
    if (knowsMore) return true;
    if (brokerDown || broker === null) return false;
    const isAlone = mine !== null && mine.inSync.every(({ server }) => server === this.name);
    return !isAlone || (shareId === this.told?.shareId && !shareReplaced);
  }

  /** The manager says that it has moved. */
  moves({ from, to, reason }: Pick<Move, 'from' | 'to' | 'reason'>): void {
    this.state = to;
    if (to === 'WAITING') this.waitingSince = this.now();
    // Those moves of the table that need the peer there, at the moment when they are made.
    const needsPeer = to === 'PASSIVE_SYNC' || (from === 'PASSIVE_SYNC' && to === 'PASSIVE') || (from === 'STANDALONE' && to === 'ACTIVE_SYNC');
    if (needsPeer && this.peerIsSilent) this.fail('a move has its right: the backchannel is up', `${this.name} went from ${from} to ${to} (${reason}), and ${this.silence()}`);
    if (from === 'STANDALONE' && to === 'ACTIVE_SYNC' && this.said !== null && isServing(this.said.state)) this.fail('a move has its right: the peer waits', `${this.name} went from ${from} to ${to}, and the peer's last word was that it is ${this.said.state}`);
  }

  /** The manager orders a claim that it has not ordered before. */
  claims(claim: TermRecord): void {
    if (claim.forced === true) return;
    const { cause } = claim;
    if (cause === 'alone' || cause === 'takeover' || cause === 'peer-lost') this.judgeGateway(claim);
    if (cause === 'alone') this.judgeWait(claim);
    if (cause === 'start') this.judgeStart(claim);
    if (cause === 'switchover' && this.said?.state !== 'PASSIVE') this.fail('a move has its right: to hand over', `${this.name} claimed term ${claim.term} for its peer, whose last word was that it is ${this.said?.state ?? 'not there'}`);
  }

  /** R3: "for a takeover, the peer is lost and the gateway answers", and it was asked since the peer's first heartbeat that did not come. */
  private judgeGateway({ term, cause }: TermRecord): void {
    const { askedAt, heardAt } = this;
    const limitMs = this.silenceMs + this.times.pingIntervalMs;
    const wrong = (why: string): void => this.fail('a move has its right: the gateway answers', `${this.name}, ${this.state}, claimed term ${term} (${cause}), and ${why}`);
    if (askedAt === null) wrong('the gateway has never answered it');
    else if (this.now() - askedAt > limitMs) wrong(`the gateway has answered nothing that was asked in the last ${limitMs} ms (${Math.round(this.now() - askedAt)} ms)`);
    else if (heardAt !== null && this.peerIsSilent && askedAt < heardAt + this.times.pingIntervalMs) wrong('the gateway answered from before the peer fell silent');
  }

  /** R8: "once the peer had `peerWait` to come". */
  private judgeWait({ term }: TermRecord): void {
    const { peerWaitMs } = this.times;
    const waited = this.now() - Math.max(this.waitingSince, this.connectedAt ?? 0);
    if (this.state !== 'WAITING' || waited < peerWaitMs) this.fail('a move has its right: peerWait', `${this.name}, ${this.state}, claimed term ${term} alone after ${Math.round(waited)} of ${peerWaitMs} ms in which the peer could connect`);
  }

  /** The table: "backchannel up, both WAITING". */
  private judgeStart({ term }: TermRecord): void {
    if (this.peerIsSilent) this.fail('a move has its right: the backchannel is up', `${this.name} claimed term ${term} as the first of two, and ${this.silence()}`);
    else if (this.said !== null && isServing(this.said.state)) this.fail('a move has its right: the peer waits', `${this.name} claimed term ${term} as the first of two, and the peer's last word was that it is ${this.said.state}`);
  }

  private get silenceMs(): number {
    return this.times.pingIntervalMs * this.times.pingMissLimit;
  }

  private get peerIsSilent(): boolean {
    return this.heardAt === null || this.now() - this.heardAt > this.silenceMs;
  }

  private silence(): string {
    return this.heardAt === null ? 'has never heard its peer' : `has not heard its peer for ${Math.round(this.now() - this.heardAt)} ms`;
  }
}
