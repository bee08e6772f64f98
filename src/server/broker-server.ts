import type { BrokerOrder, BrokerRole, BrokerStatus, BrokerToManager, FollowRole, ManagerToBroker, ServeRole, UserList } from '../core/control/broker.js';
import { LockstepError } from '../core/errors.js';
import { NO_TERM, type Monotonic, type Position, type RunId, type Term } from '../core/identity.js';
import { sameValue } from '../core/same-value.js';
import type { Checksum } from '../core/journal/envelope.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Disk } from '../ports/disk.js';
import type { Log } from '../ports/log.js';
import type { Channel } from '../ports/process.js';
import type { Random } from '../ports/random.js';
import type { Network } from '../ports/stream.js';
import type { ClientPort } from './client-port.js';
import { ClientPortSteering } from './client-port.js';
import type { BrokerConfig } from './config.js';
import type { Copy } from './copy.js';
import { codeOf, describe } from './disk-io.js';
import { DiskPause } from './disk-pause.js';
import type { ClientEdge } from './edge.js';
import { Following } from './following.js';
import { Leading } from './leading.js';
import { MemoryGuard, type MemoryUse } from './memory-guard.js';
import { unreadable } from './journal/troubles.js';
import { openCopy } from './open-copy.js';
import { RecentGroups } from './recent-groups.js';
import { RelaxableDisk } from './relaxable-disk.js';
import { Serving } from './serving.js';
import { NOT_YET, Settling } from './settling.js';

/*
 * The broker process: carries out the manager's orders and says what it is.
 *
 * Invariants
 * - An order is carried out whole, as far as that is possible at once, before its status is sent. Orders are whole states: the latest
 *   one is all that counts, except that the fence never goes down.
 * - The fence comes first: before anything else of an order, what belongs to a fenced term is ended. `fencedThrough` is said only
 *   after that.
 * - This server serves or follows, never both, and neither before its copy is whole.
 * - What cannot be carried out yet (the state is being built, the disk is full) is tried again at every change and every tick.
 * - A manager that gives no pulse for MANAGER_LOST_PULSES pulse limits cannot say any more who serves: its clients are sent away, so
 *   that they find the server that may have taken over. Acknowledgements have ended long before (the gate).
 */
/** So many pulse limits without an order, and clients are not kept. */
export const MANAGER_LOST_PULSES = 2;

export interface BrokerPorts {
  /** A relaxable one is relaxed while both copies count. */
  readonly disk: Disk;
  /** For the replication link. */
  readonly network: Network;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly checksum: Checksum;
  readonly channel: Channel<BrokerToManager, ManagerToBroker>;
  /** Makes the client listener that speaks to `edge`. */
  readonly clients: (edge: ClientEdge) => ClientPort;
  /** What of its memory this process has in use. Absent: there is always enough. */
  readonly memory?: () => MemoryUse;
  /** When the certificate that clients are shown expires, as in BrokerStatus. Absent: clients are not served over TLS. */
  readonly certificateUntil?: () => number;
  /** Whom clients are asked to be. Absent: nobody in particular. */
  readonly users?: () => UserList;
  /** As in BrokerStatus. Absent: there is never anything. */
  readonly notice?: () => string | null;
  /** Clients wait to be let in: those of the term before may be among them. Absent: nobody ever waits. */
  readonly loginsWait?: () => boolean;
  /** The process ends: 0 after a shutdown that was ordered, otherwise after a failure that was said. */
  readonly exit: (code: number) => void;
}

export class BrokerServer {
  readonly run: RunId;
  private parts: Parts | null = null;
  private order: BrokerOrder | null = null;
  private fence: Term = NO_TERM;
  private refused: string | null = null;
  private statusDue = false;
  /** The status as it was said last. */
  private said: BrokerStatus | null = null;
  private ending = false;
  private ticking: Cancel | null = null;
  private ticksWithoutManager = 0;
  private begun = false;
  private readonly diskPause: DiskPause;

