import type { Endpoint } from '../../src/core/control/broker.js';
import { LockstepError } from '../../src/core/errors.js';
import type { Cancel } from '../../src/ports/clock.js';
import type { Listener, Network, Stream } from '../../src/ports/stream.js';
import { connect, type SimStream } from './network-stream.js';
import { stackless } from './stackless.js';

/** Runs `action` after `delayMs` of true time, and gives back how to undo it. */
export type Schedule = (delayMs: number, action: () => void) => Cancel;

export interface NetworkShape {
  /** Of the world: it runs whatever the processes do, as an operating system would. */
  readonly schedule: Schedule;
  readonly now: () => number;
  readonly random: { fraction(): number };
  /** One way, between two hosts. */
  readonly delayMs: Span;
  /** Bytes handed over and not yet taken by the system above which `write` answers false. */
  readonly highWaterBytes: number;
  /** Bytes of one direction that the two systems hold between the writer and the reader. */
  readonly windowBytes: number;
  /** What streams say of themselves. */
  readonly authenticated: boolean;
}

export interface Span {
  readonly min: number;
  readonly max: number;
}

export const PLAIN_SHAPE = { delayMs: { min: 0.1, max: 0.5 }, highWaterBytes: 256 * 1024, windowBytes: 512 * 1024, authenticated: true } as const;

const LOOPBACK_DELAY: Span = { min: 0.01, max: 0.05 };
/** The longest that a system waits before it sends again what was not acknowledged. */
const RESEND_MS_MAX = 3000;
/** On a narrow path. */
const PIECES_PER_SECOND = 20;
const EPHEMERAL_PORT_FIRST = 40_000;

/** One direction between two hosts. What must arrive (it is sent again until it does) waits while it is cut. */
export class Path {
  delay: Span;
  /** Longer segments do not come through, as where a switch on the way takes smaller frames than both ends believe; `null`: all do. */
  private bytesMax: number | null = null;
  private bytesPerSecond: number | null = null;
  private cutAt: number | null = null;
  private waiting: (() => void)[] = [];

  constructor(
    private readonly shape: NetworkShape,
    readonly from: SimMachine,
    readonly to: SimMachine,
  ) {
    this.delay = from === to ? LOOPBACK_DELAY : shape.delayMs;
  }

  get open(): boolean {
    return this.cutAt === null && this.to.up;
  }

  drawDelay(): number {
    return this.delay.min + (this.delay.max - this.delay.min) * this.shape.random.fraction();
  }

  /** `arrive` runs when it comes out at the other end; if that is lost under way, never, or with `again` once the path is open again. */
  carry(arrive: () => void, again: 'again' | 'once'): void {
    if (!this.open) {
      if (again === 'again') this.waiting.push(arrive);
      return;
    }
    this.shape.schedule(this.drawDelay(), () => {
      if (this.open) arrive();
      else if (again === 'again') this.waiting.push(arrive);
    });
  }

  passes(bytes: number): boolean {
    return this.open && (this.bytesMax === null || bytes <= this.bytesMax);
  }

  /** Runs `again` when the path may have become better. */
  wait(again: () => void): void {
    this.waiting.push(again);
  }

  /** @param bytesMax `null`: segments of any length come through again */
  limit(bytesMax: number | null): void {
    this.bytesMax = bytesMax;
    if (bytesMax === null) this.openAgain();
  }

  /** @param bytesPerSecond what it carries of each connection; `null`: whatever comes, at once */
  narrow(bytesPerSecond: number | null): void {
    this.bytesPerSecond = bytesPerSecond;
  }

  /** What is sent on a narrow path comes in so many pieces; `null` on one that is not. */
  pieces(bytes: Uint8Array): { readonly bytes: Uint8Array; readonly takesMs: number }[] | null {
    const { bytesPerSecond } = this;
    if (bytesPerSecond === null) return null;
    const length = Math.ceil(bytesPerSecond / PIECES_PER_SECOND);
    return Array.from({ length: Math.ceil(bytes.length / length) }, (_, at) => bytes.subarray(at * length, (at + 1) * length)).map((piece) => ({ bytes: piece, takesMs: (1_000 * piece.length) / bytesPerSecond }));
  }

