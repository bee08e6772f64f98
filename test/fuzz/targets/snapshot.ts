import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { BrokerCore } from '../../../src/core/broker/core.js';
import type { Operation } from '../../../src/core/broker/operations.js';
import type { EncodedEntry } from '../../../src/core/broker/snapshot.js';
import type { Position, ServerId, Term } from '../../../src/core/identity.js';
import { encodeText } from '../../../src/core/wire/bytes.js';
import { loadSnapshot } from '../../../src/server/rebuild.js';
import { SnapshotWriter } from '../../../src/server/snapshot-file.js';
import { encodedSnapshot, LIMITS, recordOf } from '../../unit/core/broker/rig.js';
import { checksum, Rig } from '../../unit/server/journal/rig.js';
import { budgetFor, metered } from '../meter.js';
import { damaged, damages, type Damage } from '../mutate.js';
import { outcomeOf } from '../outcome.js';
import { target } from '../target.js';

/*
 * A snapshot as it lies on the disk, or as a leader sent it: changed after it was written (checksums notice), or written wrongly (they agree).
 * Held: it is refused by name, or its state is whole, has the digest that it says, and makes the same entries again.
 */

const TOOLS_LIMITS = { ...LIMITS, inflightMessagesMax: 2 };
const OPERATIONS: readonly Operation[] = [
  { kind: 'connect', connection: 1, clientId: 'pub', clean: false, will: { topic: 'w', qos: 1, retain: true, payload: encodeText('gone') }, user: 'u' },
  { kind: 'connect', connection: 2, clientId: 'sub', clean: false, will: null, user: null },
  { kind: 'connect', connection: 3, clientId: 'clean', clean: true, will: null, user: null },
  { kind: 'subscribe', connection: 2, packetId: 1, subscriptions: [{ filter: 't/#', qos: 2 }, { filter: 'x', qos: 1 }] },
  { kind: 'subscribe', connection: 3, packetId: 1, subscriptions: [{ filter: 't/#', qos: 1 }] },
  ...[1, 2, 3, 4].map((id): Operation => ({ kind: 'publish', connection: 1, packetId: id, topic: `t/${id}`, qos: 2, retain: id < 3, payload: encodeText(`message ${id}`) })),
  { kind: 'received', connection: 2, packetId: 1 },
  { kind: 'term-start', server: 'primary' as ServerId, limits: TOOLS_LIMITS },
  { kind: 'connect', connection: 4, clientId: 'pub', clean: false, will: null, user: null },
];
const ENTRY_BLOCK = 2;
const PATH = 'snapshots/0000000000000012.snap';

function sound(): { readonly entries: readonly EncodedEntry[]; readonly digest: string } {
  const core = new BrokerCore(TOOLS_LIMITS);
  OPERATIONS.forEach((operation, at) => core.apply(recordOf(operation, at + 1), () => undefined));
  return { entries: encodedSnapshot(core).map((entry) => ({ ...entry, payload: entry.payload.slice() })), digest: core.digest() };
}
const SOUND = sound();
const PAYLOADS = SOUND.entries.map(({ payload }) => payload);

interface Input {
  /** Entries left out, repeated, moved, or with changed payloads; the checksums are made after it. */
  readonly entries: readonly { readonly at: number; readonly act: 'leave out' | 'repeat' | 'to the front' | 'damage' | 'other type'; readonly damage: Damage; readonly type: number }[];
  /** Of the file, after its checksums were made. */
  readonly damage: Damage;
}

const inputs: fc.Arbitrary<Input> = fc.record({
  entries: fc.array(
    fc.record({ at: fc.nat(SOUND.entries.length - 1), act: fc.constantFrom('leave out', 'repeat', 'to the front', 'damage', 'damage', 'damage', 'damage', 'other type'), damage: damages(1, 2), type: fc.integer({ min: 60, max: 75 }) }),
    { maxLength: 3 },
  ) as fc.Arbitrary<Input['entries']>,
  damage: fc.oneof({ weight: 3, arbitrary: fc.constant<Damage>({ changes: [] }) }, { weight: 1, arbitrary: damages(1, 2) }),
});

const STEPS_PER_BYTE = 300;
/** The file is read in steps of 256 KiB, whatever is in it. */
const BYTES_PER_BYTE = 700;

function written(input: Input): EncodedEntry[] {
  let all = [...SOUND.entries];
  for (const { at, act, damage, type } of input.entries) {
    const entry = all[at];
    if (entry === undefined) continue;
    if (act === 'leave out') all = all.filter((_, index) => index !== at);
    else if (act === 'repeat') all.splice(at, 0, entry);
    else if (act === 'to the front') all = [entry, ...all.filter((_, index) => index !== at)];
    else all[at] = act === 'damage' ? { ...entry, payload: damaged(entry.payload, damage, PAYLOADS) } : { ...entry, type };
  }
  return all;
}

async function write(rig: Rig, entries: readonly EncodedEntry[], damage: Damage): Promise<Uint8Array> {
  await rig.disk.makeFolder('snapshots');
  const file = await rig.disk.open(PATH, 'create');
  const writer = new SnapshotWriter(file, checksum);
  await writer.head({ cluster: 'test', point: { term: 1 as Term, position: 12 as Position, chain: 7 }, digest: SOUND.digest });
  // The writer's own steps, for entries that it would not take itself.
  const blocks = writer as unknown as { block(kind: number, contents: readonly Uint8Array[]): Promise<void> };
  for (const { type, version, payload } of entries) await blocks.block(ENTRY_BLOCK, [Uint8Array.of(type >> 8, type & 0xff, version), payload]);
  await writer.end();
  await file.close();
  const bytes = damaged(rig.image.content(PATH), damage);
  rig.image.put(PATH, bytes);
  return bytes;
}

export const snapshot = target<Input>({
  name: 'snapshot',
  inputs,
  gateRuns: 150,
  acceptedLeast: 25,
  async holds(input) {
    const rig = new Rig(undefined, 1, true);
    const bytes = await write(rig, written(input), input.damage);
    const tools = { disk: rig.disk, clock: rig.clock, log: { write: () => undefined }, checksum, limits: TOOLS_LIMITS, chunkBytes: 1024, progressIntervalMs: 1000 };
    const { value } = await metered(budgetFor(bytes.length, STEPS_PER_BYTE, BYTES_PER_BYTE), () => outcomeOf(loadSnapshot(tools, { payloadBytesMax: 1_000_000, cancelled: () => false, title: null }, PATH)));
    if (input.entries.length === 0 && input.damage.changes.length === 0) assert.equal(value.kind, 'accepted', 'a sound snapshot is refused');
    if (value.kind === 'refused') {
      assert.ok(['LOCKSTEP_SNAPSHOT_DAMAGED', 'LOCKSTEP_SNAPSHOT_BROKEN', 'LOCKSTEP_RECORD_UNKNOWN', 'LOCKSTEP_BYTES_MALFORMED'].includes(value.code), value.code);
      return 0;
    }
    const { core } = value.value.replica;
    assert.equal(core.digest(), SOUND.digest);
    assert.equal(core.recomputeDigest(), SOUND.digest);
    // It can be written again, and read again.
    const twin = new BrokerCore(TOOLS_LIMITS);
    for (const entry of encodedSnapshot(core)) twin.restoreEntry(entry);
    assert.ok(twin.restored && twin.digest() === SOUND.digest, 'what was accepted cannot be written and read again');
    return 1;
  },
});
