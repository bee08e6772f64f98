import { generate, parser, type IPublishPacket, type Packet } from 'mqtt-packet';
import type { Network, Stream } from '../../src/ports/stream.js';

interface Session {
  readonly clientId: string;
  readonly clean: boolean;
  stream: Stream | null;
  will: IPublishPacket | null;
  readonly filters: Map<string, number>;
  /** To the client, not yet acknowledged, in order. */
  readonly outbound: Map<number, { packet: IPublishPacket; released: boolean }>;
  /** From the client, QoS 2, not yet released. */
  readonly inbound: Set<number>;
  packetId: number;
}

/** Mistakes that the checks must notice. */
export type ToyFlaw = 'loses-one-in-twenty' | 'delivers-qos2-again' | 'forgets-sessions' | 'swaps-messages' | null;

/**
 * A broker in memory that never fails, just large enough to try the simulated clients on: sessions, QoS 0 to 2, wills. With a
 * flaw, to see that the clients' history notices.
 */
export class ToyBroker {
  private readonly sessions = new Map<string, Session>();
  private count = 0;
  private held: IPublishPacket | null = null;

  constructor(
    network: Network,
    port: number,
    private readonly flaw: ToyFlaw,
  ) {
    void network.listen({ host: '0.0.0.0', port }, (stream) => this.accept(stream));
  }

  private accept(stream: Stream): void {
    let session: Session | null = null;
    const packets = parser({ protocolVersion: 4 });
    packets.on('packet', (packet) => {
      if (packet.cmd === 'connect') session = this.connect(stream, packet);
      else if (session !== null && session.stream === stream) this.packet(session, packet);
    });
    stream.handle({
      data: (bytes) => void packets.parse(Buffer.from(bytes)),
      drain: () => undefined,
      close: () => {
        if (session?.stream === stream) this.closed(session);
      },
    });
  }

  private connect(stream: Stream, packet: Extract<Packet, { cmd: 'connect' }>): Session {
    const old = this.sessions.get(packet.clientId);
    if (old !== undefined && old.stream !== null) {
      const before = old.stream;
      this.closed(old);
      before.destroy('taken over');
    }
    const known = this.sessions.get(packet.clientId);
    const clean = packet.clean === true;
    const present = known !== undefined && !clean && this.flaw !== 'forgets-sessions';
    const session: Session = present ? known : { clientId: packet.clientId, clean, stream: null, will: null, filters: new Map(), outbound: new Map(), inbound: new Set(), packetId: 0 };
    this.sessions.set(packet.clientId, session);
    session.stream = stream;
    const { will } = packet;
    session.will = will === undefined ? null : { cmd: 'publish', topic: will.topic, payload: will.payload, qos: will.qos ?? 0, retain: false, dup: false };
    stream.write(generate({ cmd: 'connack', returnCode: 0, sessionPresent: present }));
    for (const [messageId, { packet: message, released }] of session.outbound) {
      stream.write(generate(released ? { cmd: 'pubrel', messageId } : { ...message, dup: true }));
    }
    return session;
  }

  private closed(session: Session): void {
    session.stream = null;
    const { will } = session;
    session.will = null;
    if (session.clean) this.sessions.delete(session.clientId);
    if (will !== null) this.route(will);
  }

  private packet(session: Session, packet: Packet): void {
    const { messageId } = packet;
    const reply = (answer: Packet): void => void session.stream?.write(generate(answer));
    switch (packet.cmd) {
      case 'disconnect':
        session.will = null;
        return;
      case 'pingreq':
        reply({ cmd: 'pingresp' });
        return;
      case 'subscribe':
        for (const { topic, qos } of packet.subscriptions) session.filters.set(topic, qos);
        if (messageId !== undefined) reply({ cmd: 'suback', messageId, granted: packet.subscriptions.map(({ qos }) => qos) });
        return;
      case 'publish':
        this.published(session, packet);
        return;
      default:
    }
    if (messageId === undefined) return;
    if (packet.cmd === 'pubrel') {
      session.inbound.delete(messageId);
      reply({ cmd: 'pubcomp', messageId });
    } else if (packet.cmd === 'puback' || packet.cmd === 'pubcomp') session.outbound.delete(messageId);
    else if (packet.cmd === 'pubrec') {
      const out = session.outbound.get(messageId);
      if (out !== undefined) out.released = true;
      reply({ cmd: 'pubrel', messageId });
    }
  }

  private published(session: Session, packet: IPublishPacket): void {
    const { messageId, qos } = packet;
    this.count += 1;
    if (qos < 2 || messageId === undefined || !session.inbound.has(messageId)) this.flawedRoute(packet);
    if (messageId === undefined) return;
    if (qos === 2) session.inbound.add(messageId);
    session.stream?.write(generate({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId }));
  }

  private flawedRoute(packet: IPublishPacket): void {
    if (this.flaw === 'loses-one-in-twenty' && this.count % 20 === 0) return;
    if (this.flaw === 'swaps-messages' && this.count % 20 === 0 && this.held === null) {
      this.held = packet;
      return;
    }
    this.route(packet);
    if (this.flaw === 'delivers-qos2-again' && packet.qos === 2 && this.count % 7 === 0) this.route(packet);
    const { held } = this;
    if (held === null || held.topic !== packet.topic) return;
    this.held = null;
    this.route(held);
  }

  private route(packet: IPublishPacket): void {
    for (const session of this.sessions.values()) {
      let granted = -1;
      for (const [filter, qos] of session.filters) if (matches(filter, packet.topic)) granted = Math.max(granted, qos);
      if (granted < 0) continue;
      const qos = Math.min(granted, packet.qos) as 0 | 1 | 2;
      const out: IPublishPacket = { cmd: 'publish', topic: packet.topic, payload: packet.payload, qos, retain: false, dup: false };
      if (qos > 0) {
        session.packetId = (session.packetId % 65_535) + 1;
        out.messageId = session.packetId;
        session.outbound.set(session.packetId, { packet: out, released: false });
      }
      session.stream?.write(generate(out));
    }
  }
}

function matches(filter: string, topic: string): boolean {
  const wanted = filter.split('/');
  const levels = topic.split('/');
  for (let i = 0; i < wanted.length; i += 1) {
    if (wanted[i] === '#') return true;
    if (wanted[i] !== '+' && wanted[i] !== levels[i]) return false;
  }
  return wanted.length === levels.length;
}
