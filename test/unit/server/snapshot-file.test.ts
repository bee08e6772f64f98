import { BrokerCore } from '../../../src/core/broker/core.js';
import { EMPTY_LOG } from '../../../src/core/journal/envelope.js';
import { loadSnapshot } from '../../../src/server/rebuild.js';
import type { DiskFile } from '../../../src/ports/disk.js';
import { scanSnapshot, SnapshotCheck, SnapshotWriter } from '../../../src/server/snapshot-file.js';
import { encodedSnapshot, LIMITS } from '../core/broker/rig.js';
import { checksum, Rig } from './journal/rig.js';

async function written(times: number): Promise<() => Promise<unknown>> {
  const rig = new Rig(undefined, 1, true);
  const core = new BrokerCore(LIMITS);
  const file = await rig.disk.open('one.snap', 'create');
  const writer = new SnapshotWriter(file, checksum);
  await writer.head({ cluster: 'c', point: EMPTY_LOG, digest: core.digest() });
  for (let i = 0; i < times; i++) for (const entry of encodedSnapshot(core)) await writer.entry(entry);
  await writer.end();
  await file.close();
  const tools = { disk: rig.disk, clock: rig.clock, log: { write: () => undefined }, checksum, limits: LIMITS, chunkBytes: 1024, progressIntervalMs: 1000 };
  return () => loadSnapshot(tools, { payloadBytesMax: 1000, cancelled: () => false, title: null }, 'one.snap');
}

test('a snapshot whose state goes on behind its end is damaged: no broken assumption that would end the broker', async () => {
  await expect((await written(1))()).resolves.toBeDefined();
  await expect((await written(2))()).rejects.toMatchObject({ code: 'LOCKSTEP_SNAPSHOT_DAMAGED', message: expect.stringContaining('behind its end') as unknown });
});

test('a damaged length takes no more memory than the file has bytes', async () => {
  const rig = new Rig(undefined, 1, true);
  const file = await rig.disk.open('one.snap', 'create');
  const writer = new SnapshotWriter(file, checksum);
  await writer.head({ cluster: 'c', point: EMPTY_LOG, digest: 'd' });
  const second = writer.bytes;
  await writer.entry({ type: 99, version: 1, payload: new Uint8Array(40) });
  await writer.end();
  const bytes = (await file.read(0, writer.bytes)).slice();
  new DataView(bytes.buffer).setUint32(second, 60 * 1024 * 1024);
  const asked: number[] = [];
  const damaged = {
    size: async () => Promise.resolve(bytes.length),
    read: async (offset: number, length: number) => {
      asked.push(length);
      return Promise.resolve(bytes.subarray(offset, offset + length));
    },
  } as unknown as DiskFile;
  const visitor = { head: () => undefined, entry: () => undefined, pause: async () => Promise.resolve() };
  await expect(scanSnapshot(damaged, 'one.snap', checksum, visitor)).rejects.toMatchObject({ code: 'LOCKSTEP_SNAPSHOT_DAMAGED', message: expect.stringContaining('it ends too early') as unknown });
  expect(Math.max(...asked)).toBeLessThanOrEqual(256 * 1024);
});

describe('a snapshot whose bytes are checked while they pass by', () => {
  async function bytesOf(): Promise<Uint8Array> {
    const rig = new Rig(undefined, 1, true);
    const file = await rig.disk.open('one.snap', 'create');
    const writer = new SnapshotWriter(file, checksum);
    await writer.head({ cluster: 'c', point: EMPTY_LOG, digest: 'd' });
    for (const size of [0, 1, 40]) await writer.entry({ type: 99, version: 1, payload: new Uint8Array(size).fill(size) });
    await writer.end();
    return file.read(0, writer.bytes);
  }

  function check(bytes: Uint8Array, step: number): void {
    const checking = new SnapshotCheck('one.snap', checksum);
    for (let at = 0; at < bytes.length; at += step) checking.push(bytes.subarray(at, at + step));
    checking.end();
  }

  test('is whole, however its bytes are cut', async () => {
    const bytes = await bytesOf();
    for (let step = 1; step <= bytes.length; step++) expect(() => check(bytes, step)).not.toThrow();
  });

  test('is damaged with any bit altered, any byte missing at its end, or one more', async () => {
    const bytes = await bytesOf();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const altered = bytes.slice();
      altered[bit >> 3] = (altered[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(() => check(altered, 7)).toThrow(expect.objectContaining({ code: 'LOCKSTEP_SNAPSHOT_DAMAGED' }) as Error);
    }
    for (let length = 0; length < bytes.length; length++) expect(() => check(bytes.subarray(0, length), 7)).toThrow('it ends too early');
    expect(() => check(Uint8Array.of(...bytes, 0), 7)).toThrow('bytes after the end');
  });
});
