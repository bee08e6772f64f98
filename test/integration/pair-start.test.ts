import { fileURLToPath } from 'node:url';
import { loadProfile } from '../../src/profile/load.js';
import { pairTest } from './support/pair.js';
import { stays } from './support/until.js';
import { TIMES } from './support/profiles.js';

describe('a new pair starts', () => {
  pairTest('the primary server first', async (pair) => {
    pair.primary.start();
    await pair.primary.reaches('waiting on a good share', (status) => status.state === 'WAITING' && status.lock.share === 'ok');
    pair.secondary.start();
    const { active } = await pair.inStep();
    expect(active).toBe(pair.primary);
    await (await pair.traffic()).settle();
  });

  pairTest('the secondary server first: the primary serves all the same, since both are empty', async (pair) => {
    pair.secondary.start();
    await pair.secondary.reaches('waiting on a good share', (status) => status.state === 'WAITING' && status.lock.share === 'ok');
    pair.primary.start();
    const { active } = await pair.inStep();
    expect(active).toBe(pair.primary);
    await (await pair.traffic()).settle();
  });

  pairTest('both at once, and the consoles say it in the words of the reference', async (pair) => {
    await pair.start();
    await pair.primary.says(`Successfully acquired lock on: ${pair.layout.share}/lockstep.lck`);
    for (const line of ['Primary Server switched to ACTIVE_SYNC', 'Primary Server switched to ACTIVE ', 'Secondary Server switched to PASSIVE']) await pair.primary.says(line);
    for (const line of ['Secondary Server switched to PASSIVE_SYNC', 'Secondary Server switched to PASSIVE ', 'Primary Server switched to ACTIVE']) await pair.secondary.says(line);
    expect(await pair.primary.says(/switched to ACTIVE \(/)).toMatch(/\[primary\] INFO {2}Primary Server switched to ACTIVE \(from ACTIVE_SYNC: .+, term \d+\)$/);
    expect([await pair.primary.serving(), await pair.secondary.serving()]).toEqual([200, 503]);
    expect((await pair.secondary.status())?.broker?.clientPort).toBe('closed');
  });

  pairTest('one server alone does not serve, however long it waits', async (pair) => {
    pair.secondary.start();
    await pair.secondary.reaches('advice to start the other', (status) => status.advice?.includes('start the primary server') ?? false);
    await stays('WAITING, not serving, client port closed', async () => {
      const status = await pair.secondary.status();
      return status === null || (status.state === 'WAITING' && !status.serving && status.broker?.clientPort !== 'accepting');
    }, TIMES.peerWait);
    expect(await pair.secondary.serving()).toBe(503);
  });
});

describe('a known pair starts with one server only', () => {
  for (const role of ['primary', 'secondary'] as const) {
    pairTest(`the ${role} serves alone after peerWait, with everything that was acknowledged; the other one is admitted later`, async (pair) => {
      await pair.start();
      const traffic = await pair.traffic();
      await Promise.all(pair.servers.map((server) => server.killWhole()));
      const first = pair[role].start();
      const status = await first.reachesState('STANDALONE');
      expect(status.history.at(-1)?.reason).toBe('the peer did not come');
      await traffic.flows();
      pair.other(first).start();
      const { active } = await pair.inStep();
      expect(active).toBe(first);
      await traffic.settle();
    });
  }
});

describe('two pairs side by side', () => {
  test('the bundled profiles share no port, no lockfile and no folder', () => {
    const profiles = ['haprofile1/primary', 'haprofile1/secondary', 'haprofile2/primary', 'haprofile2/secondary'].map((name) => loadProfile(fileURLToPath(new URL(`../../profiles/${name}`, import.meta.url))));
    const ports = profiles.flatMap(({ mqtt, ha, admin }) => [mqtt.port, ha.port, ha.replicationPort, admin.port]);
    expect(new Set(ports).size).toBe(16);
    expect(new Set(profiles.map(({ data }) => data.folder)).size).toBe(4);
    expect(new Set(profiles.map(({ ha }) => ha.lockFile)).size).toBe(2);
  });

  pairTest('a failover of one is nothing to the other', async (pair) => {
    await pair.start();
    const traffic = await pair.traffic();
    await pair.beside(async (second) => {
      await second.start();
      const secondTraffic = await second.traffic();
      const before = (await pair.primary.status())?.history.length;
      second.primary.send('broker', 'SIGKILL');
      await second.secondary.reachesState('STANDALONE', 'ACTIVE_SYNC', 'ACTIVE');
      await secondTraffic.flows();
      await secondTraffic.settle();
      expect((await pair.primary.status())?.history.length).toBe(before);
    });
    await traffic.settle();
  });
});
