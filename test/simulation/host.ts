import type { Monotonic } from '../../src/core/identity.js';
import type { SimProcess } from './process.js';
import type { World } from './world.js';

/** How one host's clock departs from true time. */
export interface ClockShape {
  /** Host milliseconds per true millisecond; 1 is perfect. Between 0.9 and 1.1. */
  readonly rate: number;
  /** Wall time minus true time at the start, milliseconds. */
  readonly wallOffsetMs: number;
}

/** True time 0 in wall time: 2026-01-01T00:00:00Z. */
const EPOCH_MS = Date.UTC(2026, 0, 1);

/**
 * A machine: its clock, its power, and the processes that run on it. The monotonic clock starts near 0 at each boot, stops in
 * suspend and runs through a pause; `sinceBoot` runs through both; wall time also steps.
 */
export class SimHost {
  readonly processes = new Set<SimProcess>();
  /** Told when the machine loses power and when it has booted again; the disk and the network listen. */
  readonly onPower: ((on: boolean) => void)[] = [];
  powered = true;
  suspended = false;
  frozen = false;
  private wallOffset: number;
  private anchorTrue: number;
  private anchorMonotonic: number;
  private bootTrue: number;

  constructor(
    readonly world: World,
    readonly name: string,
    readonly clock: ClockShape,
  ) {
    this.wallOffset = clock.wallOffsetMs;
    this.anchorTrue = world.now;
    this.anchorMonotonic = 1_000;
    this.bootTrue = world.now - 1_000 / clock.rate;
  }

  monotonic(): Monotonic {
    const since = this.suspended ? 0 : this.world.now - this.anchorTrue;
    return (this.anchorMonotonic + since * this.clock.rate) as Monotonic;
  }

  sinceBoot(): number {
    return (this.world.now - this.bootTrue) * this.clock.rate;
  }

  wall(): number {
    return Math.floor(EPOCH_MS + this.world.now * this.clock.rate + this.wallOffset);
  }

  /** Somebody sets the wall clock, forward or back. */
  stepWall(byMs: number): void {
    this.wallOffset += byMs;
    this.say(`wall clock stepped by ${Math.round(byMs)} ms`);
  }

  /** The machine sleeps: nothing runs, and the monotonic clock stands still. */
  suspend(): void {
    if (this.suspended || !this.powered) return;
    this.anchorMonotonic = this.monotonic();
    this.anchorTrue = this.world.now;
    this.suspended = true;
    this.say('suspended');
  }

  wake(): void {
    if (!this.suspended) return;
    this.suspended = false;
    this.anchorTrue = this.world.now;
    this.say('woke');
    this.releaseAll();
  }

  /** Everything on the machine stands still, its clocks go on (a hypervisor's pause). */
  freeze(): void {
    if (this.frozen || !this.powered) return;
    this.frozen = true;
    this.say('frozen');
  }

  thaw(): void {
    if (!this.frozen) return;
    this.frozen = false;
    this.say('thawed');
    this.releaseAll();
  }

  /** Power fails: every process is gone at once, and says nothing. */
  powerOff(): void {
    if (!this.powered) return;
    this.say('lost power');
    this.powered = false;
    this.suspended = false;
    this.frozen = false;
    for (const process of [...this.processes]) process.end('power lost', 'silent');
    for (const tell of this.onPower) tell(false);
  }

  powerOn(): void {
    if (this.powered) return;
    this.powered = true;
    this.anchorTrue = this.world.now;
    this.anchorMonotonic = 1_000;
    this.bootTrue = this.world.now - 1_000 / this.clock.rate;
    this.say('booted');
    for (const tell of this.onPower) tell(true);
  }

  say(what: string): void {
    this.world.transcript.line(this.name, what);
  }

  private releaseAll(): void {
    for (const process of this.processes) process.releaseHeld();
  }
}
