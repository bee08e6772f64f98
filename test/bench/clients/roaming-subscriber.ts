import type { Ledger } from './ledger.js';
import { Answers, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, subscribePacket } from './packets.js';
import { RoamingLink, type Address } from './roaming.js';

export interface RoamingSubscriberOptions {
  readonly addresses: readonly Address[];
  readonly clientId: string;
  readonly filter: string;
  readonly qos: 1 | 2;
  readonly ledger: Ledger;
}

/** Takes messages through failovers with a kept session. At QoS 2 a message counts when its packet id comes first (method A of MQTT 3.1.1 §4.3.3 from the receiver's side). */
export class RoamingSubscriber {
  subscribed = false;
  onProgress: () => void = () => undefined;
  /** What a server must not do, and did. */
  readonly violations: string[] = [];
  private readonly link: RoamingLink;
  private readonly answers = new Answers();
  /** QoS 2 packet ids whose PUBREL has not come. */
  private readonly open = new Set<number>();

  constructor(private readonly options: RoamingSubscriberOptions) {
    this.link = new RoamingLink(options.addresses, options.clientId, {
      opened: (present) => this.opened(present),
      packet: (first, bytes, start) => this.packet(first, bytes, start),
      pieceEnd: () => {
        const answers = this.answers.take();
        if (answers !== null) this.link.write(answers);
        this.onProgress();
      },
    });
  }

  close(): void {
    this.link.close();
  }

  private opened(present: boolean): void {
    if (this.subscribed && !present) this.violations.push(`${this.options.clientId}: the session was gone`);
    if (!this.subscribed) this.link.write(subscribePacket(1, [this.options.filter], this.options.qos));
  }

  private packet(first: number, bytes: Buffer, start: number): void {
    const type = first >> 4;
    if (type === SUBACK) this.subscribed = true;
    else if (type === PUBREL) {
      const packetId = bytes.readUInt16BE(start);
      this.open.delete(packetId);
      this.answers.add(PUBCOMP, packetId);
    } else if (type === PUBLISH) this.message((first >> 1) & 3, bytes, start);
  }

  private message(qos: number, bytes: Buffer, start: number): void {
    const payload = start + 2 + bytes.readUInt16BE(start);
    if (qos === 0) return this.options.ledger.note(bytes, payload);
    const packetId = bytes.readUInt16BE(payload);
    this.answers.add(qos === 1 ? PUBACK : PUBREC, packetId);
    if (qos === 2) {
      if (this.open.has(packetId)) return;
      this.open.add(packetId);
    }
    this.options.ledger.note(bytes, payload + 2);
  }
}
