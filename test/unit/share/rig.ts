import type { KeeperOrder, KeeperStatus, KeeperToManager, ManagerToKeeper } from '../../../src/core/control/keeper.js';
import type { JournalId, Position, RunId, ServerId, Term } from '../../../src/core/identity.js';
import type { TermRecord } from '../../../src/core/terms/record.js';
import type { MountReport } from '../../../src/ports/mount.js';
import type { Random } from '../../../src/ports/random.js';
import { ShareKeeper } from '../../../src/share/keeper.js';
import type { KeeperConfig } from '../../../src/share/config.js';
import { MountedClient } from '../../simulation/mounts.js';
import { Prng } from '../../simulation/prng.js';
import { SimShare, type SimShareClient, type SimShareOptions } from '../../simulation/share.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';

export const LOCK_FILE = 'pair.lck';
export const ACTIVE_MS = 1000;
export const PASSIVE_MS = 2500;
const PULSE_MS = 250;

/** A record as a test needs one. */
export function record(term: number, nonce: string, words: Partial<TermRecord> = {}): TermRecord {
  return {
    schema: 1,
    term: term as Term,
    server: 'primary' as ServerId,
    inSync: [{ server: 'primary' as ServerId, journal: 'j1' as JournalId }],
    position: 7 as Position,
    cause: 'alone',
    at: '2026-01-01T00:00:00.000Z',
    nonce,
    ...words,
  };
}

/** As another server claims it. */
export function others(term: number, nonce: string): TermRecord {
  return record(term, nonce, { server: 'secondary' as ServerId, inSync: [{ server: 'secondary' as ServerId, journal: 'j2' as JournalId }] });
}

/** One share in virtual time. */
export class Rig {
  readonly clock = new FakeClock();
  readonly random = new Prng(11);
  readonly share: SimShare;

  constructor(options: Partial<SimShareOptions> = {}) {
    const random = this.random.fork('share');
    this.share = new SimShare({ schedule: (ms, run) => this.clock.after(ms, run), now: () => this.clock.monotonic(), fraction: () => random.fraction(), ...options });
  }

  keeper(server: string, words: Partial<KeeperConfig> = {}, clock: FakeClock = this.clock): RigKeeper {
    return new RigKeeper(this, server, words, clock);
  }

  /** Lets so much time pass. In small steps, since every operation is an event of its own. */
  async pass(ms: number): Promise<void> {
    const until = this.clock.monotonic() + ms;
    while (this.clock.monotonic() < until) {
      await drain();
      const next = Math.min(this.clock.nextInMs ?? ms, until - this.clock.monotonic());
      this.clock.advance(Math.max(0, next));
    }
    await drain();
  }

  /** A record that stands on the share, as if it had always been there. */
  plant(term: number, bytes: Uint8Array): void {
    if (!this.share.tree.has(`${LOCK_FILE}.terms`)) this.share.tree.makeFolder(`${LOCK_FILE}.terms`);
    this.share.tree.write(`${LOCK_FILE}.terms/${String(term).padStart(10, '0')}.json`, bytes, false);
    this.share.tree.syncFolder(`${LOCK_FILE}.terms`);
  }

  /** The same on a share without links. */
  plantFolder(term: number, bytes: Uint8Array): void {
    const folder = `${LOCK_FILE}.terms/${String(term).padStart(10, '0')}`;
    this.share.tree.makeFolder(folder);
    this.share.tree.write(`${folder}/record.json`, bytes, false);
  }
}

/** Every promise that can go on without time goes on. */
function drain(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A keeper and the manager that orders it. */
export class RigKeeper {
  readonly log = new FakeLog();
  readonly client: SimShareClient;
  readonly statuses: KeeperStatus[] = [];
  /** False: what it reaches is a folder of its own host, below the mount point. */
  mounted = true;
  mountReport: MountReport | null = null;
  mountHangs = false;
  endedBecause: string | null = null;
  /** Told of each status, as the manager is. */
  onStatus: (status: KeeperStatus) => void = () => undefined;
  private seq = 0;
  private wish: Omit<KeeperOrder, 'seq' | 'pulseAt'> = { wantLock: false, peerReleasedLock: false, claim: null, kept: null, watermark: null, shareId: null, wasNetwork: false, shutdown: false };
  private handlers: { message(message: ManagerToKeeper): void; closed(reason: string): void } | null = null;
  private pulsing = true;

  constructor(rig: Rig, server: string, words: Partial<KeeperConfig>, private readonly clock: FakeClock) {
    const random: Random = rig.random.fork(`${server} ${String(clock.monotonic())}`);
    const reply = (ms: number, run: () => void) => clock.after(ms, run);
    this.client = rig.share.client(server, reply);
    const below = new SimShare({ ...rig.share.options, device: server });
    const reached = new MountedClient(this.client, below.client(server, reply), () => this.mounted, true);
    const config: KeeperConfig = {
      server: server as ServerId,
      cluster: 'test',
      user: 'uid 1000',
      lockFile: `/share/${LOCK_FILE}`,
      pingIntervalMs: 500,
      activeLockIntervalMs: ACTIVE_MS,
      passiveLockIntervalMs: PASSIVE_MS,
      operationDeadlineMs: 2000,
      pulseLimitMs: 1500,
      ...words,
    };
    const keeper = new ShareKeeper({
      config,
      lockFileName: LOCK_FILE,
      run: random.id() as RunId,
      files: reached.files,
      lock: reached.lock,
      mount: { inspect: () => (this.mountHangs ? new Promise(() => undefined) : Promise.resolve(this.mountReport)) },
      clock,
      random,
      log: this.log,
      channel: { send: (message: KeeperToManager) => this.heard(message), handle: (handlers) => (this.handlers = handlers) },
      ended: (reason) => {
        this.endedBecause = reason;
        this.pulsing = false;
      },
    });
    keeper.start();
  }

  /** The manager wants this from now on, and says so at every pulse. */
  order(words: Partial<Omit<KeeperOrder, 'seq' | 'pulseAt'>>): void {
    const first = this.seq === 0;
    this.wish = { ...this.wish, ...words };
    this.say();
    if (first) this.beat();
  }

  /** The manager is frozen: no pulse. */
  freezeManager(): void {
    this.pulsing = false;
  }

  orphan(): void {
    this.pulsing = false;
    this.handlers?.closed('the parent process is gone');
  }

  get status(): KeeperStatus {
    const last = this.statuses.at(-1);
    if (last === undefined) throw new Error('the keeper has said nothing yet');
    return last;
  }

  /** Outcomes in the order in which they were told, repetitions left out. */
  get outcomes(): string[] {
    const kinds = this.statuses.flatMap((status) => (status.claim === null ? [] : [status.claim.kind]));
    return kinds.filter((kind, index) => kind !== kinds[index - 1]);
  }

  private heard(message: KeeperToManager): void {
    if (message.kind !== 'status') return;
    this.statuses.push(message.status);
    this.onStatus(message.status);
  }

  private beat(): void {
    this.clock.after(PULSE_MS, () => {
      if (!this.pulsing) return;
      this.say();
      this.beat();
    });
  }

  private say(): void {
    this.seq += 1;
    this.handlers?.message({ kind: 'order', order: { ...this.wish, seq: this.seq, pulseAt: this.clock.monotonic() } });
  }
}
