import { decodeWatermark, reachOf } from '../../src/core/terms/watermark.js';
import { DiskImage } from './disk-image.js';
import { SimulatedDisk } from './disk.js';
import type { FaultGround } from './fault-actions.js';
import { FOUND_OUT_LATE, type Fault, type FaultKind, type HostName } from './faults.js';
import type { SimHost } from './host.js';
import { changeIn } from './journal-change.js';
import type { Moments } from './moments.js';
import { Mounts, type MountedClient } from './mounts.js';
import { LOCK_FILE } from './pair-config.js';
import type { Prng } from './prng.js';
import type { SimProcess } from './process.js';
import { noFaults, SimShare, type Fate, type Operation, type ShareFaults, type SimShareClient } from './share.js';
import { ShareView } from './share-view.js';
import type { StorageFaults } from './storage-faults.js';
import type { World } from './world.js';

type Undo = () => void;
/** The share is reached by all in the same way, or one host has its trouble alone. */
const ALONE_CHANCE = 0.5;
const SLOW_LATENCY_MS = { low: 100, high: 3_500 };
/** So often a seed's share has one of these habits all the time, whatever else happens to it: it loses a part of its answers, it is far away, or it shows what was. */
const HABIT_CHANCE = 0.25;
const HABITS = { replyLost: { low: 0.01, high: 0.15 }, latencyMs: { low: 5, high: 250 }, staleMs: { low: 200, high: 20_000 } };
/** Half of the slow shares are so at times only. */
const SPIKE_CHANCE = 0.15;
/** From when the lock may count as abandoned to a little after, when the other has taken it. */
const STALL_OF_STALENESS = { low: 1, high: 1.18 };
const SLOWEST_DISK_MS = 3_000;
const FULL_DISK_LEFT_BYTES = 2_000;
/** Most hosts without descriptors have one at times. */
const SHORT_AT_TIMES = { chance: 0.6, low: 0.08, high: 0.6 };
const SEGMENTS_OR_SNAPSHOTS = /^(journal\/[^/]+\.segment|snapshots\/[^/]+\.snap)$/;
/** What becomes unreadable together, each as often as the others. */
const UNREADABLE = [/^journal\/[^/]+\.segment$/, /^snapshots\/[^/]+\.snap$/, SEGMENTS_OR_SNAPSHOTS];
const META_PATH = 'journal/journal.json';
/** What a sync says that fails, and of which files; each as often as the others. */
const FAILING_SYNCS = [['EIO', 'journal/'], ['EIO', 'journal/'], ['ENOSPC', 'journal/'], ['EIO', 'snapshots/']] as const;

/** The shared folder, the hosts' mounts of it, and what goes wrong with them. */
export class Storage implements StorageFaults {
  readonly shareProbe: ShareView;
  readonly actions: StorageFaults['actions'];
  /** Each host's disk, as it lies in the machine. */
  readonly images: Readonly<Record<HostName, DiskImage>> = { primary: new DiskImage(), secondary: new DiskImage() };
  /** Hosts on which a broker that does not sync has written since they lost power, or since a copy was opened with syncing. */
  readonly unsynced = new Set<HostName>();
  private readonly unsyncedLost = new Map<HostName, () => void>();
  private readonly diskRandom: Readonly<Record<HostName, Prng>>;
  private readonly share: SimShare;
  private readonly mounts: Mounts;
  /** The share as it is for everybody in this seed while nothing is at fault. */
  private readonly usual: ShareFaults;
  /** What a host's next keeper meets too. */
  private readonly hostFaults: Record<HostName, ShareFaults> = { primary: noFaults(), secondary: noFaults() };
  private readonly clients = new Set<{ readonly host: string; readonly client: SimShareClient }>();

  constructor(
    private readonly world: World,
    hosts: Readonly<Record<HostName, SimHost>>,
    moments: Moments,
    private readonly stalenessMs: number,
  ) {
    const random = world.random.fork('share');
    this.mounts = new Mounts(world, hosts);
    this.diskRandom = { primary: world.random.fork('disk/primary'), secondary: world.random.fork('disk/secondary') };
    for (const name of ['primary', 'secondary'] as const) {
      this.images[name].named = (path) => {
        if (path.endsWith('.segment')) moments.tell('roll', name);
      };
    }
    for (const host of Object.values(hosts)) {
      host.onPower.push((on) => {
        const name = host.name as HostName;
        if (on) return;
        this.images[name].losePower(() => this.diskRandom[name].fraction());
        if (this.unsynced.delete(name)) this.unsyncedLost.get(name)?.();
      });
    }
    this.share = new SimShare({
      schedule: (delayMs, action) => world.schedule(delayMs, action),
      now: () => world.now,
      fraction: () => random.fraction(),
      links: !random.chance(0.15),
      notesRequests: false,
    });
    this.usual = { ...noFaults(), ...drawHabits(random) };
    Object.assign(this.share.faults, this.usual);
    this.shareProbe = new ShareView(this.share, `${LOCK_FILE}.terms`, () => moments.tell('record'), (keeper) => this.mounts.beatAt(keeper));
    this.actions = { ...this.shareActions(), ...this.mounts.actions };
  }

