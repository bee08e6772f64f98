import { recordToKeep } from '../../src/core/ha/learning.js';
import { INITIAL_STATE } from '../../src/core/ha/state.js';
import { isServing, type Position, type ServerId } from '../../src/core/identity.js';
import { isMember } from '../../src/core/terms/compare.js';
import type { PeerStatus } from '../../src/core/control/peer.js';
import type { TermRecord } from '../../src/core/terms/record.js';
import { admitted, arrived, connected, following, journalId, negotiated, obey, runId, serving, settled, startedBroker, statusOf, streamed, synced, told, type Broker } from './broker.js';
import { claimOf, highest, isReplaced, NAMES, other, put, SIDES, type Acked, type Kinds, type Server, type Side, type World } from './model.js';
import type { Rules } from './rules.js';

/** A next world, and what led to it. */
export interface Step {
  /** Whose event it is; `null`: nobody's. */
  readonly side: Side | null;
  readonly event: string;
  readonly world: World;
}

export function nameOf({ side, event }: Pick<Step, 'side' | 'event'>): string {
  return side === null ? event : `${NAMES[side]} ${event}`;
}

export interface Bounds {
  readonly logMax: number;
  readonly termsMax: number;
}

type Named = readonly [event: string, world: World | null, ...deciding: Side[]];

/** Everything that may happen next. Whatever a manager hears of, it decides on at once, as the real one does. */
export function steps(world: World, rules: Rules, bounds: Bounds): Step[] {
  const all: Step[] = [];
  const add = (side: Side | null, [event, next, ...deciding]: Named): void => {
    if (next === null) return;
    const decided = deciding.reduce((w, one) => rules.cycle(w, one), next);
    if (decided !== world) all.push({ side, event, world: decided });
  };
  for (const side of SIDES) {
    if (!world.servers[side].up) add(side, ['starts', restart(world, side, rules), side]);
    else for (const list of [managerSteps(world, side, rules), brokerSteps(world, side, rules, bounds), claimSteps(world, side, bounds), faults(world, side, rules)]) for (const one of list) add(side, one);
  }
  for (const record of world.inFlight) add(null, [`the lost claim of term ${record.term} by ${record.nonce} lands`, lands(world, record)]);
  for (const step of shareFaults(world)) add(null, step);
  for (const step of linkSteps(world)) add(null, step);
  return all;
}

function managerSteps(world: World, side: Side, rules: Rules): Named[] {
  const server = world.servers[side];
  return [
    ['decides', rules.cycle(world, side)],
    ['looks at the share', look(world, side), side],
    ['is heard', hear(world, side, rules.tell(world, side), rules), other(side)],
    ['is heard late', overtaken(world, side, rules), other(side)],
    ['hears nothing', silence(world, side), side],
    ['has time', server.settled ? null : put(world, side, { ...server, settled: true }), side],
    ['finds its task overdue', overdue(world, side, rules)],
    ['tries its claim again', again(world, side, rules)],
    ["'s disk goes on", server.diskStalled ? put(world, side, { ...server, diskStalled: false }) : null, side],
    ['gets the lock', server.lockHeld ? null : put(world, side, { ...server, lockHeld: true }), side],
    ["'s broker is heard again", server.said === null ? null : put(world, side, { ...server, said: null }), side],
  ];
}

/** Time is short or long: whatever is under way may take longer than its limit, at any moment. */
function overdue(world: World, side: Side, rules: Rules): World | null {
  const server = world.servers[side];
  if (server.ha.task === null) return null;
  const decided = rules.cycle(put(world, side, { ...server, overdue: true }), side);
  return put(decided, side, { ...decided.servers[side], overdue: false });
}

/** What got no answer, or was never made, may be claimed again at any moment. */
function again(world: World, side: Side, rules: Rules): World | null {
  const server = world.servers[side];
  if (server.claim?.kind !== 'in-doubt' && server.claim?.kind !== 'failed') return null;
  const decided = rules.cycle(put(world, side, { ...server, retries: true }), side);
  return put(decided, side, { ...decided.servers[side], retries: false });
}

