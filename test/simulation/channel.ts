import type { Channel, Child, Spawner } from '../../src/ports/process.js';
import type { Prng } from './prng.js';
import { SimProcess, type ProcessKind } from './process.js';

/** Milliseconds that a message between two processes of one host takes. */
const MESSAGE_DELAY_MS = { low: 0.02, high: 0.4 };
/** Milliseconds from starting a process to its first line of code. */
const START_DELAY_MS = { low: 15, high: 80 };
/** A child whose parent is gone has so long to end by itself. Its main program sees to it that it does. */
const ORPHAN_LINGER_MS = { low: 500, high: 3_000 };

/** A message is plain data; anything else would not come through a pipe as it is. */
function copyOf<Value>(value: Value): Value {
  if (typeof value === 'function' || typeof value === 'symbol') throw new Error(`a ${typeof value} cannot be sent to another process`);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copyOf) as Value;
  if (Object.getPrototypeOf(value) !== Object.prototype) throw new Error(`a ${value.constructor.name} cannot be sent to another process`);
  const copy: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) copy[key] = copyOf(inner);
  return copy as Value;
}

interface Handlers<In> {
  message(message: In): void;
  closed(reason: string): void;
}

/** One end of a pair of pipes. Messages arrive whole, in order and later; in some seeds as copies. */
class ChannelEnd<Out, In> implements Channel<Out, In> {
  private handlers: Handlers<In> | null = null;
  private waiting: In[] = [];
  private closedBecause: string | null = null;
  private last = 0;

  constructor(
    private readonly owner: SimProcess,
    private readonly random: Prng,
    private readonly otherSide: () => ChannelEnd<In, Out>,
    /** As the other process reads what comes. */
    private readonly read: (value: unknown) => Out,
  ) {}

  send(message: Out): void {
    if (this.closedBecause !== null || !this.owner.alive) return;
    const sent = this.owner.host.world.copiesMessages ? this.read(copyOf(message)) : message;
    this.otherSide().arrive((end) => end.take(sent));
  }

  handle(handlers: Handlers<In>): void {
    this.handlers = handlers;
    if (this.waiting.length > 0 || this.closedBecause !== null) this.owner.schedule(0, () => this.flush());
  }

  /** The other process is gone; what it sent before still arrives first. */
  hangUp(reason: string): void {
    this.arrive((end) => end.close(reason));
  }

  private arrive(action: (end: this) => void): void {
    const { world } = this.owner.host;
    this.last = Math.max(this.last, world.now + this.random.between(MESSAGE_DELAY_MS.low, MESSAGE_DELAY_MS.high));
    world.schedule(this.last - world.now, () => action(this), this.owner);
  }

  private take(message: In): void {
    if (this.closedBecause !== null) return;
    if (this.handlers === null || this.waiting.length > 0) this.waiting.push(message);
    else this.handlers.message(message);
  }

  /** What came before anyone listened. */
  private flush(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const message of waiting) this.handlers?.message(message);
    if (this.closedBecause !== null) this.handlers?.closed(this.closedBecause);
  }

  private close(reason: string): void {
    if (this.closedBecause !== null) return;
    this.closedBecause = reason;
    if (this.waiting.length === 0) this.handlers?.closed(reason);
  }
}

/** What runs in a new process: gets itself and the way to its parent. */
export type Boot<Up, Down> = (process: SimProcess, parent: Channel<Up, Down>) => void;

/** Starts child processes of `parent` in virtual time. `nextPid` numbers them. */
export class SimSpawner<Down, Up> implements Spawner<Down, Up> {
  constructor(
    private readonly parent: SimProcess,
    private readonly kind: ProcessKind,
    private readonly nextPid: () => number,
    private readonly boot: Boot<Up, Down>,
    private readonly reads: { readonly down: (value: unknown) => Down; readonly up: (value: unknown) => Up },
  ) {}

  start(): Child<Down, Up> {
    const { parent } = this;
    const { host } = parent;
    const pid = this.nextPid();
    const child = new SimProcess(host, this.kind, pid, host.world.random.fork(`${host.name}/${this.kind}/${pid}`));
    const delays = host.world.random.fork(`channel/${pid}`);
    const up: ChannelEnd<Up, Down> = new ChannelEnd<Up, Down>(child, delays, () => down, this.reads.up);
    const down: ChannelEnd<Down, Up> = new ChannelEnd<Down, Up>(parent, delays, () => up, this.reads.down);
    child.onEnd.push((reason, how) => {
      if (how === 'noticed' && parent.alive) down.hangUp(reason);
    });
    parent.onEnd.push((reason, how) => {
      if (how === 'noticed' && child.alive) this.orphan(child, up, reason, delays);
    });
    child.say(`started, pid ${pid}`);
    child.schedule(delays.between(START_DELAY_MS.low, START_DELAY_MS.high), () => this.boot(child, up));
    return {
      pid,
      send: (message) => down.send(message),
      handle: (handlers) => down.handle(handlers),
      kill: () => {
        // The signal is not instant, but it works on a process that is paused or hung.
        host.world.schedule(0.1, () => child.end('SIGKILL'), null);
      },
    };
  }

  private orphan(child: SimProcess, up: ChannelEnd<Up, Down>, reason: string, delays: Prng): void {
    up.hangUp(`parent gone: ${reason}`);
    child.schedule(delays.between(ORPHAN_LINGER_MS.low, ORPHAN_LINGER_MS.high), () => child.end('parent gone'));
  }
}
