import type { AckClock } from './ack-clock.js';
import type { Flow } from './client.js';
import { stamp } from './ledger.js';
import { Answers, PUBACK, PUBCOMP, PUBREC, PUBREL, publishTemplate, type PublishTemplate } from './packets.js';
import { RoamingLink, type Address } from './roaming.js';

export interface RoamingPublisherOptions {
  readonly addresses: readonly Address[];
  readonly clientId: string;
  readonly index: number;
  readonly qos: 1 | 2;
  readonly topic: string;
  readonly payloadBytes: number;
  readonly window: number;
  readonly flow: Flow;
  readonly clock: AckClock;
}

const DUP = 0x08;
const PACKET_IDS = 65_535;

/**
 * Publishes through failovers: whatever was not acknowledged is sent again on the next connection, in order, with DUP; of a QoS 2 handshake
 * the step that is due (MQTT 3.1.1 §4.4).
 */
export class RoamingPublisher {
  sent = 0;
  acknowledged = 0;
  running = false;
  /** What a server must not do, and did. */
  readonly violations: string[] = [];
  private readonly link: RoamingLink;
  private readonly template: PublishTemplate;
  private readonly answers = new Answers();
  /** By the message's number modulo the window: whether PUBREC came. */
  private readonly released: Uint8Array;

  constructor(private readonly options: RoamingPublisherOptions) {
    const { addresses, clientId, topic, payloadBytes, qos, window } = options;
    this.template = publishTemplate(topic, payloadBytes, qos);
    this.released = new Uint8Array(window);
    this.link = new RoamingLink(addresses, clientId, {
      opened: (present) => this.opened(present),
      packet: (first, bytes, start) => this.packet(first >> 4, bytes.readUInt16BE(start)),
      pieceEnd: () => {
        const answers = this.answers.take();
        if (answers !== null) this.link.write(answers);
        this.pump();
      },
    });
  }

  get connected(): boolean {
    return this.link.at !== null;
  }

  pump(): void {
    const { window, flow } = this.options;
    if (!this.running || this.link.at === null) return;
    const room = window - (this.sent - this.acknowledged);
    const count = room > 0 ? flow.grant(room) : 0;
    if (count <= 0) return;
    const all = Buffer.allocUnsafe(count * this.template.bytes.length);
    for (let n = 0; n < count; n++) {
      this.released[this.sent % window] = 0;
      this.fill(all, n * this.template.bytes.length, this.sent);
      this.sent += 1;
    }
    flow.sent += count;
    this.link.write(all);
  }

  close(): void {
    this.running = false;
    this.link.close();
  }

  private fill(all: Buffer, at: number, sequence: number): void {
    const { bytes, packetIdAt, payloadAt } = this.template;
    bytes.copy(all, at);
    all.writeUInt16BE((sequence % PACKET_IDS) + 1, at + packetIdAt);
    stamp(all, at + payloadAt, this.options.index, sequence);
  }

  private opened(present: boolean): void {
    if (!present && this.acknowledged > 0) this.violations.push(`${this.options.clientId}: the session was gone`);
    const again: Buffer[] = [];
    for (let sequence = this.acknowledged; sequence < this.sent; sequence++) {
      if (this.released[sequence % this.options.window] === 1) {
        const id = (sequence % PACKET_IDS) + 1;
        again.push(Buffer.from([(PUBREL << 4) | 2, 2, id >> 8, id & 0xff]));
        continue;
      }
      const packet = Buffer.allocUnsafe(this.template.bytes.length);
      this.fill(packet, 0, sequence);
      packet[0] = (packet[0] as number) | DUP;
      again.push(packet);
    }
    if (again.length > 0) this.link.write(Buffer.concat(again));
    this.pump();
  }

  private packet(type: number, packetId: number): void {
    if (type === PUBREC) {
      const sequence = this.sequenceOf(packetId);
      if (sequence !== null) this.released[sequence % this.options.window] = 1;
      this.answers.add(PUBREL, packetId);
    } else if (type === PUBACK || type === PUBCOMP) {
      if (packetId !== (this.acknowledged % PACKET_IDS) + 1) return void this.violations.push(`${this.options.clientId}: packet ${packetId} was acknowledged out of turn`);
      this.acknowledged += 1;
      if (this.link.at !== null) this.options.clock.note(this.link.at, performance.now());
    }
  }

  /** Which message under way has that packet id. */
  private sequenceOf(packetId: number): number | null {
    const ahead = (packetId - 1 - (this.acknowledged % PACKET_IDS) + PACKET_IDS) % PACKET_IDS;
    return ahead < this.sent - this.acknowledged ? this.acknowledged + ahead : null;
  }
}