function brokerSteps(world: World, side: Side, rules: Rules, bounds: Bounds): Named[] {
  const peer = other(side);
  const { broker } = world.servers[side];
  const far = world.servers[peer];
  const pair = (next: { leader: Broker; follower: Broker } | null): World | null =>
    next === null || !world.linkUp || !far.up ? null : setBroker(setBroker(world, side, next.leader), peer, next.follower);
  return [
    ["'s broker obeys", changed(world, side, obey(broker, rules.flaw)), side],
    ['appends', append(world, side, bounds)],
    ['syncs', sync(world, side), side],
    ['has all of its copy on its disk', changed(world, side, settled(broker)), side],
    ['acknowledges', acknowledge(world, side, rules)],
    ['agrees with its follower', pair(negotiated(broker, far.broker)), side, peer],
    ['sends a record', pair(streamed(broker, far.broker, rules.flaw)), peer],
    ['hears its follower', changed(world, side, arrived(broker)), side],
    ['notices that its follower is gone', changed(world, side, broker.feed !== null && !(far.up && connected(broker, far.broker)) ? { ...broker, feed: null } : null), side],
    ['notices that its leader is gone', changed(world, side, broker.link !== null && !(far.up && connected(far.broker, broker)) ? { ...broker, link: null } : null), side],
  ];
}

function changed(world: World, side: Side, broker: Broker | null): World | null {
  return broker === null ? null : setBroker(world, side, broker);
}

function setBroker(world: World, side: Side, broker: Broker): World {
  return put(world, side, { ...world.servers[side], broker });
}

function look(world: World, side: Side): World | null {
  const server = world.servers[side];
  const isAdopting = server.ha.task?.kind === 'alone' && server.ha.task.fresh;
  if (isReplaced(world, server) && !isAdopting) return null;
  const seen = highest(world.share);
  if (seen === null || (server.kept !== null && server.kept.term >= seen.term)) return null;
  return put(world, side, { ...server, kept: seen });
}

/** The peer hears a status of this server. */
function hear(world: World, side: Side, status: PeerStatus, rules: Rules): World | null {
  const to = other(side);
  const listener = world.servers[to];
  if (!world.linkUp || !world.backUp || !listener.up) return null;
  const record = recordToKeep(listener.ha, status, `s${world.shareId}`);
  const learns = record !== null && (listener.kept?.term ?? 0) < record.term;
  const next: Server = { ...listener, heard: status, silent: false, kept: learns ? record : listener.kept };
  if (!listener.silent && !learns && rules.isSame(listener.heard, status)) return null;
  return setOnTheWay(put(world, to, next), side, null);
}

/** A status that was sent before comes only now. One of a run that was heard to be over is not listened to. */
function overtaken(world: World, side: Side, rules: Rules): World | null {
  const status = world.onTheWay[side];
  return status === null ? null : hear(world, side, status, rules);
}

function setOnTheWay(world: World, side: Side, status: PeerStatus | null): World {
  return { ...world, onTheWay: side === 0 ? [status, world.onTheWay[1]] : [world.onTheWay[0], status] };
}

function silence(world: World, side: Side): World | null {
  const server = world.servers[side];
  if (server.silent || (world.linkUp && world.backUp && world.servers[other(side)].up)) return null;
  return put(world, side, { ...server, silent: true });
}

function append(world: World, side: Side, bounds: Bounds): World | null {
  const { broker } = world.servers[side];
  const role = serving(broker);
  if (role === null || role.drain || broker.damaged || broker.log.length >= bounds.logMax) return null;
  return setBroker(world, side, { ...broker, log: [...broker.log, broker.current] });
}

function sync(world: World, side: Side): World | null {
  const broker = synced(world.servers[side].broker);
  if (broker === null) return null;
  const next = setBroker(world, side, broker);
  return world.linkUp ? setBroker(next, other(side), told(world.servers[other(side)].broker, broker)) : next;
}

