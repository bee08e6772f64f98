import { pairTest, type Pair } from './support/pair.js';
import type { TestServer } from './support/server.js';
import type { Traffic } from './support/traffic.js';

describe('one server is stopped and started again', () => {
  pairTest('the ACTIVE one: it hands over, and comes back as the PASSIVE one', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    await active.stop();
    expect(active.exit).toBe(0);
    await traffic.flows();
    await passive.reachesState('STANDALONE');
    active.start();
    await active.reachesState('PASSIVE');
    await passive.reachesState('ACTIVE');
    await traffic.settle();
  });

  pairTest('the PASSIVE one: the other serves alone meanwhile', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    await passive.stop();
    await active.reachesState('STANDALONE');
    await traffic.flows();
    passive.start();
    const now = await pair.inStep();
    expect(now.active).toBe(active);
    await traffic.settle();
  });
});

/** Messages that wait in the session of a consumer that is away. */
async function queue(pair: Pair): Promise<Traffic> {
  const traffic = await pair.traffic();
  await traffic.consumer.leave();
  await traffic.flows(50);
  return traffic;
}

async function allCome(traffic: Traffic): Promise<void> {
  await traffic.consumer.open();
  await traffic.settle();
}

describe('both servers are stopped and started again, with messages waiting', () => {
  pairTest('first the last one to serve: it serves again', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await queue(pair);
    await passive.stop();
    await active.reachesState('STANDALONE');
    await traffic.flows();
    await active.stop();
    active.start();
    passive.start();
    const now = await pair.inStep();
    expect(now.active).toBe(active);
    await allCome(traffic);
  });

  pairTest('first the stale one: it waits, says for whom, and serves only what the other gives it', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await queue(pair);
    await passive.stop();
    await active.reachesState('STANDALONE');
    await traffic.flows();
    await active.stop();
    passive.start();
    const alone = await passive.reaches('alone, and may not serve', (status) => status.reason.includes('may not serve') && status.reason.includes('newer data'));
    expect(alone.reason).toContain(`the newer data is on ${active.role}`);
    expect(alone.advice).toContain(`start the ${active.role} server`);
    active.start();
    const now = await pair.inStep();
    expect(now.active).toBe(active);
    await allCome(traffic);
  });

  for (const order of ['the ACTIVE one first', 'the PASSIVE one first', 'at once'] as const) {
    pairTest(`both killed, started ${order}`, async (pair) => {
      const { active, passive } = await pair.start();
      const traffic = await queue(pair);
      await Promise.all(pair.servers.map((server) => server.killWhole()));
      const [first, second]: readonly [TestServer, TestServer] = order === 'the PASSIVE one first' ? [passive, active] : [active, passive];
      first.start();
      if (order !== 'at once') await first.reaches('its broker runs', (status) => status.journal !== null);
      second.start();
      await pair.inStep();
      await allCome(traffic);
    });
  }
});
