import type { ServerId, Term } from '../../src/core/identity.js';
import { EXCLUDED, type CrashCase } from './repository-cases.js';
import { KeeperPair, LIVE, type KeeperSide, type PairShape } from './repository-pair.js';
import type { Hashing } from './repository.js';
import { plant, sameView, Viewer } from './repository-trees.js';

/** What befalls the pair, at one step of a sync. `deposed`: the receiver stands still for longer than an order is good, and wakes to a fence over the sender's term. */
export type Blow = 'receiver-process' | 'receiver-host' | 'sender-process' | 'sender-host' | 'deposed';
export const BLOWS: readonly Blow[] = ['receiver-process', 'receiver-host', 'sender-process', 'sender-host', 'deposed'];

export interface CrashOutcome {
  /** Steps that were counted; a crash at a later one does not happen. */
  readonly steps: number;
  /** What was broken; `null`: nothing. */
  readonly broken: string | null;
}

/** A version that was kept before, and goes on being kept. */
const KEPT_BEFORE = 'kept/2025-01-02T03-04-05.678Z/old/version';
const BESIDE = '/srv/.apps.lockstep';
const ALLOWED_BESIDE: ReadonlySet<string> = new Set(['kept', 'parts']);
const END_MS = 300_000;
const STILL_MS = 3_000;

/** Runs one case, with the blow at the step `at` (from 1; 0: none), to the end in which both are equal. */
export async function runCrash(given: CrashCase, shape: Pick<PairShape, 'exchange' | 'promised' | 'syncsNothing'>, blow: Blow, at: number, hashing: Hashing): Promise<CrashOutcome> {
  const run = new CrashRun(given, { ...given.shape, ...shape, exclude: EXCLUDED }, blow, at, hashing);
  return run.run();
}

type View = ReadonlyMap<string, string>;

class CrashRun {
  private readonly pair: KeeperPair;
  private readonly viewer: Viewer;
  private readonly old: View;
  private readonly wanted: View;
  private deposedAt = 0;
  /** A single change that was begun before the right to it went may come to its end. */
  private readonly changes = { mayStill: 0, deposed: false, at: null as View | null };
  private counting = false;
  private steps = 0;
  private broken: string | null = null;

  constructor(
    private readonly given: CrashCase,
    shape: PairShape,
    private readonly blow: Blow,
    private readonly at: number,
    hashing: Hashing,
  ) {
    this.pair = new KeeperPair(at + 1, shape, hashing);
    this.viewer = new Viewer(hashing);
    const { primary, secondary } = this.pair;
    for (const side of [primary, secondary]) plant(side.tree, '/var', {});
    plant(primary.tree, LIVE, given.ours);
    plant(secondary.tree, LIVE, given.theirs);
    plant(secondary.tree, BESIDE, { [KEPT_BEFORE]: { kind: 'file', says: 'kept before' } });
    this.old = this.view(secondary) ?? new Map();
    if (given.later !== null) {
      // What it shall be is seen on a tree that nobody works on.
      const twin = new KeeperPair(0, shape, hashing).primary.tree;
      plant(twin, LIVE, given.ours);
      plant(twin, LIVE, given.later.things);
      this.wanted = this.viewer.see(twin, LIVE, this.isStaged) ?? new Map();
    } else this.wanted = expected(this.view(primary) ?? new Map(), this.old, shape.type);
  }

  async run(): Promise<CrashOutcome> {
    const { pair, given } = this;
    const { world, secondary } = pair;
    secondary.tree.onChange = () => this.look();
    pair.start();
    if (given.interrupted !== null) await this.interrupt(given.interrupted);
    if (given.later !== null) await this.change(given.later);
    const [counted, onlyChanges] = this.blow.startsWith('sender') ? [pair.primary, false] : [secondary, true];
    this.counting = true;
    counted.calling = (_, change) => {
      if (this.counting && (change || !onlyChanges)) this.step(counted);
    };
    await this.until('both are equal', () => this.isEnded);
    this.counting = false;
    await world.run(world.now + STILL_MS);
    if (this.broken === null && this.changes.deposed) await this.afterDeposition();
    else if (this.broken === null) this.atTheEnd();
    const broken = this.broken ?? (world.violation === null ? null : `${world.violation.check}: ${world.violation.detail}`);
    return { steps: this.steps, broken };
  }