function acknowledge(world: World, side: Side, rules: Rules): World | null {
  const { broker } = world.servers[side];
  if (serving(broker) === null || broker.current <= broker.fencedThrough) return null;
  // What a server does after an operator has promoted the other one is given up with the rest.
  if (world.promotion !== null && world.promotion.server !== NAMES[side] && world.promotion.term >= broker.current) return null;
  const reach = Math.min(admitted(broker, rules.flaw), broker.log.length);
  const done = world.acked.reduce((n, a) => Math.max(n, a.position), 0);
  if (reach <= done) return null;
  const added = [];
  for (let p = done + 1; p <= reach; p += 1) added.push({ position: p, term: broker.log[p - 1] as number, within: broker.current });
  return { ...world, acked: [...world.acked, ...added] };
}

function claimSteps(world: World, side: Side, bounds: Bounds): Named[] {
  const server = world.servers[side];
  const claim = server.asked;
  const out: Named[] = [];
  const isAdopting = server.ha.task?.kind === 'alone' && server.ha.task.fresh;
  const isOvertaking = claim !== null && world.share.some((r) => r.term > server.askedAfter && r.term < claim.term);
  const failed: Server = { ...server, asked: null, claim: { kind: 'failed', nonce: claim?.nonce ?? '', detail: '' } };
  if (claim !== null && ((isReplaced(world, server) && !isAdopting) || isOvertaking)) out.push(["'s claim is refused", put(world, side, failed), side]);
  else if (claim !== null && server.askedShare !== world.shareId) {
    const doubting: Server = { ...server, asked: null, claim: { kind: 'in-doubt', nonce: claim.nonce, detail: '' } };
    out.push(["'s claim finds another share", put(world, side, failed), side], ["'s claim lands on another share", put(lands(world, claim), side, doubting), side]);
  } else if (claim !== null && claim.term <= bounds.termsMax) {
    const stands = world.share.find((r) => r.term === claim.term) ?? highest(world.share.filter((r) => r.term > claim.term));
    if (stands) {
      const kind = stands.nonce === claim.nonce ? 'won' : 'lost';
      out.push(["'s claim meets a record", put(world, side, { ...server, asked: null, kept: higher(server.kept, stands), claim: { kind, nonce: claim.nonce, record: stands } }), side]);
    } else {
      const won: Server = { ...server, asked: null, kept: higher(server.kept, claim), claim: { kind: 'won', nonce: claim.nonce, record: claim } };
      out.push(["'s claim is won", put(stand(world, claim), side, won), side]);
    }
    if (world.faultsLeft > 0 && world.kinds.doubt > 0) {
      const doubting = put(world, side, { ...server, asked: null, claim: { kind: 'in-doubt', nonce: claim.nonce, detail: '' } });
      out.push(["'s claim gets no answer", fault({ ...doubting, inFlight: [...world.inFlight, claim] }, 'doubt'), side]);
      out.push(["'s claim is never sent", fault(put(world, side, failed), 'doubt'), side]);
    }
  }
  const open = server.claim?.kind === 'in-doubt' ? claimOf(server.ha) : null;
  const found = open === null ? undefined : world.share.find((r) => r.term === open.term);
  if (open !== null && found !== undefined && server.claim?.nonce === open.nonce) {
    const kind = found.nonce === open.nonce ? 'won' : 'lost';
    out.push(["'s claim is settled", put(world, side, { ...server, kept: higher(server.kept, found), claim: { kind, nonce: open.nonce, record: found } }), side]);
  }
  return out;
}

function higher(a: TermRecord | null, b: TermRecord): TermRecord {
  return a === null || b.term > a.term ? b : a;
}

function lands(world: World, record: TermRecord): World {
  const next = { ...world, inFlight: world.inFlight.filter((r) => r !== record) };
  return world.share.some((r) => r.term === record.term) ? next : stand(next, record);
}