  constructor(
    private readonly ports: BrokerPorts,
    private readonly config: BrokerConfig,
  ) {
    this.run = ports.random.id() as RunId;
    this.diskPause = new DiskPause(ports.clock, ports.log, config.tickMs);
    ports.channel.handle({
      message: (message) => this.receive(message.order),
      closed: (reason) => this.orphaned(reason),
    });
  }

  /** Opens the copy and begins to obey. Never rejects: what prevents it is said as `fatal`, and the process ends. */
  async start(): Promise<void> {
    if (this.begun) return;
    this.begun = true;
    this.tick();
    try {
      const copy = await openCopy(this.ports, this.config, () => this.ending || this.ports.channel.send({ kind: 'opening' }));
      if (this.ending) return await copy.close();
      this.parts = this.assemble(copy);
      this.carryOut();
      await copy.build();
    } catch (error) {
      this.failBecauseOf(error);
    }
  }

  private failBecauseOf(error: unknown): void {
    const remedy = error instanceof LockstepError ? `. ${error.remedy}` : '';
    this.fail(codeOf(error) || 'LOCKSTEP_BROKER_FAILED', `${describe(error)}${remedy}`);
  }

  /** A broken assumption somewhere in this process: nothing more is acknowledged, the manager is told, the process ends. */
  fail(code: string, message: string): void {
    if (this.ending) return;
    this.ending = true;
    this.stopAll('the broker has failed');
    this.ports.channel.send({ kind: 'fatal', code, message });
    this.ports.exit(1);
  }

  /** What this broker is, as of now; `null` before the journal is open. */
  get status(): BrokerStatus | null {
    return this.parts === null ? null : this.statusOf(this.parts);
  }

  private assemble(copy: Copy): Parts {
    const { ports, config, run } = this;
    const { clock, log, disk, network, checksum } = ports;
    const recent = new RecentGroups(config.tuning.recentBytesMax);
    const feedTools = { copy, recent, disk, checksum, clock, log, tuning: config.tuning, server: config.server };
    const leading = new Leading(config, run, network, feedTools, {
      acknowledged: () => this.released(),
      changed: () => this.changed(),
    });
    const serving = new Serving({
      copy,
      leading,
      config,
      clock,
      log,
      fencedThrough: () => this.fence,
      pulseAt: () => this.order?.pulseAt ?? (-Infinity as Monotonic),
      releaseDue: () => this.released(),
      memory: new MemoryGuard(ports.memory ?? ((): MemoryUse => ({ used: 0, limit: Infinity })), log),
      loginsWait: ports.loginsWait ?? ((): boolean => false),
    });
    const clientPort = new ClientPortSteering(ports.clients(serving), clock, log, () => this.changed());
    const settling = new Settling(disk instanceof RelaxableDisk ? disk : null, copy, clock, log, () => this.changed(), (error) => this.failBecauseOf(unreadable(disk.place('.'), error)));
    const parts: Parts = { copy, leading, serving, clientPort, settling, following: null };
    copy.listen({
      durable: (position) => {
        parts.following?.durable(position);
        leading.pump();
        this.released();
      },
      records: (run) => leading.records(run),
      changed: () => {
        parts.following?.copyChanged();
        this.changed();
      },
      unreadable: (error) => this.failBecauseOf(error),
    });
    leading.open();
    return parts;
  }

  private receive(order: BrokerOrder): void {
    if (this.ending || (this.order !== null && order.seq < this.order.seq)) return;
    this.order = order;
    if (!this.orderIsOld()) this.ticksWithoutManager = 0;
    this.fence = Math.max(this.fence, order.fenceThrough) as Term;
    if (this.parts === null) {
      if (order.shutdown) void this.shutDown();
      return;
    }
    this.carryOut();
    this.sendStatus();
  }

