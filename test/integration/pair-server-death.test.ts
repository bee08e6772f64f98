import { pairTest } from './support/pair.js';
import { stays, until } from './support/until.js';

/** What a manager gives its broker to answer, as these profiles have it. */
const BROKER_ANSWER_MS = 3_000;

describe('a whole server is lost', () => {
  pairTest('the ACTIVE one: the other takes over; started again, it follows', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    await active.killWhole();
    const status = await passive.reachesState('STANDALONE');
    expect(status.peer.state).toBe('DEAD');
    await passive.says(/Server switched to DEAD/);
    await traffic.flows();
    active.start();
    const now = await pair.inStep();
    expect(now.active).toBe(passive);
    await traffic.settle();
  });

  pairTest('the PASSIVE one: the other goes on alone; started again, it follows', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    await passive.killWhole();
    await active.reachesState('STANDALONE');
    await traffic.flows();
    passive.start();
    const now = await pair.inStep();
    expect(now.active).toBe(active);
    await traffic.settle();
  });

  const rounds = process.env['LOCKSTEP_LONG'] === '1' ? 12 : 2;
  pairTest(`the serving one, ${rounds} times in turn (2; with LOCKSTEP_LONG=1: 12)`, async (pair) => {
    await pair.start();
    const traffic = await pair.traffic();
    for (let round = 0; round < rounds; round += 1) {
      const { active, passive } = await pair.inStep();
      await active.killWhole();
      await passive.reachesState('STANDALONE');
      await traffic.flows();
      active.start();
    }
    await pair.inStep();
    await traffic.settle();
  });
});

describe('the manager process alone is lost', () => {
  pairTest('on the ACTIVE server: its children end by themselves, and the other takes over', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    active.send('manager', 'SIGKILL');
    await active.gone();
    await passive.reachesState('STANDALONE');
    await traffic.flows();
    active.start();
    const now = await pair.inStep();
    expect(now.active).toBe(passive);
    await traffic.settle();
  });

  pairTest('on the PASSIVE server: its children end by themselves, and the other goes on', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    passive.send('manager', 'SIGKILL');
    await passive.gone();
    await active.reachesState('STANDALONE');
    await traffic.flows();
    await traffic.settle();
  });
});

describe('the manager process is paused for longer than the lock is good for', () => {
  pairTest('on the ACTIVE server: it comes back without authority, and nothing that its broker acknowledged is lost', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    // A client that knows only this server shows what its broker still answers.
    traffic.add('pinned', [active.address]);
    await traffic.flows();
    active.send('manager', 'SIGSTOP');
    await passive.reachesState('STANDALONE');
    const before = active.console.length;
    active.send('manager', 'SIGCONT');
    await active.says(/switched to WAITING/, before);
    const now = await pair.inStep();
    expect(now.active).toBe(passive);
    const status = await active.status();
    expect(status?.history.map(({ to }) => to).slice(-3)).toEqual(['WAITING', 'PASSIVE_SYNC', 'PASSIVE']);
    await traffic.flows();
    // The pinned client's last messages wait until that server serves again.
    await pair.switchOver(now.active);
    await traffic.settle();
  });

  pairTest('on the ACTIVE server: clients move to the other while it is still paused', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    active.send('manager', 'SIGSTOP');
    await passive.reachesState('STANDALONE');
    await traffic.flows();
    active.send('manager', 'SIGCONT');
    await pair.inStep();
    await traffic.settle();
  });

  pairTest('on the PASSIVE server: it is dropped, and taken back', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    passive.send('manager', 'SIGSTOP');
    await active.reachesState('STANDALONE');
    await traffic.flows();
    passive.send('manager', 'SIGCONT');
    const now = await pair.inStep();
    expect(now.active).toBe(active);
    await traffic.settle();
  });
});

describe('a whole server is paused for longer than the lock is good for', () => {
  pairTest('the ACTIVE one: all of it comes back without authority', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    const parts = ['manager', 'keeper', 'broker'] as const;
    const pids = parts.map((part) => active.send(part, 'SIGSTOP'));
    await passive.reachesState('STANDALONE');
    await traffic.flows();
    await stays('away for longer than the manager gives a child to answer', () => true, BROKER_ANSWER_MS);
    const before = active.console.length;
    for (const part of parts) active.send(part, 'SIGCONT');
    await active.says(/switched to WAITING/, before);
    const now = await pair.inStep();
    expect(now.active).toBe(passive);
    // It was its manager that was away: no child is to be killed for it.
    expect(parts.map((part) => active.pid(part))).toEqual(pids);
    await traffic.settle();
  });
});

describe('the share keeper process', () => {
  pairTest('killed on the ACTIVE server: it goes on serving, and takes the lock again', async (pair) => {
    const { active } = await pair.start();
    const traffic = await pair.traffic();
    const moves = (await active.status())?.history.length;
    const pid = active.send('keeper', 'SIGKILL');
    await active.reaches('the lock again, by another keeper', ({ lock }) => lock.held && active.pid('keeper') !== pid && active.pid('keeper') !== null);
    expect((await active.status())?.history.length).toBe(moves);
    await traffic.flows();
    await traffic.settle();
  });

  pairTest('stopped on the ACTIVE server: its manager kills it and starts another; serving goes on', async (pair) => {
    const { active } = await pair.start();
    const traffic = await pair.traffic();
    const moves = (await active.status())?.history.length;
    const pid = active.send('keeper', 'SIGSTOP');
    await active.says('The share keeper gave no answer');
    await active.reaches('the lock again, by another keeper', ({ lock }) => lock.held && active.pid('keeper') !== pid);
    expect((await active.status())?.history.length).toBe(moves);
    await traffic.flows();
    await traffic.settle();
  });

  pairTest('killed on a STANDALONE server: it serves again as soon as it has the lock', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    await passive.killWhole();
    await active.reachesState('STANDALONE');
    const pid = active.send('keeper', 'SIGKILL');
    await active.reaches('STANDALONE with another keeper', ({ state, lock }) => state === 'STANDALONE' && lock.held && active.pid('keeper') !== pid);
    await traffic.flows();
    await traffic.settle();
  });

  pairTest('stopped on a STANDALONE server: it stops serving before the lock is anybody else\'s, and serves again with another keeper', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    await passive.killWhole();
    const { term } = await active.reachesState('STANDALONE');
    const before = active.console.length;
    active.send('keeper', 'SIGSTOP');
    await active.says(/switched to WAITING \(from STANDALONE: the lock was lost while alone/, before);
    const again = await active.reachesState('STANDALONE');
    expect(again.term).toBeGreaterThan(term);
    await traffic.flows();
    await traffic.settle();
  });

  pairTest('killed on the PASSIVE server: nothing happens, and it can still take over', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    const pid = passive.send('keeper', 'SIGKILL');
    await until('another keeper runs', () => passive.pid('keeper') !== null && passive.pid('keeper') !== pid);
    await passive.reaches('PASSIVE on a good share', ({ state, lock }) => state === 'PASSIVE' && lock.share === 'ok');
    await active.killWhole();
    await passive.reachesState('STANDALONE');
    await traffic.flows();
    await traffic.settle();
  });
});
