import { actionOf, targetOf, type FaultGround, type Undo } from './fault-actions.js';
import { ASKED_FOR, DAMAGING, describeFault, LOSES_POWER, OF_BOTH, OF_CLIENTS, type Fault, type HostName } from './faults.js';

/** A fault waits so long for its moment. */
const MOMENT_LIMIT_MS = 15_000;
/** Before a copy is destroyed nothing else may have gone wrong for so long. */
const CALM_MS = 3_000;
const LOOK_AGAIN_MS = 500;
/** … and nothing else goes wrong, but for clients, until the damage has been met for so long, */
const DAMAGE_MET_MS = 2_500;
/** … also where a failing sync waits for the next write; it is taken back when none comes in so long. */
const DAMAGE_LIMIT_MS = 30_000;
/** Carries out a plan, and undoes all of it when the trouble is over. */
export class FaultRunner {
  private readonly undos = new Set<Undo>();
  private damageMetAt = -Infinity;
  private healed = false;
  private begun = 0;

  /** `told`: of everything that goes wrong or is mended. */
  constructor(
    private readonly ground: FaultGround,
    private readonly plan: readonly Fault[],
    private readonly told: () => void = () => undefined,
  ) {
    for (const host of ['primary', 'secondary'] as const) ground.storage.onLettingGo(host, (path) => this.letsGo(host, path));
  }

  /** Faults that have happened so far, without what an operator asked for. */
  get happened(): number {
    return this.begun;
  }

  start(): void {
    for (const fault of this.plan) this.ground.world.schedule(fault.atMs, () => this.await(fault));
  }

  /** A fault of a moment waits for it, and happens all the same when it does not come. */
  private await(fault: Fault): void {
    if (fault.moment === null) return this.begin(fault);
    const { world, moments } = this.ground;
    let begun = false;
    const once = (host: HostName): void => {
      if (!begun) this.begin({ ...fault, host });
      begun = true;
    };
    const forget = moments.next(fault.moment, (mover) => {
      const act = (): void => once(fault.hitsMover ? (mover ?? fault.host) : fault.host);
      // In the world's own event it happens within the step: the answer to the very request that made a record can be lost. A process is not struck in the middle of its code.
      if (fault.lagMs === 0 && world.current === null) act();
      else world.schedule(fault.lagMs, act);
    });
    world.schedule(MOMENT_LIMIT_MS, () => {
      forget();
      once(fault.host);
    });
  }

  /** Everything works again from now on. */
  heal(): void {
    this.healed = true;
    for (const undo of [...this.undos]) undo();
  }

  private begin(planned: Fault): void {
    const { world, troubles } = this.ground;
    if (this.healed) return;
    const fault = { ...planned, host: targetOf(this.ground, planned) };
    const damaging = this.damages(fault);
    if ((damaging && !this.calm) || this.takesUnsyncedOfBoth(fault) || (world.now - this.damageMetAt < DAMAGE_MET_MS && !OF_CLIENTS.has(fault.kind))) {
      world.schedule(LOOK_AGAIN_MS, () => this.begin(fault));
      return;
    }
    if (damaging) {
      this.damageMetAt = world.now;
      this.ground.mayDamage(fault.host);
      // Its system may forget what it could not write, and its process may end before it hears of that.
      if (fault.kind === 'disk-sync-fails') this.ground.mayForget(fault.host);
    }
    if (!ASKED_FOR.has(fault.kind)) this.begun += 1;
    this.told();
    world.transcript.line('FAULT', describeFault(fault));
    const undo = actionOf(this.ground, fault.kind)?.(this.ground, fault) ?? null;
    troubles.begun(fault.kind, undo !== null);
    if (damaging) this.awaitDamage(world.now + DAMAGE_LIMIT_MS);
    const { then } = fault;
    if (then !== undefined) world.schedule(then.atMs, () => this.begin({ ...then, host: fault.host }));
    if (undo === null) return;
    const once = (): void => {
      if (!this.undos.delete(once)) return;
      troubles.mended(fault.kind);
      this.told();
      world.transcript.line('MENDED', describeFault(fault));
      undo();
    };
    this.undos.add(once);
    world.schedule(fault.forMs, once);
  }

  /** A full disk that finds out late takes what was not synced, where the pair can bear that. Of a file that is no part of the log yet it always can: nothing is given up for that. */
  private letsGo(host: HostName, path: string): boolean {
    const { world, troubles, storage } = this.ground;
    if (this.healed) return false;
    if (!path.endsWith('.segment') || path.includes('quarantine/')) return true;
    if (storage.syncWillFail || storage.hasUnreadable || !this.ground.canDoWithout(host)) return false;
    this.damageMetAt = world.now;
    this.ground.letsGo(host);
    troubles.begun('disk-full', false);
    this.told();
    world.transcript.line('FAULT', `${host}: its full disk lets go of what was not synced`);
    return true;
  }

  private damages({ kind, host }: Fault): boolean {
    return DAMAGING.has(kind) || (LOSES_POWER.has(kind) && this.ground.sharesUnsynced(host));
  }

  private takesUnsyncedOfBoth({ kind }: Fault): boolean {
    return OF_BOTH.has(kind) && (this.ground.sharesUnsynced('primary') || this.ground.sharesUnsynced('secondary'));
  }

  /** A sync that will fail is met at the earliest now, and what cannot be read, or was lost unsynced, as long as that lasts. */
  private awaitDamage(limit: number): void {
    const { world, storage } = this.ground;
    if (!storage.syncWillFail && !storage.hasUnreadable && !this.ground.countsOnUnsynced()) return;
    this.damageMetAt = world.now;
    if (world.now >= limit && storage.syncWillFail) storage.letSyncs();
    else world.schedule(LOOK_AGAIN_MS, () => this.awaitDamage(limit));
  }

  /** Nothing is wrong, nothing was for a while, and either copy would be enough. */
  private get calm(): boolean {
    return this.ground.troubles.quietMs > CALM_MS && this.ground.bothCount();
  }
}
