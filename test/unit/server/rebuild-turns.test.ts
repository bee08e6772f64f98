import { NO_POSITION, type Monotonic } from '../../../src/core/identity.js';
import { ByteWriter } from '../../../src/core/wire/bytes.js';
import { Cancelled, rebuild, type RebuildTools, type RebuildWish } from '../../../src/server/rebuild.js';
import { LIMITS, recordOf } from '../core/broker/rig.js';
import { FakeClock } from '../support/fake-clock.js';

const RECORDS = 50;
const WORK_MS = 10;

/** All of a log in one piece: what nothing but the time that its records take divides. */
function log(): Uint8Array {
  const writer = new ByteWriter();
  for (let position = 1; position <= RECORDS; position += 1) {
    const { type, version, payload } = recordOf({ kind: 'connect', connection: position, clientId: `c${position}`, clean: false, user: null, will: null }, position);
    writer.u32(payload.length).u16(type).u8(version).u8(1).u32(1).u64(position).u32(0).raw(payload);
  }
  return writer.take();
}

/** A clock by which every look takes as long as a record. */
class SlowClock extends FakeClock {
  turns = 0;

  override monotonic(): Monotonic {
    this.work(WORK_MS);
    return super.monotonic();
  }

  override soon(action: () => void): void {
    this.turns += 1;
    queueMicrotask(action);
  }
}

function begin(cancelled: (clock: SlowClock) => boolean): { readonly clock: SlowClock; readonly done: Promise<number> } {
  const clock = new SlowClock();
  const bytes = log();
  const journal = { base: { position: NO_POSITION }, read: () => Promise.resolve({ bytes }) };
  const tools = { clock, limits: LIMITS, chunkBytes: bytes.length, progressIntervalMs: 1_000_000 } as unknown as RebuildTools;
  const wish = { journal, shelf: { good: [] }, upTo: RECORDS, payloadBytesMax: 1_024, title: null, cancelled: () => cancelled(clock) } as unknown as RebuildWish;
  return { clock, done: rebuild(tools, wish).then(({ core }) => core.counts.sessions) };
}

test('records that take long are applied in turns with everything else, also those that were read in one piece', async () => {
  const { clock, done } = begin(() => false);
  expect(await done).toBe(RECORDS);
  expect(clock.turns).toBeGreaterThan(RECORDS / 4);
});

test('nobody wants the result any more: it ends in the midst of such a piece', async () => {
  const { clock, done } = begin(({ turns }) => turns >= 3);
  await expect(done).rejects.toThrow(Cancelled);
  expect(clock.turns).toBe(3);
});