  get tellsMounts(): boolean {
    return this.mounts.tells;
  }

  /** The share as one process reaches it, or what it finds in its place while its host has not mounted it. */
  shareFor(process: SimProcess): MountedClient {
    const host = process.host.name as HostName;
    const client = this.share.client(process.unique, process.schedule);
    Object.assign(client.faults, this.hostFaults[host]);
    const entry = { host, client };
    this.clients.add(entry);
    process.onEnd.push(() => this.clients.delete(entry));
    return this.mounts.client(host, client, this.mounts.folders[host].client(process.unique, process.schedule));
  }

  /** The server's own disk as one process reaches it. */
  diskFor(process: SimProcess): SimulatedDisk {
    const host = process.host.name as HostName;
    const disk = new SimulatedDisk({ image: this.images[host], schedule: (delayMs, action) => void process.schedule(delayMs, action), random: () => this.diskRandom[host].fraction() });
    process.onEnd.push(() => disk.kill());
    return disk;
  }

  /** Segments that are sealed, and snapshots, that would lose something with the power. */
  unsyncedOf(host: HostName): string[] {
    const image = this.images[host];
    const copy = image.paths().filter((path) => /^(?:journal\/[^/]+\.segment|snapshots\/[^/]+\.snap)$/.test(path)).sort();
    // The last may have been named and never begun, for want of a file: then the one before it is still being written.
    const open = copy.filter((path) => path.endsWith('.segment')).slice(-2);
    return copy.filter((path) => !open.includes(path) && !image.isSynced(path));
  }

  /** Segments of which the system shows what the disk does not hold, and what no sync will bring there any more. @param ends where the durable part of each one ends */
  forgottenOf(host: HostName, ends: ReadonlyMap<string, number>): string[] {
    const image = this.images[host];
    return [...ends].filter(([path, end]) => image.has(path) && image.hasForgotten(path, end)).map(([path]) => path);
  }

  /** The description of the journal there says that another log takes the place of this one. */
  beginsAnew(host: HostName): boolean {
    const image = this.images[host];
    return image.has(META_PATH) && changeIn(image.content(META_PATH)) === 'begin';
  }

  /** `may`: asked when a disk finds out at a sync of this file that it is full, which costs what was not synced of it. */
  onLettingGo(host: HostName, may: (path: string) => boolean): void {
    this.images[host].letsGo = may;
  }

  /** `told` when `host` loses power with something on its disk that was confirmed and never synced. */
  onUnsyncedLoss(host: HostName, told: () => void): void {
    this.unsyncedLost.set(host, told);
  }

  shareGoneFor(host: HostName): Undo {
    return this.change(host, { hung: true });
  }

  /** The next `operation` that a keeper of `host` asks for, now running, has this fate; all others are as usual. */
  next(host: HostName, operation: Operation, fate: Fate): void {
    let isMet = false;
    for (const { client } of [...this.clients].filter((entry) => entry.host === host)) {
      const usual = client.fate;
      client.fate = (asked, path) => {
        if (isMet || asked !== operation) return usual(asked, path);
        isMet = true;
        return fate;
      };
    }
  }

  holderStalls(host: HostName, forMs: number, amount: number): Undo {
    return this.stalls(this.holder() ?? host, forMs, amount);
  }

  get syncWillFail(): boolean {
    return Object.values(this.images).some((image) => image.awaitsFailure('sync'));
  }

  letSyncs(): void {
    for (const image of Object.values(this.images)) image.forgetFailures('sync');
  }

  flipBit(host: HostName, where: number): void {
    const image = this.images[host];
    const files = image.paths().map((path) => ({ path, bytes: image.content(path).length }));
    let left = Math.floor(where * files.reduce((sum, { bytes }) => sum + bytes, 0));
    for (const { path, bytes } of files) {
      if (left < bytes) {
        this.world.transcript.line(host, `bit ${left % 8} of byte ${left} of ${path} turns`);
        image.flipBit(path, left, left % 8);
        return;
      }
      left -= bytes;
    }
  }

