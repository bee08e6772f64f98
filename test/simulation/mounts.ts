import type { MountInspector, MountReport } from '../../src/ports/mount.js';
import type { LockAnswer, LockPrimitive, ShareFiles } from '../../src/ports/share.js';
import type { FaultGround } from './fault-actions.js';
import type { Fault, FaultKind, HostName } from './faults.js';
import type { SimHost } from './host.js';
import { noFaults, SimShare, type SimShareClient } from './share.js';
import type { World } from './world.js';

type Undo = () => void;

const other = (name: HostName): HostName => (name === 'primary' ? 'secondary' : 'primary');

/** So often a seed's hosts say how the share is mounted; other systems do not. */
const TELLS_CHANCE = 0.8;
const LOCAL_LATENCY_MS = { low: 0.02, high: 0.5 };
/** So often only one of the two mounts is gone; it is not there after a boot. */
const ALONE_CHANCE = { gone: 0.4, booted: 0.3 };
/** A host that boots is up again after this, and long before it has its mount. */
const BOOT_MS = { low: 800, high: 6_000 };

const MOUNTED: MountReport = { fsType: 'nfs4', source: 'gateway:/export', mountPoint: '/mnt/share', isNetwork: true, verdict: 'good', findings: [] };
const UNMOUNTED: MountReport = { fsType: 'ext4', source: '/dev/vda1', mountPoint: '/', isNetwork: false, verdict: 'warn', findings: ['It is on a local file system (ext4).'] };

/**
 * Each host's mount of the share. While it is gone, what stands at its place is a folder of that host's own disk, which nobody else sees. What is left
 * in it stays, and is there again the next time; the share is untouched meanwhile.
 */
export class Mounts {
  readonly actions: Readonly<Partial<Record<FaultKind, (ground: FaultGround, fault: Fault) => Undo>>>;
  /** What lies below the mount point of each host. */
  readonly folders: Readonly<Record<HostName, SimShare>>;
  /** How many faults keep each host without its mount. */
  private gone: Record<HostName, number> = { primary: 0, secondary: 0 };
  /** The hosts say how the share is mounted; where they do not, a mount that is gone looks like another share. */
  readonly tells: boolean;

  constructor(
    private readonly world: World,
    hosts: Readonly<Record<HostName, SimHost>>,
  ) {
    const random = world.random.fork('mounts');
    this.tells = random.chance(TELLS_CHANCE);
    const folder = (name: HostName): SimShare => {
      const fractions = random.fork(name);
      const made = new SimShare({ schedule: (delayMs, action) => world.schedule(delayMs, action), now: () => world.now, fraction: () => fractions.fraction(), device: name, notesRequests: false });
      Object.assign(made.faults, { ...noFaults(), latencyMs: LOCAL_LATENCY_MS });
      hosts[name].onPower.push((on) => {
        if (!on) made.restart();
      });
      return made;
    };
    this.folders = { primary: folder('primary'), secondary: folder('secondary') };
    this.actions = {
      'mount-gone': (_, fault) => this.lose(fault, ALONE_CHANCE.gone, () => () => undefined),
      // Whoever boots while the host of the share is away comes up without it, and may start all the same.
      'booted-without-mount': (ground, fault) => this.lose(fault, ALONE_CHANCE.booted, (name) => this.boots(ground, name, fault)),
    };
  }

  isMounted(host: HostName): boolean {
    return this.gone[host] === 0;
  }

  /**
   * When a keeper last wrote a heartbeat to its host's folder, true time. Where the mount went between its look at its lock and that heartbeat, it takes that for shown; at the
   * next renewal it finds its lock gone.
   */
  beatAt(keeper: string): number | null {
    const beats = Object.values(this.folders).map(({ beatAt }) => beatAt.get(keeper) ?? -Infinity);
    const last = Math.max(...beats);
    return last === -Infinity ? null : last;
  }

  /** The disk of `host` was replaced by an empty one. */
  wipe(host: HostName): void {
    this.folders[host].replace();
  }

  heal(): void {
    this.gone = { primary: 0, secondary: 0 };
  }

