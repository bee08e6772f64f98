import { decide } from '../../src/core/ha/decide.js';
import { brokerWish, type BrokerWish } from '../../src/core/ha/orders.js';
import { INITIAL_STATE, type HaState } from '../../src/core/ha/state.js';
import { peerServes, peerTakesPart, type Situation } from '../../src/core/ha/situation.js';
import type { BrokerStatus } from '../../src/core/control/broker.js';
import type { ClaimOutcome } from '../../src/core/control/keeper.js';
import type { PeerStatus } from '../../src/core/control/peer.js';
import { NO_TERM, type Monotonic, type Position, type ServerId, type ServerState, type Term } from '../../src/core/identity.js';
import type { TermRecord } from '../../src/core/terms/record.js';
import type { Watermark } from '../../src/core/terms/watermark.js';
import { presentBroker } from '../../src/manager/situate.js';
import { journalId, keyOfRole, runId, startedBroker, statusOf, type Broker } from './broker.js';
import type { Flaw } from './flaws.js';

/*
 * Two servers of production rules (core/ha) over the smallest world in which they can go wrong: brokers that obey late and disks that
 * sync late, statuses that are overtaken, links that cut, a share on which claims land late or never, and no working lock at
 * all. Plain data, so that the exploration can compare states.
 */
export type Side = 0 | 1;
export const SIDES: readonly Side[] = [0, 1];
export const NAMES = ['primary', 'secondary'] as const;

export interface Server {
  readonly run: number;
  readonly up: boolean;
  readonly ha: HaState;
  readonly kept: TermRecord | null;
  readonly broker: Broker;
  /** The broker's statuses are held up: what the manager still goes by. */
  readonly said: { readonly status: BrokerStatus; readonly isOld: boolean } | null;
  readonly claim: ClaimOutcome | null;
  /** The claim that the keeper was given and has not answered. */
  readonly asked: TermRecord | null;
  /** The share that it was asked of. A keeper that finds another one under its feet reports no victory. */
  readonly askedShare: number;
  /** The highest number on it then. */
  readonly askedAfter: number;
  /** What was last heard of the peer. */
  readonly heard: PeerStatus | null;
  readonly silent: boolean;
  readonly lockHeld: boolean;
  /** Time has passed since the last move. */
  readonly settled: boolean;
  readonly stalled: boolean;
  /** Its disk makes nothing durable. */
  readonly diskStalled: boolean;
  /** The task under way takes longer than its limit. */
  readonly overdue: boolean;
  /** Its claim was made long enough ago for another try. */
  readonly retries: boolean;
  /** The share gave no answer that could be used. */
  readonly troubled: boolean;
  readonly claims: number;
  readonly switchoverWished: boolean;
  readonly promoteWished: boolean;
}

export interface Acked {
  readonly position: number;
  /** Of the record. */
  readonly term: number;
  /** The term in which it was acknowledged, not before that of the record. */
  readonly within: number;
}

/** Faults of each kind that may still happen. */
export interface Kinds {
  readonly crash: number;
  readonly brokerCrash: number;
  readonly doubt: number;
  readonly wipe: number;
  readonly putBack: number;
  readonly damage: number;
  readonly diverge: number;
  readonly replace: number;
  readonly restore: number;
  readonly switchover: number;
  readonly promote: number;
  readonly lock: number;
  readonly stall: number;
  readonly diskStall: number;
  readonly session: number;
  readonly heldUp: number;
  readonly overtaken: number;
  readonly trouble: number;
}

export const ALL_KINDS: Kinds = {
  crash: 2, brokerCrash: 1, doubt: 2, wipe: 1, putBack: 1, damage: 1, diverge: 1, replace: 1, restore: 1, switchover: 1, promote: 1, lock: 1, stall: 1, diskStall: 1, session: 1, heldUp: 1, overtaken: 1, trouble: 1,
};

export interface World {
  readonly servers: readonly [Server, Server];
  /** Records on the share, by term. */
  readonly share: readonly TermRecord[];
  /** What stands beside them of the highest one, where it tells more than that: written before a disk was put back to less. Another share array comes with another. */
  readonly watermark: Watermark | null;
  /** Claims that were sent, got no answer, and may still land. */
  readonly inFlight: readonly TermRecord[];
  readonly shareId: number;
  /** The replication link's network, and the backchannel's. */
  readonly linkUp: boolean;
  readonly backUp: boolean;
  /** A status of each server that is still on its way. */
  readonly onTheWay: readonly [PeerStatus | null, PeerStatus | null];
  readonly acked: readonly Acked[];
  /** The last promotion that stood on a share: what the other server does in a term below it is given up. */
  readonly promotion: { readonly server: string; readonly term: number } | null;
  readonly faultsLeft: number;
  readonly kinds: Kinds;
}