  /** Makes this server what the latest order says, as far as that is possible now. */
  private carryOut(): void {
    const { parts, order } = this;
    if (parts === null || order === null || this.ending) return;
    this.applyFence(parts);
    if (order.shutdown) return void this.shutDown();
    if (this.managerIsLost && order.role.kind !== 'follow') return this.sendClientsAway(parts);
    const { role } = order;
    this.refused = null;
    if (role.kind !== 'follow') this.stopFollowing(parts, 'this server does not follow any more');
    this.steerDisk(parts, role);
    if (role.kind === 'serve') this.refused = this.serve(parts, role);
    else if (role.kind === 'idle' && role.keepClients) parts.serving.suspend();
    else parts.serving.end('this server does not serve any more');
    if (role.kind === 'follow') this.follow(parts, role);
    const held = order.clientPort === 'bound' || parts.serving.on;
    parts.clientPort.want(parts.serving.on ? 'accepting' : held ? 'bound' : 'closed');
    parts.serving.release();
  }

  /** R4: what belongs to a fenced term ends, now. */
  private applyFence(parts: Parts): void {
    if (parts.following !== null && parts.following.term <= this.fence) this.stopFollowing(parts, `terms up to ${this.fence} are fenced`);
    const { term } = parts.serving;
    if (term !== null && term <= this.fence) parts.serving.suspend();
  }

  /** Two copies stand for what a follower confirms, and a server whose term both count in. */
  private steerDisk({ settling }: Parts, role: BrokerRole): void {
    const two = role.kind === 'follow' || (role.kind === 'serve' && role.inSync.length > 1);
    if (two && role.term > this.fence) settling.relax();
    else settling.settle();
  }

  private serve({ serving, settling }: Parts, role: ServeRole): string | null {
    if (role.inSync.length > 1 || settling.settled) return serving.serve(role);
    serving.suspend();
    return NOT_YET;
  }

  /** In two ticks: had this process itself been held up, the orders that came meanwhile are read between the two. */
  private get managerIsLost(): boolean {
    return this.ticksWithoutManager >= 2;
  }

  private orderIsOld(): boolean {
    return this.order !== null && this.ports.clock.monotonic() - this.order.pulseAt > MANAGER_LOST_PULSES * this.config.pulseLimitMs;
  }

  private sendClientsAway(parts: Parts): void {
    const reason = `the HA manager has given no sign of life for ${MANAGER_LOST_PULSES * this.config.pulseLimitMs} ms`;
    if (this.refused !== reason) this.ports.log.write('warn', `No client is served: ${reason}`);
    this.refused = reason;
    this.stopFollowing(parts, reason);
    parts.serving.end(reason);
    parts.clientPort.want('closed');
  }

  private follow(parts: Parts, role: FollowRole): void {
    if (role.term <= this.fence) {
      this.refused = `term ${role.term} is fenced`;
      return this.stopFollowing(parts, this.refused);
    }
    if (parts.following !== null && parts.following.adopt(role)) return;
    this.stopFollowing(parts, 'another leader or term is to be followed');
    const { disk, network, clock, random, log } = this.ports;
    const tools = { copy: parts.copy, config: this.config, run: this.run, network, disk, clock, random, log, fencedThrough: () => this.fence, changed: () => this.changed() };
    parts.following = new Following(tools, role);
  }

  private stopFollowing(parts: Parts, reason: string): void {
    parts.following?.stop(reason);
    parts.following = null;
  }

  private released(): void {
    const { parts } = this;
    if (parts === null) return;
    parts.serving.release();
    if (parts.serving.draining) this.changed();
  }

  /** Something that the manager may wait for has changed: tried again, and said once this turn has ended. */
  private changed(): void {
    if (this.statusDue || this.ending) return;
    this.statusDue = true;
    this.ports.clock.soon(() => {
      this.statusDue = false;
      if (this.ending) return;
      this.carryOut();
      this.sendStatus();
    });
  }

  private tick(): void {
    if (this.ending) return;
    this.ticking = this.ports.clock.after(this.config.tickMs, () => this.tick());
    const { parts } = this;
    if (parts === null) return;
    this.ticksWithoutManager = this.orderIsOld() ? this.ticksWithoutManager + 1 : 0;
    const { copy, serving } = parts;
    const { journal } = copy;
    this.diskPause.look(journal.head.position, copy.damage === null ? journal.durable : null, journal.full);
    // The follower shall have what waits here: what it confirms tells that its own disk goes on.
    if (this.diskPause.stalledMs(journal.durable) > 0) journal.handOut();
    this.carryOut();
    // The manager hears it with every pulse; between two, what has changed.
    if (!sameValue(this.status, this.said)) this.sendStatus();
    const upTo = serving.term === null ? copy.durable : (Math.min(copy.durable, serving.admitted) as Position);
    copy.considerSnapshot(upTo);
  }

