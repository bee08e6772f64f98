import type { ServeRole } from '../core/control/broker.js';
import type { ConnectionId, Effect, Message } from '../core/broker/effects.js';
import { connectionOf, type Operation } from '../core/broker/operations.js';
import { encodeOperation } from '../core/broker/records.js';
import { RECORD_HEADER_BYTES, RECORD_PAYLOAD_BYTES_MAX, RecordOrigin } from '../core/journal/envelope.js';
import { NO_POSITION, type Monotonic, type Position, type Term } from '../core/identity.js';
import { AdmissionWindow, admittedPosition } from '../core/replication/admission-window.js';
import { ByteWriter, MalformedBytes } from '../core/wire/bytes.js';
import type { Clock } from '../ports/clock.js';
import { Backlog, EFFECT_BYTES, EFFECT_HEAP_BYTES, LOOK_BYTES, REMOVED_BYTES } from './backlog.js';
import { Connections } from './connections.js';
import { describe } from './disk-io.js';
import type { ClientEdge, ClientHandler, Submitted } from './edge.js';
import type { MemoryGuard } from './memory-guard.js';
import { Orphans } from './orphans.js';
import { ServedTerm, type ServedTermTools } from './served-term.js';
import { RECORD_WORK_BYTES, TurnWork } from './turn-work.js';
import { UnsaidEnds } from './unsaid.js';

/*
 * Serving clients in a term: what is taken from them, and what may be said to them.
 *
 * Invariants
 * - Durable before spoken: an effect leaves only when its record is admitted (R2) and the gate is open at that moment.
 * - What waits is bounded by bytes, at whatever it waits: a record, and what comes of it, weighs until it is admitted and all before it has left.
 * - What this server writes by itself takes a bounded part of a turn, and so does what is said: the wills of connections that end, and of orphans, their
 *   sessions where these end too, and what else is admitted wait for the next one beyond it.
 * - The gate is open only while the order says serve, the term is above the fence, the manager's pulse is recent, and, while only
 *   this copy counts, before the lease's deadline. A closed gate keeps effects; it never drops them.
 * - Suspended: the clients' connections stay, nothing is taken from them, nothing is said to them. Ended: they are closed, and
 *   what was held is dropped; their records stay in the log.
 */
export interface ServingTools extends ServedTermTools {
  readonly clock: Clock;
  readonly pulseAt: () => Monotonic;
  /** `release` is due: a turn begins in which more may be said. */
  readonly releaseDue: () => void;
  readonly memory: MemoryGuard;
  /** Clients wait to be let in. */
  readonly loginsWait: () => boolean;
}

type Stage = 'off' | 'on' | 'suspended';

export class Serving implements ClientEdge {
  private stage: Stage = 'off';
  private readonly served: ServedTerm;
  private readonly orphans: Orphans;
  private window = new AdmissionWindow();
  private holdingFor: Position = NO_POSITION;
  private readonly backlog: Backlog;
  private readonly writer = new ByteWriter(4096);
  private readonly connections = new Connections();
  private readonly unsaid = new UnsaidEnds((operation) => this.say(operation));
  private readonly turn: TurnWork;
  private readonly saying: TurnWork;
  private paused = false;
  private memoryIsScarce = false;

  constructor(private readonly tools: ServingTools) {
    this.backlog = new Backlog(tools.config.tuning.unadmittedBytesMax);
    this.turn = new TurnWork(tools.clock, () => this.goOn());
    this.saying = new TurnWork(tools.clock, tools.releaseDue);
    this.served = new ServedTerm(tools, {
      entered: (anew) => this.entered(anew),
      hold: (position, effect) => this.window.hold(position, effect),
      begun: () => this.orphans.begin(),
    });
    this.orphans = new Orphans(
      { clock: tools.clock, log: tools.log, graceMs: tools.config.tuning.orphanGraceMs, loginsWait: tools.loginsWait },
      {
        find: () => (this.serving && tools.copy.ready ? tools.copy.replica.core.orphans() : null),
        sessions: () => tools.copy.counts.sessions,
        removedWith: (clientId) => (tools.copy.ready ? tools.copy.replica.core.removedAhead({ kind: 'orphans-gone', clientIds: [clientId] }) : 0),
        bury: (clientIds) => this.bury(clientIds),
      },
    );
  }

  // What the orders say.

