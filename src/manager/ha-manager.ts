import { decide } from '../core/ha/decide.js';
import type { Monotonic, RunId } from '../core/identity.js';
import { recordToKeep } from '../core/ha/learning.js';
import { INITIAL_STATE, type HaState } from '../core/ha/state.js';
import { wantsLock } from '../core/ha/orders.js';
import { lostByOwnDisk } from '../core/ha/rights.js';
import type { BrokerStatus, BrokerToManager, ManagerToBroker } from '../core/control/broker.js';
import type { KeeperStatus, KeeperToManager, ManagerToKeeper } from '../core/control/keeper.js';
import type { PeerStatus } from '../core/control/peer.js';
import type { Situation } from '../core/ha/situation.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { GatewayProbe } from '../ports/gateway.js';
import type { LocalState } from '../ports/local-state.js';
import type { Log } from '../ports/log.js';
import type { Spawner } from '../ports/process.js';
import type { Random } from '../ports/random.js';
import { adviceFor, bothServe, isStandstillOver, nobodyServes, withoutShare } from './advice.js';
import { Announcer } from './announcer.js';
import { silenceLimitMs, type ManagerConfig } from './config.js';
import { Cycles } from './cycles.js';
import { GatewayView } from './gateway-view.js';
import { Handover } from './handover.js';
import { Keeping } from './keeping.js';
import { managerView, type ManagerView } from './manager-view.js';
import { isBrokerNews, isKeeperNews } from './news.js';
import type { PeerLink } from './peer-link.js';
import { PeerView } from './peer-view.js';
import { Repositories, type RepositorySpawner } from './repositories.js';
import { situate } from './situate.js';
import { Supervisor } from './supervisor.js';
import { Telling, type BrokerPart, type KeeperPart } from './telling.js';
import { Unlike } from './unlike.js';
import { whyNot, whyNothing, Wishes, type Wish, type WishAnswer } from './wishes.js';

export interface ManagerPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly peerLink: PeerLink;
  readonly gateway: GatewayProbe;
  readonly localState: LocalState;
  readonly keeper: Spawner<ManagerToKeeper, KeeperToManager>;
  readonly broker: Spawner<ManagerToBroker, BrokerToManager>;
  /** Left out: this server takes no part in repositories. */
  readonly repositories?: RepositorySpawner;
  /** This manager's run, as the backchannel's hello names it. */
  readonly run: RunId;
}

const DECISIONS_MAX = 12;

/**
 * The HA manager of one server: gathers what it knows, asks the rules (`core/ha`) what it is, and tells the two children and the
 * peer. It holds no rule of its own, never waits for a child, and never touches the share.
 *
 * Every event that says something new ends in `cycle`: situation, decision, orders. So an event that gets lost costs a tick (pingInterval / 2).
 */
export class HaManager {
  private ha: HaState = INITIAL_STATE;
  private situation: Situation | null = null;
  private readonly keeper: Supervisor<KeeperPart, KeeperStatus>;
  private readonly broker: Supervisor<BrokerPart, BrokerStatus>;
  private readonly announcer: Announcer;
  private readonly unlike: Unlike;
  private readonly peer: PeerView;
  private readonly gateway: GatewayView;
  private keeping: Keeping | null = null;
  private readonly startedAt: Monotonic;
  private movedAt: Monotonic;
  private taskSince: Monotonic | null = null;
  private heldUpSince: Monotonic | null = null;
  private aloneSince: Monotonic | null = null;
  private readonly telling: Telling;
  /** Folders beside the messages; what an operator asks of them goes here. */
  readonly repositories: Repositories;
  /** Of the next claim: drawn when the one before was used. */
  private fresh: Situation['fresh'];
  private readonly wishes: Wishes;
  private readonly handover: Handover;
  private readonly cycles: Cycles;
  private stopped = false;
  private brokerEnded = false;
  private keeperEnded = false;
  private ticks = 0;
  private tickTimer: Cancel | null = null;
  private silenceTimer: Cancel | null = null;

