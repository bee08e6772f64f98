import { LockstepError } from '../core/errors.js';
import type { BrokerLimits } from '../core/broker/limits.js';
import type { Checksum } from '../core/journal/envelope.js';
import { NO_POSITION, type Position } from '../core/identity.js';
import { readRecords } from '../core/replication/run-of-records.js';
import type { Clock } from '../ports/clock.js';
import type { Disk } from '../ports/disk.js';
import type { Log } from '../ports/log.js';
import type { Journal } from './journal/api.js';
import { FORGET, Replica } from './replica.js';
import { damaged, scanSnapshot, type SnapshotHead } from './snapshot-file.js';
import { PayloadIndex } from './payload-index.js';
import { samePoint, type ShelvedSnapshot, type SnapshotShelf } from './snapshot-shelf.js';
import { codeOf } from './disk-io.js';
import { isPassing } from './journal/files.js';

/*
 * The broker's state from the newest good snapshot and the records behind it, in slices: whoever is served meanwhile goes on
 * being served.
 */
export interface RebuildTools {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Log;
  readonly checksum: Checksum;
  readonly limits: BrokerLimits;
  readonly chunkBytes: number;
  readonly progressIntervalMs: number;
}

export interface RebuildWish {
  readonly journal: Journal;
  readonly shelf: SnapshotShelf;
  readonly upTo: Position;
  readonly payloadBytesMax: number;
  /** What is being built, for the log; `null` says nothing. */
  readonly title: string | null;
  /** Asked between slices; true ends it with `Cancelled`. */
  readonly cancelled: () => boolean;
}

/** So long records are applied before the others have a turn. */
export const TURN_MS = 20;

/** The work was given up because nobody wants its result any more. */
export class Cancelled extends Error {}

/**
 * @throws Cancelled; LockstepError LOCKSTEP_STATE_LOST when neither the log nor a snapshot reaches back far enough;
 * LOCKSTEP_RECORD_UNKNOWN when a newer version wrote the log (rejects)
 */
export async function rebuild(tools: RebuildTools, wish: RebuildWish): Promise<Replica> {
  const replica = (await fromSnapshot(tools, wish)) ?? fromNothing(tools, wish);
  await replay(tools, wish, replica);
  return replica;
}

/** A turn for the others. */
export function turn(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.soon(resolve));
}

async function fromSnapshot(tools: RebuildTools, wish: RebuildWish): Promise<Replica | null> {
  const { journal, shelf, upTo } = wish;
  for (const snapshot of [...shelf.good].reverse()) {
    const { point } = snapshot.head;
    if (point.position > upTo || !samePoint(point, await journal.pointAt(point.position))) continue;
    try {
      return await restore(tools, wish, snapshot);
    } catch (error) {
      if (codeOf(error) === 'LOCKSTEP_RECORD_UNKNOWN' || error instanceof Cancelled || isPassing(error)) throw error;
      // Not removed: what serves meanwhile may have payloads nowhere else.
      shelf.condemn(snapshot, error);
    }
  }
  return null;
}

function fromNothing(tools: RebuildTools, wish: RebuildWish): Replica {
  const { base } = wish.journal;
  if (base.position !== NO_POSITION) {
    throw new LockstepError(
      'LOCKSTEP_STATE_LOST',
      `the log begins behind record ${base.position}, and no good snapshot of that point or a later one is there`,
      'This server copies everything from its peer when it follows it; nothing needs to be done while the peer serves.',
    );
  }
  return new Replica(tools.limits, wish.payloadBytesMax);
}

async function restore(tools: RebuildTools, wish: RebuildWish, snapshot: ShelvedSnapshot): Promise<Replica> {
  const loaded = await loadSnapshot(tools, wish, snapshot.path);
  // Its log was compared by the head that was read when it was found.
  if (!samePoint(loaded.head.point, snapshot.head.point)) throw damaged(tools.disk.place(snapshot.path), 0, 'another snapshot stands in its place');
  wish.shelf.setIndex(snapshot.path, loaded.index);
  return loaded.replica;
}

export interface LoadedSnapshot {
  readonly replica: Replica;
  readonly index: PayloadIndex;
  readonly head: SnapshotHead;
  /** Length of the file. */
  readonly bytes: number;
}

/** Reads a snapshot whole and checks it. @throws LockstepError LOCKSTEP_SNAPSHOT_DAMAGED (rejects) */
export async function loadSnapshot(
  tools: RebuildTools,
  wish: Pick<RebuildWish, 'payloadBytesMax' | 'cancelled' | 'title'>,
  path: string,
): Promise<LoadedSnapshot> {
  const replica = new Replica(tools.limits, wish.payloadBytesMax);
  const index = new PayloadIndex();
  const heads: SnapshotHead[] = [];
  let begun = false;
  let bytes = 0;
  const place = tools.disk.place(path);
  const file = await tools.disk.open(path, 'read');
  try {
    await scanSnapshot(file, place, tools.checksum, {
      head: (head) => heads.push(head),
      entry: (entry, message) => {
        if (begun && replica.core.restored) throw damaged(place, 0, 'its state goes on behind its end');
        begun = true;
        replica.core.restoreEntry(entry);
        if (message !== null) index.add(message.id, message);
      },
      pause: () => {
        if (wish.cancelled()) throw new Cancelled();
        return turn(tools.clock);
      },
    });
    bytes = await file.size();
  } finally {
    await file.close();
  }
  if (!replica.core.restored) throw damaged(place, 0, 'its state is not whole');
  const head = heads[0];
  if (head === undefined) throw damaged(place, 0, 'no head');
  const digest = replica.core.digest();
  if (digest !== head.digest) throw damaged(place, 0, `its state has digest ${digest}; its head says ${head.digest}`);
  replica.restoredAt(head.point.position);
  return { replica, index, head, bytes };
}

async function replay(tools: RebuildTools, wish: RebuildWish, replica: Replica): Promise<void> {
  const { journal, upTo } = wish;
  const from = replica.position;
  let saidAt = tools.clock.monotonic();
  while (replica.position < upTo) {
    if (wish.cancelled()) throw new Cancelled();
    let turnAt = tools.clock.monotonic();
    const run = await journal.read((replica.position + 1) as Position, tools.chunkBytes);
    if (run === null) throw new LockstepError('LOCKSTEP_STATE_LOST', `record ${replica.position + 1} of the log cannot be read`, 'See the lines before.');
    for (const record of readRecords(run.bytes)) {
      if (record.position > upTo) break;
      if (record.position > replica.position) replica.apply(record, FORGET);
      // Some take long, a SUBSCRIBE among many retained messages for one: who gives no sign of life meanwhile is taken for dead.
      if (tools.clock.monotonic() - turnAt < TURN_MS) continue;
      await turn(tools.clock);
      if (wish.cancelled()) throw new Cancelled();
      turnAt = tools.clock.monotonic();
    }
    const now = tools.clock.monotonic();
    if (wish.title !== null && now - saidAt >= tools.progressIntervalMs) {
      saidAt = now;
      const done = replica.position - from;
      const total = upTo - from;
      tools.log.write('info', `${wish.title}: ${done} of ${total} records (${Math.floor((done * 100) / total)} %)`, { done, total });
    }
    await turn(tools.clock);
  }
}