export function newWorld(faults: number): World {
  const server = (side: Side): Server => ({
    run: side + 1,
    up: true,
    ha: INITIAL_STATE,
    kept: null,
    broker: startedBroker(side + 1, side + 1, []),
    said: null,
    claim: null,
    asked: null,
    askedShare: 0,
    askedAfter: 0,
    heard: null,
    silent: true,
    lockHeld: true,
    settled: true,
    stalled: false,
    diskStalled: false,
    overdue: false,
    retries: false,
    troubled: false,
    claims: 0,
    switchoverWished: false,
    promoteWished: false,
  });
  return {
    servers: [server(0), server(1)], share: [], watermark: null, inFlight: [], shareId: 1, linkUp: true, backUp: true, onTheWay: [null, null], acked: [], promotion: null, faultsLeft: faults, kinds: ALL_KINDS,
  };
}

export function other(side: Side): Side {
  return side === 0 ? 1 : 0;
}

export function put(world: World, side: Side, server: Server): World {
  return { ...world, servers: side === 0 ? [server, world.servers[1]] : [world.servers[0], server] };
}

export function highest(share: readonly TermRecord[]): TermRecord | null {
  return share.reduce<TermRecord | null>((best, r) => (best === null || r.term > best.term ? r : best), null);
}

export function isReplaced(world: World, server: Server): boolean {
  return server.kept !== null && !world.share.some((r) => r.nonce === server.kept?.nonce);
}

/** What the manager goes by: the last status that came, as production code reads it. */
export function seenStatus(server: Server, flaw: Flaw): BrokerStatus {
  const { said } = server;
  if (said === null) return statusOf(server.broker, flaw);
  return presentBroker(said.status, said.isOld ? 2 : 1) ?? said.status;
}

/** Time is turned into the most permissive yes and no: whatever may happen at some moment may happen now. */
export function situation(world: World, side: Side, flaw: Flaw): Situation {
  const server = world.servers[side];
  const replaced = isReplaced(world, server);
  const adopts = server.ha.task?.kind === 'alone' && server.ha.task.fresh;
  const kept = keptWith(flaw, world, side);
  const dismissed = flaw === 'no-record-is-defeat' && server.claim?.kind === 'in-doubt' && server.kept !== null;
  const s: Situation = {
    server: NAMES[side] as ServerId,
    role: NAMES[side],
    peerServer: NAMES[other(side)] as ServerId,
    peerReplication: { host: '', port: 0 },
    broker: seenStatus(server, flaw),
    stalled: server.stalled,
    diskStalled: server.diskStalled,
    diskPauses: server.diskStalled,
    unfit: server.diskStalled,
    takesRecords: true,
    peer: server.heard,
    peerSilent: server.silent,
    peerHearsUs: !server.silent,
    kept,
    share: {
      usable: (!replaced || adopts) && !server.troubled,
      replaced: replaced && !adopts,
      bare: false,
      empty: world.share.length === 0 && server.kept === null,
      id: `s${world.shareId}`,
      highestTerm: highest(world.share)?.term ?? NO_TERM,
      watermark: flaw === 'watermark-not-asked' ? null : world.watermark,
      detail: null,
      givenUp: false,
    },
    lock: server.lockHeld ? { held: true, until: 1 as Monotonic, detail: null } : { held: false, until: null, detail: 'lost' },
    claim: dismissed && server.claim !== null ? { kind: 'failed', nonce: server.claim.nonce, detail: '' } : server.claim,
    gatewayAnswers: true,
    peerHadItsWait: false,
    settled: server.settled,
    steady: true,
    repositoriesSettled: true,
    taskOverdue: server.overdue,
    mayTryAgain: server.retries,
    patienceEnded: server.overdue,
    wishes: { switchover: server.switchoverWished, stop: false, promote: server.promoteWished },
    fresh: { nonce: `${NAMES[side]}-${server.run}-${server.claims}`, at: '' },
  };
  return { ...s, peerHadItsWait: !peerTakesPart(s) };
}

/** What the server keeps, as a flawed rule takes it. */
function keptWith(flaw: Flaw, world: World, side: Side): TermRecord | null {
  const server = world.servers[side];
  const { kept, ha } = server;
  if (kept === null) return null;
  if (flaw === 'membership') return withMember(server, kept, side);
  const adopts = ha.task?.kind === 'alone' && ha.task.fresh;
  const above = highest(world.share)?.term ?? NO_TERM;
  return flaw === 'adoption-overtakes' && adopts && above > kept.term ? { ...kept, term: above } : kept;
}

function withoutPeer(wish: BrokerWish): BrokerWish {
  const { role } = wish;
  return role.kind === 'serve' ? { ...wish, role: { ...role, requirePeer: false } } : wish;
}

function withMember(server: Server, kept: TermRecord, side: Side): TermRecord {
  return { ...kept, position: 0 as Position, inSync: [{ server: NAMES[side] as ServerId, journal: journalId(server.broker.journal) }, ...kept.inSync.filter((m) => m.server !== NAMES[side])] };
}

const DECISIONS_MAX = 12;

