import type { ConnectionId, Effect, Message } from '../../core/broker/effects.js';
import type { Operation } from '../../core/broker/operations.js';
import type { Monotonic } from '../../core/identity.js';
import { RecordOrigin } from '../../core/journal/envelope.js';
import type { LogLevel } from '../../ports/log.js';
import type { Stream } from '../../ports/stream.js';
import type { ClientHandler, Submitted } from '../../server/edge.js';
import { decodeAcknowledgement, decodePublish, decodeSubscribe, decodeUnsubscribe } from './decoder.js';
import { PINGRESP, encodeConnack } from './encoder.js';
import type { Outgoing } from './encoder.js';
import { ProtocolFault } from './fault.js';
import { PacketFramer, PacketType } from './framer.js';
import { CONNECT_BYTES_MAX, KEEP_ALIVE_PROGRESS_BYTES } from './limits.js';
import { Login, openingFault, quoted } from './login.js';
import { Outbox } from './outbox.js';
import { ConnackCode } from './packets.js';
import type { ConnectPacket } from './packets.js';
import type { MqttShared } from './protocol.js';
import type { Watched } from './rounds.js';
import { SharedFilters } from './shared-filters.js';
import type { Stranger } from './strangers.js';
import { TopicCache } from './topic-cache.js';

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
 * So long packets of one connection are taken before the others have a turn; looked at after so many packets. What a packet costs can be far more than its
 * bytes: a SUBSCRIBE looks at each retained message.
 */
const TURN_MS = 20;
const PACKETS_PER_LOOK = 8;

/** §3.1.2.10: a client may be silent for one and a half times its keep-alive, which is in seconds. */
const SILENCE_MS_PER_SECOND = 1_500;

/**
 * One client's connection: packets become operations, effects become packets.
 *
 * Invariants
 * - The broker knows the connection (`connection` is set) exactly while the stage is `open`.
 * - Nothing that an effect exists for is answered by the connection itself. What it says on its own: refusals of a CONNECT, PINGRESP.
 * - Packets are taken in order, one by one, and none while the broker is congested, the client reads too slowly, or
 *   its login is being judged: then the stream is paused, and what had come already waits in the framer.
 */
export class MqttConnection implements ClientHandler, Watched {
  private stage: Stage = 'login';
  private connection: ConnectionId | null = null;
  private clientId: string | null = null;
  private readonly framer: PacketFramer;
  private readonly login: Login;
  private readonly stranger: Stranger;
  private readonly outbox: Outbox;
  private readonly topics = new TopicCache();
  private reading = true;
  /** CONNACK has been said, or is about to be. */
  private greeted = false;
  private pingsOwed = 0;
  private flushing = false;
  /** The others have their turn; then it goes on with what has come already. */
  private yielded = false;
  /** Set when the connection must be left as soon as the present turn has ended. */
  private leaving: Leave | null = null;
  /** What the broker could not take for want of room on the disk. */
  private refusedForNow: Operation | null = null;
  private readonly sharedFilters = new SharedFilters();
  private heardAt: number;
  /** What came since `heardAt`, of a packet that is not whole. */
  private unheardBytes = 0;
  private silenceMs = Infinity;
  private endBy = Infinity;
  /** What waited in a stream that takes nothing, and since when. */
  private stall: { bytes: number; since: number } | null = null;