  private sendStatus(): void {
    const { status } = this;
    if (status === null || this.ending) return;
    this.said = status;
    this.ports.channel.send({ kind: 'status', status });
  }

  private statusOf(parts: Parts): BrokerStatus {
    const { copy, serving, leading, following, clientPort, settling } = parts;
    const { head, durable, damage, id, counts } = copy;
    return {
      run: this.run,
      orderSeq: this.order?.seq ?? 0,
      fencedThrough: this.fence,
      onDisk: settling.settled,
      clientPort: clientPort.state,
      clientPortError: clientPort.error,
      certificateUntil: this.ports.certificateUntil?.() ?? null,
      users: this.ports.users?.() ?? null,
      role: serving.on ? 'serve' : following !== null ? 'follow' : 'idle',
      term: serving.on ? (serving.term ?? NO_TERM) : (following?.term ?? NO_TERM),
      peerRequiredFrom: serving.peerRequiredFrom,
      admitted: serving.on && settling.settled ? serving.admitted : null,
      drained: serving.drained,
      journal: { id, term: head.term, position: head.position, durable, stalledMs: this.diskPause.stalledMs(copy.journal.durable), damage },
      replication: following?.status() ?? leading.status(serving.awaitsPeer),
      diverged: copy.diverged,
      trouble: this.troubleOf(parts),
      notice: [copy.retakes.notice, copy.replaced.notice, this.ports.notice?.() ?? null].filter((one) => one !== null).join('; ') || null,
      clients: serving.clients,
      sessions: counts.sessions,
      queued: counts.queued,
    };
  }

  private troubleOf({ copy, leading, following, settling }: Parts): string | null {
    if (copy.damage !== null) return `the copy is damaged: ${copy.damage}`;
    if (copy.journal.waitsFor !== null) return `${copy.journal.waitsFor}: nothing is acknowledged until there is`;
    if (settling.trouble !== null) return settling.trouble;
    if (this.refused !== null) return this.refused;
    if (this.diskPause.trouble !== null) return this.diskPause.trouble;
    if (!copy.ready) return 'the state is being built from the log';
    if (leading.portError !== null) return `the replication port cannot be bound: ${leading.portError}`;
    return following === null || following.trouble === null ? null : `no replication link: ${following.trouble}`;
  }

  /** The manager is gone: nobody may tell this process what it is any more. */
  private orphaned(reason: string): void {
    if (this.ending) return;
    this.ending = true;
    this.ports.log.write('warn', `The HA manager is gone (${reason}); the broker stops`);
    this.stopAll('the broker is closing');
    this.ports.exit(1);
  }

  private async shutDown(): Promise<void> {
    if (this.ending) return;
    this.ending = true;
    const { parts } = this;
    this.stopAll('the broker is closing');
    try {
      await parts?.copy.close();
      this.ports.exit(0);
    } catch (error) {
      this.ports.channel.send({ kind: 'fatal', code: error instanceof LockstepError ? error.code : 'LOCKSTEP_BROKER_FAILED', message: `the journal was not closed cleanly: ${describe(error)}` });
      this.ports.exit(1);
    }
  }

  private stopAll(reason: string): void {
    this.ticking?.();
    const { parts } = this;
    if (parts === null) return;
    this.stopFollowing(parts, reason);
    parts.serving.end(reason);
    parts.leading.close();
    parts.clientPort.want('closed');
  }
}

interface Parts {
  readonly copy: Copy;
  readonly leading: Leading;
  readonly serving: Serving;
  readonly clientPort: ClientPortSteering;
  readonly settling: Settling;
  following: Following | null;
}