  makeUnreadable(host: HostName, which: number): void {
    const image = this.images[host];
    const kind = UNREADABLE[Math.floor(which * UNREADABLE.length)] ?? SEGMENTS_OR_SNAPSHOTS;
    const share = (which * UNREADABLE.length) % 1;
    // The newest ones, as many as are drawn; all of them in half of the cases.
    const paths = image.paths().filter((path) => SEGMENTS_OR_SNAPSHOTS.test(path));
    const ofKind = paths.filter((path) => kind.test(path));
    const files = ofKind.length > 0 ? ofKind : paths;
    const chosen = files.slice(share < 0.5 ? 0 : Math.floor((share - 0.5) * 2 * files.length));
    image.makeUnreadable(chosen);
    this.world.transcript.line(host, `cannot be read: ${chosen.join(', ')}`);
  }

  allReadable(host: HostName): void {
    this.images[host].allReadable();
  }

  get hasUnreadable(): boolean {
    return Object.values(this.images).some((image) => image.hasUnreadable);
  }

  remember(host: HostName): DiskImage {
    return this.images[host].copy();
  }

  putBack(host: HostName, image: DiskImage): void {
    this.images[host].becomes(image);
  }

  reach(): number {
    const records = [...this.shareProbe.records().values()];
    const highest = records.reduce<(typeof records)[number] | null>((best, record) => (best === null || record.term > best.term ? record : best), null);
    const file = `${LOCK_FILE}.watermark`;
    return highest === null || !this.share.tree.has(file) ? 0 : reachOf(highest, decodeWatermark(this.share.tree.read(file)));
  }

  wipe(host: HostName): void {
    this.images[host].wipe();
    this.mounts.wipe(host);
  }

  heal(): void {
    for (const host of ['primary', 'secondary'] as const) this.apply(host, noFaults());
    this.apply(null, noFaults());
    this.share.lockBroken = false;
    this.mounts.heal();
    for (const image of Object.values(this.images)) {
      image.capacityBytes = Infinity;
      image.slownessMs = 0;
      image.release();
      image.fileShortage = 0;
      image.allReadable();
    }
    this.letSyncs();
  }

  private shareActions(): Partial<Record<FaultKind, (ground: FaultGround, fault: Fault) => Undo | null>> {
    const faulty =
      (on: Partial<ShareFaults>) =>
      (_: FaultGround, { host, amount }: Fault): Undo =>
        this.change(amount < ALONE_CHANCE ? host : null, on);
    return {
      'share-slow': (_, { host, amount }) => {
        const high = SLOW_LATENCY_MS.low * (SLOW_LATENCY_MS.high / SLOW_LATENCY_MS.low) ** ((amount * 2) % 1);
        const always: Partial<ShareFaults> = { latencyMs: { low: high / 5, high } };
        const atTimes: Partial<ShareFaults> = { spikes: { chance: SPIKE_CHANCE, ms: high } };
        return this.change(amount < ALONE_CHANCE ? host : null, (amount * 4) % 1 < 0.5 ? always : atTimes);
      },
      'share-hung': faulty({ hung: true }),
      // For one server, about as long as a lease lasts: its renewal arrives when the other may take the lock for abandoned.
      'share-stalls': (_, { host, forMs, amount }) => this.stalls(host, forMs, amount),
      'share-gone': faulty({ gone: true }),
      'share-read-only': faulty({ readOnly: true }),
      'share-full': faulty({ full: true }),
      'share-replies-lost': (_, { host, amount }) => this.change(amount < ALONE_CHANCE ? host : null, { replyLost: 0.05 + 0.75 * ((amount * 2) % 1) }),
      'share-lists-stale': (_, { host, amount }) => this.change(amount < ALONE_CHANCE ? host : null, { staleMs: 200 * 100 ** amount }),
      'share-restarted': (_, { amount }) => {
        this.share.restart(amount < ALONE_CHANCE);
        this.shareProbe.changed();
        return this.change(null, { hung: true });
      },
      'share-replaced': () => {
        this.shareProbe.replaced();
        this.share.replace();
        this.shareProbe.changed();
        return null;
      },
      'disk-sync-fails': (_, { host, amount }) => {
        const [code, path] = FAILING_SYNCS[Math.floor(amount * FAILING_SYNCS.length)] ?? FAILING_SYNCS[0];
        this.images[host].failNext('sync', code, 1, path);
        return null;
      },
      'disk-full': (_, { host, amount }) => {
        const image = this.images[host];
        image.capacityBytes = image.usedBytes + FULL_DISK_LEFT_BYTES;
        if (amount < FOUND_OUT_LATE) image.failNext('syncOfWrite', 'ENOSPC', 1, 'journal/');
        return () => {
          image.capacityBytes = Infinity;
        };
      },
      'disk-slow': (_, { host, amount }) => {
        this.images[host].slownessMs = SLOWEST_DISK_MS ** amount;
        return () => {
          this.images[host].slownessMs = 0;
        };
      },
      // It answers nothing, and fails nothing either: a controller that resets, a dying disk, a network behind it that is away.
      'disk-hung': (_, { host }) => {
        this.images[host].hang();
        return () => this.images[host].release();
      },
      // A process that leaks them, the broker itself or another one of its user. What is open goes on.
      'no-files': (_, { host, amount }) => {
        const image = this.images[host];
        const { chance, low, high } = SHORT_AT_TIMES;
        image.fileShortage = amount < chance ? low + ((high - low) * amount) / chance : 1;
        return () => {
          image.fileShortage = 0;
        };
      },
      // Nothing acknowledged may be lost when everybody gets the lock (arbitration, section 1).
      'lock-broken': () => {
        this.share.lockBroken = true;
        return () => {
          this.share.lockBroken = false;
        };
      },
      'lock-stolen': () => {
        this.share.stealLock();
        return null;
      },
    };
  }

