import type { LogRecord } from '../../../src/core/journal/envelope.js';
import type { Position } from '../../../src/core/identity.js';
import type { Copy } from '../../../src/server/copy.js';
import { Intake } from '../../../src/server/intake.js';
import { FakeClock } from '../support/fake-clock.js';
import { type Host, peerOf, startedPair, type World } from './brokers.js';

const WORK_MS = 10;
const PUBLISHED = 600;

/** A pair whose follower lacks many records, each of which takes long to apply there. */
async function farBehind(): Promise<{ world: World; one: Host; two: Host; copy: Copy; applied: number[] }> {
  // All in one frame; the link's own limits as they are in production, or below.
  const { world, one, two } = await startedPair({ chunkBytes: 1024 * 1024, recentBytesMax: 1, digestIntervalMs: 200, linkSilenceMs: 1_000 });
  two.kill();
  one.serve(1, { peer: null });
  const client = one.client();
  client.connect('a');
  client.subscribe('q');
  for (let i = 0; i < PUBLISHED; i++) {
    client.publish('q', `message ${i}`);
    if (i % 50 === 49) await world.run(15);
  }
  await two.start();
  const { copy } = (two.server as unknown as { parts: { copy: Copy } }).parts;
  const { replica } = copy;
  const applied: number[] = [];
  const apply = replica.apply.bind(replica);
  replica.apply = (record: LogRecord, effects) => {
    world.clock.work(WORK_MS);
    applied.push(record.position);
    apply(record, effects);
  };
  one.serve(1, { peer: peerOf(two) });
  two.follow(one, 1);
  return { world, one, two, copy, applied };
}

/** How long this process did not get to its timers at most. */
function longestWait(world: World): () => number {
  let [before, longest] = [world.clock.monotonic() as number, 0];
  const look = (): void => {
    longest = Math.max(longest, world.clock.monotonic() - before);
    before = world.clock.monotonic();
    world.clock.after(1, look);
  };
  look();
  return () => longest;
}

test('records that take long are applied in turns with everything else, also those that came in one frame; the order stays', async () => {
  const { world, one, two, copy, applied } = await farBehind();
  const longest = longestWait(world);
  await world.until(() => one.status.replication?.phase === 'in-step', 'in step');
  expect(longest()).toBeLessThan(100);
  expect(applied.length).toBeGreaterThanOrEqual(PUBLISHED);
  expect(applied).toEqual(applied.map((_, at) => (applied[0] ?? 0) + at));
  await world.run(1_000);
  expect(copy.replica.core.digest()).toBe((one.server as unknown as { parts: { copy: Copy } }).parts.copy.replica.core.digest());
  expect(two.status.diverged).toBeNull();
  // One link: that the leader was not read from for longer than it may be silent is not its silence, nor is it ours.
  expect(one.log.from('debug').filter((line) => line.includes('behind the shared record'))).toHaveLength(2);
});

test('what is applied, and no more, is on its way to the disk and acknowledged, in the midst of a frame', async () => {
  const { world, one, two, copy, applied } = await farBehind();
  const before = copy.head.position;
  let acknowledged = 0;
  const seen = new Set<number>();
  await world.until(() => {
    const last = applied[applied.length - 1] ?? before;
    expect(copy.head.position).toBe(last);
    expect(copy.replica.position).toBe(last);
    expect(copy.durable).toBeLessThanOrEqual(last);
    acknowledged = one.status.replication?.peerDurable ?? 0;
    expect(acknowledged).toBeLessThanOrEqual(copy.durable);
    seen.add(acknowledged);
    return one.status.replication?.phase === 'in-step';
  }, 'in step');
  expect(seen.size).toBeGreaterThan(10);
  expect(two.head).toBe(one.head);
});

test('a follower that is ordered to serve in the midst of a frame serves at once, from what it has applied', async () => {
  const { world, one, two, copy, applied } = await farBehind();
  await world.until(() => applied.length > 20, 'records');
  one.kill();
  const at = copy.head.position;
  expect(at).toBeLessThan(PUBLISHED);
  two.serve(2);
  expect(two.status).toMatchObject({ role: 'serve', journal: { term: 2, position: at + 1 } });
  await world.run(500);
  expect(applied).toHaveLength(at + 1 - (applied[0] ?? 0) + 1);
});

test('a leader that is gone while its records are applied is noticed, and what it sent is there', async () => {
  const { world, one, two, applied } = await farBehind();
  await world.until(() => applied.length > 20, 'records');
  world.net.cutBoth('one', 'two');
  await world.until(() => two.head === one.head, 'all that came is applied', 30_000);
  expect(two.status.trouble).toBeNull();
  await world.until(() => two.status.trouble?.includes('nothing was heard') === true, 'noticed', 3_000);
});

test('what comes behind such records waits as it came, the stream is not read meanwhile, and nothing is taken in after the end', () => {
  const clock = new FakeClock();
  const taken: string[] = [];
  const paces: boolean[] = [];
  const record = { type: 3 } as LogRecord;
  const intake: Intake = new Intake(clock, {
    frame: (frame) => {
      if (frame.kind === 'records') intake.records(frame.bytes);
      else taken.push(frame.kind);
    },
    records: (bytes, more) => {
      for (let at = 0; at < bytes.length; at++) {
        clock.work(15);
        taken.push(`record ${bytes[at]}`);
        if (!more(record)) return at + 1;
      }
      return bytes.length;
    },
    pace: (go) => paces.push(go),
  });
  const bytes = Uint8Array.of(1, 2, 3);
  const take = (frame: Parameters<Intake['take']>[0]): void => intake.take(frame, clock.monotonic());
  take({ kind: 'records', bytes });
  expect(taken).toEqual(['record 1', 'record 2']);
  take({ kind: 'ping', count: 1, head: 9 as Position });
  bytes.set([4, 5, 6]);
  take({ kind: 'records', bytes: bytes.subarray(0, 2) });
  take({ kind: 'snapshot-end', bytes: 0 });
  bytes.fill(99);
  expect(taken).toHaveLength(2);
  expect(paces).toEqual([false]);
  clock.turn();
  expect(taken.slice(2)).toEqual(['record 3', 'ping', 'record 4']);
  clock.turn();
  expect(taken.slice(5)).toEqual(['record 5', 'snapshot-end']);
  expect(paces).toEqual([false, true]);
  // What came before counts: many short frames are no shorter than a long one.
  take({ kind: 'records', bytes: Uint8Array.of(7) });
  expect(paces).toEqual([false, true, false]);
  take({ kind: 'records', bytes: Uint8Array.of(8) });
  intake.end();
  clock.turn();
  expect(taken.slice(7)).toEqual(['record 7']);
  expect(paces).toEqual([false, true, false]);
});
