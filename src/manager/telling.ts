import type { BrokerStatus } from '../core/control/broker.js';
import type { KeeperOrder, KeeperStatus } from '../core/control/keeper.js';
import type { PeerRepositories, PeerStatus, PeerStatusBody } from '../core/control/peer.js';
import { brokerWish, keeperWish, wantsLock, type BrokerWish, type KeeperWish } from '../core/ha/orders.js';
import type { Situation } from '../core/ha/situation.js';
import type { HaState } from '../core/ha/state.js';
import type { RunId } from '../core/identity.js';
import type { ManagerConfig } from './config.js';
import { peerStatusOf } from './own-status.js';
import type { PeerView } from './peer-view.js';
import { sameBut, sameValue } from '../core/same-value.js';
import type { Supervisor } from './supervisor.js';

/** A broker wish with the life-cycle part added. */
export type BrokerPart = BrokerWish & { readonly shutdown: boolean };
export type KeeperPart = KeeperWish & Pick<KeeperOrder, 'wasNetwork' | 'shutdown'>;

export interface Listeners {
  readonly broker: Supervisor<BrokerPart, BrokerStatus>;
  readonly keeper: Supervisor<KeeperPart, KeeperStatus>;
  readonly peer: PeerView;
  /** The latest status is what counts; it may replace one that has not left yet. */
  readonly send: (status: PeerStatus) => void;
}

/**
 * What the two children and the peer are told: at once when it changed or when a child was started anew, and again at every pulse, so that
 * a lost word costs no more than that.
 */
export class Telling {
  /** What each was last told, and by which start of a process it was heard. `due`: to be told again all the same. */
  private broker: { readonly told: BrokerPart; readonly start: number } | null = null;
  private keeper: { readonly told: KeeperPart; readonly start: number } | null = null;
  /** A share keeper of this run found the share well on a mount of another host. */
  private wasNetwork = false;
  private peerTold: PeerStatusBody | null = null;
  private readonly due = { broker: true, keeper: true, peer: true };
  private roleText = '';
  private roleSeq = 0;

  constructor(
    private readonly config: ManagerConfig,
    private readonly run: RunId,
    private readonly to: Listeners,
  ) {}

  /** The broker's answers to orders before this one say nothing about the role that it has now. */
  get brokerRoleSeq(): number {
    return this.roleSeq;
  }

  /** The pulse and the heartbeat: both children hear their order again and the peer the status, also when nothing changed. */
  repeat(): void {
    this.due.broker = true;
    this.due.keeper = true;
    this.due.peer = true;
  }

  orderBroker(ha: HaState, s: Situation, shutdown: boolean): void {
    const { fenceThrough, clientPort, role } = brokerWish(ha, s);
    const wish: BrokerPart = { fenceThrough, clientPort, role, shutdown };
    const before = this.broker;
    const { starts } = this.to.broker;
    // The same words to the same process give it no other role.
    const same = before?.start === starts && sameValue(wish, before.told);
    if (same && !this.due.broker) return;
    this.due.broker = false;
    this.to.broker.order(wish);
    this.broker = { told: wish, start: starts };
    if (same) return;
    const text = roleKey(wish, starts);
    if (text !== this.roleText) this.roleSeq = this.to.broker.lastSeq;
    this.roleText = text;
  }

  orderKeeper(ha: HaState, s: Situation, knownShareId: string | null, shutdown: boolean): void {
    const { starts, status } = this.to.keeper;
    this.wasNetwork ||= status?.onNetwork === true;
    const wish: KeeperPart = { ...keeperWish(ha, s, knownShareId), wasNetwork: this.wasNetwork, shutdown };
    if (!this.due.keeper && this.keeper?.start === starts && sameOrder(wish, this.keeper.told)) return;
    this.due.keeper = false;
    this.keeper = { told: wish, start: starts };
    this.to.keeper.order(wish);
  }

  tellPeer(ha: HaState, s: Situation, own: { readonly brokerDown: boolean; readonly recordTrouble: string | null; readonly repositories: PeerRepositories | null }): void {
    const { peer } = this.to;
    const status = peerStatusOf(this.config, this.run, ha, s, { heard: peer.heard(), wantsLock: wantsLock(ha), ...own });
    if (!this.due.peer && this.peerTold !== null && sayTheSame(status, this.peerTold)) return;
    this.due.peer = false;
    this.peerTold = status;
    this.to.send(peer.number(status));
  }
}

/** The watermark moves with every message; of the mount the keeper knows that said it, and one that is started anew hears everything at once. */
const WITH_THE_PULSE = ['watermark', 'wasNetwork'] as const;

function sameOrder(wish: KeeperPart, told: KeeperPart): boolean {
  return sameBut(wish, told, WITH_THE_PULSE);
}

/**
 * What the peer is told of at once when it changes. What changes with every message (positions, what was heard) goes with
 * the next heartbeat: otherwise each answer would call for another.
 */
function sayTheSame(status: PeerStatusBody, told: PeerStatusBody): boolean {
  for (const name in status) {
    const key = name as keyof typeof status;
    if (status[key] === told[key]) continue;
    if (key === 'heard') {
      if (status.heard?.run !== told.heard?.run) return false;
    } else if (key === 'broker') {
      if (!sayTheSameOfBroker(status.broker, told.broker)) return false;
    } else if (!sameValue(status[key], told[key])) return false;
  }
  return true;
}

function sayTheSameOfBroker(broker: PeerStatus['broker'], told: PeerStatus['broker']): boolean {
  if (broker === null || told === null) return broker === told;
  for (const name in broker) {
    const key = name as keyof typeof broker;
    const moves = key === 'position' || key === 'durable' || key === 'logTerm';
    if (!moves && !sameValue(broker[key], told[key])) return false;
  }
  return true;
}

/** What makes the broker's answers to earlier orders meaningless: another role, term, partner, or another process. */
export function roleKey(wish: BrokerWish, start: number): string {
  const role = wish.role;
  if (role.kind === 'serve') return JSON.stringify([start, 'serve', role.peer, role.requirePeer, role.drain]);
  if (role.kind === 'follow') return JSON.stringify([start, 'follow', role.leader, role.resync]);
  return JSON.stringify([start, 'idle']);
}