  constructor(
    private readonly stream: Stream,
    private readonly shared: MqttShared,
  ) {
    this.heardAt = shared.clock.monotonic();
    this.stranger = shared.strangers.enter();
    this.framer = new PacketFramer(Math.min(CONNECT_BYTES_MAX, shared.limits.packetBytesMax));
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
    this.outbox = new Outbox(stream, shared.encoder, shared.limits, {
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
    else if (effect.kind === 'connack') this.greet(effect);
    else this.send(effect.kind === 'suback' ? { ...effect, granted: this.sharedFilters.answer(effect.packetId, effect.granted) } : effect);
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
    const fault = this.clientId === null && this.framer.waiting === 0 ? openingFault(bytes[0]) : null;
    if (fault !== null) return this.fault(fault);
    if (this.stage === 'login' && !this.stranger.bring(bytes.length)) {
      return this.fault(new ProtocolFault(`clients that are not let in yet have brought ${this.shared.limits.strangerBytesMax} bytes (strangerBytesMax), and this one brings more`, 'limit'));
    }
    this.unheardBytes += bytes.length;
    this.framer.push(bytes);
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
    this.part('published');
    this.forget();
  }

  // What the rounds say.

  check(now: Monotonic): void {
    if (this.stage === 'open') this.checkOpen(now);
    else if (this.stage === 'login') this.login.check(now);
    else if (now >= this.endBy) this.cut('it did not take its last bytes in time (lingerMs)');
  }

  private checkOpen(now: Monotonic): void {
    if (this.isStalled(now)) {
      const { stalledReaderMs } = this.shared.limits;
      this.report('stalled', 'warn', `is disconnected: for ${stalledReaderMs} ms (stalledReaderMs) it took nothing of ${this.outbox.waitingBytes} bytes; its session keeps what waits`);
      this.leave({ reason: 'stalled reader', will: 'published', politely: false });
      return;
    }
    // While we do not read, the client's silence is ours.
    if (!this.reading) this.heardAt = now;
    if (now - this.heardAt <= this.silenceMs) return;
    this.report('keep-alive', 'info', `is disconnected: it was silent for more than ${this.silenceMs} ms, one and a half times its keep-alive`);
    this.leave({ reason: 'keep-alive timeout', will: 'published', politely: false });
  }

  private isStalled(now: Monotonic): boolean {
    const bytes = this.stream.takenBytes;
    if (!this.outbox.blocked) this.stall = null;
    else if (this.stall === null || this.stall.bytes !== bytes) this.stall = { bytes, since: now };
    return this.stall !== null && now - this.stall.since >= this.shared.limits.stalledReaderMs;
  }

  // From bytes to operations.

  /** Takes packets for as long as it may, and tells the stream whether to go on reading. */
  private pump(): void {
    this.retry();
    let heard = this.unheardBytes >= KEEP_ALIVE_PROGRESS_BYTES;
    const begunAt = this.shared.clock.monotonic();
    try {
      for (let taken = 1; this.mayTake() && this.framer.next(); taken += 1) {
        heard = true;
        this.take();
        if (taken % PACKETS_PER_LOOK === 0 && this.shared.clock.monotonic() - begunAt >= TURN_MS) this.yield();
      }
    } catch (error) {
      if (!(error instanceof ProtocolFault)) throw error;
      this.fault(error);
    }
    if (heard) this.hear();
    this.steer();
  }

  /** Takes nothing more in this turn. */
  private yield(): void {
    this.yielded = true;
    this.shared.clock.soon(() => {
      this.yielded = false;
      this.pump();
    });
  }

  private hear(): void {
    this.heardAt = this.shared.clock.monotonic();
    this.unheardBytes = 0;
  }

  private mayTake(): boolean {
    if (this.stage === 'login') return this.login.mayTake;
    if (this.stage !== 'open' || this.yielded || this.leaving !== null || this.refusedForNow !== null || this.shared.edge.congested) return false;
    return this.outbox.waitingBytes <= this.shared.limits.outgoingBytesMax / 2;
  }

  private steer(): void {
    if (this.stage === 'closed') return;
    // While ending, what comes is read and ignored, so that the other side's end is seen.
    const wanted = this.stage === 'ending' || this.mayTake();
    if (wanted === this.reading) return;
    this.reading = wanted;
    if (wanted) {
      this.heardAt = this.shared.clock.monotonic();
      this.stream.resume();
    } else {
      this.stream.pause();
    }
  }

  private take(): void {
    if (this.connection === null) this.login.take(this.framer);
    else this.takeFrom(this.connection, this.framer.header >> 4);
  }

  private takeFrom(connection: ConnectionId, type: number): void {
    switch (type) {
      case PacketType.publish:
        return this.takePublish(connection);
      case PacketType.puback:
        return this.submit({ kind: 'acknowledge', connection, packetId: decodeAcknowledgement(this.framer) });
      case PacketType.pubrec:
        return this.submit({ kind: 'received', connection, packetId: decodeAcknowledgement(this.framer) });
      case PacketType.pubrel:
        return this.submit({ kind: 'release', connection, packetId: decodeAcknowledgement(this.framer) });
      case PacketType.pubcomp:
        return this.submit({ kind: 'complete', connection, packetId: decodeAcknowledgement(this.framer) });
      case PacketType.subscribe:
        return this.takeSubscribe(connection);
      case PacketType.unsubscribe:
        return this.submit({ kind: 'unsubscribe', connection, ...decodeUnsubscribe(this.framer) });
      case PacketType.pingreq:
        return this.takePing();
      case PacketType.disconnect:
        return this.leave({ reason: 'the client disconnected', will: 'dropped', politely: true });
      default:
        throw new ProtocolFault('a second CONNECT', 'MQTT-3.1.0-2');
    }
  }

  private takeSubscribe(connection: ConnectionId): void {
    const { rest, filter } = this.sharedFilters.without(decodeSubscribe(this.framer));
    if (filter !== null) this.report('shared', 'warn', `is not granted ${quoted(filter)}: shared subscriptions are not offered`);
    this.submit({ kind: 'subscribe', connection, ...rest });
  }

  private takePing(): void {
    if (this.greeted) this.send(PINGRESP);
    else this.pingsOwed += 1;
  }

  /** CONNACK goes first (MQTT-3.2.0-1), then the answers to the pings of a client that did not wait for it. */
  private greet(connack: Outgoing): void {
    this.greeted = true;
    this.send(connack);
    for (; this.pingsOwed > 0 && this.leaving === null; this.pingsOwed -= 1) this.send(PINGRESP);
  }

  private takePublish(connection: ConnectionId): void {
    const { topic, qos, retain, packetId, payload } = decodePublish(this.framer, this.topics);
    if (qos !== 0 || retain) {
      this.submit({ kind: 'publish', connection, packetId, topic, qos, retain, payload });
      return;
    }
    const submitted = this.shared.edge.submitVolatile(topic, payload);
    if (submitted.kind === 'accepted') return;
    if (submitted.reason === 'not-serving') this.refused(submitted);
    else this.dropped(submitted.detail, null);
  }

  private submit(operation: Operation): void {
    const submitted = this.shared.edge.submit(operation, RecordOrigin.mqtt3);
    if (submitted.kind === 'accepted') return;
    // A full disk: the client waits, unacknowledged, until there is room; `resume` tells. One operation for each client at most.
    if (submitted.reason === 'disk-full' && this.shared.edge.congested) this.refusedForNow = operation;
    else this.refused(submitted);
  }

  /** Submits again what had to wait. */
  private retry(): void {
    const operation = this.refusedForNow;
    if (operation === null || this.stage !== 'open' || this.shared.edge.congested) return;
    this.refusedForNow = null;
    this.submit(operation);
  }

  /** Nothing was appended and nothing may be acknowledged: a client that stays connected would wait for ever (MQTT-3.3.5-2 lets us close). */
  private refused({ reason, detail }: Submitted & { kind: 'refused' }): void {
    this.report(`refused-${reason}`, reason === 'not-serving' ? 'debug' : 'warn', `is disconnected: what it sent is not accepted: ${detail}`);
    this.leave({ reason: detail, will: 'published', politely: false });
  }

  private open(connect: ConnectPacket, clientId: string, user: string | null): void {
    const { edge, limits } = this.shared;
    if (connect.keepAlive > 0) this.silenceMs = connect.keepAlive * SILENCE_MS_PER_SECOND;
    const connection = edge.register(this);
    this.connection = connection;
    this.stage = 'open';
    this.stranger.leave();
    this.framer.bytesMax = limits.packetBytesMax;
    const { clean, will } = connect;
    const submitted = edge.submit({ kind: 'connect', connection, clientId, clean, will, user }, RecordOrigin.mqtt3);
    if (submitted.kind === 'accepted') {
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
    this.steer();
  }

  // From effects to bytes.

  private send(item: Outgoing): void {
    const added = this.outbox.add(item);
    if (added === 'full') this.leaveSoon(`${this.outbox.waitingPackets} packets wait for it (outgoingPacketsMax)`);
    else if (added === 'dropped') this.dropped('it reads too slowly (outgoingBytesMax)', item.kind === 'deliver' ? item.message : null);
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
    if (politely) this.endPolitely();
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
    this.refusedForNow = null;
    this.outbox.close();
    if (connection === null) return;
    // Refused when this server no longer serves: the next term's first record ends the connection instead.
    if (will !== 'none' && current) this.shared.edge.submit({ kind: 'disconnect', connection, publishWill: will === 'published' }, RecordOrigin.mqtt3);
    this.shared.edge.unregister(connection);
  }

  private endPolitely(): void {
    this.stage = 'ending';
    this.letGo();
    this.endBy = this.shared.clock.monotonic() + this.shared.limits.lingerMs;
    this.stream.end();
  }

  private cut(reason: string): void {
    this.forget();
    this.stream.destroy(reason);
  }

  private forget(): void {
    this.stage = 'closed';
    this.letGo();
    this.login.abandon();
    this.shared.rounds.remove(this);
  }

  /** Nothing that came is looked at any more. */
  private letGo(): void {
    this.framer.clear();
    this.stranger.leave();
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