  /**
   * Serves as the role says, from now on; the same again changes nothing.
   * @returns why it does not, or not yet; `null` when it does
   */
  serve(role: ServeRole): string | null {
    const refusal = this.served.enter(role);
    if (refusal !== null) {
      if (this.stage === 'on') this.suspend();
      return refusal;
    }
    this.stage = 'on';
    this.served.adopt(role);
    if (role.drain) this.paused = true;
    this.sayUnsaid();
    this.release();
    return null;
  }

  /** Nothing is taken and nothing is said, until `serve` or `end`. */
  suspend(): void {
    if (this.stage === 'off') return;
    if (this.stage === 'on') this.tools.leading.forbid('this server serves on only in another term');
    this.stage = 'suspended';
    this.served.suspend();
    this.paused = true;
  }

  /** Serves no more: the clients are closed and what was held for them is dropped. */
  end(reason: string): void {
    this.orphans.end();
    if (this.stage === 'off') return this.connections.closeAll(reason);
    this.tools.leading.forbid('this server has stopped serving');
    this.stage = 'off';
    this.served.leave();
    this.window.clear();
    this.backlog.clear();
    this.unsaid.clear();
    this.paused = false;
    this.connections.closeAll(reason);
  }

  // What the status says.

  get on(): boolean {
    return this.stage === 'on';
  }
  get term(): Term | null {
    return this.served.current;
  }
  get peerRequiredFrom(): Position | null {
    return this.stage === 'on' ? this.served.requiredFrom : null;
  }
  /** Records wait for the peer, or would. */
  get awaitsPeer(): boolean {
    return this.stage === 'on' && (this.served.member !== null || this.served.requiredFrom !== null);
  }
  get draining(): boolean {
    return this.served.role?.drain === true;
  }
  get admitted(): Position {
    return this.window.admitted;
  }
  get clients(): number {
    return this.connections.size;
  }

  /** R10: nothing is under way, and both logs end at the same position. */
  get drained(): boolean {
    if (!this.draining || this.stage !== 'on' || !this.tools.leading.inStep) return false;
    const { copy, leading } = this.tools;
    const head = copy.head.position;
    return this.window.held === 0 && copy.durable === head && this.window.admitted === head && leading.peerDurable?.position === head;
  }

  // What the disk and the peer say.

  /** More is durable here or at the peer, or the gate may have opened. */
  release(): void {
    if (this.stage === 'off') return;
    const { copy, leading } = this.tools;
    const { member, requiredFrom } = this.served;
    const peer = leading.peerDurable;
    const counts = peer !== null && (member === null || peer.journal === member.journal);
    const admitted = admittedPosition({
      own: copy.durable,
      peer: counts ? peer.position : null,
      peerIsMember: member !== null,
      peerRequiredFrom: requiredFrom,
    });
    if (this.stage === 'on') this.window.admit(admitted);
    if (this.window.held > 0) this.window.release(this.gate, this.deliver, this.saying.over);
    this.backlog.release(this.window.released);
    this.relax();
  }

  // What the protocols say (ClientEdge).

  get serving(): boolean {
    return this.stage === 'on' && !this.draining;
  }

  get congested(): boolean {
    return this.paused;
  }

  get scarce(): boolean {
    return this.memoryIsScarce;
  }

  register(handler: ClientHandler): ConnectionId {
    return this.connections.add(handler);
  }

  unregister(connection: ConnectionId): void {
    this.connections.remove(connection);
  }

  submit(operation: Operation, origin: number): Submitted {
    if (!this.serving) return this.whileAway(operation);
    if (this.backlog.exceeds(UNASKED_TIMES)) return this.whileFull(operation);
    if (operation.kind === 'disconnect' && this.turn.isOver && (operation.publishWill || this.tools.copy.replica.core.removedAhead(operation) > 0)) return this.whileAway(operation);
    // A client that is back has ended its connection before, and not lost it: that has to be known first.
    if (operation.kind === 'connect' && !this.unsaid.isEmpty) {
      this.sayUnsaid();
      const before = this.tools.copy.replica.core.connectionOf(operation.clientId);
      if (before !== null) this.unsaid.say(before);
    }
    const submitted = this.record(operation, origin);
    return submitted.kind === 'refused' && submitted.reason !== 'limit' && operation.kind === 'disconnect' ? this.whileAway(operation) : submitted;
  }

