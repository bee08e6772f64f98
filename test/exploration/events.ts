import { INITIAL_STATE } from '../../src/core/ha/state.js';
import type { TermRecord } from '../../src/core/terms/record.js';
import { claimOf, cycle, highest, idNumber, isReplaced, NAMES, newBroker, other, put, SIDES, tell, type Broker, type Flaw, type Server, type Side, type World } from './model.js';

/** A next world and the name of what led to it. */
export interface Step {
  readonly name: string;
  readonly world: World;
}

export interface Bounds {
  readonly logMax: number;
  readonly termsMax: number;
}

/** Everything that may happen next. */
export function steps(world: World, flaw: Flaw, bounds: Bounds): Step[] {
  const all: Step[] = [];
  const add = (name: string, next: World | null): void => {
    if (next !== null && next !== world) all.push({ name, world: next });
  };
  for (const side of SIDES) {
    const server = world.servers[side];
    const who = NAMES[side];
    if (!server.up) {
      add(`${who} starts`, cycle(restart(world, side, flaw), side, flaw));
      continue;
    }
    add(`${who} decides`, cycle(world, side, flaw));
    // Whatever a manager hears of, it decides on at once, as the real one does.
    const then = (next: World | null, ...sides: Side[]): World | null => sides.reduce<World | null>((w, x) => (w === null ? null : cycle(w, x, flaw)), next);
    add(`${who}'s broker obeys`, then(obey(world, side, flaw), side));
    add(`${who} looks at the share`, then(look(world, side), side));
    add(`${who} is heard`, then(hear(world, side, flaw), other(side)));
    add(`${who} hears nothing`, then(silence(world, side), side));
    add(`${who} appends`, append(world, side, bounds));
    add(`${who} replicates`, then(replicate(world, side), side, other(side)));
    add(`${who} acknowledges`, acknowledge(world, side));
    for (const [name, next] of claimSteps(world, side, bounds)) add(`${who}'s claim ${name}`, then(next, side));
    for (const [name, next] of faults(world, side)) add(`${who} ${name}`, then(next, side));
  }
  for (const record of world.inFlight) add(`the lost claim of term ${record.term} by ${record.nonce} lands`, lands(world, record));
  if (world.faultsLeft > 0 && world.linkUp) add('the link is cut', fault({ ...world, linkUp: false }));
  if (!world.linkUp) add('the link heals', { ...world, linkUp: true });
  if (world.faultsLeft > 0 && world.kindsLeft.replace > 0 && world.share.length > 0) {
    add('the share is replaced by an empty one', fault({ ...world, share: [], inFlight: [], shareId: world.shareId + 1, kindsLeft: { ...world.kindsLeft, replace: 0 } }));
  }
  return all;
}

function fault(world: World): World {
  return { ...world, faultsLeft: world.faultsLeft - 1 };
}

/** The broker does what it was told last: the fence first, for good. */
function obey(world: World, side: Side, flaw: Flaw): World | null {
  const { broker } = world.servers[side];
  if (broker.ordered === broker.obeyed || JSON.stringify(broker.ordered) === JSON.stringify(broker.obeyed)) return null;
  const wish = broker.ordered;
  const fencedThrough = flaw === 'no-fence' ? 0 : Math.max(broker.fencedThrough, wish.fenceThrough);
  const role = wish.role;
  const before = broker.obeyed.role;
  const term = role.kind === 'idle' ? 0 : role.term;
  if (term !== 0 && term <= fencedThrough) return null;
  const samePeer = role.kind === 'serve' && before.kind === 'serve' && JSON.stringify(role.peer) === JSON.stringify(before.peer);
  const required = role.kind === 'serve' && role.requirePeer;
  const wasRequired = before.kind === 'serve' && before.requirePeer;
  const next: Broker = {
    ...broker,
    obeyed: wish,
    fencedThrough,
    session: samePeer ? broker.session : null,
    peerDurable: samePeer ? broker.peerDurable : 0,
    requiredFrom: required ? (wasRequired ? broker.requiredFrom : broker.log.length + 1) : null,
  };
  return setBroker(world, side, next);
}

function setBroker(world: World, side: Side, broker: Broker): World {
  return put(world, side, { ...world.servers[side], broker });
}

