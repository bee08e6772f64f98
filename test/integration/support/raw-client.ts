import net from 'node:net';
import mqttPacket from 'mqtt-packet';
import type { IConnackPacket, IConnectPacket, IPublishPacket, ISubackPacket, Packet } from 'mqtt-packet';

/** Every wait of a test ends by then. */
const DEADLINE_MS = 60_000;
const BARRIER_ID = 65_000;

export type Qos = 0 | 1 | 2;
/** A packet as the server sent it, with its bytes. */
export type Got<P = Packet> = P & { readonly bytes: Buffer };
export type ConnectOptions = Partial<Omit<IConnectPacket, 'cmd'>>;
type Command = Packet['cmd'];

/** What an application would see of a message. */
export interface Seen {
  readonly topic: string;
  readonly text: string;
  readonly qos: Qos;
  readonly retain: boolean;
  readonly dup: boolean;
}

/**
 * A client that does nothing by itself: it sends what it is told, and keeps what comes until it is asked for. So a test can stop in the
 * middle of any handshake. Every wait has a deadline, and names what it had received by then.
 */
export class RawClient {
  private readonly unread: Got[] = [];
  private readonly lookers = new Set<() => void>();
  private rest: Buffer = Buffer.alloc(0);
  private ended: string | null = null;
  private lastId = 0;

  private constructor(private readonly socket: net.Socket) {
    socket.setNoDelay(true);
    socket.on('data', (bytes) => this.take(bytes));
    socket.on('end', () => this.over('ended by the server'));
    socket.on('error', (error) => this.over(error.message));
    socket.on('close', () => this.over('closed'));
  }

  /** A connection on which nothing has been said. */
  static open(port: number): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ host: '127.0.0.1', port });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new RawClient(socket)));
    });
  }

  /** A client that the server has accepted. */
  static async connect(port: number, options: ConnectOptions = {}): Promise<RawClient> {
    const client = await RawClient.open(port);
    const { returnCode } = await client.connect(options);
    if (returnCode !== 0) throw new Error(`CONNACK ${String(returnCode)}`);
    return client;
  }

  async connect(options: ConnectOptions = {}): Promise<Got<IConnackPacket>> {
    this.send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: '', clean: true, keepalive: 0, ...options });
    return (await this.next()) as Got<IConnackPacket>;
  }

  /** All in one write. */
  send(...packets: (Packet | Uint8Array)[]): void {
    this.socket.write(Buffer.concat(packets.map((one) => (one instanceof Uint8Array ? one : mqttPacket.generate(one)))));
  }

  /** The next packet. @throws Error (rejects) when the connection ends first */
  next(): Promise<Got> {
    return this.until('a packet', () => this.unread.shift() ?? null);
  }

  /** The first packet of this kind (and id) that was not read yet; others wait on. */
  of<C extends Command>(cmd: C, messageId?: number): Promise<Got<Extract<Packet, { cmd: C }>>> {
    return this.until(`${cmd} ${messageId ?? ''}`, () => {
      const at = this.unread.findIndex((one) => one.cmd === cmd && (messageId === undefined || one.messageId === messageId));
      return at < 0 ? null : (this.unread.splice(at, 1)[0] as Got<Extract<Packet, { cmd: C }>>);
    });
  }

  /**
   * Everything that came before the server has answered a question asked now. The question goes through the log like every other operation, so
   * what earlier operations bring for this client, also those of other clients that were answered already, has come by then.
   */
  async before(): Promise<Got[]> {
    this.send({ cmd: 'unsubscribe', messageId: BARRIER_ID, unsubscriptions: ['no such subscription'] });
    return this.until('the answer to a question', () => {
      const at = this.unread.findIndex((one) => one.cmd === 'unsuback' && one.messageId === BARRIER_ID);
      return at < 0 ? null : this.unread.splice(0, at + 1).slice(0, -1);
    });
  }

  /** The connection has ended; what was not read before that. */
  async closed(): Promise<Got[]> {
    await this.until('the end of the connection', () => this.ended, true);
    return this.unread.splice(0);
  }

  get isClosed(): boolean {
    return this.ended !== null;
  }

  async subscribe(...filters: (string | readonly [string, Qos])[]): Promise<readonly number[]> {
    const messageId = this.id();
    this.send({ cmd: 'subscribe', messageId, subscriptions: filters.map((one) => (typeof one === 'string' ? { topic: one, qos: 2 } : { topic: one[0], qos: one[1] })) });
    return ((await this.of('suback', messageId)) as Got<ISubackPacket>).granted as number[];
  }

  async unsubscribe(...filters: string[]): Promise<void> {
    const messageId = this.id();
    this.send({ cmd: 'unsubscribe', messageId, unsubscriptions: filters });
    await this.of('unsuback', messageId);
  }

  /** Publishes, and goes through the whole handshake. A QoS 0 message has been taken by the broker when it resolves. */
  async publish(topic: string, text: string | Buffer, qos: Qos = 1, retain = false): Promise<void> {
    const messageId = qos === 0 ? undefined : this.id();
    this.send(publish(topic, text, qos, messageId, { retain }));
    if (messageId === undefined) this.unread.unshift(...(await this.before()));
    else if (qos === 1) await this.of('puback', messageId);
    else await this.release(messageId);
  }

  /** The rest of the handshake of a QoS 2 message that was sent. */
  async release(messageId: number): Promise<void> {
    await this.of('pubrec', messageId);
    this.send({ cmd: 'pubrel', messageId });
    await this.of('pubcomp', messageId);
  }

  /** The next messages, each acknowledged in full before the next is looked at. */
  async messages(count: number): Promise<Seen[]> {
    const all: Seen[] = [];
    while (all.length < count) {
      const one = await this.of('publish');
      all.push(seen(one));
      await this.acknowledge(one);
    }
    return all;
  }

  async message(): Promise<Seen> {
    return (await this.messages(1))[0] as Seen;
  }

  async acknowledge({ qos, messageId }: IPublishPacket): Promise<void> {
    if (qos === 0) return;
    if (messageId === undefined) throw new Error('a message without a packet id');
    if (qos === 1) return this.send({ cmd: 'puback', messageId });
    this.send({ cmd: 'pubrec', messageId });
    await this.of('pubrel', messageId);
    this.send({ cmd: 'pubcomp', messageId });
  }

  /** DISCONNECT; resolves when the server has ended the connection. */
  async disconnect(): Promise<void> {
    this.send({ cmd: 'disconnect' });
    await this.closed();
  }

  /** The network fails: the server reads a reset, or an end, without DISCONNECT. */
  vanish(): void {
    this.over('vanished');
    this.socket.destroy();
  }

  private id(): number {
    this.lastId += 1;
    return this.lastId;
  }

  private take(bytes: Buffer): void {
    this.rest = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    for (let length = packetLength(this.rest); length !== null && this.rest.length >= length; length = packetLength(this.rest)) {
      this.unread.push(decoded(this.rest.subarray(0, length)));
      this.rest = this.rest.subarray(length);
    }
    this.look();
  }

  private over(how: string): void {
    this.ended ??= how;
    this.socket.end();
    this.look();
  }

  private look(): void {
    for (const one of [...this.lookers]) one();
  }

  private until<T>(what: string, probe: () => T | null, closedToo = false): Promise<T> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        this.lookers.delete(look);
        settle();
      };
      const fail = (why: string): void => finish(() => reject(new Error(`${why}: waited for ${what}; unread: ${this.unread.map(show).join(', ') || 'nothing'}`)));
      const timer = setTimeout(() => fail(`not within ${DEADLINE_MS} ms`), DEADLINE_MS);
      const look = (): void => {
        const found = probe();
        if (found !== null) finish(() => resolve(found));
        else if (this.ended !== null && !closedToo) fail(`the connection has ended (${this.ended})`);
      };
      this.lookers.add(look);
      look();
    });
  }
}

