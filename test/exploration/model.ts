import { decide } from '../../src/core/ha/decide.js';
import { brokerWish, type BrokerWish } from '../../src/core/ha/orders.js';
import { INITIAL_STATE, type HaState } from '../../src/core/ha/state.js';
import type { Situation } from '../../src/core/ha/situation.js';
import type { BrokerStatus } from '../../src/core/control/broker.js';
import type { ClaimOutcome } from '../../src/core/control/keeper.js';
import type { PeerStatus } from '../../src/core/control/peer.js';
import type { JournalId, Monotonic, Position, RunId, ServerId, Term } from '../../src/core/identity.js';
import { NO_TERM } from '../../src/core/identity.js';
import type { TermRecord } from '../../src/core/terms/record.js';

/*
 * Two servers of production rules (core/ha) over the smallest world in which they can go wrong: brokers that obey late, a link that cuts,
 * a share on which claims land late or never, and no working lock at all. Plain data, so that the exploration can
 * compare states.
 *
 * A log is the list of the terms of its records: in one term only one server appends, so (position, term) names a record.
 */
export type Side = 0 | 1;
export const SIDES: readonly Side[] = [0, 1];
export const NAMES = ['primary', 'secondary'] as const;

export interface Broker {
  readonly run: number;
  readonly journal: number;
  readonly log: readonly number[];
  readonly fencedThrough: number;
  /** What it was last told, and what it does. */
  readonly ordered: BrokerWish;
  readonly obeyed: BrokerWish;
  /** Leader: what the follower of the present session has confirmed. */
  readonly peerDurable: number;
  /** Leader: the session with the follower's run and term, or null. */
  readonly session: { readonly run: number; readonly term: number; readonly journal: number } | null;
  /** Leader: records from this position on are acknowledged only when the peer has them. */
  readonly requiredFrom: number | null;
  readonly diverged: boolean;
}

export interface Server {
  readonly run: number;
  readonly up: boolean;
  readonly ha: HaState;
  readonly kept: TermRecord | null;
  readonly broker: Broker;
  readonly claim: ClaimOutcome | null;
  /** The claim that the keeper was given and has not answered. */
  readonly asked: TermRecord | null;
  /** The share that it was asked of. A keeper that finds another one under its feet reports no victory. */
  readonly askedShare: number;
  /** What was last heard of the peer. */
  readonly heard: PeerStatus | null;
  readonly silent: boolean;
  readonly claims: number;
  readonly switchoverWished: boolean;
}

export interface Acked {
  readonly position: number;
  readonly term: number;
}

export interface World {
  readonly servers: readonly [Server, Server];
  /** Records on the share, by term. */
  readonly share: readonly TermRecord[];
  /** Claims that were sent, got no answer, and may still land. */
  readonly inFlight: readonly TermRecord[];
  readonly shareId: number;
  readonly linkUp: boolean;
  readonly acked: readonly Acked[];
  readonly faultsLeft: number;
  readonly kindsLeft: { readonly crash: number; readonly doubt: number; readonly wipe: number; readonly replace: number; readonly switchover: number; readonly brokerCrash: number };
}

/** A rule left out, to see that the exploration would notice. */
export type Flaw = 'none' | 'membership' | 'solo-without-claim' | 'no-record-is-defeat' | 'no-fence' | 'no-drain' | 'resume-own-term' | 'wiped-journal-keeps-membership';

const IDLE: BrokerWish = { fenceThrough: NO_TERM, clientPort: 'closed', role: { kind: 'idle', keepClients: false } };

function newBroker(run: number, journal: number, log: readonly number[]): Broker {
  return { run, journal, log, fencedThrough: 0, ordered: IDLE, obeyed: IDLE, peerDurable: 0, session: null, requiredFrom: null, diverged: false };
}

export function newWorld(faults: number): World {
  const server = (side: Side): Server => ({
    run: side + 1,
    up: true,
    ha: INITIAL_STATE,
    kept: null,
    broker: newBroker(side + 1, side + 1, []),
    claim: null,
    asked: null,
    askedShare: 0,
    heard: null,
    silent: true,
    claims: 0,
    switchoverWished: false,
  });
  return {
    servers: [server(0), server(1)],
    share: [],
    inFlight: [],
    shareId: 1,
    linkUp: true,
    acked: [],
    faultsLeft: faults,
    kindsLeft: { crash: 2, doubt: 2, wipe: 1, replace: 1, switchover: 1, brokerCrash: 1 },
  };
}

