import type { ConnectionId, Effect, Message } from '../../core/broker/effects.js';
import type { Monotonic } from '../../core/identity.js';
import { RecordOrigin } from '../../core/journal/envelope.js';
import type { LogLevel } from '../../ports/log.js';
import type { Stream } from '../../ports/stream.js';
import type { ClientHandler, Submitted } from '../../server/edge.js';
import type { Departed } from './departures.js';
import { PINGRESP, encodeConnack } from './encoder.js';
import type { Outgoing } from './encoder.js';
import { ProtocolFault } from './fault.js';
import type { PacketFramer } from './framer.js';
import { Inbox } from './inbox.js';
import { KeepAlive } from './keep-alive.js';
import { CONNECT_BYTES_MAX } from './limits.js';
import { Login, openingFault, quoted } from './login.js';
import { Outbox } from './outbox.js';
import { ConnackCode } from './packets.js';
import type { ConnectPacket } from './packets.js';
import type { MqttShared } from './protocol.js';
import { Requests } from './requests.js';
import type { Watched } from './rounds.js';
import type { Share } from './shared-room.js';

/** `ending`: everything is said, the stream takes its last bytes. `closed`: nothing is done any more. */
type Stage = 'login' | 'open' | 'ending' | 'closed';

/** How a connection is left. */
interface Leave {
  readonly reason: string;
  /** What becomes of the will. `none`: no disconnect is submitted, the broker does not take this connection for the current one. */
  readonly will: 'published' | 'dropped' | 'none';
  /** Lets the client have what was written; else the stream is cut. */
  readonly politely: boolean;
}

/**
 * One client's connection: packets become operations (`Inbox`, then `Login` or `Requests`), effects become packets (`Outbox`). Here are its stages, from the
 * first byte to the end.
 *
 * Invariants
 * - The broker knows the connection (`connection` is set) exactly while the stage is `open`.
 * - Nothing that an effect exists for is answered by the connection itself. What it says on its own: refusals of a CONNECT, PINGRESP.
 * - No packet is taken while the broker is congested, an operation waits for room, the client reads too slowly (but the end of a long one), or its login is being judged.
 * - A client that is gone (`isGone`) stays `open` until all whole packets are taken that came before: a DISCONNECT among them drops the will. Nothing is said to it,
 *   and it has no time limits; a take-over of its client id and the end of serving end it at once.
 */
export class MqttConnection implements ClientHandler, Watched, Departed {
  private stage: Stage = 'login';
  private connection: ConnectionId | null = null;
  private clientId: string | null = null;
  private readonly keepAlive: KeepAlive;
  private readonly inbox: Inbox;
  private readonly login: Login;
  private readonly stranger: Share;
  private readonly requests: Requests;
  private readonly outbox: Outbox;
  /** CONNACK has been said, or is about to be. */
  private greeted = false;
  private pingsOwed = 0;
  private flushing = false;
  /** Set when the connection must be left as soon as the present turn has ended. */
  private leaving: Leave | null = null;
  private isGone = false;
  /** It speaks MQTT 3.1. */
  private isOld = false;
  /** It does not wait for the end of a congestion. */
  private isHurried = false;
  private endBy = Infinity;

  constructor(
    private readonly stream: Stream,
    private readonly shared: MqttShared,
  ) {
    this.keepAlive = new KeepAlive(shared.clock);
    this.stranger = shared.strangers.enter();
    this.inbox = new Inbox(stream, shared.clock, shared.turns, this.keepAlive, Math.min(CONNECT_BYTES_MAX, shared.limits.packetBytesMax), {
      mayTake: () => this.mayTake(),
      take: (packet) => this.take(packet),
      turn: () => this.pump(),
      crowded: (bytesMax) => this.report('crowded', 'warn', `is not read from for now: packets under way, of all clients, take up their ${bytesMax} bytes (partialBytesMax)`),
      broken: (fault) => this.fault(fault),
    });
    this.login = new Login(shared, {
      remote: stream.remote,
      named: (clientId) => {
        this.clientId = clientId;
      },
      report: (key, level, what, fields, who) => this.report(key, level, what, fields, who),
      admitted: (connect, clientId, user) => this.open(connect, clientId, user),
      refused: (code) => this.refuse(code),
      broken: (fault) => this.fault(fault),
    });
    this.requests = new Requests(shared.edge, {
      pinged: () => this.pinged(),
      disconnected: () => this.leave({ reason: 'the client disconnected', will: 'dropped', politely: true }),
      notGranted: (filter) => this.report('shared', 'warn', `is not granted ${quoted(filter)}: shared subscriptions are not offered`),
      lost: (why) => this.dropped(why, null),
      refused: (refusal) => this.refused(refusal),
    });
    this.outbox = new Outbox(stream, shared.encoder, shared.waiting, shared.limits, {
      isScarce: () => shared.edge.scarce,
      load: (message, done) => shared.edge.loadPayload(message, done),
      moved: () => this.pump(),
      lost: (message) => this.dropped('its payload cannot be read back', message),
      unreadable: (message) => this.leaveSoon(`the payload of message ${message.id} for it cannot be read back`),
    });
  }

