import { isServing, type Monotonic } from '../identity.js';
import type { BrokerOrder, BrokerRole } from '../control/broker.js';
import type { KeeperOrder } from '../control/keeper.js';
import type { Watermark } from '../terms/watermark.js';
import type { HaState } from './state.js';
import type { Situation } from './situation.js';

/** What the broker shall be, as it follows from what the server is. */
export type BrokerWish = Pick<BrokerOrder, 'fenceThrough' | 'clientPort' | 'role'>;

export function brokerWish(ha: HaState, s: Situation): BrokerWish {
  const isTakingOver = (ha.task?.kind === 'alone' && isFenced(ha, s)) || ha.task?.kind === 'accept';
  return {
    fenceThrough: ha.fence,
    clientPort: isServing(ha.state) || isTakingOver ? 'bound' : 'closed',
    role: roleOf(ha, s),
  };
}

function roleOf(ha: HaState, s: Situation): BrokerRole {
  const idle: BrokerRole = { kind: 'idle', keepClients: isServing(ha.state) };
  // The broker of another run than the state rests on gets nothing to do until the state has taken notice.
  if (s.broker !== null && ha.state !== 'WAITING' && s.broker.run !== ha.brokerRun) return { kind: 'idle', keepClients: false };
  if (ha.state === 'WAITING') return { kind: 'idle', keepClients: false };
  if (ha.task?.kind === 'accept') return idle;
  if (ha.state === 'PASSIVE' || ha.state === 'PASSIVE_SYNC') return followRole(ha, s) ?? idle;
  if (ha.task?.kind === 'alone' && isFenced(ha, s)) return idle;
  return serveRole(ha, s) ?? idle;
}

function followRole(ha: HaState, s: Situation): BrokerRole | null {
  if (ha.leader === null || ha.term <= ha.fence) return null;
  const resync = ha.state === 'PASSIVE_SYNC' && s.broker !== null && (s.broker.diverged !== null || s.broker.journal.damage !== null);
  return { kind: 'follow', term: ha.term, leader: ha.leader, resync };
}

function serveRole(ha: HaState, s: Situation): BrokerRole | null {
  const { record } = ha;
  if (record === null || ha.term <= ha.fence) return null;
  const both = record.inSync.length === 2;
  return {
    kind: 'serve',
    term: record.term,
    inSync: record.inSync,
    requirePeer: both || (ha.task?.kind === 'admit' && ha.task.requirePeer),
    soloUntil: both ? null : (s.lock.until ?? (0 as Monotonic)),
    peer: ha.partner,
    drain: ha.task?.kind === 'handover',
  };
}

/** The alone task has raised the fence over the term that was served or followed. */
function isFenced(ha: HaState, s: Situation): boolean {
  return ha.task?.kind === 'alone' && (ha.task.claim !== null || ha.fence >= (s.kept?.term ?? ha.fence));
}

export type KeeperWish = Pick<KeeperOrder, 'wantLock' | 'peerReleasedLock' | 'claim' | 'kept' | 'shareId' | 'watermark'>;

/**
 * What the share keeper shall do. A fresh claim (R9) is made on the share as it is now, whatever was known of the one before it.
 */
export function keeperWish(ha: HaState, s: Situation, knownShareId: string | null): KeeperWish {
  const adopts = ha.task?.kind === 'alone' && ha.task.fresh;
  const claim = ha.task !== null && ha.task.kind !== 'accept' ? ha.task.claim : null;
  return {
    wantLock: wantsLock(ha),
    peerReleasedLock: s.peer?.releasedLock === true,
    claim,
    kept: adopts ? null : s.kept,
    shareId: adopts ? s.share.id : knownShareId,
    watermark: watermarkOf(ha, s),
  };
}

/** Only what the broker has said of the very term that is served: before a term began, other copies may have counted. */
function watermarkOf(ha: HaState, s: Situation): Watermark | null {
  const { record } = ha;
  if (record === null || !isServing(ha.state) || s.broker === null || s.broker.run !== ha.brokerRun) return null;
  if (s.broker.role !== 'serve' || s.broker.term !== record.term || s.broker.admitted === null) return null;
  return { term: record.term, nonce: record.nonce, position: s.broker.admitted };
}

/** Whoever serves wants the lock, and whoever is about to. A passive server does not contend while the peer is there. */
export function wantsLock(ha: HaState): boolean {
  return isServing(ha.state) || ha.task?.kind === 'alone' || ha.task?.kind === 'accept';
}

