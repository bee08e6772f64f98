import { isPassing } from '../../../src/server/journal/files.js';
import { leaveSession, snapshots, startedPair, type Host, type World } from './brokers.js';

const SMALL_SNAPSHOTS = { snapshotEveryRecords: 100, snapshotEveryBytes: 1024 * 1024 * 1024 };

const noMemory = (): RangeError => new RangeError('Array buffer allocation failed');

/** So many reads of files whose path holds `where` find no memory: as the language says it, without a code. */
function starve(host: Host, where: string, times: number): void {
  const { image } = host;
  const read = image.read.bind(image);
  let left = times;
  image.read = (path, ...rest) => {
    if (left > 0 && path.includes(where)) {
      left -= 1;
      throw noMemory();
    }
    return read(path, ...rest);
  };
}

async function fill(world: World, host: Host, count: number): Promise<void> {
  const client = host.client();
  client.connect('publisher');
  for (let i = 0; i < count; i++) {
    client.publish('q', `<${i}>${'x'.repeat(300)}`);
    if (i % 25 === 24) await world.run(15);
  }
  await world.run(500);
}

test('only a want of memory passes, not every range that is wrong', () => {
  expect(isPassing(noMemory())).toBe(true);
  expect(isPassing(Object.assign(new Error('ENOMEM'), { code: 'ENOMEM' }))).toBe(true);
  expect(isPassing(new RangeError('Invalid typed array length: -1'))).toBe(false);
  expect(isPassing(new Error('Array buffer allocation failed, and more'))).toBe(false);
});

test.each(['.segment', '.snap'])('a file (%s) for which there is no memory at a start is no damage: the broker ends, and the next one is whole', async (where) => {
  const { world, one, two } = await startedPair(SMALL_SNAPSHOTS);
  await fill(world, one, 250);
  expect(snapshots(two)).not.toEqual([]);
  const id = two.journal;
  two.kill();
  starve(two, where, 1);
  await two.start().catch(() => undefined);
  await world.run(100);
  expect(JSON.stringify(two.fatal)).toContain('LOCKSTEP_JOURNAL_UNREADABLE');
  two.kill();
  two.fatal.length = 0;
  await two.start();
  expect(two.status).toMatchObject({ diverged: null, journal: { id, damage: null, position: one.head } });
});

test('a record for which there is no memory when it is read back is no damage', async () => {
  const { world, one } = await startedPair({ ...SMALL_SNAPSHOTS, snapshotEveryRecords: 100_000 });
  leaveSession(one);
  await fill(world, one, 300);
  starve(one, '.segment', 2);
  const client = one.client();
  client.connect('away');
  await world.run(50);
  const payloads: (string | null)[] = [];
  for (const { message } of client.of('deliver')) one.edge?.loadPayload(message, (payload) => payloads.push(payload === null ? null : new TextDecoder().decode(payload).slice(0, 3)));
  await world.until(() => payloads.length === 10, 'ten answers');
  expect(payloads).toContain(null);
  expect(one.status).toMatchObject({ role: 'serve', journal: { damage: null } });
});
