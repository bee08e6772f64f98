import { mkdirSync } from 'node:fs';
import type { ConfiguredRole } from '../../src/core/identity.js';
import { lockstep } from './support/cli.js';
import { connect } from './support/clients.js';
import { fillUp, MAY_MOUNT, onTmpfs } from './support/mounts.js';
import { pairTest, type Pair } from './support/pair.js';
import type { TestServer } from './support/server.js';
import { stays } from './support/until.js';

const SMALL = { data: { segmentBytes: '1MiB', snapshotEveryBytes: '1GiB' } };
const NO_ROOM = 'no room on the disk: nothing is acknowledged until there is';

/** Enough to reach the end of what the journal has set aside. */
async function publishMuch(pair: Pair): Promise<() => Promise<number>> {
  const client = connect([pair.primary.address, pair.secondary.address], 'much', { clean: true });
  let acknowledged = 0;
  const payload = Buffer.alloc(64 * 1024, 'x');
  const waiting = Array.from({ length: 100 }, () => client.publishAsync('much', payload, { qos: 1 }).then(() => (acknowledged += 1)));
  await Promise.race([...waiting, new Promise((resolve) => setTimeout(resolve, 2_000))]);
  return async () => {
    await Promise.all(waiting);
    await client.endAsync();
    return acknowledged;
  };
}

describe(MAY_MOUNT ? 'a full disk, on a small real one' : 'a full disk (without the right to mount: see the journal’s own tests, test/unit/server/journal)', () => {
  if (!MAY_MOUNT) {
    test('the words that an operator reads', () => expect(NO_ROOM).toContain('nothing is acknowledged'));
    return;
  }

  /** Both servers, with the data folder of one of them on a disk of its own. A new pair's first ACTIVE server is the primary. */
  function diskTest(role: ConfiguredRole, name: string, body: (pair: Pair) => Promise<void>): void {
    pairTest(name, async (pair) => {
      mkdirSync(pair[role].data, { recursive: true });
      await onTmpfs(pair[role].data, '12m', () => body(pair));
    }, { primary: SMALL, secondary: SMALL });
  }

  async function fullOn(server: TestServer): Promise<void> {
    await server.says('ERROR No room on the disk: the journal waits');
    await server.reaches('the trouble', ({ broker }) => broker?.trouble === NO_ROOM);
  }

  diskTest('primary', 'of the serving server: it stops acknowledging and says so, and goes on by itself with nothing lost', async (pair) => {
    const { active } = await pair.start();
    const traffic = await pair.traffic();
    const makeRoom = fillUp(active.data);
    const finish = await publishMuch(pair);
    await fullOn(active);
    expect((await active.status())?.state).toBe('ACTIVE');
    const count = traffic.history.acknowledgedCount;
    await stays('nothing is acknowledged', () => traffic.history.acknowledgedCount <= count + 20, 1_500);
    makeRoom();
    await active.says('There is room on the disk again: the journal goes on');
    expect(await finish()).toBe(100);
    await traffic.flows();
    await active.reaches('no trouble', ({ broker }) => broker?.trouble === null);
    await traffic.settle();
  });

  diskTest('primary', 'of the serving server: a switchover comes to nothing before anything is handed over, and says why', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    const makeRoom = fillUp(active.data);
    expect(await lockstep('switchover', active.profile)).toMatchObject({ code: 0 });
    await active.says(/The switchover that was asked for comes to nothing: the term record of it cannot be kept on this server's disk: .*ENOSPC/);
    const refused = await lockstep('switchover', active.profile);
    expect(refused.err).toContain("a switchover needs this server's disk");
    expect((await active.status())?.state).toBe('ACTIVE');
    makeRoom();
    await active.says("This server's disk takes term records again");
    expect(await lockstep('switchover', active.profile)).toMatchObject({ code: 0 });
    await passive.reachesState('ACTIVE');
    await traffic.flows();
    await traffic.settle();
  });

  diskTest('secondary', 'of the passive server: it is dropped after the stall limit, the pair goes on, and it is admitted again when it has room', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    const makeRoom = fillUp(passive.data);
    const finish = await publishMuch(pair);
    await fullOn(passive);
    const { history } = await active.reachesState('STANDALONE', 'ACTIVE_SYNC');
    expect(history.find(({ from }) => from === 'ACTIVE')).toMatchObject({ to: 'STANDALONE', reason: 'the peer is lost' });
    expect(await finish()).toBe(100);
    await traffic.flows();
    makeRoom();
    await pair.inStep();
    await traffic.settle();
  });
});