function look(world: World, side: Side): World | null {
  const server = world.servers[side];
  if (isReplaced(world, server)) return null;
  const seen = highest(world.share);
  if (seen === null || (server.kept !== null && server.kept.term >= seen.term)) return null;
  return put(world, side, { ...server, kept: seen });
}

/** The peer hears this server's present status. */
function hear(world: World, side: Side, flaw: Flaw): World | null {
  const to = other(side);
  const listener = world.servers[to];
  if (!world.linkUp || !listener.up) return null;
  const status = tell(world, side, flaw);
  const record = status.record;
  // Also on a share that was replaced: the peer's fresh record is how this server comes to know the new one.
  const learns = record !== null && !status.shareReplaced && (listener.kept?.term ?? 0) < record.term;
  const next: Server = { ...listener, heard: status, silent: false, kept: learns ? record : listener.kept };
  if (!listener.silent && !learns && JSON.stringify(listener.heard) === JSON.stringify(status)) return null;
  return put(world, to, next);
}

function silence(world: World, side: Side): World | null {
  const server = world.servers[side];
  if (server.silent || (world.linkUp && world.servers[other(side)].up)) return null;
  return put(world, side, { ...server, silent: true });
}

function append(world: World, side: Side, bounds: Bounds): World | null {
  const { broker } = world.servers[side];
  const role = broker.obeyed.role;
  if (role.kind !== 'serve' || role.drain || broker.log.length >= bounds.logMax) return null;
  return setBroker(world, side, { ...broker, log: [...broker.log, role.term] });
}

/** The follower takes the next record, or first gives up what the leader does not share. */
function replicate(world: World, side: Side): World | null {
  const leader = world.servers[side].broker;
  const follower = world.servers[other(side)].broker;
  const lead = leader.obeyed.role;
  const follow = follower.obeyed.role;
  if (!world.linkUp || !world.servers[other(side)].up || lead.kind !== 'serve' || follow.kind !== 'follow' || lead.peer === null) return null;
  if (idNumber(lead.peer.brokerRun) !== follower.run || idNumber(follow.leader.brokerRun) !== leader.run) return null;
  if (follow.term > lead.term || follow.term <= follower.fencedThrough || lead.term <= follower.fencedThrough) return null;
  let shared = 0;
  while (shared < Math.min(leader.log.length, follower.log.length) && leader.log[shared] === follower.log[shared]) shared += 1;
  const session = { run: follower.run, term: lead.term, journal: follower.journal };
  const isOpen = leader.session?.run === follower.run;
  const log = isOpen && shared < leader.log.length ? [...follower.log.slice(0, shared), leader.log[shared] as number] : follower.log.slice(0, shared);
  const sameLog = log.length === follower.log.length && log.every((t, i) => t === follower.log[i]);
  if (isOpen && sameLog && leader.peerDurable === log.length && leader.session?.term === lead.term) return null;
  const next = setBroker(world, other(side), { ...follower, log, session: { run: leader.run, term: lead.term, journal: leader.journal } });
  return setBroker(next, side, { ...leader, session, peerDurable: log.length });
}

function acknowledge(world: World, side: Side): World | null {
  const { broker } = world.servers[side];
  const role = broker.obeyed.role;
  if (role.kind !== 'serve' || role.term <= broker.fencedThrough) return null;
  const reach = role.requirePeer ? Math.min(broker.log.length, broker.session === null ? 0 : broker.peerDurable) : broker.log.length;
  const done = world.acked.reduce((n, a) => Math.max(n, a.position), 0);
  if (reach <= done) return null;
  const added = [];
  for (let p = done + 1; p <= reach; p += 1) added.push({ position: p, term: broker.log[p - 1] as number });
  return { ...world, acked: [...world.acked, ...added] };
}