  private record(operation: Operation, origin: number): Submitted {
    const { core } = this.tools.copy.replica;
    const looked = core.looked;
    const submitted = this.take(operation, origin, looked);
    if (submitted.kind === 'refused') this.weighLooks(core.looked - looked, connectionOf(operation));
    return submitted;
  }

  private take(operation: Operation, origin: number, looked: number): Submitted {
    const { copy, memory } = this.tools;
    const { core } = copy.replica;
    const refusal = core.refusal(operation);
    if (refusal !== null) return refused('limit', refusal.detail);
    const bytes = core.growthAhead(operation);
    const fits = memory.fits(bytes);
    this.memoryIsScarce = memory.isScarce;
    if ((this.memoryIsScarce || !fits) && core.grows(operation)) {
      return refused('limit', this.memoryIsScarce ? "the broker's memory is nearly used up" : `it would take about ${Math.round(bytes / MIB)} MiB, and the broker's memory has not so much left`);
    }
    return this.append(operation, origin, looked);
  }

  submitVolatile(topic: string, payload: Uint8Array, by?: ConnectionId): Submitted {
    if (!this.serving) return refused('not-serving', 'this server does not serve now');
    if (this.backlog.exceeds(UNASKED_TIMES)) return refused('limit', TOO_MUCH_WAITS);
    this.memoryIsScarce = this.tools.memory.isScarce;
    const { core } = this.tools.copy.replica;
    if (by !== undefined && !core.isCurrent(by)) return refused('limit', 'another connection has taken the place of this one');
    const at = this.tools.copy.journal.head.position;
    const before = this.window.held;
    const looked = core.looked;
    this.holdingFor = at;
    core.deliverVolatile(topic, payload, this.hold);
    this.weighLooks(core.looked - looked, by);
    const effects = this.window.held - before;
    if (effects === 0) return ACCEPTED;
    this.tools.memory.grew(EFFECT_HEAP_BYTES * effects);
    if (at <= this.window.admitted) this.window.release(this.gate, this.deliver, this.saying.over);
    if (this.window.held > 0) this.weigh(at, topic.length + this.backlog.viewBytes(payload) + EFFECT_BYTES * effects, by);
    return ACCEPTED;
  }

  loadPayload(message: Message, done: (payload: Uint8Array | null) => void): void {
    this.tools.copy.readPayload(message).then(done, (error: unknown) => {
      this.tools.log.write('error', `The payload of message ${message.id} cannot be read back: ${describe(error)}`, { position: message.id });
      done(null);
    });
  }

  /** Whether what is admitted may be said now. */
  private readonly gate = (): boolean => {
    const { tools } = this;
    const { role, current } = this.served;
    if (this.stage !== 'on' || role === null || current === null || current <= tools.fencedThrough()) return false;
    const now = tools.clock.monotonic();
    if (now - tools.pulseAt() > tools.config.pulseLimitMs) return false;
    return role.soloUntil === null || now < role.soloUntil;
  };

  /** Keeps what the record at `holdingFor` brings. */
  private readonly hold = (effect: Effect): void => {
    this.window.hold(this.holdingFor, effect);
  };

  private readonly deliver = (effect: Effect): void => {
    this.saying.add(EFFECT_BYTES);
    this.connections.deliver(effect);
  };

  /** A term begins. */
  private entered(anew: boolean): void {
    if (!anew) return;
    // Its first record ends the connections of the term before by their numbers: no client that comes from now on may have one of these.
    this.connections.beginAbove(this.tools.copy.replica.core.newestConnection);
    // A new one: what was admitted under that number before may have been cut away since, as a follower.
    this.window = new AdmissionWindow();
    this.backlog.clear();
  }

  private bury(clientIds: readonly string[]): boolean {
    const { copy } = this.tools;
    if (!this.serving || !copy.ready || this.backlog.exceeds(1) || this.turn.isOver) return false;
    return this.append({ kind: 'orphans-gone', clientIds }, RecordOrigin.lockstep, copy.replica.core.looked).kind === 'accepted';
  }