  cut(): void {
    this.cutAt ??= this.shape.now();
  }

  heal(): void {
    this.cutAt = null;
    this.openAgain();
  }

  /** The systems send again at growing intervals, so that even a healed path stays silent for a while. */
  openAgain(): void {
    if (!this.open) return;
    const { waiting } = this;
    this.waiting = [];
    for (const arrive of waiting) this.shape.schedule(this.drawDelay() + RESEND_MS_MAX * this.shape.random.fraction() ** 3, () => this.carry(arrive, 'again'));
  }
}

interface SimListener {
  readonly node: SimNode;
  accept(stream: Stream): void;
}

/** A host as the network sees it. */
export class SimMachine {
  up = true;
  readonly listeners = new Map<number, SimListener>();
  readonly nodes = new Set<SimNode>();

  constructor(readonly name: string) {}
}

/** One process on the network. `network` is its port; what it hears comes through `schedule`, so that a paused process hears it late and a dead one never. */
export class SimNode {
  readonly streams = new Set<SimStream>();
  readonly network: Network;
  private alive = true;

  constructor(
    private readonly net: SimNetwork,
    readonly machine: SimMachine,
    readonly schedule: Schedule,
    /** For what comes in an event of the network's own. */
    readonly arrive: (action: () => void) => void = (action) => void schedule(0, action),
  ) {
    machine.nodes.add(this);
    this.network = {
      listen: (endpoint, accept) => this.listen(endpoint, accept),
      dial: (endpoint, timeoutMs) => this.dial(endpoint, timeoutMs),
    };
  }

  /** The process is gone. `noticed`: its system closes its connections; `silent`: nobody is told (the machine is off). */
  end(how: 'noticed' | 'silent'): void {
    if (!this.alive) return;
    this.alive = false;
    this.machine.nodes.delete(this);
    for (const [port, listener] of this.machine.listeners) if (listener.node === this) this.machine.listeners.delete(port);
    for (const stream of [...this.streams]) stream.vanish(how);
  }

  private async listen(endpoint: Endpoint, accept: (stream: Stream) => void): Promise<Listener> {
    const { listeners } = this.machine;
    const port = endpoint.port === 0 ? this.net.freePort() : endpoint.port;
    if (listeners.has(port)) throw new LockstepError('LOCKSTEP_PORT_TAKEN', `port ${port} on ${endpoint.host} is taken by another program`, 'Simulated.');
    const listener: SimListener = { node: this, accept };
    listeners.set(port, listener);
    return {
      port,
      close: () => {
        if (listeners.get(port) === listener) listeners.delete(port);
      },
    };
  }

  private dial(endpoint: Endpoint, timeoutMs: number): Promise<Stream> {
    return new Promise((resolve, reject) => {
      let settled = false;
      const fail = (reason: string): void => {
        if (settled) return;
        settled = true;
        forget();
        reject(stackless(() => new LockstepError('LOCKSTEP_DIAL_FAILED', `cannot connect to ${endpoint.host}:${endpoint.port}: ${reason}`, 'Simulated.')));
      };
      const forget = this.schedule(timeoutMs, () => fail(`no answer within ${timeoutMs} ms`));
      const target = this.net.resolve(this.machine, endpoint.host);
      const back = this.net.path(target, this.machine);
      this.net.path(this.machine, target).carry(() => {
        if (settled) return;
        const listener = target.listeners.get(endpoint.port);
        if (listener === undefined) {
          back.carry(() => this.schedule(0, () => fail('connection refused: nothing listens there (ECONNREFUSED)')), 'once');
          return;
        }
        connect(this.net, this, listener.node, {
          accepted: (stream) => {
            if (target.listeners.get(endpoint.port) === listener) listener.accept(stream);
            else stream.destroy('the listener is closed');
          },
          opened: (stream) => {
            if (settled) {
              stream.destroy('too late');
              return;
            }
            settled = true;
            forget();
            resolve(stream);
          },
        });
      }, 'again');
    });
  }
}