/** A record stands on the share. With a promotion the operator has accepted the loss of what that copy does not have. */
function stand(world: World, record: TermRecord): World {
  const share = [...world.share, record];
  if (record.forced !== true) return { ...world, share };
  const { log, durable } = world.servers[record.server === NAMES[0] ? 0 : 1].broker;
  return { ...world, share, promotion: { server: record.server, term: record.term }, acked: world.acked.filter((a) => a.position <= durable && log[a.position - 1] === a.term) };
}

function fault(world: World, kind: keyof Kinds): World {
  const kinds = { ...world.kinds, [kind]: world.kinds[kind] - 1 };
  // The share lost together with the only copy that is left of something: nobody can know of it any more.
  const isShareLost = kind === 'replace' || kind === 'restore';
  const possible = isShareLost ? { ...kinds, wipe: 0, putBack: 0 } : kind === 'wipe' || kind === 'putBack' ? { ...kinds, replace: 0, restore: 0 } : kinds;
  return { ...world, faultsLeft: world.faultsLeft - 1, kinds: possible };
}

function linkSteps(world: World): Named[] {
  const out: Named[] = [];
  if (!world.linkUp) out.push(['the network heals', { ...world, linkUp: true }]);
  else if (world.faultsLeft > 0) out.push(['the network is cut', { ...world, linkUp: false, faultsLeft: world.faultsLeft - 1 }]);
  if (!world.backUp) out.push(['the backchannel heals', { ...world, backUp: true }]);
  else if (world.faultsLeft > 0 && world.linkUp) out.push(['the backchannel is cut', { ...world, backUp: false, faultsLeft: world.faultsLeft - 1 }]);
  return out;
}

function shareFaults(world: World): Named[] {
  if (world.faultsLeft === 0) return [];
  const out: Named[] = [];
  if (world.kinds.replace > 0) out.push(['the share is replaced by an empty one', fault({ ...world, share: [], watermark: null, inFlight: [], shareId: world.shareId + 1 }, 'replace')]);
  const last = highest(world.share);
  // An old backup is noticed when somebody who is there knows better; so both shall.
  const bothKnow = world.servers.every((s) => s.kept !== null && last !== null && s.kept.nonce === last.nonce);
  if (world.kinds.restore > 0 && bothKnow) {
    out.push(['the share is put back from a backup', fault({ ...world, share: world.share.filter((r) => r !== last), inFlight: [] }, 'restore')]);
  }
  return out;
}

function faults(world: World, side: Side, rules: Rules): Named[] {
  const server = world.servers[side];
  const { broker } = server;
  if (world.faultsLeft === 0) return [];
  const out: Named[] = [];
  const may = (kind: keyof Kinds, name: string, make: () => World | null, ...deciding: Side[]): void => {
    const next = world.kinds[kind] > 0 ? make() : null;
    if (next !== null) out.push([name, fault(next, kind), ...deciding]);
  };
  const survives = broker.log.slice(0, broker.durable);
  may('crash', 'crashes', () => put(world, side, { ...server, up: false, broker: { ...broker, log: survives, feed: null, link: null } }));
  may('wipe', 'loses its disk', () => put(world, side, { ...server, up: false, kept: null, broker: { ...broker, log: [], durable: 0, stored: null, damaged: false, journal: broker.journal + 2, feed: null, link: null } }));
  may('putBack', 'has its disk put back', () => putBack(world, side));
  may('brokerCrash', "'s broker crashes", () => put(world, side, { ...server, said: null, broker: startedBroker(broker.run + 2, broker.journal, survives, broker.damaged, broker.lazy) }), side);
  may('damage', "'s disk fails", () => (broker.damaged ? null : setBroker(world, side, { ...broker, damaged: true, on: false, feed: null, link: null })), side);
  may('diverge', "'s state differs", () => (following(broker) === null || broker.diverged || broker.link === null ? null : setBroker(world, side, { ...broker, diverged: true })), side);
  may('switchover', 'is asked to switch over', () => (server.ha.state !== 'ACTIVE' || server.switchoverWished ? null : put(world, side, { ...server, switchoverWished: true })), side);
  may('promote', 'is promoted', () => (server.ha.state !== 'WAITING' || server.promoteWished || (!server.silent && server.heard !== null && isServing(server.heard.state)) ? null : put(world, side, { ...server, promoteWished: true })), side);
  may('lock', 'loses the lock', () => (server.lockHeld ? put(world, side, { ...server, lockHeld: false }) : null), side);
  may('stall', 'finds the link stalled', () => (server.ha.state !== 'ACTIVE' ? null : unstalled(rules.cycle(put(world, side, { ...server, stalled: true }), side), side)));
  may('diskStall', "'s disk makes nothing durable", () => (server.diskStalled ? null : put(world, side, { ...server, diskStalled: true })), side);
  may('trouble', 'cannot use the share', () => (server.ha.task?.kind !== 'alone' ? null : untroubled(rules.cycle(put(world, side, { ...server, troubled: true }), side), side)));
  may('session', "'s session breaks", () => {
    const peer = world.servers[other(side)];
    return broker.feed === null || !connected(broker, peer.broker) ? null : setBroker(setBroker(world, side, { ...broker, feed: null }), other(side), { ...peer.broker, link: null });
  });
  may('heldUp', "'s broker is not heard", () => (server.said === null ? put(world, side, { ...server, said: { status: statusOf(broker, rules.flaw), isOld: false } }) : null));
  may('overtaken', 'says something that comes late', () => (world.onTheWay[side] === null && world.linkUp && world.backUp ? setOnTheWay(world, side, rules.tell(world, side)) : null));
  return out;
}

