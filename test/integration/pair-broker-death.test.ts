import { pairTest } from './support/pair.js';

describe('the broker process dies', () => {
  pairTest('on the ACTIVE server: the other takes over, and it returns as the PASSIVE one', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    const pid = active.send('broker', 'SIGKILL');
    await passive.reachesState('STANDALONE', 'ACTIVE_SYNC', 'ACTIVE');
    await traffic.flows();
    const now = await pair.inStep();
    expect(now.active).toBe(passive);
    const status = await active.reaches('a new broker', ({ broker }) => broker !== null && broker.pid !== pid);
    expect(status.broker?.crashes).toBe(1);
    expect(status.history.map(({ reason }) => reason)).toContain('own broker died');
    await passive.says(`${active.role === 'primary' ? 'Primary' : 'Secondary'} Server switched to WAITING`);
    await traffic.settle();
  });

  pairTest('on the PASSIVE server: the other serves alone, and takes it back', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    const before = active.console.length;
    passive.send('broker', 'SIGKILL');
    await active.says(/switched to STANDALONE/, before);
    await traffic.flows();
    const now = await pair.inStep();
    expect(now.active).toBe(active);
    await traffic.settle();
  });

  pairTest('on a STANDALONE server without a peer: it resumes by itself', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    await passive.killWhole();
    const { term } = await active.reachesState('STANDALONE');
    await traffic.flows();
    const pid = active.send('broker', 'SIGKILL');
    const again = await active.reaches('STANDALONE with a new broker', ({ state, broker }) => state === 'STANDALONE' && broker !== null && broker.pid !== pid);
    expect(again.term).toBeGreaterThan(term);
    await traffic.flows();
    await traffic.settle();
  });
});

describe('the broker process dies again and again', () => {
  const rounds = process.env['LOCKSTEP_LONG'] === '1' ? 20 : 3;
  pairTest(`on whichever server serves, ${rounds} times (3; with LOCKSTEP_LONG=1: 20)`, async (pair) => {
    await pair.start();
    const traffic = await pair.traffic();
    for (let round = 0; round < rounds; round += 1) {
      const { active, passive } = await pair.inStep();
      active.send('broker', 'SIGKILL');
      await passive.reachesState('STANDALONE', 'ACTIVE_SYNC', 'ACTIVE');
      await traffic.flows();
    }
    await pair.inStep();
    await traffic.settle();
  });
});

describe('the broker process hangs', () => {
  pairTest('on the ACTIVE server: its manager kills it, and the other takes over', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    const pid = active.send('broker', 'SIGSTOP');
    await active.says('The broker gave no answer for');
    await passive.reachesState('STANDALONE', 'ACTIVE_SYNC', 'ACTIVE');
    await traffic.flows();
    await pair.inStep();
    expect(active.pid('broker')).not.toBe(pid);
    await traffic.settle();
  });

  pairTest('on the PASSIVE server: it is dropped, killed and taken back', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    const before = active.console.length;
    passive.send('broker', 'SIGSTOP');
    await active.says(/switched to STANDALONE/, before);
    await traffic.flows();
    await passive.says('The broker gave no answer for');
    const now = await pair.inStep();
    expect(now.active).toBe(active);
    await traffic.settle();
  });
});
