import type { Authenticator } from '../../ports/authenticator.js';
import type { Clock } from '../../ports/clock.js';
import type { Log } from '../../ports/log.js';
import type { Random } from '../../ports/random.js';
import type { Stream } from '../../ports/stream.js';
import { assert } from '../../core/errors.js';
import { RECORD_PAYLOAD_BYTES_MAX } from '../../core/journal/envelope.js';
import { ThrottledLog } from '../../server/clients/throttled-log.js';
import type { ClientEdge } from '../../server/edge.js';
import { MqttConnection } from './connection.js';
import { Departures } from './departures.js';
import { PacketEncoder } from './encoder.js';
import { MQTT_LIMITS_DEFAULT, PARTIAL_BYTES_FREE, STRANGER_BYTES_FREE } from './limits.js';
import type { MqttLimits } from './limits.js';
import { Rounds } from './rounds.js';
import { SharedRoom } from './shared-room.js';
import { Turns } from './turns.js';
import { WaitingPackets } from './waiting.js';

/** What the records of an operation need beside the payload itself: topic, ids, lengths. Generous. */
const RECORD_OVERHEAD_BYTES = 128 * 1024;

/** Counted since the process started. */
export interface MqttCounters {
  connected: number;
  refused: number;
  /** Connections closed because the client broke the protocol or a limit. */
  faults: number;
  /** QoS 0 messages that were not delivered to a slow reader, or not taken from a publisher at a limit. */
  qos0Dropped: number;
}

export interface MqttWorld {
  readonly edge: ClientEdge;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly authenticator: Authenticator;
  readonly limits?: MqttLimits;
}

/** What all connections of one process share. */
export interface MqttShared {
  readonly edge: ClientEdge;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: ThrottledLog;
  readonly authenticator: Authenticator;
  readonly limits: MqttLimits;
  readonly encoder: PacketEncoder;
  readonly waiting: WaitingPackets;
  readonly turns: Turns;
  readonly rounds: Rounds;
  /** What clients bring before they are let in. */
  readonly strangers: SharedRoom;
  /** What is held of packets under way of those that are. */
  readonly partials: SharedRoom;
  readonly departures: Departures;
  readonly counters: MqttCounters;
}

/** MQTT 3.1.1 (and 3.1) for a process's clients: give it each accepted stream. */
export class MqttProtocol {
  private readonly shared: MqttShared;

  constructor(world: MqttWorld) {
    const limits = world.limits ?? MQTT_LIMITS_DEFAULT;
    assert(limits.packetBytesMax + RECORD_OVERHEAD_BYTES <= RECORD_PAYLOAD_BYTES_MAX, 'a packet of packetBytesMax fits a record');
    const turns = new Turns(world.clock);
    this.shared = {
      edge: world.edge,
      clock: world.clock,
      random: world.random,
      log: new ThrottledLog(world.log, world.clock),
      authenticator: world.authenticator,
      limits,
      encoder: new PacketEncoder(),
      waiting: new WaitingPackets(limits.allOutgoingBytesMax),
      turns,
      rounds: new Rounds(world.clock, turns),
      strangers: new SharedRoom(limits.strangerBytesMax, STRANGER_BYTES_FREE),
      partials: new SharedRoom(limits.partialBytesMax, PARTIAL_BYTES_FREE),
      departures: new Departures(),
      counters: { connected: 0, refused: 0, faults: 0, qos0Dropped: 0 },
    };
  }

  get counters(): Readonly<MqttCounters> {
    return this.shared.counters;
  }

  /** Clients whose connections have closed, and of which something waits to be taken that they had sent. */
  get departed(): number {
    return this.shared.departures.size;
  }

  /** Speaks MQTT on the stream until either side closes it. The stream's handlers are set by this. */
  start(stream: Stream): void {
    new MqttConnection(stream, this.shared).begin();
  }
}