export function other(side: Side): Side {
  return side === 0 ? 1 : 0;
}

function journalId(n: number): JournalId {
  return `j${n}` as JournalId;
}

function runId(n: number): RunId {
  return `r${n}` as RunId;
}

function idNumber(id: string): number {
  return Number(id.slice(1));
}

/** The broker's status as the manager sees it: never later than the truth. */
export function brokerStatus(broker: Broker, flaw: Flaw): BrokerStatus {
  const role = broker.obeyed.role;
  const requires = role.kind === 'serve' && role.requirePeer;
  const term = role.kind === 'idle' ? 0 : role.term;
  const inStep = broker.session !== null && broker.peerDurable >= broker.log.length;
  const durable = broker.log.length as Position;
  return {
    run: runId(broker.run),
    orderSeq: 0,
    fencedThrough: (flaw === 'no-fence' ? 1_000 : broker.fencedThrough) as Term,
    clientPort: flaw === 'no-fence' ? 'bound' : broker.obeyed.clientPort === 'bound' ? 'bound' : 'closed',
    clientPortError: null,
    role: flaw === 'no-fence' && role.kind === 'follow' ? 'idle' : role.kind,
    term: term as Term,
    peerRequiredFrom: requires ? (broker.requiredFrom as Position | null) : null,
    drained: role.kind === 'serve' && role.drain && (flaw === 'no-drain' || inStep),
    journal: { id: journalId(broker.journal), term: (broker.log.at(-1) ?? 0) as Term, position: durable, durable, damage: null },
    replication:
      role.kind === 'follow'
        ? { ...link(broker, term), phase: broker.session !== null ? 'in-step' : 'connecting' }
        : role.kind === 'serve' && broker.session !== null
          ? { ...link(broker, term), phase: inStep ? 'in-step' : 'catching-up', peerRun: runId(broker.session.run), peerJournal: journalId(broker.session.journal) }
          : null,
    diverged: broker.diverged ? 'differs' : null,
    trouble: null,
    clients: 0,
    sessions: 0,
    queued: 0,
  };
}

function link(broker: Broker, term: number): Omit<NonNullable<BrokerStatus['replication']>, 'phase'> {
  return { peerRun: null, peerJournal: null, term: term as Term, peerDurable: broker.peerDurable as Position, stalledMs: 0, lagRecords: 0, lagBytes: 0, progress: null };
}

export function highest(share: readonly TermRecord[]): TermRecord | null {
  return share.reduce<TermRecord | null>((best, r) => (best === null || r.term > best.term ? r : best), null);
}

export function isReplaced(world: World, server: Server): boolean {
  return server.kept !== null && !world.share.some((r) => r.nonce === server.kept?.nonce);
}

/** Time is turned into the most permissive yes and no: whatever may happen at some moment may happen now. */
export function situation(world: World, side: Side, flaw: Flaw): Situation {
  const server = world.servers[side];
  const replaced = isReplaced(world, server);
  const seen = highest(world.share);
  const kept = flaw === 'membership' && server.kept !== null ? withMember(server, server.kept, side) : server.kept;
  return {
    server: NAMES[side] as ServerId,
    role: NAMES[side],
    peerServer: NAMES[other(side)] as ServerId,
    peerReplication: { host: '', port: 0 },
    broker: brokerStatus(server.broker, flaw),
    stalled: false,
    peer: server.heard,
    peerSilent: server.silent,
    peerHearsUs: !server.silent,
    kept,
    share: {
      usable: !replaced,
      replaced,
      empty: world.share.length === 0 && server.kept === null,
      id: `s${world.shareId}`,
      highestTerm: seen?.term ?? NO_TERM,
      detail: null,
    },
    lock: { held: true, until: 1 as Monotonic, detail: null },
    claim: flaw === 'no-record-is-defeat' && server.claim?.kind === 'in-doubt' && server.kept !== null ? { kind: 'failed', nonce: server.claim.nonce, detail: '' } : server.claim,
    gatewayAnswers: true,
    peerHadItsWait: server.silent,
    settled: true,
    taskOverdue: server.ha.task !== null && server.ha.task.kind !== 'accept' && server.ha.task.claim !== null,
    wishes: { switchover: server.switchoverWished, stop: false, promote: false },
    fresh: { nonce: `${NAMES[side]}-${server.run}-${server.claims}`, at: '' },
  };
}

