import { strict as assert } from 'node:assert';
import { BrokerCore } from '../../src/core/broker/core.js';
import type { Operation } from '../../src/core/broker/operations.js';
import { encodeOperation } from '../../src/core/broker/records.js';
import type { Position, ServerId, Term } from '../../src/core/identity.js';
import { encodeText } from '../../src/core/wire/bytes.js';
import { DEFAULT_BROKER_TUNING, type BrokerConfig } from '../../src/server/config.js';
import type { Copy } from '../../src/server/copy.js';
import { openCopy } from '../../src/server/open-copy.js';
import { LIMITS, recordOf } from '../unit/core/broker/rig.js';
import { checksum, Rig } from '../unit/server/journal/rig.js';
import { FakeLog } from '../unit/support/fake-log.js';
import type { DiskImage } from '../simulation/disk-image.js';
import { damaged, type Damage } from './mutate.js';
import { outcomeOf } from './outcome.js';

/*
 * Small copies of a server, complete: journal.json, some segments, snapshots. Every record of theirs was durable, and said to be, before the process was
 * killed; the last thing in the log is an idle mark, which vouches for the record before it.
 */

export interface Specimen {
  readonly name: string;
  readonly image: DiskImage;
  /** The last position, which was acknowledged. */
  readonly records: number;
  /** The state's digest at each position, from 0. */
  readonly digests: readonly string[];
  /** The sound copy is damaged itself, by a failed sync: it must stay so. */
  readonly failed: boolean;
}

export type Reopened =
  | { readonly kind: 'refused'; readonly code: string }
  | { readonly kind: 'opened'; readonly damage: string | null; readonly records: number; readonly quarantined: boolean; readonly said: readonly string[] };

const RECORDS = 18;
const SETTLE_TURNS = 400;

function operations(): Operation[] {
  const all: Operation[] = [
    { kind: 'term-start', server: 'primary' as ServerId, limits: LIMITS },
    { kind: 'connect', connection: 1, clientId: 'a', clean: false, will: null, user: null },
    { kind: 'subscribe', connection: 1, packetId: 1, subscriptions: [{ filter: 't/#', qos: 1 }] },
    { kind: 'connect', connection: 2, clientId: 'b', clean: false, will: { topic: 'w', qos: 1, retain: true, payload: encodeText('gone') }, user: 'u' },
  ];
  for (let id = 1; all.length < RECORDS; id++) all.push({ kind: 'publish', connection: 2, packetId: id, topic: `t/${id}`, qos: 1, retain: id % 4 === 0, payload: encodeText(`message ${id} ${'.'.repeat(20 + (id % 3) * 9)}`) });
  return all;
}

function configOf(snapshots: boolean): BrokerConfig {
  return {
    cluster: 'test',
    server: 'primary' as ServerId,
    replicationListen: { host: 'x', port: 1 },
    replicationSecured: false,
    tickMs: 1,
    pulseLimitMs: 1,
    limits: LIMITS,
    tuning: { ...DEFAULT_BROKER_TUNING, snapshotEveryRecords: snapshots ? 7 : 1_000, snapshotEveryBytes: 1e9, journal: { segmentBytes: 1024, groupBytes: 512, indexEveryBytes: 128, idleMarkMs: 20, preallocate: false } },
  };
}

async function opened(rig: Rig, log: FakeLog, snapshots: boolean): Promise<Copy> {
  const { disk, clock, prng } = rig;
  const copy = await openCopy({ disk, clock, random: prng, log, checksum }, configOf(snapshots));
  await copy.build();
  return copy;
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await Promise.resolve();
}

async function grow(name: string, snapshots: boolean): Promise<Specimen> {
  const rig = new Rig(undefined, 1, true);
  const copy = await opened(rig, new FakeLog(), snapshots);
  const core = new BrokerCore(LIMITS);
  const digests = [core.digest()];
  for (const [at, operation] of operations().entries()) {
    const draft = encodeOperation(operation);
    const record = copy.journal.append(draft.type, draft.version, 1, 1 as Term, draft.payload);
    copy.replica.apply(record, () => undefined);
    core.apply(recordOf(operation, at + 1), () => undefined);
    digests.push(core.digest());
    await rig.until(() => copy.durable >= at + 1);
    copy.considerSnapshot((at + 1) as Position);
    await turns(SETTLE_TURNS);
  }
  // The idle mark.
  await rig.pass(100);
  rig.kill();
  assert.equal(copy.replica.core.digest(), digests[RECORDS]);
  return { name, image: rig.image.copy(), records: RECORDS, digests, failed: false };
}

