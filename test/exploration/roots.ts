import { startedBroker } from './broker.js';
import { bothServe, reach, states } from './reach.js';
import type { Bounds } from './events.js';
import type { Flaw } from './flaws.js';
import { newWorld, put, type Kinds, type World } from './model.js';

/** Where explorations begin: the danger is then only a few steps away. */
export interface Root {
  readonly name: string;
  readonly world: (faults: number, bounds: Bounds) => World;
}

/** The primary ACTIVE, the secondary PASSIVE, one record acknowledged on both. It came after the admission, so that position 0 is what the term counts on. */
export function pairInSync(faults: number, bounds: Bounds): World {
  const admitted = reach(newWorld(0), bothServe, { ...bounds, logMax: 0 }).world;
  const isThere = (w: World): boolean =>
    states(w) === 'ACTIVE+PASSIVE' && w.acked.length === 1 && w.servers[1].heard?.state === 'ACTIVE' && w.servers[0].heard?.state === 'PASSIVE' && isQuiet(w);
  return { ...reach(admitted, isThere, { ...bounds, logMax: 1 }).world, faultsLeft: faults };
}

/** The same with `bothWithoutDiskSync`: nothing of what counts as durable is on either disk. */
export function pairUnsynced(faults: number, bounds: Bounds): World {
  const pair = pairInSync(faults, bounds);
  const [one, two] = pair.servers.map((server) => ({ ...server, broker: { ...server.broker, lazy: true, stored: 0 } }));
  if (one === undefined || two === undefined) throw new Error('a pair is two servers');
  return { ...pair, servers: [one, two] };
}

/** Everything appended is durable and said, every order carried out, every status heard. */
function isQuiet(world: World): boolean {
  return world.servers.every(({ broker }) => broker.durable === broker.log.length && JSON.stringify(broker.ordered) === JSON.stringify(broker.obeyed) && (broker.feed === null || broker.feed.ready));
}

/** The claim of `{primary, [both]}` is sent, and a record that needs the peer is under way. */
export function inAdmission(faults: number, bounds: Bounds): World {
  const isThere = (w: World): boolean => w.servers[0].asked?.cause === 'admission' && w.acked.length >= 1 && w.servers[0].broker.log.length === 2;
  return { ...reach(newWorld(0), isThere, { ...bounds, logMax: 2 }, 5).world, faultsLeft: faults };
}

/** The primary was asked to hand over, drains, and a record is under way. */
export function inSwitchover(faults: number, bounds: Bounds): World {
  const pair = pairInSync(0, bounds);
  const appended = reach(pair, (w) => w.servers[0].broker.log.length === 2, { ...bounds, logMax: 2 }).world;
  const asked = put(appended, 0, { ...appended.servers[0], switchoverWished: true });
  return { ...reach(asked, (w) => w.servers[0].ha.task?.kind === 'handover' && w.servers[0].broker.obeyed.role.kind === 'serve' && w.servers[0].broker.obeyed.role.drain, bounds).world, faultsLeft: faults };
}

/** The secondary has taken over and acknowledged a record; the primary is back and copies. */
export function afterTakeover(faults: number, bounds: Bounds): World {
  const pair = pairInSync(0, bounds);
  const gone = put(pair, 0, { ...pair.servers[0], up: false });
  const isAlone = (w: World): boolean => !w.servers[0].up && w.servers[1].ha.state === 'STANDALONE' && w.acked.length === 2;
  return { ...reach(gone, isAlone, { ...bounds, logMax: 2 }, 1, 'primary starts').world, faultsLeft: faults };
}

/** The admission got no answer and has landed; the primary is gone, and knows only of the term before. */
export function admissionInDoubt(faults: number, bounds: Bounds): World {
  const sent = inAdmission(0, bounds);
  const server = sent.servers[0];
  const record = server.asked;
  if (record === null) throw new Error('no admission was sent');
  const dead = { ...server, up: false, broker: { ...server.broker, log: server.broker.log.slice(0, server.broker.durable), feed: null } };
  return { ...put({ ...sent, share: [...sent.share, record] }, 0, dead), faultsLeft: faults };
}

