import { generate, parser, type Packet } from 'mqtt-packet';
import type { Endpoint } from '../../src/core/control/broker.js';
import type { Qos } from '../../src/core/broker/effects.js';
import type { Network, Stream } from '../../src/ports/stream.js';
import type { Prng } from './prng.js';
import type { SimProcess } from './process.js';

const DIAL_TIMEOUT_MS = 1_000;
const CONNACK_TIMEOUT_MS = 3_000;
/** Before the next server is tried; and once several attempts in a row have come to nothing. */
const RETRY_MS = { low: 40, high: 400 };
const PATIENT_RETRY_MS = { low: 40, high: 1_500 };
const PATIENT_AFTER = 5;

export interface LinkOptions {
  readonly clientId: string;
  readonly clean: boolean;
  readonly keepaliveSeconds: number;
  readonly will: { readonly topic: string; readonly qos: Qos; readonly payload: string } | null;
  /** Where the servers are, by name, in the order in which they are tried. */
  readonly servers: readonly { readonly name: string; readonly endpoint: Endpoint }[];
}

export interface LinkHandlers {
  connected(sessionPresent: boolean, server: string): void;
  packet(packet: Packet, server: string): void;
  /** A CONNECT was sent: whatever becomes of the connection, its will may be published, once. */
  asked(): void;
  /** The connection ended; the link tries the next server by itself. */
  lost(): void;
}

/** One connection of a client to one server, from dialling to its end. */
interface Attempt {
  readonly server: string;
  stream: Stream | null;
  up: boolean;
  over: boolean;
}

/**
 * An MQTT client's connection as client libraries keep it: dials the servers in turn until one accepts, and again when the
 * connection ends. At most one attempt counts; with a take-over the one before is left to the broker to close.
 */
export class MqttLink {
  private attempt: Attempt | null = null;
  private next = 0;
  private wanted = false;
  private failures = 0;

  constructor(
    private readonly process: SimProcess,
    private readonly network: Network,
    private readonly random: Prng,
    private readonly options: LinkOptions,
    private readonly handlers: LinkHandlers,
  ) {
    this.next = random.below(options.servers.length);
  }

  get up(): boolean {
    return this.attempt?.up === true;
  }

  get server(): string | null {
    return this.attempt?.up === true ? this.attempt.server : null;
  }

  open(): void {
    this.wanted = true;
    if (this.attempt === null) this.connect();
  }

  /** Opens a second connection with the same client id, without a word on the first (MQTT 3.1.1 §3.1.4-2). */
  takeOver(): void {
    const { attempt } = this;
    if (attempt === null || !attempt.up) return;
    attempt.over = true;
    attempt.up = false;
    this.attempt = null;
    this.handlers.lost();
    this.connect();
  }

  send(packet: Packet): void {
    const { attempt } = this;
    if (attempt?.up === true) attempt.stream?.write(generate(packet));
  }

  /** Ends the connection: with DISCONNECT, or as a client whose power failed. The link dials again only after `open`. */
  close(polite: boolean): void {
    this.wanted = false;
    const { attempt } = this;
    if (attempt === null) return;
    if (polite && attempt.up) {
      attempt.stream?.write(generate({ cmd: 'disconnect' }));
      attempt.stream?.end();
    } else attempt.stream?.destroy('client gone');
    this.over(attempt);
  }

  /** No answer for too long: drops the connection and tries the next server. */
  giveUp(): void {
    const { attempt } = this;
    if (attempt === null) return;
    attempt.stream?.destroy('no answer');
    this.over(attempt);
  }

  private connect(): void {
    const target = this.options.servers[this.next % this.options.servers.length];
    if (target === undefined) return;
    this.next += 1;
    const attempt: Attempt = { server: target.name, stream: null, up: false, over: false };
    this.attempt = attempt;
    this.network.dial(target.endpoint, DIAL_TIMEOUT_MS).then(
      (stream) => this.dialled(attempt, stream),
      () => this.over(attempt),
    );
  }

  private dialled(attempt: Attempt, stream: Stream): void {
    if (attempt.over) {
      stream.destroy('not wanted any more');
      return;
    }
    attempt.stream = stream;
    const packets = parser({ protocolVersion: 4 });
    packets.on('packet', (packet) => this.received(attempt, packet));
    packets.on('error', (error) => {
      this.process.host.world.fail('malformed packet', `${attempt.server} sent ${this.options.clientId}: ${error.message}`);
    });
    stream.handle({
      data: (bytes) => {
        packets.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
      },
      drain: () => undefined,
      close: () => this.over(attempt),
    });
    const { clientId, clean, keepaliveSeconds, will } = this.options;
    this.handlers.asked();
    stream.write(
      generate({
        cmd: 'connect',
        protocolId: 'MQTT',
        protocolVersion: 4,
        clientId,
        clean,
        keepalive: keepaliveSeconds,
        ...(will === null ? {} : { will: { topic: will.topic, qos: will.qos, retain: false, payload: Buffer.from(will.payload) } }),
      }),
    );
    this.process.clock.after(CONNACK_TIMEOUT_MS, () => {
      if (!attempt.over && !attempt.up) {
        stream.destroy('no CONNACK');
        this.over(attempt);
      }
    });
  }

  private received(attempt: Attempt, packet: Packet): void {
    if (attempt.over) return;
    if (packet.cmd !== 'connack') {
      if (attempt.up) this.handlers.packet(packet, attempt.server);
      return;
    }
    if (packet.returnCode !== 0) {
      attempt.stream?.destroy('refused');
      this.over(attempt);
      return;
    }
    attempt.up = true;
    this.failures = 0;
    // Found a good server: come back to it first.
    this.next += this.options.servers.length - 1;
    this.handlers.connected(packet.sessionPresent, attempt.server);
  }

  private over(attempt: Attempt): void {
    if (attempt.over) return;
    attempt.over = true;
    attempt.up = false;
    if (this.attempt !== attempt) return;
    this.attempt = null;
    this.handlers.lost();
    if (!this.wanted) return;
    this.failures += 1;
    const { low, high } = this.failures > PATIENT_AFTER ? PATIENT_RETRY_MS : RETRY_MS;
    this.process.clock.after(this.random.between(low, high), () => {
      if (this.wanted && this.attempt === null) this.connect();
    });
  }
}