function claimSteps(world: World, side: Side, bounds: Bounds): [string, World][] {
  const server = world.servers[side];
  const claim = server.asked;
  const out: [string, World][] = [];
  if (claim !== null && server.askedShare !== world.shareId) {
    const failed: Server = { ...server, asked: null, claim: { kind: 'failed', nonce: claim.nonce, detail: '' } };
    out.push(['finds another share', put(world, side, failed)], ['lands on another share', put({ ...lands(world, claim) }, side, failed)]);
  } else if (claim !== null && claim.term <= bounds.termsMax) {
    const stands = world.share.find((r) => r.term === claim.term) ?? highest(world.share.filter((r) => r.term > claim.term));
    if (stands) {
      const kind = stands.nonce === claim.nonce ? 'won' : 'lost';
      out.push(['meets a record', put(world, side, { ...server, asked: null, kept: higher(server.kept, stands), claim: { kind, nonce: claim.nonce, record: stands } })]);
    } else {
      const won = put({ ...world, share: [...world.share, claim] }, side, { ...server, asked: null, kept: claim, claim: { kind: 'won', nonce: claim.nonce, record: claim } });
      out.push(['is won', won]);
    }
    if (world.faultsLeft > 0 && world.kindsLeft.doubt > 0) {
      const doubting = put(world, side, { ...server, asked: null, claim: { kind: 'in-doubt', nonce: claim.nonce, detail: '' } });
      const kindsLeft = { ...world.kindsLeft, doubt: world.kindsLeft.doubt - 1 };
      out.push(['gets no answer', fault({ ...doubting, inFlight: [...world.inFlight, claim], kindsLeft })]);
    }
  }
  const open = server.claim?.kind === 'in-doubt' ? claimOf(server.ha) : null;
  const found = open === null ? undefined : world.share.find((r) => r.term === open.term);
  if (open !== null && found !== undefined && server.claim?.nonce === open.nonce) {
    const kind = found.nonce === open.nonce ? 'won' : 'lost';
    out.push(['is settled', put(world, side, { ...server, kept: higher(server.kept, found), claim: { kind, nonce: open.nonce, record: found } })]);
  }
  return out;
}

function higher(a: TermRecord | null, b: TermRecord): TermRecord {
  return a === null || b.term > a.term ? b : a;
}

function lands(world: World, record: TermRecord): World {
  const inFlight = world.inFlight.filter((r) => r !== record);
  if (world.share.some((r) => r.term === record.term)) return { ...world, inFlight };
  return { ...world, inFlight, share: [...world.share, record] };
}

function faults(world: World, side: Side): [string, World][] {
  const server = world.servers[side];
  if (world.faultsLeft === 0) return [];
  const out: [string, World][] = [];
  const { kindsLeft } = world;
  if (kindsLeft.crash > 0) out.push(['crashes', fault({ ...put(world, side, { ...server, up: false }), kindsLeft: { ...kindsLeft, crash: kindsLeft.crash - 1 } })]);
  if (kindsLeft.wipe > 0) {
    const broker = { ...server.broker, log: [], journal: server.broker.journal + 2 };
    out.push(['loses its disk', fault({ ...put(world, side, { ...server, up: false, kept: null, broker }), kindsLeft: { ...kindsLeft, wipe: 0 } })]);
  }
  if (kindsLeft.brokerCrash > 0) {
    const broker = newBroker(server.broker.run + 2, server.broker.journal, server.broker.log);
    const crashed = cutSessions(put(world, side, { ...server, broker }), side);
    out.push(["'s broker crashes", fault({ ...crashed, kindsLeft: { ...kindsLeft, brokerCrash: 0 } })]);
  }
  if (kindsLeft.switchover > 0 && server.ha.state === 'ACTIVE') {
    out.push(['is asked to switch over', { ...put(world, side, { ...server, switchoverWished: true }), kindsLeft: { ...kindsLeft, switchover: 0 } }]);
  }
  return out;
}

function cutSessions(world: World, side: Side): World {
  const peer = world.servers[other(side)];
  return put(world, other(side), { ...peer, broker: { ...peer.broker, session: null, peerDurable: 0 } });
}

function restart(world: World, side: Side, flaw: Flaw): World {
  const old = world.servers[side];
  const journal = flaw === 'wiped-journal-keeps-membership' && old.broker.log.length === 0 ? side + 1 : old.broker.journal;
  const broker = newBroker(old.broker.run + 2, journal, old.broker.log);
  const resumes = flaw === 'resume-own-term' && old.kept?.server === NAMES[side] && old.kept.inSync.length === 1;
  const ha = resumes && old.kept !== null ? { ...INITIAL_STATE, state: 'STANDALONE' as const, record: old.kept, term: old.kept.term, brokerRun: `r${broker.run}` as never } : INITIAL_STATE;
  const fresh: Server = { ...old, up: true, run: old.run + 2, ha, broker, claim: null, asked: null, heard: null, silent: true, switchoverWished: false };
  return cutSessions(put(world, side, fresh), side);
}
