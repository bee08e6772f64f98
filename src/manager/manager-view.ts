import type { BrokerStatus } from '../core/control/broker.js';
import type { KeeperStatus } from '../core/control/keeper.js';
import type { Situation } from '../core/ha/situation.js';
import type { HaState } from '../core/ha/state.js';
import type { Monotonic, PeerState, Term } from '../core/identity.js';
import type { KeptState } from '../ports/local-state.js';
import type { Announcer, Transition } from './announcer.js';
import type { GatewayView } from './gateway-view.js';
import type { PeerView } from './peer-view.js';
import type { Repositories, RepositoriesView } from './repositories.js';
import type { Supervisor } from './supervisor.js';
import type { BrokerPart, KeeperPart } from './telling.js';
import type { Unlike } from './unlike.js';

/** Everything that the status page shows of the HA manager, as its last cycle saw it. */
export interface ManagerView {
  readonly ha: HaState;
  readonly situation: Situation | null;
  readonly keeper: KeeperStatus | null;
  readonly broker: BrokerStatus | null;
  readonly brokerPid: number | null;
  readonly brokerCrashes: number;
  readonly keeperPid: number | null;
  readonly kept: KeptState | null;
  readonly history: readonly Transition[];
  /** What is not alike on the two servers, a sentence each. */
  readonly unlike: readonly string[];
  readonly peerState: PeerState;
  readonly peerHeardMs: number | null;
  readonly gatewayAnsweredMs: number | null;
  readonly leaseLeftMs: number | null;
  /** The term of a claim that was sent and has no answer yet. */
  readonly inDoubt: Term | null;
  readonly repositories: RepositoriesView;
}

/** What of the manager there is to look at. */
export interface Viewed {
  readonly ha: HaState;
  readonly situation: Situation | null;
  readonly keeper: Supervisor<KeeperPart, KeeperStatus>;
  readonly broker: Supervisor<BrokerPart, BrokerStatus>;
  readonly kept: KeptState | null;
  readonly announcer: Announcer;
  readonly unlike: Unlike;
  readonly peer: PeerView;
  readonly gateway: GatewayView;
  readonly repositories: Repositories;
}

export function managerView(viewed: Viewed, now: Monotonic): ManagerView {
  const { ha, situation, keeper, broker, kept, announcer, unlike, peer, gateway, repositories } = viewed;
  const since = (at: Monotonic | null): number | null => (at === null ? null : Math.round(now - at));
  const until = situation?.lock.until ?? null;
  const { task } = ha;
  return {
    ha,
    situation,
    keeper: keeper.status,
    broker: broker.status,
    brokerPid: broker.pid,
    brokerCrashes: broker.crashes,
    keeperPid: keeper.pid,
    kept,
    history: announcer.history,
    unlike: unlike.texts,
    peerState: announcer.peerStateSeen.state,
    peerHeardMs: since(peer.knowledge().peerHeardAt),
    gatewayAnsweredMs: since(gateway.answeredAt),
    leaseLeftMs: until === null ? null : Math.max(0, Math.round(until - now)),
    inDoubt: task !== null && task.kind !== 'accept' ? (task.claim?.term ?? null) : null,
    repositories: repositories.view,
  };
}