  constructor(
    private readonly config: ManagerConfig,
    private readonly ports: ManagerPorts,
  ) {
    const { clock, log } = ports;
    this.fresh = this.freshWords();
    this.wishes = new Wishes(config.patienceMs);
    this.startedAt = clock.monotonic();
    this.movedAt = this.startedAt;
    this.announcer = new Announcer(config, log, () => this.wallTime(), () => clock.monotonic());
    this.unlike = new Unlike(log, () => clock.monotonic());
    this.peer = new PeerView(config, ports.run, clock);
    this.gateway = new GatewayView(ports.gateway, clock, config.pingIntervalMs, (answered) => {
      // One more answer of a gateway that answers is no news.
      if (this.situation?.gatewayAnswers !== answered) this.cycle();
    });
    this.cycles = new Cycles({ clock, pingIntervalMs: config.pingIntervalMs, cycle: () => this.once(), stoodStill: (ms) => this.peer.stoodStill(ms) });
    const changed = (): void => this.cycle();
    this.broker = new Supervisor(ports.broker, clock, log, {
      name: 'broker',
      startLimitMs: config.brokerStartLimitMs,
      answerLimitMs: config.brokerAnswerLimitMs,
      restartDelayMs: 100,
      restartDelayMaxMs: 5_000,
      abandonsKilled: false,
    }, changed, (before, now) => isBrokerNews(before, now, this.telling.brokerRoleSeq));
    this.keeper = new Supervisor(ports.keeper, clock, log, {
      name: 'share keeper',
      startLimitMs: config.keeperAnswerLimitMs * 3,
      answerLimitMs: config.keeperAnswerLimitMs,
      restartDelayMs: 200,
      restartDelayMaxMs: 5_000,
      abandonsKilled: true,
    }, changed, (before, now) => isKeeperNews(before, now, this.situation));
    this.repositories = new Repositories(config, ports.repositories ?? null, { clock, log }, changed);
    const { broker, keeper, peer, repositories, wishes } = this;
    this.handover = new Handover({
      config,
      clock,
      log,
      wishes,
      repositories,
      keeping: () => this.keeping,
      standing: () => ({ ha: this.ha, situation: this.situation }),
      begin: () => this.begin('switchover'),
    });
    this.telling = new Telling(config, ports.run, { broker, keeper, peer, send: (status) => ports.peerLink.send(status) });
  }

  /** @throws LockstepError when the kept state cannot be believed or the backchannel cannot listen (rejects) */
  async start(): Promise<void> {
    const kept = await this.ports.localState.load();
    if (this.stopped) return;
    this.keeping = new Keeping(kept, this.ports.localState, this.ports.log, this.ports.clock, this.config.stallLimitMs, () => this.cycle());
    this.ports.peerLink.handle({ status: (status, at) => this.hearPeer(status, at) });
    await this.ports.peerLink.start();
    if (this.stopped) return;
    this.keeper.start();
    this.broker.start();
    this.tick();
  }

  get state(): HaState {
    return this.ha;
  }

  get view(): ManagerView {
    const { ha, situation, keeper, broker, announcer, unlike, peer, gateway, repositories } = this;
    const kept = this.keeping?.state ?? null;
    return managerView({ ha, situation, keeper, broker, kept, announcer, unlike, peer, gateway, repositories }, this.ports.clock.monotonic());
  }

  /** What an operator could do now; `null` when nothing is called for. @param refused as PeerLinkState has it */
  advice(refused: string | null): string | null {
    return this.broker.fatal ?? this.keeping?.advice ?? (this.situation === null ? null : adviceFor(this.ha, this.situation, refused));
  }

  /** Takes an operator's wish. Whether it comes true shows in the state. */
  wish(wish: Wish): WishAnswer {
    const refusal = whyNot(wish, this.ha, this.situation);
    if (refusal !== null) return { kind: 'refused', why: refusal };
    return wish === 'promote' ? this.begin(wish) : this.handover.ask();
  }

  private begin(wish: Wish): WishAnswer {
    const answer = this.wishes.ask(wish, this.ha, this.situation, this.ports.clock.monotonic());
    if (answer.kind === 'accepted') this.cycle();
    return answer;
  }

