import { roleKey } from '../../src/manager/telling.js';
import type { BrokerWish } from '../../src/core/ha/orders.js';
import type { BrokerStatus, FollowRole, ServeRole } from '../../src/core/control/broker.js';
import type { JournalId, Position, RunId, Term } from '../../src/core/identity.js';
import { NO_TERM } from '../../src/core/identity.js';
import { admittedPosition } from '../../src/core/replication/admission-window.js';
import type { Flaw } from './flaws.js';

/*
 * A broker as small as it can be while the rules still can go wrong on it: what it has appended and what of that is durable, the
 * session with its peer and what is still on its way through it, the fence, and the set of copies that count.
 *
 * A log is the list of the terms of its records: in one term only one server appends, so (position, term) names a record.
 *
 * With `bothWithoutDiskSync` what is written counts as durable while two copies stand for it. The model writes none of that to the disk by itself: all of it waits until
 * the disk is settled.
 */

/** The leader's end of a connection. Alive while the follower's end has the same runs. */
export interface Feed {
  readonly run: number;
  readonly journal: number;
  /** The leader's head when the point was agreed on: in step once that is durable there. */
  readonly goal: number;
  /** The follower has confirmed the shared point. */
  readonly ready: boolean;
  /** Durable at the follower, as the leader has heard. */
  readonly durable: number;
  /** The same as the follower has said: on its way, also when the follower is gone. */
  readonly coming: number;
}

/** The follower's end. */
export interface Link {
  readonly run: number;
  readonly goal: number;
  readonly received: number;
}

export interface Broker {
  readonly run: number;
  readonly journal: number;
  readonly log: readonly number[];
  readonly durable: number;
  /** Its profile says `bothWithoutDiskSync`. */
  readonly lazy: boolean;
  /** What of the durable part is on the disk, when that need not be all; `null`: all of it. */
  readonly stored: number | null;
  readonly damaged: boolean;
  readonly diverged: boolean;
  readonly fencedThrough: number;
  /** What it was told last, and what it has carried out. */
  readonly ordered: BrokerWish;
  readonly obeyed: BrokerWish;
  /** The term that it serves in, also while that is suspended; 0: none. */
  readonly current: number;
  readonly lastTerm: number;
  readonly on: boolean;
  /** The peer's journal that counts in the term. */
  readonly member: number | null;
  readonly requiredFrom: number | null;
  readonly feed: Feed | null;
  /** What the peer has acknowledged; survives the connection. */
  readonly known: { readonly journal: number; readonly position: number } | null;
  readonly link: Link | null;
}

const IDLE: BrokerWish = { fenceThrough: NO_TERM, clientPort: 'closed', role: { kind: 'idle', keepClients: false } };

/** A process that has just started on what the disk holds. */
export function startedBroker(run: number, journal: number, log: readonly number[], damaged = false, lazy = false): Broker {
  return {
    run, journal, log, durable: log.length, lazy, stored: null, damaged, diverged: false, fencedThrough: 0, ordered: IDLE, obeyed: IDLE,
    current: 0, lastTerm: 0, on: false, member: null, requiredFrom: null, feed: null, known: null, link: null,
  };
}

export function journalId(n: number): JournalId {
  return `j${n}` as JournalId;
}

export function runId(n: number): RunId {
  return `r${n}` as RunId;
}

export function idNumber(id: string): number {
  return Number(id.slice(1));
}

/** The role that it follows in; `null` when it does not. */
export function following(broker: Broker): FollowRole | null {
  const { role } = broker.obeyed;
  return role.kind === 'follow' && role.term > broker.fencedThrough ? role : null;
}

export function serving(broker: Broker): ServeRole | null {
  const { role } = broker.obeyed;
  return broker.on && role.kind === 'serve' ? role : null;
}

/** Two copies stand for what it confirms, and it need not be on the disk. */
function isRelaxed({ lazy, obeyed: { role }, fencedThrough }: Broker): boolean {
  const two = role.kind === 'follow' || (role.kind === 'serve' && role.inSync.length > 1);
  return lazy && two && role.term > fencedThrough;
}

/** What of its log is there after a loss of power. */
export function onDisk(broker: Broker): number {
  return broker.stored ?? broker.durable;
}

/** All that counts as durable is on the disk. `null` when it is already, or need not be. */
export function settled(broker: Broker): Broker | null {
  return broker.stored === null || isRelaxed(broker) ? null : { ...broker, stored: null };
}

/** Carries out the latest order: the fence first, for good. `null` when nothing is new. */
export function obey(broker: Broker, flaw: Flaw): Broker | null {
  if (broker.ordered === broker.obeyed || JSON.stringify(broker.ordered) === JSON.stringify(broker.obeyed)) return null;
  const next = carriedOut(broker, flaw);
  return isRelaxed(next) ? { ...next, stored: onDisk(next) } : next;
}

