import { History } from './history.js';
import { SimHost } from './host.js';
import { PLAIN_SHAPE, SimNetwork } from './network.js';
import { SimProcess } from './process.js';
import { ToyBroker, type ToyFlaw } from './toy-broker.js';
import { Workload } from './workload.js';
import { World } from './world.js';

const PERFECT = { rate: 1, wallOffsetMs: 0 };

/** A minute of ordinary clients on one broker that never fails, but for its flaw. */
async function run(seed: number, flaw: ToyFlaw): Promise<{ world: World; history: History; workload: Workload; caughtUp: boolean }> {
  const world = new World(seed);
  const net = new SimNetwork({ ...PLAIN_SHAPE, schedule: (delayMs, action) => world.schedule(delayMs, action), now: () => world.now, random: world.random.fork('network') });
  const networkFor = (process: SimProcess) => net.attach(process.host.name, process.schedule).network;
  const server = new SimProcess(new SimHost(world, 'primary', PERFECT), 'broker', 1, world.random.fork('server'));
  new ToyBroker(networkFor(server), 1883, flaw);
  const history = new History(world);
  const servers = [
    { name: 'primary', endpoint: { host: 'primary', port: 1883 } },
    { name: 'secondary', endpoint: { host: 'secondary', port: 1884 } },
  ];
  const workload = new Workload(new SimHost(world, 'clients', PERFECT), networkFor, servers, world.random.fork('clients'), { everyMs: 100, busyEveryMs: 100, busyForMs: 1, incidentEveryMs: 2_000, long: null }, history);
  workload.start();
  await world.run(60_000);
  workload.finish();
  const caughtUp = await world.run(120_000, () => workload.caughtUp);
  return { world, history, workload, caughtUp };
}

describe('simulated clients', () => {
  it('publish, consume, fail over and catch up at a broker without a flaw', async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const { world, history, workload, caughtUp } = await run(seed, null);
      expect({ seed, violation: world.violation, lag: caughtUp ? '' : workload.lag() }).toEqual({ seed, violation: null, lag: '' });
      expect(history.figures.acked).toBeGreaterThan(150);
      expect(history.figures.delivered).toBeGreaterThan(300);
      expect(history.figures.connects).toBeGreaterThan(20);
    }
  });

  it('notice a QoS 2 message that comes twice', async () => {
    expect((await run(1, 'delivers-qos2-again')).world.violation?.check).toBe('QoS 2 exactly once');
  });

  it('notice a session that was forgotten', async () => {
    expect((await run(1, 'forgets-sessions')).world.violation?.check).toBe('session lost');
  });

  it('notice that messages changed places', async () => {
    expect((await run(1, 'swaps-messages')).world.violation?.check).toBe('order');
  });

  it('never have everything when one message in twenty is lost', async () => {
    const { caughtUp, workload } = await run(1, 'loses-one-in-twenty');
    expect(caughtUp).toBe(false);
    expect(workload.lag()).toMatch(/lacks \d+/);
  });
});
