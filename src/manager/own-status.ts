import type { RunId } from '../core/identity.js';
import type { PeerRepositories, PeerStatus, PeerStatusBody } from '../core/control/peer.js';
import type { HaState } from '../core/ha/state.js';
import type { Situation } from '../core/ha/situation.js';
import type { ManagerConfig } from './config.js';

interface Extra {
  readonly heard: PeerStatus['heard'];
  readonly brokerDown: boolean;
  readonly wantsLock: boolean;
  /** Why this server's disk takes no term record; `null`: not so. */
  readonly recordTrouble: string | null;
  readonly repositories: PeerRepositories | null;
}

/** What this server tells its peer of itself. */
export function peerStatusOf(config: ManagerConfig, run: RunId, ha: HaState, s: Situation, extra: Extra): PeerStatusBody {
  return {
    server: config.server,
    run,
    heard: extra.heard,
    state: ha.state,
    previous: ha.previous,
    moves: ha.moves,
    reason: ha.reason,
    term: ha.term,
    record: s.kept,
    inDoubt: ha.task !== null && ha.task.kind !== 'accept' ? (ha.task.claim?.term ?? null) : null,
    shareId: s.share.id,
    shareEmpty: s.share.empty,
    shareReplaced: s.share.replaced,
    shareBare: s.share.bare,
    shareGivenUp: s.share.givenUp,
    brokerDown: extra.brokerDown,
    broker: brokerPart(s),
    holdsLock: s.lock.held,
    releasedLock: !extra.wantsLock && !s.lock.held,
    gatewayAnswers: s.gatewayAnswers,
    wantsSwitchover: s.wishes.switchover,
    stopping: s.wishes.stop,
    unfit: s.unfit,
    hindrance: hindranceOf(s, extra.recordTrouble),
    clientEndpoints: config.clientEndpoints,
    repositories: extra.repositories,
  };
}

function hindranceOf({ share, broker }: Situation, recordTrouble: string | null): string | null {
  if (recordTrouble !== null) return `its disk takes no term record (${recordTrouble})`;
  // Without a detail it has not been looked at yet.
  if (!share.usable && share.detail !== null) return `it cannot use the share (${share.detail})`;
  if (broker === null) return null;
  return broker.clientPortError === null ? broker.trouble : `clients could not connect to it (${broker.clientPortError})`;
}

function brokerPart(s: Situation): PeerStatus['broker'] {
  const broker = s.broker;
  if (broker === null) return null;
  return {
    run: broker.run,
    journal: broker.journal.id,
    logTerm: broker.journal.term,
    position: broker.journal.position,
    durable: broker.journal.durable,
    damage: broker.journal.damage,
    diverged: broker.diverged,
    fencedThrough: broker.fencedThrough,
    replicationPhase: broker.replication?.phase ?? null,
    users: broker.users,
  };
}
