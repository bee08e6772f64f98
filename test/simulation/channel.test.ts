import { SimSpawner } from './channel.js';
import { SimHost } from './host.js';
import { SimProcess } from './process.js';
import { World } from './world.js';

interface Toy {
  readonly world: World;
  readonly parent: SimProcess;
  readonly children: SimProcess[];
  readonly log: string[];
  readonly spawner: SimSpawner<number, number>;
}

/** A child that answers each number with its double. */
function toy(seed: number): Toy {
  const world = new World(seed);
  const host = new SimHost(world, 'primary', { rate: 1, wallOffsetMs: 0 });
  let pid = 1;
  const parent = new SimProcess(host, 'manager', pid, world.random.fork('manager'));
  const children: SimProcess[] = [];
  const log: string[] = [];
  const spawner = new SimSpawner<number, number>(parent, 'broker', () => (pid += 1), (process, up) => {
    children.push(process);
    up.handle({ message: (n) => up.send(n * 2), closed: (reason) => log.push(`child: ${reason}`) });
  }, { down: Number, up: Number });
  return { world, parent, children, log, spawner };
}

function start(it: Toy): ReturnType<Toy['spawner']['start']> {
  const child = it.spawner.start();
  child.handle({ message: (n) => it.log.push(`got ${n}`), closed: (reason) => it.log.push(`closed: ${reason}`) });
  return child;
}

describe('SimSpawner', () => {
  it('carries messages both ways in order, also those sent before the child listens', async () => {
    const it = toy(1);
    const child = start(it);
    for (const n of [1, 2, 3]) child.send(n);
    await it.world.run(200);
    expect(it.log).toEqual(['got 2', 'got 4', 'got 6']);
  });

  it('tells the parent once when the child was killed, after what the child had sent', async () => {
    const it = toy(2);
    const child = start(it);
    child.send(5);
    it.world.schedule(200, () => child.kill());
    await it.world.run(300);
    child.send(6);
    await it.world.run(400);
    expect(it.log).toEqual(['got 10', 'closed: SIGKILL']);
    expect(it.children[0]?.alive).toBe(false);
  });

  it('tells the children of a killed parent, and they end by themselves shortly after', async () => {
    const it = toy(3);
    start(it);
    it.world.schedule(200, () => it.parent.end('killed'));
    await it.world.run(4_000);
    expect(it.log).toEqual(['child: parent gone: killed']);
    expect(it.children[0]?.alive).toBe(false);
  });

  it('lets a paused orphan go on until it is resumed', async () => {
    const it = toy(4);
    start(it);
    it.world.schedule(150, () => it.children[0]?.pause());
    it.world.schedule(200, () => it.parent.end('killed'));
    await it.world.run(10_000);
    expect(it.children[0]?.alive).toBe(true);
    it.children[0]?.resume();
    await it.world.run(14_000);
    expect(it.children[0]?.alive).toBe(false);
  });

  it('is the same for the same seed', async () => {
    const hashes: string[] = [];
    for (const seed of [9, 9, 10]) {
      const it = toy(seed);
      const child = start(it);
      for (let i = 0; i < 50; i += 1) it.parent.clock.after(i * 7, () => child.send(i));
      await it.world.run(1_000);
      hashes.push(it.world.transcript.hash);
    }
    expect(hashes[0]).toBe(hashes[1]);
    expect(hashes[0]).not.toBe(hashes[2]);
  });
});