function carriedOut(broker: Broker, flaw: Flaw): Broker {
  const wish = broker.ordered;
  const fencedThrough = flaw === 'no-fence' ? 0 : Math.max(broker.fencedThrough, wish.fenceThrough);
  const fenced = suspendFenced({ ...broker, obeyed: wish, fencedThrough });
  const { role } = wish;
  if (role.kind === 'serve') return serve({ ...fenced, link: null }, role, flaw);
  const off = role.kind === 'idle' && role.keepClients ? suspended(fenced) : ended(fenced);
  if (role.kind === 'idle' || following(off) === null) return { ...off, link: null };
  const before = broker.obeyed.role;
  const same = before.kind === 'follow' && before.leader.brokerRun === role.leader.brokerRun && role.term >= before.term;
  const anew = broker.damaged || (role.resync && broker.diverged);
  return { ...off, link: same && !anew ? off.link : null };
}

function suspendFenced(broker: Broker): Broker {
  return broker.on && broker.current <= broker.fencedThrough ? suspended(broker) : broker;
}

function suspended(broker: Broker): Broker {
  return broker.current === 0 ? broker : { ...broker, on: false, feed: null };
}

function ended(broker: Broker): Broker {
  return broker.current === 0 ? broker : { ...broker, on: false, current: 0, member: null, requiredFrom: null, feed: null };
}

function serve(broker: Broker, role: ServeRole, flaw: Flaw): Broker {
  const { term } = role;
  const me = role.inSync.some((m) => m.journal === journalId(broker.journal));
  const last = broker.log.at(-1) ?? 0;
  const begins = broker.current === 0;
  const refused = term <= broker.fencedThrough || broker.damaged || !me || term < broker.current || (begins && flaw !== 'resume-own-term' && (last > term || (last === term && broker.lastTerm !== term)));
  if (refused) return suspended(broker);
  const entered: Broker = begins ? { ...broker, known: null } : term > broker.current ? { ...broker, member: null } : broker;
  const other = role.inSync.find((m) => m.journal !== journalId(broker.journal));
  const member = other === undefined ? entered.member : idNumber(other.journal);
  const wants = role.requirePeer || member !== null;
  const peerRun = role.peer === null ? null : idNumber(role.peer.brokerRun);
  return {
    ...entered,
    on: true,
    current: term,
    lastTerm: term,
    member: flaw === 'waits-without-peer' && !role.requirePeer ? null : member,
    requiredFrom: flaw === 'waits-without-peer' && !role.requirePeer ? null : wants ? (entered.requiredFrom ?? broker.log.length + 1) : null,
    feed: entered.feed !== null && entered.feed.run === peerRun ? entered.feed : null,
  };
}

/** The position up to which everything may be acknowledged. */
export function admitted(broker: Broker, flaw: Flaw): number {
  const { known, member } = broker;
  const counts = known !== null && (member === null || known.journal === member);
  const required = flaw === 'admission-without-requirement' && member === null ? null : broker.requiredFrom;
  return admittedPosition({
    own: broker.durable as Position,
    peer: counts ? (known.position as Position) : null,
    peerIsMember: member !== null,
    peerRequiredFrom: required as Position | null,
  });
}

function inStep(feed: Feed | null): boolean {
  return feed !== null && feed.ready && feed.durable >= feed.goal;
}

/** The status that it would send now. `orderSeq` is 1: the model says when it is old. */
export function statusOf(broker: Broker, flaw: Flaw): BrokerStatus {
  const follow = following(broker);
  const role = serving(broker);
  const noFence = flaw === 'no-fence';
  const head = broker.log.length;
  const isDrained = role?.drain === true && inStep(broker.feed) && broker.durable === head && admitted(broker, flaw) === head && broker.known?.position === head;
  return {
    run: runId(broker.run),
    orderSeq: 1,
    fencedThrough: (noFence ? 1_000 : broker.fencedThrough) as Term,
    clientPort: noFence || broker.obeyed.clientPort === 'bound' ? 'bound' : 'closed',
    clientPortError: null,
    onDisk: broker.stored === null || flaw === 'claims-unsettled',
    certificateUntil: null,
    users: null,
    role: role !== null ? 'serve' : follow !== null && !noFence ? 'follow' : 'idle',
    term: (role !== null ? broker.current : (follow?.term ?? 0)) as Term,
    peerRequiredFrom: role === null ? null : (broker.requiredFrom as Position | null),
    admitted: role === null || broker.stored !== null ? null : (admitted(broker, flaw) as Position),
    drained: isDrained || (flaw === 'no-drain' && role?.drain === true),
    journal: { id: journalId(broker.journal), term: (broker.log.at(-1) ?? 0) as Term, position: head as Position, durable: broker.durable as Position, stalledMs: 0, damage: broker.damaged ? 'damaged' : null },
    replication: follow !== null ? followerStatus(broker, follow) : role !== null && role.peer !== null ? leaderStatus(broker, role.peer.brokerRun) : null,
    diverged: broker.diverged ? 'differs' : null,
    trouble: null,
    notice: null,
    clients: 0,
    sessions: 0,
    queued: 0,
  };
}

