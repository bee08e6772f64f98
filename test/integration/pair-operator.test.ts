import { lockstep } from './support/cli.js';
import { newestQuarantine } from './support/damage.js';
import { pairTest } from './support/pair.js';
import type { ServerStatus } from '../../src/admin/status.js';

describe('switchover', () => {
  pairTest('by command to the other server and back, with traffic', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    const there = await lockstep('switchover', active.profile);
    expect(there).toMatchObject({ code: 0, err: '' });
    await passive.reachesState('ACTIVE');
    await active.reachesState('PASSIVE');
    await traffic.flows();
    const back = await lockstep('switchover', passive.profile);
    expect(back.code).toBe(0);
    await active.reachesState('ACTIVE');
    await passive.reachesState('PASSIVE');
    await traffic.flows();
    await traffic.settle();
    const moves = (await active.status())?.history.map(({ to }) => to).slice(-2);
    expect(moves).toEqual(['PASSIVE', 'ACTIVE']);
  });

  const rounds = process.env['LOCKSTEP_LONG'] === '1' ? 40 : 4;
  pairTest(`to and fro ${rounds} times (4; with LOCKSTEP_LONG=1: 40), with traffic: never a failover`, async (pair) => {
    let { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    for (let round = 0; round < rounds; round += 1) {
      await pair.switchOver(active);
      [active, passive] = [passive, active];
      await traffic.flows();
    }
    await traffic.settle();
    for (const server of pair.servers) expect((await server.status())?.history.slice(-rounds).map(({ to }) => to).filter((state) => state !== 'ACTIVE' && state !== 'PASSIVE')).toEqual([]);
  });

  pairTest('refused where it makes no sense, with the reason', async (pair) => {
    const { active, passive } = await pair.start();
    await passive.killWhole();
    await active.reachesState('STANDALONE');
    const refused = await lockstep('switchover', active.profile);
    expect(refused.code).toBe(4);
    expect(refused.err).toContain('a switchover needs this server ACTIVE; it is STANDALONE');
    const silent = await lockstep('switchover', passive.profile);
    expect(silent.code).toBe(3);
  });
});

describe('stop', () => {
  pairTest('of the ACTIVE server hands over first: no failover, no wait', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    const stopped = await lockstep('stop', active.profile);
    expect(stopped).toMatchObject({ code: 0, err: '' });
    expect(stopped.out).toContain(`The ${active.role} server has stopped`);
    expect(await active.ended()).toBe(0);
    const status = await passive.reachesState('STANDALONE');
    expect(status.history.map(({ to }) => to).slice(-2)).toEqual(['ACTIVE', 'STANDALONE']);
    expect(status.history.at(-2)?.reason).toContain('switchover');
    await traffic.flows();
    await traffic.settle();
    expect((await lockstep('stop', active.profile)).code).toBe(3);
  });

  pairTest('by Ctrl-C, which reaches every process of the server: it hands over and ends with code 0 all the same', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    for (const part of ['broker', 'keeper', 'manager'] as const) active.send(part, 'SIGINT');
    expect(await active.ended()).toBe(0);
    const status = await passive.reachesState('STANDALONE');
    expect(status.history.map(({ to }) => to).slice(-2)).toEqual(['ACTIVE', 'STANDALONE']);
    await traffic.flows();
    await traffic.settle();
  });

  pairTest('of the PASSIVE server, then of the other: both end with code 0', async (pair) => {
    const { active, passive } = await pair.start();
    expect((await lockstep('stop', passive.profile)).code).toBe(0);
    await active.reachesState('STANDALONE');
    expect((await lockstep('stop', active.profile)).code).toBe(0);
    expect([active.exit, passive.exit]).toEqual([0, 0]);
  });
});

describe('promote', () => {
  pairTest('refused on a pair that serves, and without the acceptance', async (pair) => {
    const { active, passive } = await pair.start();
    const without = await lockstep('promote', passive.profile);
    expect(without.code).toBe(2);
    expect(without.err).toContain('--accept-data-loss');
    for (const server of [active, passive]) {
      const refused = await lockstep('promote', '--accept-data-loss', server.profile);
      expect(refused.code).toBe(4);
      expect(refused.err).toContain(`a promotion is for a server that is WAITING; this one is ${server === active ? 'ACTIVE' : 'PASSIVE'}`);
    }
  });

  pairTest('makes the stale server serve when only that one is left; the other one returns, follows, and keeps what it had in quarantine', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    await passive.killWhole();
    await active.reachesState('STANDALONE');
    await traffic.flows();
    await traffic.settle();
    await active.killWhole();
    passive.start();
    const waiting = await passive.reaches('WAITING, and may not serve', ({ reason, advice }) => reason.includes('may not serve') && advice?.includes('lost') === true);
    expect(waiting.advice).toContain('what was acknowledged after it fell behind is lost');
    expect((await lockstep('promote', '--accept-data-loss', passive.profile)).code).toBe(0);
    const promoted = await passive.reachesState('STANDALONE');
    expect(promoted.record?.forced).toBe(true);
    const after = pair.idleTraffic('after');
    await after.start();
    active.start();
    const now = await pair.inStep();
    expect(now.active).toBe(passive);
    await after.settle();
    const quarantined = await lockstep('journal', 'inspect', '--records', await newestQuarantine(active));
    expect(quarantined.out).toMatch(/publish/);
  });
});

describe('status', () => {
  pairTest('for people and as JSON', async (pair) => {
    const { active, passive } = await pair.start();
    const text = await lockstep('status', active.profile);
    expect(text).toMatchObject({ code: 0, err: '' });
    expect(text.out).toContain('ACTIVE');
    expect(text.out).toContain(String(active.pid('broker')));
    const json = JSON.parse((await lockstep('status', '--json', passive.profile)).out) as ServerStatus;
    expect(json).toMatchObject({ state: 'PASSIVE', server: passive.role, peer: { state: 'ACTIVE', server: active.role }, broker: { pid: passive.pid('broker') } });
  });

  pairTest('a second start of the same profile is refused and disturbs nothing', async (pair) => {
    const { active } = await pair.start();
    const traffic = await pair.traffic();
    const second = await lockstep('start', active.profile);
    expect(second.code).toBe(1);
    expect(second.err).toContain('LOCKSTEP_ALREADY_RUNNING');
    await traffic.flows();
    expect((await active.status())?.state).toBe('ACTIVE');
  });
});