/** The claim of `{primary, [both]}` got no answer and may still land. The primary serves on. */
export function admissionWithoutAnswer(faults: number, bounds: Bounds): World {
  const sent = inAdmission(0, bounds);
  const server = sent.servers[0];
  const claim = server.asked;
  if (claim === null) throw new Error('no admission was sent');
  return { ...put(sent, 0, { ...server, asked: null, claim: { kind: 'in-doubt', nonce: claim.nonce, detail: '' } }), inFlight: [claim], faultsLeft: faults };
}

/** The primary has drained, and its claim of `{secondary, [both]}` is sent. */
export function inHandover(faults: number, bounds: Bounds): World {
  const isSent = (w: World): boolean => w.servers[0].asked?.cause === 'switchover';
  return { ...reach(inSwitchover(0, bounds), isSent, bounds).world, faultsLeft: faults };
}

/** The primary is back after a crash within the term; the secondary has not noticed. */
export function afterRestart(faults: number, bounds: Bounds): World {
  const pair = pairInSync(0, bounds);
  const gone = put(pair, 0, { ...pair.servers[0], up: false });
  return { ...reach(gone, (w) => w.servers[0].up, bounds, 1).world, faultsLeft: faults };
}

/** The secondary has lost its disk, and the primary serves alone. */
export function afterLostDisk(faults: number, bounds: Bounds): World {
  const pair = pairInSync(0, bounds);
  const old = pair.servers[1];
  const broker = startedBroker(old.broker.run, old.broker.journal + 2, []);
  const gone = put(pair, 1, { ...old, up: false, kept: null, broker });
  return { ...reach(gone, (w) => w.servers[0].ha.state === 'STANDALONE', bounds, 1, 'secondary starts').world, faultsLeft: faults };
}

/** The digests of the secondary's copy and the primary's differ. */
export function copiesDiffer(faults: number, bounds: Bounds): World {
  const pair = pairInSync(0, bounds);
  const { broker } = pair.servers[1];
  return { ...put(pair, 1, { ...pair.servers[1], broker: { ...broker, diverged: true } }), faultsLeft: faults };
}

/** An empty share in place of the one that both know; nobody has noticed. */
export function shareReplaced(faults: number, bounds: Bounds): World {
  const pair = pairInSync(0, bounds);
  return { ...pair, share: [], shareId: pair.shareId + 1, faultsLeft: faults };
}

/** The share was replaced by an empty one, both have noticed, and the primary is about to claim on it (R9). */
export function inAdoption(faults: number, bounds: Bounds): World {
  const replaced = shareReplaced(0, bounds);
  const isThere = ({ servers: [one, two] }: World): boolean => one.ha.task?.kind === 'alone' && one.ha.task.fresh && one.ha.task.claim === null && two.ha.state === 'WAITING';
  return { ...reach(replaced, isThere, bounds).world, faultsLeft: faults };
}

/** The servers do not reach each other any more, and the secondary's claim to take over got no answer and may still land. The primary has not noticed. */
export function takeoverInDoubt(faults: number, bounds: Bounds): World {
  const cut = { ...pairInSync(0, bounds), linkUp: false };
  const isSent = ({ servers: [one, two] }: World): boolean => two.asked?.cause === 'takeover' && one.ha.state === 'ACTIVE' && one.ha.task === null;
  const sent = reach(cut, isSent, { ...bounds, logMax: 1 }, 1, 'the network heals', 'primary hears nothing').world;
  return { ...unanswered(sent), faultsLeft: faults };
}

/** The same, but the primary has won that very number before and serves in it alone. The secondary has not looked. */
export function numberTaken(faults: number, bounds: Bounds): World {
  const cut = { ...pairInSync(0, bounds), linkUp: false };
  const quiet = { ...bounds, logMax: 1 };
  const not = ['the network heals', 'secondary looks at the share'];
  const alone = reach(cut, ({ servers: [one] }) => one.ha.state === 'STANDALONE' && one.broker.on, quiet, 1, ...not, 'secondary hears nothing').world;
  const sent = reach(alone, ({ servers: [, two] }) => two.asked?.cause === 'takeover', quiet, 1, ...not).world;
  return { ...unanswered(sent), faultsLeft: faults };
}