/** One cycle of a manager: decide until nothing changes, then order the broker and the keeper. */
export function cycle(world: World, side: Side, flaw: Flaw, moved?: (from: ServerState, to: ServerState) => void): World {
  let server = world.servers[side];
  if (!server.up) return world;
  for (let i = 0; i < DECISIONS_MAX; i += 1) {
    let s = situation(put(world, side, server), side, flaw);
    if (server.promoteWished && peerServes(s)) {
      server = { ...server, promoteWished: false };
      s = situation(put(world, side, server), side, flaw);
    }
    let next = decide(server.ha, s);
    if (flaw === 'solo-without-claim') next = soloWithoutClaim(server.ha, next);
    if (flaw === 'doubt-skips-number') next = skippingNumber(next, server.kept);
    if (next === server.ha) break;
    if (next.moves !== server.ha.moves) moved?.(next.previous, next.state);
    server = entered(server, next, s.fresh.nonce);
  }
  const wish = brokerWish(server.ha, situation(put(world, side, server), side, flaw));
  const ordered = flaw === 'waits-without-peer' && server.ha.task?.kind === 'alone' ? withoutPeer(wish) : wish;
  const { broker, said } = server;
  const hasNewRole = keyOfRole(ordered, broker.run) !== keyOfRole(broker.ordered, broker.run);
  const claim = claimOf(server.ha);
  const isNew = claim !== null && claim.nonce !== server.asked?.nonce && claim.nonce !== server.claim?.nonce;
  const isSame = JSON.stringify(ordered) === JSON.stringify(broker.ordered);
  const asked = claim === null ? null : isNew ? claim : server.asked;
  if (server === world.servers[side] && isSame && asked === server.asked && !isNew) return world;
  return put(world, side, {
    ...server,
    said: said !== null && hasNewRole ? { ...said, isOld: true } : said,
    broker: isSame ? broker : { ...broker, ordered },
    asked,
    askedShare: isNew ? world.shareId : server.askedShare,
    askedAfter: isNew ? (highest(world.share)?.term ?? 0) : server.askedAfter,
    claim: isNew ? null : server.claim,
  });
}

function entered(server: Server, next: HaState, nonce: string): Server {
  const before = server.ha;
  const moved = next.moves !== before.moves;
  const handedOver = moved && (next.state === 'PASSIVE' || next.state === 'ACTIVE') && (before.state === 'PASSIVE' || before.state === 'ACTIVE');
  const promoted = moved || (before.task?.kind === 'alone' && before.task.forced && next.task === null);
  return {
    ...server,
    ha: next,
    claims: claimOf(next)?.nonce === nonce ? server.claims + 1 : server.claims,
    settled: moved ? !handedOver : server.settled,
    switchoverWished: server.switchoverWished && next.state === 'ACTIVE' && !(before.task?.kind === 'handover' && next.task === null),
    promoteWished: server.promoteWished && !promoted,
  };
}

function soloWithoutClaim(before: HaState, next: HaState): HaState {
  if (next.task?.kind !== 'alone' || next.task.claim === null || before.state === 'WAITING') return next;
  const claim = next.task.claim;
  return { ...next, task: null, state: 'STANDALONE', previous: before.state, moves: before.moves + 1, term: claim.term, record: claim, leader: null, partner: null };
}

/** What is claimed again has the number after the doubtful one, behind a fence that fits it. */
function skippingNumber(next: HaState, kept: TermRecord | null): HaState {
  const { task } = next;
  if (task?.kind !== 'alone' || !task.heldUp || kept === null) return next;
  const doubtful = (kept.term + 1) as Term;
  if (task.claim === null) return next.fence >= doubtful ? next : { ...next, fence: doubtful };
  if (task.claim.term !== doubtful || next.fence < doubtful) return next;
  return { ...next, task: { ...task, claim: { ...task.claim, term: (doubtful + 1) as Term } } };
}

export function claimOf(ha: HaState): TermRecord | null {
  return ha.task !== null && ha.task.kind !== 'accept' ? ha.task.claim : null;
}

/** What a server tells its peer now. */
export function tell(world: World, side: Side, flaw: Flaw): PeerStatus {
  const server = world.servers[side];
  const broker = seenStatus(server, flaw);
  const s = situation(world, side, flaw);
  return {
    server: NAMES[side] as ServerId,
    run: runId(server.run),
    seq: 0,
    wallTime: 0,
    heard: null,
    state: server.ha.state,
    previous: 'WAITING',
    moves: 0,
    reason: '',
    term: server.ha.term,
    record: server.kept,
    inDoubt: claimOf(server.ha)?.term ?? null,
    shareId: `s${world.shareId}`,
    shareEmpty: s.share.empty,
    shareReplaced: s.share.replaced,
    shareBare: s.share.bare,
    shareGivenUp: false,
    brokerDown: false,
    broker: {
      run: broker.run,
      journal: broker.journal.id,
      logTerm: broker.journal.term,
      position: broker.journal.position,
      durable: broker.journal.durable,
      damage: broker.journal.damage,
      diverged: broker.diverged,
      fencedThrough: broker.fencedThrough,
      replicationPhase: broker.replication?.phase ?? null,
      users: null,
    },
    holdsLock: server.lockHeld,
    releasedLock: false,
    gatewayAnswers: true,
    wantsSwitchover: false,
    stopping: false,
    unfit: server.diskStalled,
    hindrance: null,
    clientEndpoints: [],
    repositories: null,
  };
}