  /** As a process of `host` reaches what it takes for the share, which is `shared` where that is mounted. */
  client(host: HostName, shared: SimShareClient, local: SimShareClient): MountedClient {
    return new MountedClient(shared, local, () => this.isMounted(host), this.tells);
  }

  /** Both mounts, or that of one host. Those of both come back one after the other. `too`: what happens to each host beside it, and how that is undone. */
  private lose({ host, amount, forMs }: Fault, aloneChance: number, too: (name: HostName) => Undo): Undo {
    const names = amount < aloneChance ? [host] : [host, other(host)];
    const undos = names.map((name) => {
      this.change(name, 1);
      const undo = too(name);
      let over = false;
      return () => {
        if (over) return;
        over = true;
        this.change(name, -1);
        undo();
      };
    });
    const [first] = undos;
    if (names.length > 1 && first !== undefined) this.world.schedule(forMs * ((amount - aloneChance) / (1 - aloneChance)), first);
    return () => {
      for (const undo of undos) undo();
    };
  }

  private boots(ground: FaultGround, name: HostName, { amount, forMs }: Fault): Undo {
    const server = ground.server(name);
    server.host.powerOff();
    const up = (): void => {
      server.host.powerOn();
      server.start();
    };
    this.world.schedule(Math.min(forMs / 2, BOOT_MS.low + (BOOT_MS.high - BOOT_MS.low) * amount), up);
    return up;
  }

  private change(host: HostName, by: number): void {
    const before = this.isMounted(host);
    this.gone[host] = Math.max(0, this.gone[host] + by);
    if (before !== this.isMounted(host)) this.world.transcript.line(host, before ? 'has no mount of the share' : 'has the share mounted again');
  }
}

/** A path of one process, behind which is the share or the host's own folder, as it comes. What is under way goes on where it was asked for. */
export class MountedClient {
  readonly files: ShareFiles;
  readonly lock: LockPrimitive;
  readonly mount: MountInspector;
  private lockedAt: SimShareClient | null = null;

  constructor(
    private readonly shared: SimShareClient,
    private readonly local: SimShareClient,
    private readonly isMounted: () => boolean,
    tells: boolean,
  ) {
    this.files = {
      read: (path) => this.here.files.read(path),
      list: (path) => this.here.files.list(path),
      checkWritable: (path) => this.here.files.checkWritable(path),
      identity: (path) => this.here.files.identity(path),
      createSynced: (path, bytes) => this.here.files.createSynced(path, bytes),
      rewriteInPlace: (path, bytes) => this.here.files.rewriteInPlace(path, bytes),
      link: (from, to) => this.here.files.link(from, to),
      rename: (from, to) => this.here.files.rename(from, to),
      makeFolder: (path) => this.here.files.makeFolder(path),
      removeFile: (path) => this.here.files.removeFile(path),
      removeFolder: (path) => this.here.files.removeFolder(path),
      syncFolder: (path) => this.here.files.syncFolder(path),
    };
    this.lock = {
      standing: () => this.here.lock.standing(),
      stillOurs: () => this.here.lock.stillOurs(),
      acquire: (mayTakeOver) => this.acquire(mayTakeOver),
      release: () => {
        this.there.forgetLock();
        return this.here.lock.release();
      },
    };
    this.mount = { inspect: () => Promise.resolve(tells ? (isMounted() ? MOUNTED : UNMOUNTED) : null) };
  }

  /** The lock that this process took last, or may have taken, stands on the share, where the other server meets it. */
  get lockIsShared(): boolean {
    return this.lockedAt !== this.local;
  }

  /** There is one lock of which a process remembers that it is its own. */
  private async acquire(mayTakeOver: (standing: string) => boolean): Promise<LockAnswer> {
    const { here } = this;
    this.there.forgetLock();
    const answer = await here.lock.acquire(mayTakeOver);
    if (answer !== 'held') this.lockedAt = here;
    return answer;
  }

  private get here(): SimShareClient {
    return this.isMounted() ? this.shared : this.local;
  }

  private get there(): SimShareClient {
    return this.isMounted() ? this.local : this.shared;
  }
}