/** The secondary's claim got no answer. */
function unanswered(sent: World): World {
  const server = sent.servers[1];
  const claim = server.asked;
  if (claim === null) throw new Error('no claim was sent');
  return { ...put(sent, 1, { ...server, asked: null, claim: { kind: 'in-doubt', nonce: claim.nonce, detail: '' } }), linkUp: false, inFlight: [claim] };
}

/** The servers do not reach each other any more, and the primary, which is ACTIVE, has not got the lock. */
export function lostWithoutLock(faults: number, bounds: Bounds): World {
  const pair = pairInSync(0, bounds);
  return { ...put(pair, 0, { ...pair.servers[0], lockHeld: false }), linkUp: false, faultsLeft: faults };
}

/** Only these kinds of faults may happen, so often. */
export function only(world: World, kinds: Partial<Kinds>): World {
  const none = Object.fromEntries(Object.keys(world.kinds).map((kind) => [kind, 0])) as unknown as Kinds;
  return { ...world, kinds: { ...none, ...kinds } };
}

export const ROOTS: readonly Root[] = [
  { name: 'nothing', world: (faults) => newWorld(faults) },
  { name: 'in-sync', world: pairInSync },
  { name: 'admission', world: inAdmission },
  { name: 'admission-unanswered', world: admissionWithoutAnswer },
  { name: 'admission-in-doubt', world: admissionInDoubt },
  { name: 'switchover', world: inSwitchover },
  { name: 'handover', world: inHandover },
  { name: 'takeover', world: afterTakeover },
  { name: 'restart', world: afterRestart },
  { name: 'lost-disk', world: afterLostDisk },
  { name: 'copies-differ', world: copiesDiffer },
  { name: 'share-replaced', world: shareReplaced },
  { name: 'adoption', world: inAdoption },
  { name: 'takeover-in-doubt', world: takeoverInDoubt },
  { name: 'number-taken', world: numberTaken },
  { name: 'lost-without-lock', world: lostWithoutLock },
  { name: 'unsynced', world: pairUnsynced },
];

/** Where each rule left out shows itself soonest, and with which faults. */
export const DANGERS: readonly { readonly flaw: Flaw; readonly root: string; readonly faults: number; readonly kinds: Partial<Kinds> }[] = [
  { flaw: 'membership', root: 'takeover', faults: 1, kinds: { crash: 1 } },
  { flaw: 'solo-without-claim', root: 'in-sync', faults: 2, kinds: { crash: 1 } },
  { flaw: 'no-record-is-defeat', root: 'admission-unanswered', faults: 2, kinds: { session: 1 } },
  { flaw: 'no-fence', root: 'in-sync', faults: 1, kinds: {} },
  { flaw: 'no-drain', root: 'in-sync', faults: 1, kinds: { switchover: 1 } },
  { flaw: 'resume-own-term', root: 'admission-in-doubt', faults: 0, kinds: {} },
  { flaw: 'wiped-journal-keeps-membership', root: 'in-sync', faults: 2, kinds: { crash: 1, wipe: 1 } },
  { flaw: 'watermark-not-asked', root: 'in-sync', faults: 2, kinds: { crash: 1, putBack: 1 } },
  { flaw: 'ack-before-durable', root: 'in-sync', faults: 1, kinds: { crash: 1 } },
  { flaw: 'admission-without-requirement', root: 'admission', faults: 1, kinds: { crash: 1 } },
  { flaw: 'adoption-overtakes', root: 'adoption', faults: 1, kinds: { promote: 1 } },
  { flaw: 'doubt-skips-number', root: 'number-taken', faults: 0, kinds: {} },
  { flaw: 'waits-without-peer', root: 'lost-without-lock', faults: 0, kinds: {} },
  { flaw: 'claims-unsettled', root: 'unsynced', faults: 1, kinds: {} },
];