  /** Begins to listen to the stream. To be called once, at once. */
  begin(): void {
    this.shared.rounds.add(this);
    this.stream.handle({
      data: (bytes) => this.received(bytes),
      drain: () => this.drained(),
      close: (reason) => this.lost(reason),
    });
  }

  // What the broker says.

  effect(effect: Effect): void {
    if (this.stage !== 'open' || this.leaving !== null) return;
    if (effect.kind === 'close') this.closedByBroker(effect.reason);
    // In MQTT 3.1 the byte that says so is reserved (section 3.2).
    else if (effect.kind === 'connack') this.greet(this.isOld ? { ...effect, sessionPresent: false } : effect);
    else this.send(effect.kind === 'suback' ? { ...effect, granted: this.requests.granted(effect.packetId, effect.granted) } : effect);
  }

  /** The broker stops serving: nothing is submitted, the next term's first record ends the connection. */
  close(reason: string): void {
    if (this.stage === 'closed') return;
    this.part('none');
    this.cut(reason);
  }

  resume(): void {
    this.pump();
  }

  // What the stream says.

  private received(bytes: Uint8Array): void {
    if (this.stage === 'ending' || this.stage === 'closed') return;
    const fault = this.clientId === null && this.inbox.isEmpty ? openingFault(bytes[0]) : null;
    if (fault !== null) return this.fault(fault);
    if (this.stage === 'login' && !this.stranger.bring(bytes.length)) {
      return this.fault(new ProtocolFault(`clients that are not let in yet have brought ${this.shared.limits.strangerBytesMax} bytes (strangerBytesMax), and this one brings more`, 'limit'));
    }
    this.inbox.add(bytes);
    this.pump();
  }

  private drained(): void {
    if (this.stage !== 'open') return;
    this.outbox.drained();
    this.pump();
  }

  /** The stream is gone, by the client, the network, or our own `end`. */
  private lost(reason: string): void {
    if (this.stage === 'open') this.report('lost', 'debug', `is gone: ${reason}`);
    if (this.stage === 'open' && this.leaving === null) return this.depart();
    this.part('published');
    this.forget();
  }

  /** What the client had said before it went is carried out as if it were there. */
  private depart(): void {
    this.isGone = true;
    this.outbox.close();
    this.inbox.end();
    this.shared.rounds.remove(this);
    this.shared.departures.enter(this.clientId as string, this);
    this.pump();
  }

  // What the client's next connection says, once it is gone.

  lastTurn(): void {
    this.isHurried = true;
    this.inbox.hurry(() => this.pump());
    this.isHurried = false;
  }

  superseded(): void {
    this.leave({ reason: 'taken-over', will: 'none', politely: false });
  }

  // What the rounds say.

  check(now: Monotonic, stoodStillMs: number): void {
    this.keepAlive.excuse(stoodStillMs);
    if (this.stage === 'open') this.checkOpen(now);
    else if (this.stage === 'login') this.login.check(now, stoodStillMs);
    else if (now >= this.endBy) this.cut('it did not take its last bytes in time (lingerMs)');
  }