  /** One file after the other is seen to change. */
  private get isStaged(): boolean {
    return this.given.later === null;
  }

  private get isEnded(): boolean {
    if (this.changes.deposed) return this.pair.world.now >= this.deposedAt + STILL_MS;
    return this.pair.inSync && sameView(this.view(this.pair.secondary), this.wanted);
  }

  private view(side: KeeperSide): View | null {
    return this.viewer.see(side.tree, LIVE, this.isStaged);
  }

  private step(side: KeeperSide): void {
    this.steps += 1;
    if (this.steps !== this.at) return;
    this.counting = false;
    if (this.blow === 'deposed') return this.depose();
    side.crash(this.blow.endsWith('host') ? 'host' : 'process');
    this.look();
  }

  private depose(): void {
    const { pair, changes } = this;
    Object.assign(changes, { deposed: true, mayStill: 1, at: this.view(pair.secondary) });
    this.deposedAt = pair.world.now;
    pair.secondary.stoodStill(2_000);
    pair.ordered.fence = pair.ordered.senderTerm;
    pair.tell();
    // Heard by now.
    pair.world.schedule(0, () => (changes.mayStill = 0));
  }

  /** The receiver's folder as anybody may see it now. */
  private look(): void {
    if (this.broken !== null) return;
    const seen = this.view(this.pair.secondary);
    const { changes } = this;
    if (changes.deposed && !sameView(seen, changes.at)) {
      // Its last file, or the exchange, which in two renames has an instant without a folder.
      const isMoment = this.pair.shape.exchange === 'two-renames' && seen === null;
      if (!isMoment) changes.mayStill -= 1;
      if (changes.mayStill < 0) return this.fail(`the folder changed after the sender was deposed: ${difference(changes.at, seen)}`);
      changes.at = seen;
    }
    if (seen === null) {
      if (this.pair.shape.exchange === 'atomic') this.fail('the folder is absent');
    } else if (this.isStaged) {
      if (!sameView(seen, this.old) && !sameView(seen, this.wanted)) this.fail(`the folder is neither the old one (${difference(this.old, seen)}) nor the new one (${difference(this.wanted, seen)})`);
    } else this.lookAtEach(seen);
  }

  /** Each path is as it was or as it shall be; one that turns from one kind into another may be absent in between. */
  private lookAtEach(seen: View): void {
    for (const path of new Set([...seen.keys(), ...this.old.keys(), ...this.wanted.keys()])) {
      const what = seen.get(path);
      const [before, after] = [this.old.get(path), this.wanted.get(path)];
      if (what === before || what === after) continue;
      const turns = before !== undefined && after !== undefined && kindOf(before) !== kindOf(after);
      if (what !== undefined || !turns) return this.fail(`${path} is ${what ?? 'absent'}; it was ${before ?? 'absent'} and shall be ${after ?? 'absent'}`);
    }
  }

  private atTheEnd(): void {
    const { pair } = this;
    const { secondary } = pair;
    this.lookAtKept('at the end');
    const beside = secondary.tree.find(BESIDE).node;
    for (const name of beside?.entries.keys() ?? []) if (!ALLOWED_BESIDE.has(name)) this.fail(`${name} is left beside the folder`);
    // What was said to be in sync is durable, with permissions and times.
    const before = this.viewer.see(secondary.tree, LIVE, true);
    const active = this.viewer.see(pair.primary.tree, LIVE, true);
    if (pair.shape.type === 'FULL' && !sameView(withoutExcluded(before), withoutExcluded(active))) this.fail(`both differ in the end: ${difference(withoutExcluded(active), withoutExcluded(before))}`);
    secondary.host.powerOff();
    secondary.tree.losePower(() => pair.world.random.fraction());
    const seen = this.viewer.see(secondary.tree, LIVE, true);
    if (!sameView(seen, before)) this.fail(`after a loss of power the folder is not what was in sync: ${difference(before, seen)}`);
    this.lookAtKept('after a loss of power at the end');
  }

