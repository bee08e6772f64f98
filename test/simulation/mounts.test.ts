import { encodeText } from '../../src/core/wire/bytes.js';
import type { FaultGround } from './fault-actions.js';
import type { Fault } from './faults.js';
import { SimHost } from './host.js';
import { Moments } from './moments.js';
import { Mounts, type MountedClient } from './mounts.js';
import { SimProcess } from './process.js';
import { SimShare } from './share.js';
import { Storage } from './storage.js';
import { World } from './world.js';

const FORS_MS = 5_000;
const LATER_MS = 50;
const fault = (amount: number): Fault => ({ kind: 'mount-gone', atMs: 0, forMs: FORS_MS, host: 'primary', amount, moment: null, hitsMover: false, lagMs: 0 });

class Ground {
  readonly world = new World(1);
  readonly hosts = { primary: new SimHost(this.world, 'primary', { rate: 1, wallOffsetMs: 0 }), secondary: new SimHost(this.world, 'secondary', { rate: 1, wallOffsetMs: 0 }) };
  readonly mounts = new Mounts(this.world, this.hosts);
  private readonly share = new SimShare({ schedule: (ms, action) => this.world.schedule(ms, action), now: () => this.world.now, fraction: () => 0.5 });
  private pid = 0;

  client(name: 'primary' | 'secondary'): MountedClient {
    const process = new SimProcess(this.hosts[name], 'keeper', (this.pid += 1), this.world.random.fork(`${this.pid}`));
    return this.mounts.client(name, this.share.client(process.unique, process.schedule), this.mounts.folders[name].client(process.unique, process.schedule));
  }

  lose(amount: number): () => void {
    return this.mounts.actions['mount-gone']?.({} as FaultGround, fault(amount)) ?? (() => undefined);
  }

  async done<Value>(asked: Promise<Value>): Promise<Value | string> {
    const answer = asked.catch((error: unknown) => (error as { code: string }).code);
    await this.world.run(this.world.now + LATER_MS);
    return answer;
  }
}

describe('a mount that is gone', () => {
  const ONE = encodeText('one');

  it('leaves an empty folder of this host alone, in which things stay; mounted again, the share is as it was', async () => {
    const ground = new Ground();
    const [ours, theirs] = [ground.client('primary'), ground.client('secondary')];
    await ground.done(ours.files.createSynced('a', ONE));
    const mend = ground.lose(0);
    expect(await ground.done(ours.files.list('.'))).toEqual([]);
    expect(await ground.done(theirs.files.list('.'))).toEqual(['a']);
    await ground.done(ours.files.createSynced('b', ONE));
    mend();
    expect(await ground.done(ours.files.list('.'))).toEqual(['a']);
    ground.lose(0);
    expect(await ground.done(ground.client('primary').files.list('.'))).toEqual(['b']);
  });

  it('is told where the system tells it: a disk of this machine lies there', async () => {
    const [shared, local] = [new Ground().client('primary'), new Ground()];
    local.lose(0);
    const reports = [await shared.mount.inspect(), await local.client('primary').mount.inspect()];
    expect(reports.map((report) => report?.isNetwork ?? null)).toEqual([true, false]);
  });

  it('lets each host have a lock of its own, which is not that of the share', async () => {
    const ground = new Ground();
    const [ours, theirs] = [ground.client('primary'), ground.client('secondary')];
    expect(await ground.done(ours.lock.acquire(() => false))).toBe('taken');
    const mend = ground.lose(0);
    expect(await ground.done(ours.lock.stillOurs())).toBe(false);
    expect(await ground.done(ours.lock.acquire(() => false))).toBe('taken');
    expect([ours.lockIsShared, theirs.lockIsShared]).toEqual([false, true]);
    mend();
    expect(await ground.done(theirs.lock.acquire(() => false))).toBe('held');
    // What a process took before it took another one is none that it knows as its own.
    expect(await ground.done(ours.lock.stillOurs())).toBe(false);
  });

  it('is that of one host or of both, which come back one after the other', async () => {
    const ground = new Ground();
    const mounted = (): boolean[] => [ground.mounts.isMounted('primary'), ground.mounts.isMounted('secondary')];
    ground.lose(0.1)();
    expect(mounted()).toEqual([true, true]);
    const mend = ground.lose(0.7);
    expect(mounted()).toEqual([false, false]);
    await ground.world.run(ground.world.now + FORS_MS - 1);
    expect(mounted()).toEqual([true, false]);
    mend();
    expect(mounted()).toEqual([true, true]);
  });

  it('stays gone while any fault keeps it so, until everything is mended', () => {
    const ground = new Ground();
    const mend = ground.lose(0);
    ground.lose(0);
    mend();
    expect(ground.mounts.isMounted('primary')).toBe(false);
    ground.mounts.heal();
    expect(ground.mounts.isMounted('primary')).toBe(true);
  });

  it('has its folder wiped with the disk', async () => {
    const ground = new Ground();
    ground.lose(0);
    const ours = ground.client('primary');
    await ground.done(ours.files.createSynced('b', ONE));
    ground.mounts.wipe('primary');
    expect(await ground.done(ours.files.list('.'))).toEqual([]);
  });
});

it('a keeper reaches the share through the mount of its host', async () => {
  const world = new World(1);
  const host = (name: string): SimHost => new SimHost(world, name, { rate: 1, wallOffsetMs: 0 });
  const hosts = { primary: host('primary'), secondary: host('secondary') };
  const storage = new Storage(world, hosts, new Moments(), 2_500);
  const client = storage.shareFor(new SimProcess(hosts.primary, 'keeper', 1, world.random.fork('keeper')));
  storage.actions['mount-gone']?.({} as FaultGround, fault(0));
  void client.files.makeFolder('pair.lck.terms');
  await world.run(1_000);
  expect(storage.shareProbe.version).toBe(0);
  storage.heal();
  const names = client.files.list('.');
  await world.run(10_000);
  await expect(names).resolves.toEqual([]);
});