type Replication = NonNullable<BrokerStatus['replication']>;
const NOTHING_TO_TELL = { stalledMs: 0, lagRecords: 0, lagBytes: 0, progress: null };

function followerStatus(broker: Broker, role: FollowRole): Replication {
  const { link } = broker;
  const phase = link === null ? 'connecting' : broker.durable >= link.goal ? 'in-step' : 'catching-up';
  return { ...NOTHING_TO_TELL, phase, peerRun: role.leader.brokerRun, peerJournal: null, term: role.term, peerDurable: broker.durable as Position };
}

function leaderStatus(broker: Broker, peerRun: RunId): Replication {
  const { feed } = broker;
  const phase = feed === null ? 'connecting' : !feed.ready ? 'negotiating' : inStep(feed) ? 'in-step' : 'catching-up';
  return {
    ...NOTHING_TO_TELL,
    phase,
    peerRun,
    peerJournal: feed?.ready === true ? journalId(feed.journal) : null,
    term: broker.current as Term,
    peerDurable: (feed?.ready === true ? feed.durable : (broker.known?.position ?? 0)) as Position,
  };
}

/** Whether both ends belong to one living connection. */
export function connected(leader: Broker, follower: Broker): boolean {
  return leader.feed !== null && follower.link !== null && leader.feed.run === follower.run && follower.link.run === leader.run;
}

/** The follower dials, and both agree on the shared point; what lies beyond it is put aside. `null` when it cannot come to that. */
export function negotiated(leader: Broker, follower: Broker): { leader: Broker; follower: Broker } | null {
  const lead = serving(leader);
  const follow = following(follower);
  if (lead === null || follow === null || lead.peer === null || connected(leader, follower)) return null;
  if (idNumber(lead.peer.brokerRun) !== follower.run || idNumber(follow.leader.brokerRun) !== leader.run) return null;
  if (follow.term > leader.current || leader.current <= follower.fencedThrough) return null;
  const anew = follower.damaged || (follow.resync && follower.diverged);
  if (!anew && follower.durable < follower.log.length) return null;
  let shared = 0;
  while (!anew && shared < Math.min(leader.log.length, follower.log.length) && leader.log[shared] === follower.log[shared]) shared += 1;
  const journal = anew ? follower.journal + 2 : follower.journal;
  const goal = leader.log.length;
  const copy: Broker = {
    ...follower,
    journal,
    log: follower.log.slice(0, shared),
    durable: shared,
    stored: follower.stored === null ? null : Math.min(follower.stored, shared),
    damaged: false,
    diverged: follower.diverged && !anew,
    link: { run: leader.run, goal, received: shared },
  };
  return { leader: { ...leader, feed: { run: follower.run, journal, goal, ready: false, durable: 0, coming: shared } }, follower: copy };
}

/** The next record goes over. */
export function streamed(leader: Broker, follower: Broker, flaw: Flaw): { leader: Broker; follower: Broker } | null {
  const { link } = follower;
  if (!connected(leader, follower) || link === null || leader.feed === null || follower.damaged || following(follower) === null) return null;
  if (link.received >= leader.log.length || link.received !== follower.log.length) return null;
  const log = [...follower.log, leader.log[link.received] as number];
  const coming = flaw === 'ack-before-durable' ? log.length : leader.feed.coming;
  return { leader: { ...leader, feed: { ...leader.feed, coming } }, follower: { ...follower, log, link: { ...link, received: log.length } } };
}

/** The server's own disk has synced. What is durable is said to the leader in the same breath. */
export function synced(broker: Broker): Broker | null {
  return broker.damaged || broker.durable === broker.log.length ? null : { ...broker, durable: broker.log.length };
}

/** What the leader's end is told by the follower's. */
export function told(leader: Broker, follower: Broker): Broker {
  const { feed } = leader;
  if (!connected(leader, follower) || feed === null || follower.link === null || following(follower) === null) return leader;
  const coming = Math.min(follower.durable, follower.link.received);
  return coming <= feed.coming ? leader : { ...leader, feed: { ...feed, coming } };
}

/** What is on its way from the follower arrives. */
export function arrived(leader: Broker): Broker | null {
  const { feed } = leader;
  if (feed === null || (feed.ready && feed.coming === feed.durable)) return null;
  return { ...leader, feed: { ...feed, ready: true, durable: feed.coming }, known: { journal: feed.journal, position: feed.coming } };
}

/** The key that the manager goes by to tell an old status from a new one. */
export function keyOfRole(wish: BrokerWish, run: number): string {
  return roleKey(wish, run);
}