export function publish(topic: string, payload: string | Buffer, qos: Qos = 1, messageId?: number, flags: { readonly retain?: boolean; readonly dup?: boolean } = {}): IPublishPacket {
  return { cmd: 'publish', topic, payload, qos, retain: flags.retain ?? false, dup: flags.dup ?? false, ...(messageId === undefined ? {} : { messageId }) };
}

export function seen({ topic, payload, qos, retain, dup }: IPublishPacket): Seen {
  return { topic, text: payload.toString(), qos: qos as Qos, retain: retain === true, dup: dup === true };
}

/** Texts of the PUBLISH packets among what came. */
export function texts(packets: readonly Packet[]): string[] {
  return packets.flatMap((one) => (one.cmd === 'publish' ? [one.payload.toString()] : []));
}

function packetLength(bytes: Buffer): number | null {
  let length = 0;
  for (let at = 1; at < Math.min(bytes.length, 5); at++) {
    const byte = bytes[at] as number;
    length += (byte & 0x7f) * 128 ** (at - 1);
    if (byte < 0x80) return at + 1 + length;
  }
  return null;
}

function decoded(bytes: Buffer): Got {
  const parser = mqttPacket.parser({ protocolVersion: 4 });
  let found: Packet | Error = new Error(`not one packet: ${bytes.toString('hex')}`);
  parser.on('packet', (one) => (found = one));
  parser.on('error', (error: Error) => (found = error));
  parser.parse(bytes);
  if (found instanceof Error) throw found;
  return { ...(found as Packet), bytes: Buffer.from(bytes) };
}

function show(one: Packet): string {
  return one.cmd === 'publish' ? `publish ${one.messageId ?? ''} "${one.payload.toString().slice(0, 30)}"` : `${one.cmd} ${one.messageId ?? ''}`;
}