  private checkOpen(now: Monotonic): void {
    const { stalledReaderMs, stalledPacketMs } = this.shared.limits;
    if (this.outbox.isStalled(now)) {
      this.report('stalled', 'warn', `is disconnected: for ${stalledReaderMs} ms (stalledReaderMs) it took nothing of ${this.outbox.waitingBytes} bytes; its session keeps what waits`);
      this.leave({ reason: 'stalled reader', will: 'published', politely: false });
      return;
    }
    if (this.keepAlive.isOver(now)) {
      this.report('keep-alive', 'info', `is disconnected: it was silent for more than ${this.keepAlive.silenceMs} ms, one and a half times its keep-alive`);
      this.leave({ reason: 'keep-alive timeout', will: 'published', politely: false });
      return;
    }
    const stall = this.inbox.stall(now, stalledPacketMs);
    if (stall !== null) {
      this.report('stalled-packet', 'warn', `is disconnected: ${stall}`);
      this.leave({ reason: 'stalled packet', will: 'published', politely: false });
      return;
    }
    // Whatever made it wait tells of its end; a client that nothing told of would never be read from again.
    if (this.inbox.isHeldUp) this.pump();
  }

  // From bytes to operations.

  private pump(): void {
    if (this.stage === 'open') this.requests.retry();
    const isDone = this.inbox.pump() && !this.requests.waiting;
    if (this.isGone && isDone && this.leaving === null) this.leave({ reason: 'gone', will: 'published', politely: false });
  }

  private mayTake(): boolean {
    if (this.stage === 'login') return this.login.mayTake;
    if (this.stage !== 'open' || this.leaving !== null || this.requests.waiting || (this.shared.edge.congested && !this.isHurried)) return false;
    // A slow reader ends a long packet all the same: waiting for it would keep the room from others.
    return this.isGone || this.inbox.isLong || this.outbox.heldBytes <= this.shared.limits.outgoingBytesMax / 2;
  }

  private take(packet: PacketFramer): void {
    if (this.connection === null) this.login.take(packet);
    else this.requests.take(this.connection, packet);
  }

  private pinged(): void {
    if (this.greeted) this.send(PINGRESP);
    else this.pingsOwed += 1;
  }

  /** CONNACK goes first (MQTT-3.2.0-1), then the answers to the pings of a client that did not wait for it. */
  private greet(connack: Outgoing): void {
    this.greeted = true;
    this.send(connack);
    for (; this.pingsOwed > 0 && this.leaving === null; this.pingsOwed -= 1) this.send(PINGRESP);
  }

  private refused({ reason, detail }: Submitted & { kind: 'refused' }): void {
    this.report(`refused-${reason}`, reason === 'not-serving' ? 'debug' : 'warn', `is disconnected: what it sent is not accepted: ${detail}`);
    this.leave({ reason: detail, will: 'published', politely: false });
  }

  private open(connect: ConnectPacket, clientId: string, user: string | null): void {
    const { edge, limits, departures } = this.shared;
    this.keepAlive.set(connect.keepAlive);
    const connection = edge.register(this);
    this.connection = connection;
    this.stage = 'open';
    this.stranger.leave();
    this.isOld = connect.level === 3;
    this.inbox.letIn(limits.packetBytesMax, this.isOld, this.shared.partials.enter());
    const { clean, will } = connect;
    // What the client said on a connection that it has ended comes before what it says on this one, as far as that takes no long time.
    if (edge.serving) departures.lastTurn(clientId);
    const submitted = edge.submit({ kind: 'connect', connection, clientId, clean, will, user }, RecordOrigin.mqtt3);
    if (submitted.kind === 'accepted') {
      departures.superseded(clientId);
      this.shared.counters.connected += 1;
      this.pump();
      return;
    }
    this.part('none');
    this.report(`refused-${submitted.reason}`, submitted.reason === 'not-serving' ? 'debug' : 'warn', `is refused: ${submitted.detail}`, {}, user ?? clientId);
    if (submitted.reason === 'not-serving') this.cut(submitted.detail);
    else this.refuse(ConnackCode.unavailable);
  }

  private refuse(code: ConnackCode): void {
    this.shared.counters.refused += 1;
    this.stream.write(encodeConnack(code));
    this.endPolitely();
    this.inbox.steer();
  }

  // From effects to bytes.

  private send(item: Outgoing): void {
    if (this.isGone) return;
    const added = this.outbox.add(item);
    if (added === 'full') this.leaveSoon(`${this.outbox.waitingPackets} packets wait for it (outgoingPacketsMax)`);
    else if (added === 'dropped') this.dropped('it reads too slowly (outgoingBytesMax)', item.kind === 'deliver' ? item.message : null);
    else if (added === 'no-memory') this.dropped("it reads too slowly, and the broker's memory is nearly used up", item.kind === 'deliver' ? item.message : null);
    else if (added === 'no-room') this.dropped(`it reads too slowly, and ${this.shared.limits.allOutgoingBytesMax} bytes wait for all such clients (allOutgoingBytesMax)`, item.kind === 'deliver' ? item.message : null);
    else this.flushSoon();
  }