/**
 * TCP between hosts in virtual time. Each stream is reliable and in order, and in both directions bounded; paths between
 * hosts are delayed, cut in one direction or both, and connections reset, as a test asks for.
 */
export class SimNetwork {
  private readonly machines = new Map<string, SimMachine>();
  private readonly names = new Map<string, string>();
  private readonly paths = new Map<string, Path>();
  private nextPort = EPHEMERAL_PORT_FIRST;

  constructor(readonly shape: NetworkShape) {}

  /** A process joins the network. `schedule` runs what it hears. */
  attach(host: string, schedule: Schedule, arrive?: (action: () => void) => void): SimNode {
    return new SimNode(this, this.machine(host), schedule, arrive);
  }

  /** Another name or address of a host. Loopback addresses need none. */
  name(name: string, host: string): void {
    this.names.set(name, host);
  }

  setDelay(from: string, to: string, delay: Span): void {
    this.pathBetween(from, to).delay = delay;
  }

  /** One direction. */
  cut(from: string, to: string): void {
    this.pathBetween(from, to).cut();
  }

  heal(from: string, to: string): void {
    this.pathBetween(from, to).heal();
  }

  cutBoth(one: string, other: string): void {
    this.cut(one, other);
    this.cut(other, one);
  }

  healBoth(one: string, other: string): void {
    this.heal(one, other);
    this.heal(other, one);
  }

  /** What is written from now on from one host to the other comes so slowly; `null`: at once. */
  narrow(from: string, to: string, bytesPerSecond: number | null): void {
    this.pathBetween(from, to).narrow(bytesPerSecond);
  }

  /** Of what goes from one host to the other only segments of up to so many bytes come through; `null`: all. */
  limit(from: string, to: string, bytesMax: number | null): void {
    this.pathBetween(from, to).limit(bytesMax);
  }

  /** Every connection between two hosts is reset at both ends, now. */
  reset(one: string, other: string): void {
    for (const host of new Set([one, other])) {
      for (const node of this.machine(host).nodes) {
        for (const stream of [...node.streams]) {
          const ends = [stream.machine.name, stream.otherMachine.name];
          if (ends.includes(one) && ends.includes(other)) stream.reset();
        }
      }
    }
  }

  /** Power of a host. Off: every process of it is gone without a word. */
  power(host: string, on: boolean): void {
    const machine = this.machine(host);
    if (machine.up === on) return;
    machine.up = on;
    if (!on) {
      for (const node of [...machine.nodes]) node.end('silent');
      return;
    }
    for (const path of this.paths.values()) if (path.to === machine) path.openAgain();
  }

  /** Whether something sent now in both directions would come through. */
  connected(one: string, other: string): boolean {
    return this.pathBetween(one, other).open && this.pathBetween(other, one).open;
  }

  resolve(from: SimMachine, host: string): SimMachine {
    if (host === 'localhost' || host === '::1' || host.startsWith('127.')) return from;
    return this.machine(this.names.get(host) ?? host);
  }

  path(from: SimMachine, to: SimMachine): Path {
    const key = `${from.name} > ${to.name}`;
    const known = this.paths.get(key);
    if (known !== undefined) return known;
    const made = new Path(this.shape, from, to);
    this.paths.set(key, made);
    return made;
  }

  freePort(): number {
    return this.nextPort++;
  }

  private pathBetween(from: string, to: string): Path {
    return this.path(this.machine(from), this.machine(to));
  }

  private machine(name: string): SimMachine {
    const known = this.machines.get(name);
    if (known !== undefined) return known;
    const made = new SimMachine(name);
    this.machines.set(name, made);
    return made;
  }
}
