import { drainMicrotasks, drainWorks, turn } from './drain.js';
import { Prng } from './prng.js';
import { EventQueue, type Ordered } from './queue.js';
import { Transcript } from './transcript.js';

/** Whoever an event belongs to: it is asked before the event runs. */
export interface Owner {
  readonly label: string;
  /** A small number for the transcript's sum. */
  readonly number: number;
  /**
   * `run`: the event runs now. `drop`: its owner is gone. `hold`: the owner took the event and gives it back to
   * the world by `World.release` when it can run again. A number: not before so many milliseconds from now.
   */
  admit(event: WorldEvent): 'run' | 'drop' | 'hold' | number;
  /** An error that nothing caught: in production the process would end with it. */
  uncaught(error: unknown): void;
}

export interface WorldEvent extends Ordered {
  at: number;
  sequence: number;
  readonly owner: Owner | null;
  /** On its owner's monotonic clock, for timers and turns; else `null`: it comes from outside. */
  readonly dueMonotonic: number | null;
  action: (() => void) | null;
}

/** A promise that the code under test broke. The first one ends the run. */
export interface Violation {
  readonly check: string;
  readonly detail: string;
  readonly atMs: number;
}

/** Above every number of an event that is no turn. */
const TURNS_FROM = 2 ** 48;

/** Events between two turns of the real event loop, so that a run can be interrupted from outside. */
const EVENTS_PER_SLICE = 50_000;

/**
 * Virtual time: one queue of events ordered by (time, sequence). Everything that happens in a run happens in an event,
 * and every promise callback that an event causes runs before the next event.
 *
 * Invariants
 * - `now` never goes back, and is true time: hosts have clocks of their own over it (host.ts).
 * - Nothing here or in what it calls reads a real clock or real randomness.
 */
export class World {
  readonly random: Prng;
  readonly transcript: Transcript;
  /** Messages between processes are copied as the operating system would: dear, so only in one seed of sixteen. */
  readonly copiesMessages: boolean;
  /** Told after every event whose it was (`null`: the world's own); the first violation stops the run. */
  readonly afterEach: ((owner: Owner | null) => void)[] = [];
  /** Number of events executed. */
  executed = 0;
  private time = 0;
  private sequence = 0;
  private readonly queue = new EventQueue<WorldEvent>();
  private broken: Violation | null = null;
  private executing: Owner | null = null;

  /** `states`: what stands in each line of the transcript between the time and the words. `random`: everything is drawn from it. */
  constructor(
    readonly seed: number,
    states: () => string = () => '',
    live: ((line: string) => void) | null = null,
    detailed = false,
    random: Prng = new Prng(seed),
  ) {
    this.random = random;
    this.copiesMessages = this.random.fork('copies').chance(1 / 16);
    this.transcript = new Transcript(() => this.time, states, live, detailed);
  }

  /** True milliseconds since the run began. */
  get now(): number {
    return this.time;
  }

  get violation(): Violation | null {
    return this.broken;
  }

  /** The owner of the event under way. */
  get current(): Owner | null {
    return this.executing;
  }

  /** Records a violation; later ones are consequences, and are not kept. */
  fail(check: string, detail: string): void {
    if (this.broken !== null) return;
    this.broken = { check, detail, atMs: this.time };
    this.transcript.line('VIOLATION', `${check}: ${detail}`);
  }

  /** Runs `action` after `delayMs` of true time. Returns how to take it back. */
  schedule(delayMs: number, action: () => void, owner: Owner | null = null, dueMonotonic: number | null = null): () => void {
    const event: WorldEvent = { at: this.time + Math.max(0, delayMs), sequence: this.sequence++, owner, dueMonotonic, action };
    this.queue.push(event);
    return () => {
      event.action = null;
    };
  }

  /** Runs `action` at this very time, when all has happened that there is to happen: as an event loop comes to its next turn when it has read what there is to read. */
  turn(action: () => void, owner: Owner, dueMonotonic: number): void {
    this.queue.push({ at: this.time, sequence: TURNS_FROM + this.sequence++, owner, dueMonotonic, action });
  }

  /** Puts back an event that its owner held: it is late, and runs now. */
  release(event: WorldEvent): void {
    event.at = this.time;
    event.sequence = this.sequence++;
    this.queue.push(event);
  }

  /**
   * Executes events until true time `untilMs`, or until a violation, or until `done` says so (asked after each event).
   * Resolves to true when `done` did.
   */
  async run(untilMs: number, done: () => boolean = () => false): Promise<boolean> {
    await turn();
    return new Promise((resolve, reject) => {
      const slice = async (): Promise<void> => {
        for (;;) {
          const state = drains.synchronous ? this.slice(untilMs, done) : await this.slowSlice(untilMs, done);
          if (state !== 'more') {
            resolve(state === 'done');
            return;
          }
          if (drains.synchronous) {
            setImmediate(start);
            return;
          }
        }
      };
      const start = (): void => {
        slice().catch(reject);
      };
      const drains = { synchronous: false };
      setImmediate(() => {
        drains.synchronous = drainWorks();
        start();
      });
    });
  }

  private slice(untilMs: number, done: () => boolean): 'more' | 'done' | 'ended' {
    for (let i = 0; i < EVENTS_PER_SLICE; i += 1) {
      const state = this.step(untilMs);
      if (state === 'ended') return 'ended';
      if (state === 'skipped') continue;
      drainMicrotasks();
      this.settle();
      if (this.broken !== null) return 'ended';
      if (done()) return 'done';
    }
    return 'more';
  }

  private async slowSlice(untilMs: number, done: () => boolean): Promise<'done' | 'ended'> {
    for (;;) {
      const state = this.step(untilMs);
      if (state === 'ended') return 'ended';
      if (state === 'skipped') continue;
      await turn();
      this.settle();
      if (this.broken !== null) return 'ended';
      if (done()) return 'done';
    }
  }

  private settle(): void {
    const { executing } = this;
    this.executing = null;
    for (const check of this.afterEach) check(executing);
  }

  /**
   * Goes on in the event under way, which is the world's own, as one of `owner`: it could be the next event at this very time anyway.
   * Not for an owner whose `admit` would not answer `run`.
   */
  continueAs(owner: Owner, action: () => void): void {
    this.transcript.mix(owner.number);
    this.attempt(owner, action);
  }

  /** Takes the next event and runs it, if there is one before `untilMs` and its owner lets it. */
  private step(untilMs: number): 'ran' | 'skipped' | 'ended' {
    const next = this.queue.peek();
    if (next === undefined || next.at > untilMs) {
      this.time = Math.max(this.time, untilMs);
      return 'ended';
    }
    this.queue.pop();
    const { owner, action } = next;
    if (action === null) return 'skipped';
    this.time = next.at;
    if (owner !== null) {
      const admitted = owner.admit(next);
      if (typeof admitted === 'number') {
        next.at = this.time + admitted;
        next.sequence = this.sequence++;
        this.queue.push(next);
        return 'skipped';
      }
      if (admitted !== 'run') return 'skipped';
    }
    this.execute(owner, action);
    return 'ran';
  }

  private execute(owner: Owner | null, action: () => void): void {
    this.executed += 1;
    this.transcript.mix(Math.floor(this.time * 1000) ^ (owner?.number ?? 0));
    this.attempt(owner, action);
  }

  private attempt(owner: Owner | null, action: () => void): void {
    this.executing = owner;
    try {
      action();
    } catch (error) {
      if (owner === null) this.fail('simulator', error instanceof Error ? (error.stack ?? error.message) : String(error));
      else owner.uncaught(error);
    }
  }
}