function withMember(server: Server, kept: TermRecord, side: Side): TermRecord {
  return { ...kept, position: 0 as Position, inSync: [{ server: NAMES[side] as ServerId, journal: journalId(server.broker.journal) }, ...kept.inSync.filter((m) => m.server !== NAMES[side])] };
}

/** One cycle of a manager: decide until nothing changes, then order the broker and the keeper. */
export function cycle(world: World, side: Side, flaw: Flaw): World {
  let server = world.servers[side];
  if (!server.up) return world;
  let claims = server.claims;
  for (let i = 0; i < 12; i += 1) {
    const s = situation(put(world, side, { ...server, claims }), side, flaw);
    let next = decide(server.ha, s);
    if (flaw === 'solo-without-claim') next = soloWithoutClaim(server.ha, next);
    if (next === server.ha) break;
    if (claimOf(next)?.nonce === s.fresh.nonce) claims += 1;
    server = { ...server, ha: next, switchoverWished: server.switchoverWished && next.state === 'ACTIVE' };
  }
  const s = situation(put(world, side, { ...server, claims }), side, flaw);
  const wish = brokerWish(server.ha, s);
  const claim = claimOf(server.ha);
  const isNew = claim !== null && claim.nonce !== server.asked?.nonce && claim.nonce !== server.claim?.nonce;
  return put(world, side, {
    ...server,
    claims,
    broker: { ...server.broker, ordered: wish },
    asked: claim === null ? null : isNew ? claim : server.asked,
    askedShare: isNew ? world.shareId : server.askedShare,
    claim: isNew ? null : server.claim,
  });
}

function soloWithoutClaim(before: HaState, next: HaState): HaState {
  if (next.task?.kind !== 'alone' || next.task.claim === null || before.state === 'WAITING') return next;
  const claim = next.task.claim;
  return { ...next, task: null, state: 'STANDALONE', previous: before.state, moves: before.moves + 1, term: claim.term, record: claim, leader: null, partner: null };
}

export function claimOf(ha: HaState): TermRecord | null {
  return ha.task !== null && ha.task.kind !== 'accept' ? ha.task.claim : null;
}

export function put(world: World, side: Side, server: Server): World {
  return { ...world, servers: side === 0 ? [server, world.servers[1]] : [world.servers[0], server] };
}

/** What a server tells its peer now. */
export function tell(world: World, side: Side, flaw: Flaw): PeerStatus {
  const server = world.servers[side];
  const broker = brokerStatus(server.broker, flaw);
  const replaced = isReplaced(world, server);
  return {
    server: NAMES[side] as ServerId,
    run: runId(server.run),
    seq: 0,
    heard: null,
    state: server.ha.state,
    previous: server.ha.previous,
    moves: 0,
    reason: '',
    term: server.ha.term,
    record: server.kept,
    inDoubt: null,
    shareId: `s${world.shareId}`,
    shareEmpty: world.share.length === 0 && server.kept === null,
    shareReplaced: replaced,
    brokerDown: false,
    broker: {
      run: broker.run,
      journal: broker.journal.id,
      logTerm: broker.journal.term,
      position: broker.journal.position,
      durable: broker.journal.durable,
      damage: null,
      diverged: broker.diverged,
      fencedThrough: broker.fencedThrough,
      replicationPhase: broker.replication?.phase ?? null,
    },
    holdsLock: true,
    releasedLock: false,
    gatewayAnswers: true,
    wantsSwitchover: false,
    stopping: false,
    clientEndpoints: [],
  };
}

export { newBroker, idNumber };
