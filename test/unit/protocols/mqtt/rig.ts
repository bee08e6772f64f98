import mqttPacket from 'mqtt-packet';
import type { IConnectPacket, Packet } from 'mqtt-packet';
import type { ConnectionId, Effect } from '../../../../src/core/broker/effects.js';
import { AnonymousAuthenticator } from '../../../../src/protocols/mqtt/anonymous.js';
import { MQTT_LIMITS_DEFAULT } from '../../../../src/protocols/mqtt/limits.js';
import type { MqttLimits } from '../../../../src/protocols/mqtt/limits.js';
import { MqttProtocol } from '../../../../src/protocols/mqtt/protocol.js';
import type { Authenticator } from '../../../../src/ports/authenticator.js';
import { FakeClock, settle } from '../../support/fake-clock.js';
import { FakeEdge } from '../../support/fake-edge.js';
import { FakeLog } from '../../support/fake-log.js';
import { FakeStream } from '../../support/fake-stream.js';

export type EffectOf = Effect extends infer E ? (E extends Effect ? Omit<E, 'connection'> : never) : never;

/** One protocol object, its broker, and clients that speak by mqtt-packet's encoder. */
export class Rig {
  readonly clock = new FakeClock();
  readonly edge = new FakeEdge();
  readonly log = new FakeLog();
  readonly protocol: MqttProtocol;
  private ids = 0;

  constructor(limits: Partial<MqttLimits> = {}, authenticator: Authenticator = new AnonymousAuthenticator()) {
    this.protocol = new MqttProtocol({
      edge: this.edge,
      clock: this.clock,
      log: this.log,
      random: { id: () => `${++this.ids}`.padStart(32, '0'), fraction: () => 0.5 },
      authenticator,
      limits: { ...MQTT_LIMITS_DEFAULT, ...limits },
    });
  }

  /** A network connection on which nothing was said. */
  raw(highWaterBytes?: number): Client {
    const stream = new FakeStream(this.clock, undefined, highWaterBytes);
    this.protocol.start(stream);
    return new Client(this, stream);
  }

  /** A client whose CONNECT was accepted and answered. */
  async connected(options: Partial<IConnectPacket> = {}, highWaterBytes?: number): Promise<Client> {
    const client = this.raw(highWaterBytes);
    await client.connect(options);
    client.effect({ kind: 'connack', sessionPresent: false });
    this.clock.turn();
    expect(client.received()).toMatchObject([{ cmd: 'connack', returnCode: 0 }]);
    return client;
  }
}

export class Client {
  private readonly parser = mqttPacket.parser();
  private readonly packets: Packet[] = [];
  /** Its number at the broker; 0 before it has one. */
  connection: ConnectionId = 0;

  constructor(
    private readonly rig: Rig,
    readonly stream: FakeStream,
  ) {
    this.parser.on('packet', (packet) => this.packets.push(packet));
    this.parser.on('error', (error: Error) => {
      throw error;
    });
  }

  /** Sends CONNECT and lets the login settle. */
  async connect(options: Partial<IConnectPacket> = {}): Promise<void> {
    this.send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'c1', clean: true, keepalive: 0, ...options });
    await settle();
    this.rig.clock.turn();
    this.connection = Math.max(0, ...this.rig.edge.handlers.keys());
  }

  send(...packets: Packet[]): void {
    this.sendBytes(Buffer.concat(packets.map((packet) => mqttPacket.generate(packet))));
  }

  sendBytes(bytes: Uint8Array): void {
    this.stream.receive(bytes);
    this.rig.clock.turn();
  }

  /** An effect for this client, without the end of the turn. */
  effect(effect: EffectOf): void {
    this.rig.edge.emit({ ...effect, connection: this.connection } as Effect);
  }

  /** What has arrived since the last call. */
  received(): Packet[] {
    const output = this.stream.takeOutput();
    if (output.length > 0) this.parser.parse(output);
    return this.packets.splice(0);
  }
}

export function publish(packetId: number, topic = 'a/b', payload = 'hello', qos: 0 | 1 | 2 = 1, retain = false): Packet {
  return { cmd: 'publish', messageId: packetId, topic, payload, qos, retain, dup: false };
}
