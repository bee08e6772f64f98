import type { HostName } from './faults.js';
import type { Prng } from './prng.js';
import type { SimServer } from './server.js';
import type { World } from './world.js';

/** Of the time after which the peer would miss this server, by the slower of two clocks; the rest is for the way there. */
const OF_SILENCE = 0.97;
/** So near to that a standstill comes. */
const NEARNESS = { low: 0.85, high: 1 };
/** Between two of them, milliseconds of the bundled profile. */
const GAP_MS = { low: 2_500, high: 5_000 };
/** Soon after the server has spoken to its peer, so that a long one is over in time. Milliseconds, and how often that is looked for. */
const SPOKE_MS = 60;
const LOOK_EVERY_MS = 25;
/** Else the whole host stands still. */
const MANAGER_CHANCE = 0.6;

export interface HitchGround {
  readonly world: World;
  readonly server: (name: HostName) => SimServer;
}

/**
 * Standstills that are over before the peer can miss anything: of an HA manager, or of its host. They are no faults, and a pair at which nothing is wrong has
 * nothing to answer: it makes no move for them.
 */
export class Hitches {
  private readonly random: Prng;

  /** @param silenceMs within which a server that goes on must have begun to, so that it speaks before it is lost */
  constructor(
    private readonly ground: HitchGround,
    private readonly silenceMs: number,
    private readonly pace: number,
  ) {
    this.random = ground.world.random.fork('hitches');
  }

  /** The first one comes at `fromMs` or a little later, the last one before `untilMs`. True time. */
  start(fromMs: number, untilMs: number): void {
    const { world } = this.ground;
    const at = Math.max(fromMs, world.now) + this.random.between(0, GAP_MS.low * this.pace);
    if (at < untilMs) world.schedule(at - world.now, () => this.hitch(untilMs));
  }

  private hitch(untilMs: number): void {
    const { world } = this.ground;
    this.whenItSpoke(this.ground.server(this.random.pick(['primary', 'secondary'] as const)), untilMs);
    const next = world.now + this.random.between(GAP_MS.low, GAP_MS.high) * this.pace;
    if (next < untilMs) world.schedule(next - world.now, () => this.hitch(untilMs));
  }

  private whenItSpoke(server: SimServer, untilMs: number): void {
    const { world } = this.ground;
    const agoMs = world.now - (server.insides?.spokeAt() ?? -Infinity);
    if (agoMs <= SPOKE_MS) this.standStill(server, this.silenceMs * OF_SILENCE - agoMs);
    else if (world.now < untilMs) world.schedule(LOOK_EVERY_MS, () => this.whenItSpoke(server, untilMs));
  }

  private standStill(server: SimServer, longestMs: number): void {
    const { world } = this.ground;
    const manager = server.find('manager');
    const nearness = this.random.between(NEARNESS.low, NEARNESS.high);
    const ofManager = this.random.chance(MANAGER_CHANCE);
    const lastsMs = longestMs * nearness;
    world.transcript.line('HITCH', `${server.name}${ofManager ? "'s manager" : ''} stands still for ${Math.round(lastsMs)} ms`);
    if (ofManager) manager?.pause();
    else server.host.freeze();
    world.schedule(lastsMs, () => {
      if (ofManager) manager?.resume();
      else server.host.thaw();
    });
  }
}