  /**
   * Stops the server: hands over first when a PASSIVE peer is there, then ends the broker and the repository keeper, then gives up the lock. Resolves when each child is
   * gone, or was killed since it was not gone in time.
   */
  async stop(): Promise<void> {
    this.stopped = true;
    const last = this.handover.lastSync();
    if (last !== null) await last;
    this.wishes.stop();
    this.cycle();
    await this.handover.handedOver();
    this.brokerEnded = true;
    this.cycle();
    await Promise.all([this.broker.end(5_000), this.repositories.end()]);
    this.keeperEnded = true;
    if (this.situation !== null) {
      this.tellPeer(this.situation);
      this.orderKeeper(this.situation);
    }
    await this.keeper.end(2_000);
    this.tickTimer?.();
    this.silenceTimer?.();
    this.ports.peerLink.stop();
  }

  private tick(): void {
    this.ticks += 1;
    this.tickTimer = this.ports.clock.after(this.config.pingIntervalMs / 2, () => this.tick());
    this.broker.check();
    this.keeper.check();
    this.repositories.check();
    this.keeping?.retry();
    if (this.ticks % 2 === 1) {
      this.gateway.probe();
      this.telling.repeat();
      this.repositories.repeat();
    }
    this.cycle();
    this.watchForSilence();
  }

  /** The peer's silence is noticed when it is long enough, not a tick later: clients wait for it. */
  private watchForSilence(): void {
    const { clock } = this.ports;
    const { peerHeardAt } = this.peer.knowledge();
    if (peerHeardAt === null) return;
    const leftMs = peerHeardAt + silenceLimitMs(this.config) - clock.monotonic();
    if (leftMs >= 0 && leftMs < this.config.pingIntervalMs / 2) this.silenceTimer = clock.after(leftMs + 1, () => this.cycle());
  }

  private hearPeer(status: PeerStatus, receivedAt: Monotonic): void {
    this.peer.hear(status, receivedAt);
    const shareId = this.keeper.status?.shareId ?? this.keeping?.state.shareId ?? null;
    const record = recordToKeep(this.ha, status, shareId);
    if (record !== null) this.keeping?.see(record, shareId);
    this.cycle();
  }

  private cycle(): void {
    if (this.keeping !== null) this.cycles.run();
  }

  private once(): void {
    this.seeRecords();
    for (let i = 0; i < DECISIONS_MAX; i += 1) {
      this.situation = this.gather();
      this.lookAtWishes(this.situation);
      // Before the decision: a lock that is gone although it is wanted was lost, also where its loss ends the wish for it.
      this.announcer.lock(this.situation.lock.held, !wantsLock(this.ha), this.situation.lock.detail);
      this.announcer.lostData(lostByOwnDisk(this.situation));
      const next = decide(this.ha, this.situation);
      if (next === this.ha) break;
      this.enter(next);
    }
    const s = this.situation;
    if (s === null) return;
    if (this.keeper.status !== null) this.announcer.share(this.keeper.status.condition, this.keeper.status.detail, withoutShare(this.ha, s));
    this.announcer.standstill(nobodyServes(this.ha, s), isStandstillOver(this.ha, s));
    this.announcer.split(bothServe(this.ha, s));
    this.announcer.peer(s.peer === null || s.peerSilent ? 'DEAD' : s.peer.state, s.peer === null ? '' : s.peerSilent ? whySilent(s.peer, this.config) : s.peer.reason);
    this.unlike.look(s, this.peer.clockOffsetMs);
    this.peer.judge(s);
    this.telling.orderBroker(this.ha, s, this.brokerEnded);
    this.orderKeeper(s);
    this.repositories.order(this.ha, s);
    this.tellPeer(s);
  }

  private lookAtWishes(s: Situation): void {
    const { switchover } = this.wishes.now;
    if (!this.wishes.look(s, this.ports.clock.monotonic())) return;
    if (switchover && !this.wishes.now.switchover) this.handover.cameToNothing(whyNothing(this.ha, s));
    this.situation = this.gather();
  }