/**
 * It loses power, and its disk comes back without the last record that was acknowledged (a lying disk, or an old backup), in this term or, before
 * its server knew of this one, in the one before. How far the copies reached was written down by then; the real one does that every second.
 */
function putBack(world: World, side: Side): World | null {
  const server = world.servers[side];
  const { broker } = server;
  const record = highest(world.share);
  // There is no watermark of what was not on the disk: nothing would tell.
  if (record === null || broker.damaged || broker.lazy || !isMember(record, NAMES[side] as ServerId, journalId(broker.journal))) return null;
  const last = world.acked.reduce<Acked | null>((most, a) => (most === null || a.position > most.position ? a : most), null);
  const within = world.share.find((r) => r.term === last?.within);
  if (last === null || within === undefined || record.term - within.term > 1) return null;
  const reach = last.position;
  if (reach <= record.position || reach > broker.durable) return null;
  const watermark = { term: within.term, nonce: within.nonce, position: reach as Position };
  const left: Broker = { ...broker, log: broker.log.slice(0, reach - 1), durable: reach - 1, feed: null, link: null };
  return { ...put(world, side, { ...server, up: false, broker: left }), share: [...world.share], watermark };
}

function unstalled(world: World, side: Side): World {
  return put(world, side, { ...world.servers[side], stalled: false });
}

function untroubled(world: World, side: Side): World {
  return put(world, side, { ...world.servers[side], troubled: false });
}

function restart(world: World, side: Side, rules: Rules): World {
  const old = world.servers[side];
  const journal = rules.flaw === 'wiped-journal-keeps-membership' && old.broker.log.length === 0 ? side + 1 : old.broker.journal;
  const broker = startedBroker(old.broker.run + 2, journal, old.broker.log, old.broker.damaged, old.broker.lazy);
  const resumes = rules.flaw === 'resume-own-term' && old.kept?.server === NAMES[side] && old.kept.inSync.length === 1;
  const ha = resumes && old.kept !== null ? { ...INITIAL_STATE, state: 'STANDALONE' as const, record: old.kept, term: old.kept.term, brokerRun: runId(broker.run) } : INITIAL_STATE;
  const fresh: Server = { ...old, up: true, run: old.run + 2, ha, broker, said: null, claim: null, asked: null, heard: null, silent: true, stalled: false, diskStalled: false, overdue: false, retries: false, troubled: false, settled: true, switchoverWished: false, promoteWished: false };
  return put(world, side, fresh);
}
