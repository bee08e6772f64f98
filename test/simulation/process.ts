import type { Monotonic } from '../../src/core/identity.js';
import type { Cancel, Clock } from '../../src/ports/clock.js';
import type { Prng } from './prng.js';
import type { SimHost } from './host.js';
import type { Owner, WorldEvent } from './world.js';

export type ProcessKind = 'manager' | 'keeper' | 'broker' | 'client' | 'supervisor';

/** Of the times that a process goes on after it stood still. */
const TIMERS_FIRST_CHANCE = 0.5;

/** What the process has asked of its own event loop: timers, and turns that were due before it stood still. All else comes from outside. */
function isOfTheLoop(event: WorldEvent): boolean {
  return event.dueMonotonic !== null;
}

/**
 * One run of one process. Everything that its code does happens in events that it owns: when it is dead they are dropped, when
 * it is paused they wait and run late, all of them: in their order, or the timers before whatever came meanwhile, as it comes.
 */
export class SimProcess implements Owner {
  readonly label: string;
  readonly clock: Clock;
  /** Told once when the process is gone. `silent`: nobody hears of it (power lost). */
  readonly onEnd: ((reason: string, how: 'noticed' | 'silent') => void)[] = [];
  private living = true;
  private stopped = false;
  private held: WorldEvent[] = [];
  private readonly resumes: Prng;

  constructor(
    readonly host: SimHost,
    readonly kind: ProcessKind,
    /** Process id; unique in a run of the simulator. */
    readonly pid: number,
    readonly random: Prng,
    label = `${host.name}/${kind}`,
  ) {
    this.label = label;
    this.clock = this.makeClock();
    this.resumes = random.fork('resumes');
    host.processes.add(this);
  }

  get number(): number {
    return this.pid;
  }

  /** A name that no other process of the run has. */
  get unique(): string {
    return `${this.label}/${this.pid}`;
  }

  get alive(): boolean {
    return this.living;
  }

  get paused(): boolean {
    return this.stopped || this.host.frozen || this.host.suspended;
  }

  /** For simulated ports: completes something after `delayMs` of true time, if the process is there to hear of it. */
  readonly schedule = (delayMs: number, action: () => void): Cancel => this.host.world.schedule(delayMs, action, this);

  /** For simulated ports, in an event of the world: what comes for the process is handled in that event if it can run now, and later if not. */
  readonly arrive = (action: () => void): void => {
    if (this.living && !this.paused) this.host.world.continueAs(this, action);
    else this.schedule(0, action);
  };

  admit(event: WorldEvent): 'run' | 'drop' | 'hold' | number {
    if (!this.living) return 'drop';
    if (this.paused) {
      this.held.push(event);
      return 'hold';
    }
    if (event.dueMonotonic === null) return 'run';
    const missing = (event.dueMonotonic - this.host.monotonic()) / this.host.clock.rate;
    return missing > 1e-6 ? missing : 'run';
  }

  uncaught(error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : String(error);
    this.host.world.fail('uncaught error', `${this.label}: ${text}`);
    this.end('uncaught error', 'noticed');
  }

  /** SIGSTOP. */
  pause(): void {
    if (!this.living || this.stopped) return;
    this.stopped = true;
    this.say('paused');
  }

  /** SIGCONT. */
  resume(): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.say('resumed');
    this.releaseHeld();
  }

  /** Gives back what was held, once nothing stops the process any more. */
  releaseHeld(): void {
    if (this.paused) return;
    const { held } = this;
    if (held.length === 0) return;
    this.held = [];
    // Where an event loop was stopped decides what it comes to first: its overdue timers, or what there is to read.
    const timersFirst = this.resumes.chance(TIMERS_FIRST_CHANCE);
    const inOrder = timersFirst ? [...held.filter(isOfTheLoop), ...held.filter((event) => !isOfTheLoop(event))] : held;
    for (const event of inOrder) this.host.world.release(event);
  }

  /** The process is gone, from this moment. Calling it again does nothing. */
  end(reason: string, how: 'noticed' | 'silent' = 'noticed'): void {
    if (!this.living) return;
    this.living = false;
    this.held = [];
    this.host.processes.delete(this);
    this.say(`ended: ${reason}`);
    for (const tell of this.onEnd) tell(reason, how);
  }

  say(what: string): void {
    this.host.world.transcript.line(this.label, what);
  }

  private makeClock(): Clock {
    const { host } = this;
    const { world } = host;
    return {
      monotonic: (): Monotonic => host.monotonic(),
      sinceBoot: () => host.sinceBoot(),
      wall: () => host.wall(),
      after: (delayMs, action) => {
        if (delayMs === Infinity) return () => undefined;
        // A timer of Node.js waits at least a millisecond.
        const wait = Number.isFinite(delayMs) ? Math.max(1, delayMs) : 1;
        return world.schedule(wait / host.clock.rate, action, this, host.monotonic() + wait);
      },
      soon: (action) => {
        world.turn(action, this, host.monotonic());
      },
      next: (action) => {
        world.schedule(0, action, this, host.monotonic());
      },
    };
  }
}