  private seeRecords(): void {
    const keeper = this.keeper.status;
    if (keeper === null) return;
    const { claim, highest, condition, shareId } = keeper;
    if (condition === 'ok' && highest !== null) this.keeping?.see(highest, shareId);
    if (claim !== null && (claim.kind === 'won' || claim.kind === 'lost')) this.keeping?.see(claim.record, shareId);
    if (condition === 'hung') this.keeper.kill(`hangs (${keeper.detail ?? 'an operation on the share is past its deadline'})`);
  }

  private enter(next: HaState): void {
    const before = this.ha;
    this.ha = next;
    const nothing = this.wishes.entered(before, next, this.situation);
    if (next.moves !== before.moves) this.movedAt = this.ports.clock.monotonic();
    if (claimNonce(next) === this.fresh.nonce) this.fresh = this.freshWords();
    // Behind the fence the broker begins to bring its copy to the disk: it has its time for that, however long the lock was waited for.
    if (next.task?.kind !== before.task?.kind || claimNonce(next) !== claimNonce(before) || next.fence !== before.fence) {
      this.taskSince = next.task === null ? null : this.ports.clock.monotonic();
    }
    if (next.task?.kind !== 'alone') this.aloneSince = null;
    else if (this.aloneSince === null) {
      this.aloneSince = this.ports.clock.monotonic();
      // Before a claim is made that would be of no use, and bar the peer.
      void this.keeping?.probe();
    }
    const isHeldUp = next.task?.kind === 'alone' && next.task.heldUp;
    this.heldUpSince = isHeldUp ? (this.heldUpSince ?? this.ports.clock.monotonic()) : null;
    this.announcer.state(before, next);
    if (nothing !== null) this.handover.cameToNothing(nothing);
  }

  private gather(): Situation {
    const keeping = this.keeping as Keeping;
    const { peer, peerHeardAt, peerHeardOurs, peerTookPartAt } = this.peer.knowledge();
    const repositoriesSettled = this.repositories.settled(this.ha, peer, this.brokerEnded ? null : this.broker.status);
    // One literal of a fixed shape: this is done at every event.
    return situate(this.config, this.ha, {
      now: this.ports.clock.monotonic(),
      startedAt: this.startedAt,
      broker: this.brokerEnded ? null : this.broker.status,
      brokerRoleSeq: this.telling.brokerRoleSeq,
      keeper: this.keeper.status,
      peer,
      peerHeardAt,
      peerHeardOurs,
      peerTookPartAt,
      gatewayAnsweredAt: this.gateway.answeredAt,
      kept: keeping.state,
      movedAt: this.movedAt,
      taskSince: this.taskSince,
      aloneSince: this.aloneSince,
      recordTakenAt: keeping.takenAt,
      recordTrouble: keeping.trouble,
      heldUpSince: this.heldUpSince,
      repositoriesSettled,
      wishes: this.wishes.now,
      fresh: this.fresh,
    });
  }

  private orderKeeper(s: Situation): void {
    this.telling.orderKeeper(this.ha, s, this.keeping?.state.shareId ?? null, this.keeperEnded);
  }

  private tellPeer(s: Situation): void {
    this.telling.tellPeer(this.ha, s, { brokerDown: s.broker === null || this.brokerEnded, recordTrouble: this.keeping?.trouble ?? null, repositories: this.repositories.forPeer });
  }

  /** The time is asked for only when a claim is made. */
  private freshWords(): Situation['fresh'] {
    const wallTime = (): string => this.wallTime();
    return {
      nonce: this.ports.random.id(),
      get at() {
        return wallTime();
      },
    };
  }

  private wallTime(): string {
    return new Date(this.ports.clock.wall()).toISOString();
  }
}

function whySilent(last: PeerStatus, config: ManagerConfig): string {
  return last.stopping ? 'it was stopped' : `nothing was heard of it for ${silenceLimitMs(config)} ms`;
}

function claimNonce(ha: HaState): string | null {
  return ha.task !== null && ha.task.kind !== 'accept' ? (ha.task.claim?.nonce ?? null) : null;
}
