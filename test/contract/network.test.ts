import { createPlainNetwork } from '../../src/adapters/network.js';
import { derivePairKey } from '../../src/adapters/secret.js';
import { createPskNetwork } from '../../src/adapters/tls-psk.js';
import type { Log } from '../../src/ports/log.js';
import { PLAIN_SHAPE, SimNetwork } from '../simulation/network.js';
import { World } from '../simulation/world.js';
import { FakeClock } from '../unit/support/fake-clock.js';
import { FakeNetwork } from '../unit/support/fake-network.js';
import { networkContract, type NetworkFixture } from './network.js';

const silent: Log = { write: () => undefined };
const IDLE_TURNS = 30;
const GIVE_UP_MS = 4000;

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const realTime: Pick<NetworkFixture, 'until' | 'idle' | 'close'> = {
  async until(condition) {
    const giveUpAt = performance.now() + GIVE_UP_MS;
    while (!condition()) {
      if (performance.now() > giveUpAt) throw new Error('never happened');
      await turn();
    }
  },
  async idle() {
    for (let i = 0; i < IDLE_TURNS; i += 1) await turn();
  },
  close: () => undefined,
};

networkContract('node, plain', async () => {
  const network = createPlainNetwork({ log: silent, loopbackOnly: true });
  return { ...realTime, near: network, far: network, address: { host: '127.0.0.1', port: 0 }, authenticated: false };
});

networkContract('node, TLS with a shared secret', async () => {
  const key = derivePairKey('0123456789abcdef0123456789abcdef');
  const network = (server: string): NetworkFixture['near'] => createPskNetwork({ key, cluster: 'orders', server, log: silent });
  return { ...realTime, near: network('primary'), far: network('secondary'), address: { host: '127.0.0.1', port: 0 }, authenticated: true };
});

for (const seed of [1, 2, 3]) {
  networkContract(`simulated, seed ${seed}`, async () => {
    const world = new World(seed);
    const net = new SimNetwork({ ...PLAIN_SHAPE, schedule: (delayMs, action) => world.schedule(delayMs, action), now: () => world.now, random: world.random });
    const near = net.attach('primary', (delayMs, action) => world.schedule(delayMs, action));
    const far = net.attach('secondary', (delayMs, action) => world.schedule(delayMs, action));
    return {
      near: near.network,
      far: far.network,
      address: { host: 'secondary', port: 0 },
      authenticated: true,
      async until(condition) {
        if (!(await world.run(world.now + 60_000, condition)) && !condition()) throw new Error(`never happened; violation: ${JSON.stringify(world.violation)}`);
      },
      async idle() {
        await world.run(world.now + 50);
      },
      close: () => expect(world.violation).toBeNull(),
    };
  });
}

networkContract('of a unit test', async () => {
  const clock = new FakeClock();
  const network = new FakeNetwork(clock);
  return {
    near: network,
    far: network,
    address: { host: 'anywhere', port: 0 },
    authenticated: false,
    async until(condition) {
      for (let ms = 0; !condition(); ms += 1) {
        if (ms > GIVE_UP_MS) throw new Error('never happened');
        await clock.advanceAsync(1);
      }
    },
    idle: () => clock.advanceAsync(50),
    close: () => undefined,
  };
});