/** With a change decided and not carried out, and with a failed sync on record. */
function variants(sound: Specimen): Specimen[] {
  const text = new TextDecoder().decode(sound.image.content(META));
  const { sum: _, ...meta } = JSON.parse(text) as Record<string, unknown>;
  const segment = sound.image.paths().filter((path) => path.endsWith('.segment')).at(-1) as string;
  const length = sound.image.content(segment).length;
  const made = (name: string, more: object, failed: boolean): Specimen => {
    const image = sound.image.copy();
    const content = { ...meta, ...more };
    const sum = checksum(encodeText(JSON.stringify(content)), 0).toString(16).padStart(8, '0');
    image.put(META, encodeText(`${JSON.stringify({ ...content, sum }, null, 2)}\n`));
    return { ...sound, name, image, failed };
  };
  return [
    made('with a change that is still to be carried out', { change: { kind: 'cut', segment: segment.slice('journal/'.length), length, patch: null, move: [], quarantine: null } }, false),
    made('whose disk had failed', { failed: 'a sync failed with EIO' }, true),
  ];
}

export const META = 'journal/journal.json';

/** Grown anew for each who asks: nobody can spoil another's. */
export async function specimens(): Promise<Specimen[]> {
  const plain = await grow('of a journal alone', false);
  return [plain, await grow('with snapshots', true), ...variants(plain)];
}

export function damagedImage(image: DiskImage, path: string, damage: Damage): void {
  image.put(path, damaged(image.content(path), damage));
}

/** What lies there is what lay there at an earlier moment, when the log ended at `records`. Nothing on this disk can tell the two apart. */
function stoodBefore(specimen: Specimen, image: DiskImage, records: number): boolean {
  const segments = specimen.image.paths().filter((path) => path.endsWith('.segment'));
  const left = segments.filter((path) => image.paths().includes(path));
  const before = (path: string, bytes: Uint8Array): boolean => Buffer.from(specimen.image.content(path)).subarray(0, bytes.length).equals(bytes);
  const isWhole = (path: string): boolean => image.content(path).length === specimen.image.content(path).length;
  return (
    left.every((path, at) => path === segments[at] && (at === left.length - 1 || isWhole(path))) &&
    image.paths().every((path) => specimen.image.paths().includes(path) && before(path, image.content(path)) && (path.endsWith('.segment') || isWhole(path))) &&
    image.paths().every((path) => !path.endsWith('.snap') || Number(/(\d+)\.snap$/.exec(path)?.[1]) <= records)
  );
}

/**
 * Opens what is on the image as the broker does at its start. Whatever was done to it
 * - it ends, with a copy or with one of Lockstep's own errors;
 * - a copy that calls itself whole holds a beginning of the records that were written, and their state, and no other;
 * - one that is not whole says so, in the log too, and takes nothing;
 * - what was cut off lies in quarantine, and was said; only a log that ends where it ended at an earlier moment is silent;
 * - a copy whose disk had failed is never whole again.
 */
export async function reopened(specimen: Specimen, image: DiskImage): Promise<Reopened> {
  const rig = new Rig(image, 9, true);
  const found = image.copy();
  const log = new FakeLog();
  const result = await outcomeOf(opened(rig, log, false));
  const said = log.from('warn');
  if (result.kind === 'refused') return { kind: 'refused', code: result.code };
  const copy = result.value;
  const quarantined = image.paths().some((path) => path.includes('quarantine') && path.endsWith('.segment'));
  const records = copy.head.position;
  if (copy.damage !== null) {
    assert.ok(!copy.ready && said.length > 0, `damaged in silence: ${copy.damage}`);
    return { kind: 'opened', damage: copy.damage, records, quarantined, said };
  }
  assert.ok(copy.ready, 'neither ready nor damaged');
  assert.ok(!specimen.failed, 'a copy whose disk had failed counts again');
  assert.equal(copy.replica.core.digest(), specimen.digests[records], `at position ${records} the state is another`);
  assert.ok(records >= specimen.records || said.length > 0 || stoodBefore(specimen, found, records), `${specimen.records - records} records are gone in silence`);
  return { kind: 'opened', damage: null, records, quarantined, said };
}