  /** @param looked what the core had looked at before this operation */
  private append(operation: Operation, origin: number, looked: number): Submitted {
    const { copy } = this.tools;
    const { journal } = copy;
    let draft: ReturnType<typeof encodeOperation>;
    try {
      draft = encodeOperation(operation, this.writer);
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error;
      this.writer.take();
      return refused('limit', error.message);
    }
    if (draft.payload.length > RECORD_PAYLOAD_BYTES_MAX) return refused('limit', `an operation of ${draft.payload.length} bytes`);
    const { current } = this.served;
    if (current === null || journal.damage !== null) return refused('not-serving', 'this copy is damaged');
    if (!journal.canAppend(draft.payload.length)) {
      this.paused = true;
      return refused('disk-full', journal.full ? 'there is no room on the disk' : 'the disk does not keep up');
    }
    const record = journal.append(draft.type, draft.version, origin, current, draft.payload);
    const { core } = copy.replica;
    const before = this.window.held;
    const { grown, deliveriesMade, removed } = core;
    this.holdingFor = record.position;
    copy.replica.apply(record, this.hold);
    const effects = this.window.held - before;
    this.tools.memory.grew(draft.payload.length + core.grown - grown + EFFECT_HEAP_BYTES * effects);
    const work = EFFECT_BYTES * Math.max(effects, core.deliveriesMade - deliveriesMade) + LOOK_BYTES * (core.looked - looked) + REMOVED_BYTES * (core.removed - removed);
    this.weigh(record.position, draft.payload.length + RECORD_HEADER_BYTES + work, connectionOf(operation));
    this.turn.add(RECORD_WORK_BYTES + work);
    return ACCEPTED;
  }

  /** What no record tells of has taken time for what was looked at, too: that weighs until what came before is admitted, and where all is, to the next turn of the event loop. */
  private weighLooks(levels: number, by: ConnectionId | undefined): void {
    if (levels === 0) return;
    const wasPaused = this.paused;
    const { position } = this.tools.copy.journal.head;
    this.weigh(position, LOOK_BYTES * levels, by);
    if (this.paused && !wasPaused && position <= this.window.admitted) this.tools.clock.soon(() => this.release());
  }

  private weigh(position: Position, bytes: number, by: ConnectionId | undefined): void {
    this.backlog.add(position, bytes);
    if (!this.backlog.exceeds(1) && !this.tools.copy.journal.full) return;
    if (!this.paused && by !== undefined) this.connections.hadTurn(by);
    this.paused = true;
  }

  /** Clients may be read again when half of the backlog is gone. */
  private relax(): void {
    if (this.tools.copy.journal.full) this.paused = true;
    if (!this.paused || !this.serving || this.tools.copy.journal.full) return;
    if (this.backlog.exceeds(1 / 2)) return;
    this.paused = false;
    this.goOn();
    this.connections.resume(() => this.paused);
  }

  /** Logins and ends of connections wait for no turn: there is an end to them, too. */
  private whileFull(operation: Operation): Submitted {
    if (operation.kind === 'disconnect') return this.whileAway(operation);
    return refused(operation.kind === 'connect' ? 'limit' : 'disk-full', TOO_MUCH_WAITS);
  }

  /** A connection that ends while nothing can be written, or no more in this turn, is remembered. */
  private whileAway(operation: Operation): Submitted {
    if (operation.kind === 'disconnect' && this.stage !== 'off') {
      this.unsaid.add(operation.connection, operation);
      return ACCEPTED;
    }
    return refused('not-serving', this.draining ? 'this server hands over to its peer' : 'this server does not serve now');
  }

  /** What this server writes by itself, as far as there is room, and as long as its turn is. */
  private goOn(): void {
    this.sayUnsaid();
    this.orphans.goOn();
  }

  /** Once this server serves again: in another term, or when a drain was given up. What there is no room for now is said another time. */
  private sayUnsaid(): void {
    this.unsaid.sayAll(() => this.serving && !this.backlog.exceeds(1) && !this.turn.isOver);
  }

  /** @returns false when the disk has no room for it now */
  private say(operation: Operation): boolean {
    const submitted = this.record(operation, RecordOrigin.lockstep);
    return submitted.kind === 'accepted' || submitted.reason === 'limit';
  }
}

/** What does not ask whether there is room (logins, ends of connections, the last packets of a client that is back) is taken up to so many times the limit. */
const UNASKED_TIMES = 2;
const TOO_MUCH_WAITS = 'too much waits for the disks and the other server';
const ACCEPTED: Submitted = { kind: 'accepted' };
const MIB = 1024 * 1024;

function refused(reason: 'not-serving' | 'limit' | 'disk-full', detail: string): Submitted {
  return { kind: 'refused', reason, detail };
}