  /** All that one admission group, or one piece of received bytes, brings for this client leaves together. */
  private flushSoon(): void {
    if (this.flushing) return;
    this.flushing = true;
    this.shared.rounds.atEndOfTurn(() => {
      this.flushing = false;
      if (this.stage !== 'open') return;
      this.outbox.flush();
      if (this.leaving !== null) this.leave(this.leaving);
      else this.pump();
    });
  }

  private dropped(why: string, message: Message | null): void {
    this.shared.counters.qos0Dropped += 1;
    const what = message === null ? 'one that it sent' : `one for it on ${quoted(message.topic)}`;
    this.report('qos0-dropped', 'warn', `loses QoS 0 messages (${what}): ${why}`, { dropped: this.shared.counters.qos0Dropped });
  }

  // The end.

  private closedByBroker(reason: (Effect & { kind: 'close' })['reason']): void {
    this.report(`broker-${reason}`, 'debug', `is disconnected by the broker: ${reason}`);
    // After the effects before it. For the broker this connection is over already, except where the client's own fault ends it.
    this.leaving = { reason, will: reason === 'protocol-error' ? 'published' : 'none', politely: true };
    this.flushSoon();
  }

  private leaveSoon(why: string): void {
    if (this.leaving !== null) return;
    this.report('outgoing', 'warn', `is disconnected: ${why}; its session keeps what waits`);
    this.leaving = { reason: why, will: 'published', politely: false };
    this.flushSoon();
  }

  private fault(fault: ProtocolFault): void {
    this.shared.counters.faults += 1;
    const what = fault.message.replace(` (${fault.clause})`, '');
    this.report(`fault-${fault.clause}`, 'warn', `is disconnected: ${what} [${fault.clause}]`, { clause: fault.clause });
    this.leave({ reason: fault.message, will: 'published', politely: false });
  }

  private leave({ reason, will, politely }: Leave): void {
    if (this.stage === 'closed' || this.stage === 'ending') return;
    if (this.isGone) this.forget();
    else if (politely) this.endPolitely();
    else this.cut(reason);
    this.part(will);
  }

  /** Tells the broker that the connection is over. */
  private part(will: Leave['will']): void {
    const connection = this.connection;
    // A connection that was taken over stays one, also when its socket is lost in the same turn.
    const current = this.leaving?.will !== 'none';
    this.connection = null;
    this.leaving = null;
    this.requests.close();
    this.outbox.close();
    if (connection === null) return;
    // Refused when this server no longer serves: the next term's first record ends the connection instead.
    if (will !== 'none' && current) this.shared.edge.submit({ kind: 'disconnect', connection, publishWill: will === 'published' }, RecordOrigin.mqtt3);
    this.shared.edge.unregister(connection);
  }

  private endPolitely(): void {
    this.stage = 'ending';
    this.inbox.ignore();
    this.stranger.leave();
    this.endBy = this.shared.clock.monotonic() + this.shared.limits.lingerMs;
    this.stream.end();
  }

  private cut(reason: string): void {
    this.forget();
    this.stream.destroy(reason);
  }

  private forget(): void {
    this.stage = 'closed';
    this.inbox.close();
    this.stranger.leave();
    this.login.abandon();
    this.shared.rounds.remove(this);
    if (this.isGone) this.shared.departures.leave(this.clientId as string, this);
  }

  /** With `who`, a name that the client gave, the line is one about that name at this address; otherwise one of its kind. */
  private report(key: string, level: LogLevel, what: string, fields: Readonly<Record<string, unknown>> = {}, who: string | null = null): void {
    const name = this.clientId === null ? `MQTT client at ${this.stream.remote}` : `MQTT client ${quoted(this.clientId)} at ${this.stream.remote}`;
    this.shared.log.write(`mqtt-${key}`, level, `${name} ${what}`, { client: this.clientId, remote: this.stream.remote, ...fields }, who === null ? null : `${hostOf(this.stream.remote)} ${who}`);
  }
}

/** Without the port, which is another one each time. */
function hostOf(remote: string): string {
  return remote.slice(0, Math.max(0, remote.lastIndexOf(':')));
}
