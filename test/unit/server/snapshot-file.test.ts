import { BrokerCore } from '../../../src/core/broker/core.js';
import { EMPTY_LOG } from '../../../src/core/journal/envelope.js';
import { loadSnapshot } from '../../../src/server/rebuild.js';
import { SnapshotWriter } from '../../../src/server/snapshot-file.js';
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