  /**
   * For as long as the fault says. Where the server holds the lock, from its next renewal on, until its heart has stood still for about as long as another waits:
   * then that renewal is on its way when the lock may be taken over.
   */
  private stalls(host: HostName, forMs: number, amount: number): Undo {
    const { world, stalenessMs } = this;
    let mend: Undo | null = null;
    let over = false;
    const once = (): void => {
      if (!over) mend?.();
      over = true;
    };
    const begin = (lastsMs: number): void => {
      if (over || mend !== null) return;
      mend = this.change(host, { hung: true });
      world.schedule(lastsMs, once);
    };
    const silentMs = stalenessMs * (STALL_OF_STALENESS.low + amount * (STALL_OF_STALENESS.high - STALL_OF_STALENESS.low));
    if (world.now - this.lastBeat(host) > stalenessMs) begin(forMs);
    else this.atNextBeat(host, () => begin(Math.max(1, this.lastBeat(host) + silentMs - world.now)));
    return once;
  }

  /** Whose heart has beaten last, if that is not long ago. */
  private holder(): HostName | null {
    const [first] = (['primary', 'secondary'] as const).filter((host) => this.world.now - this.lastBeat(host) < this.stalenessMs).sort((a, b) => this.lastBeat(b) - this.lastBeat(a));
    return first ?? null;
  }

  /** True time. */
  private lastBeat(host: HostName): number {
    return Math.max(-Infinity, ...[...this.share.beatAt].filter(([keeper]) => keeper.split('/')[0] === host).map(([, at]) => at));
  }

  /** When a keeper of `host`, now running, sends its next heartbeat. */
  private atNextBeat(host: HostName, action: () => void): void {
    for (const { client } of [...this.clients].filter((entry) => entry.host === host)) {
      const usual = client.fate;
      client.fate = (asked, path) => {
        if (asked === 'rewriteInPlace' && path.endsWith('.heartbeat')) {
          client.fate = usual;
          action();
        }
        return usual(asked, path);
      };
    }
  }

  /** Undone, what was changed is as usual. */
  private change(host: HostName | null, on: Partial<ShareFaults>): Undo {
    this.apply(host, on);
    const usual = host === null ? this.usual : noFaults();
    return () => this.apply(host, Object.fromEntries(Object.keys(on).map((key) => [key, usual[key as keyof ShareFaults]])));
  }

  private apply(host: HostName | null, faults: Partial<ShareFaults>): void {
    const targets = host === null ? [this.share.faults] : [this.hostFaults[host], ...[...this.clients].filter((entry) => entry.host === host).map(({ client }) => client.faults)];
    for (const target of targets) Object.assign(target, faults);
    if (faults.hung === false) this.share.release();
  }
}

/** Each habit in some of the seeds; a far share is so for every request. */
function drawHabits(random: Prng): Partial<ShareFaults> {
  const { replyLost, latencyMs, staleMs } = HABITS;
  const far = random.chance(HABIT_CHANCE) ? random.logBetween(latencyMs.low, latencyMs.high) : null;
  return {
    replyLost: random.chance(HABIT_CHANCE) ? random.logBetween(replyLost.low, replyLost.high) : 0,
    staleMs: random.chance(HABIT_CHANCE) ? random.logBetween(staleMs.low, staleMs.high) : 0,
    ...(far === null ? {} : { latencyMs: { low: far / 4, high: far } }),
  };
}
