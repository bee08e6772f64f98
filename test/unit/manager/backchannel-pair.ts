import type { Hello, PeerStatus } from '../../../src/core/control/peer.js';
import type { Monotonic, RunId, ServerId } from '../../../src/core/identity.js';
import { encodeText } from '../../../src/core/wire/bytes.js';
import { BACKCHANNEL_PAYLOAD_BYTES_MAX, BackchannelKind } from '../../../src/core/wire/backchannel.js';
import { encodeFrame, FrameReader } from '../../../src/core/wire/frame.js';
import { encodeHello } from '../../../src/core/wire/hello.js';
import { encodePeerStatus } from '../../../src/core/wire/peer-status.js';
import { Backchannel } from '../../../src/manager/backchannel.js';
import type { Stream } from '../../../src/ports/stream.js';
import { SimHost } from '../../simulation/host.js';
import { PLAIN_SHAPE, SimNetwork, type SimNode } from '../../simulation/network.js';
import { SimProcess } from '../../simulation/process.js';
import { World } from '../../simulation/world.js';
import { HELLO, STATUS } from '../core/wire/samples.js';
import { FakeLog } from '../support/fake-log.js';

export const PING_MS = 500;
export const MISS_LIMIT = 3;
export const HANDSHAKE_MS = 1000;

type Name = 'primary' | 'secondary';
const PORTS = { primary: 2101, secondary: 2201 } as const;

export function helloOf(name: Name, run: string, changes: Partial<Hello> = {}): Hello {
  return { ...HELLO, server: name as ServerId, role: name, run: run as RunId, ...changes };
}

export function statusOf(hello: Hello, seq: number): PeerStatus {
  return { ...STATUS, server: hello.server, run: hello.run, seq };
}

/** One server's backchannel with all that it said. Sends a status at each ping interval, as a manager does. */
export class Side {
  readonly log = new FakeLog();
  readonly statuses: { run: string; seq: number; at: Monotonic }[] = [];
  readonly events: string[] = [];
  readonly link: Backchannel;
  readonly process: SimProcess;
  readonly node: SimNode;
  seq = 0;

  constructor(
    pair: BackchannelWorld,
    readonly name: Name,
    readonly hello: Hello,
    dialTo: Name,
  ) {
    const host = pair.host(name);
    this.process = new SimProcess(host, 'manager', pair.nextPid(), pair.world.random.fork(hello.run));
    this.node = pair.net.attach(name, this.process.schedule);
    this.process.onEnd.push((_, how) => this.node.end(how));
    this.link = new Backchannel(
      {
        hello,
        expectedPeer: (name === 'primary' ? 'secondary' : 'primary') as ServerId,
        listenAt: { host: name, port: PORTS[name] },
        peerAt: { host: dialTo, port: PORTS[dialTo] },
        pingIntervalMs: PING_MS,
        missLimit: MISS_LIMIT,
        handshakeTimeoutMs: HANDSHAKE_MS,
      },
      { network: this.node.network, clock: this.process.clock, random: this.process.random, log: this.log },
    );
    this.link.on('status', ({ run, seq }, at) => this.statuses.push({ run, seq, at }));
    this.link.on('connected', () => this.events.push('connected'));
    this.link.on('disconnected', (reason) => this.events.push(`disconnected: ${reason}`));
    this.link.on('refused', (reason) => this.events.push(`refused: ${reason}`));
    this.link.on('peer-hello', ({ run }) => this.events.push(`hello of ${run}`));
    void this.link.start();
    this.ping();
  }

  get last(): { run: string; seq: number; at: Monotonic } | undefined {
    return this.statuses.at(-1);
  }

  sendNow(): void {
    this.seq += 1;
    this.link.send(statusOf(this.hello, this.seq));
  }

  private ping(): void {
    this.sendNow();
    this.process.clock.after(PING_MS, () => this.ping());
  }
}

export class BackchannelWorld {
  readonly world: World;
  readonly net: SimNetwork;
  private readonly hosts = new Map<Name, SimHost>();
  private pids = 0;

  constructor(seed = 1) {
    this.world = new World(seed);
    const { world } = this;
    this.net = new SimNetwork({ ...PLAIN_SHAPE, schedule: (delayMs, action) => world.schedule(delayMs, action), now: () => world.now, random: world.random });
  }

  nextPid(): number {
    this.pids += 1;
    return this.pids;
  }

  host(name: Name): SimHost {
    const known = this.hosts.get(name);
    if (known !== undefined) return known;
    const made = new SimHost(this.world, name, { rate: 1, wallOffsetMs: 0 });
    this.hosts.set(name, made);
    return made;
  }

  side(name: Name, run: string, changes: Partial<Hello> = {}, dialTo: Name = name === 'primary' ? 'secondary' : 'primary'): Side {
    return new Side(this, name, helloOf(name, run, changes), dialTo);
  }

  async run(ms: number): Promise<void> {
    await this.world.run(this.world.now + ms);
    expect(this.world.violation).toBeNull();
  }

  /** A stranger that speaks to the backchannel of `to` by hand. */
  async stranger(to: Name): Promise<Stranger> {
    const node = this.net.attach('elsewhere', (delayMs, action) => this.world.schedule(delayMs, action));
    let stream: Stream | null = null;
    void node.network.dial({ host: to, port: PORTS[to] }, 1000).then((made) => (stream = made));
    await this.run(10);
    return new Stranger(stream as unknown as Stream);
  }
}

/** Frames by hand. */
export class Stranger {
  readonly heard: { kind: number; text: string }[] = [];
  closed: string | null = null;

  constructor(readonly stream: Stream) {
    const reader = new FrameReader(BACKCHANNEL_PAYLOAD_BYTES_MAX, ({ kind, payload }) => this.heard.push({ kind, text: Buffer.from(payload).toString() }));
    stream.handle({ data: (bytes) => reader.push(bytes), drain: () => undefined, close: (reason) => (this.closed = reason) });
  }

  hello(hello: Hello): void {
    this.stream.write(encodeFrame(BackchannelKind.hello, encodeHello(hello)));
  }

  status(hello: Hello, seq: number): void {
    this.stream.write(encodeFrame(BackchannelKind.status, encodePeerStatus(statusOf(hello, seq))));
  }

  frame(kind: number, text: string): void {
    this.stream.write(encodeFrame(kind, encodeText(text)));
  }

  ofKind(kind: number): string[] {
    return this.heard.filter((frame) => frame.kind === kind).map(({ text }) => text);
  }
}