  /** The other serves now, and the deposed one follows: what the receiver had at that moment counts. */
  private async afterDeposition(): Promise<void> {
    const { pair } = this;
    Object.assign(pair.ordered, { sender: 'secondary' as ServerId, senderTerm: 4 as Term, receiverTerm: 4 as Term, fence: 3 as Term });
    await this.until('the deposed server follows', () => pair.inSync);
    if (pair.shape.type !== 'FULL') return;
    const [kept, followed] = [this.view(pair.secondary), this.view(pair.primary)];
    if (!sameView(withoutExcluded(kept), withoutExcluded(followed))) this.fail(`the deposed server has not what the new one had: ${difference(withoutExcluded(kept), withoutExcluded(followed))}`);
  }

  private lookAtKept(when: string): void {
    const { tree } = this.pair.secondary;
    const kept = this.viewer.see(tree, BESIDE, false) ?? new Map<string, string>();
    const before = kept.get(KEPT_BEFORE);
    if (before === undefined) return this.fail(`${when} the version that was kept before is gone`);
    if (this.pair.shape.type !== 'FULL') return;
    const versions = [...new Set([...kept.keys()].map((path) => path.split('/').slice(0, 2).join('/')))];
    for (const [path, what] of this.old) {
      const bare = what.split(' ').slice(0, 2).join(' ');
      if (what.startsWith('folder') || isExcluded(path) || bare === this.wanted.get(path)?.split(' ').slice(0, 2).join(' ')) continue;
      if (!versions.some((version) => kept.get(`${version}/${path}`) === bare)) this.fail(`${when} what ${path} was is not kept`);
    }
  }

  private async interrupt(how: 'process' | 'host'): Promise<void> {
    const { secondary } = this.pair;
    let left = INTERRUPTED_AT;
    secondary.calling = (_, change) => {
      if (!change || left === 0) return;
      left -= 1;
      if (left === 0) secondary.crash(how);
    };
    await this.until('the first crash', () => left === 0);
  }

  private async change({ things, folders }: NonNullable<CrashCase['later']>): Promise<void> {
    const { pair } = this;
    await this.until('the first sync', () => pair.inSync);
    // So that what was recorded of files is not taken for what is still going on.
    await pair.world.run(pair.world.now + STILL_MS);
    plant(pair.primary.tree, LIVE, things);
    pair.primary.watch?.changed(folders);
  }

  private async until(what: string, done: () => boolean): Promise<void> {
    if (this.broken !== null) return;
    const { world } = this.pair;
    const came = await world.run(world.now + END_MS, () => this.broken !== null || done());
    if (!came && world.violation === null) this.fail(`this did not come in ${END_MS / 1000} s: ${what}; the receiver says ${JSON.stringify(this.pair.secondary.status?.repositories[0]?.detail ?? null)}; ${difference(this.wanted, this.view(this.pair.secondary))}`);
  }

  private fail(what: string): void {
    this.broken ??= what;
  }
}

/** In the midst of the contents. */
const INTERRUPTED_AT = 45;

const isExcluded = (path: string): boolean => path.split('/').some((part) => EXCLUDED.includes(part));
const kindOf = (what: string): string => what.split(' ')[0] ?? '';

function withoutExcluded(view: View | null): View | null {
  return view === null ? null : new Map([...view].filter(([path]) => !isExcluded(path)));
}

/** What a sync shall make of the two. */
function expected(ours: View, theirs: View, type: PairShape['type']): View {
  const made = new Map<string, string>();
  const isBlocked = (path: string): boolean => [...theirs].some(([other, what]) => type === 'PARTIAL' && !what.startsWith('folder') && path.startsWith(`${other}/`));
  for (const [path, what] of theirs) if (type === 'PARTIAL' || isExcluded(path)) made.set(path, what);
  for (const [path, what] of ours) if (!isExcluded(path) && !isBlocked(path) && !made.has(path)) made.set(path, what);
  return made;
}

function difference(wanted: View | null, seen: View | null): string {
  if (wanted === null || seen === null) return 'no folder';
  const paths = [...new Set([...wanted.keys(), ...seen.keys()])].filter((path) => wanted.get(path) !== seen.get(path));
  return paths.length === 0 ? 'no difference' : paths.slice(0, 4).map((path) => `${path}: ${seen.get(path) ?? 'absent'} in place of ${wanted.get(path) ?? 'absent'}`).join('; ');
}
