import { counted } from '../core/counted.js';
import { LockstepError } from '../core/errors.js';
import type { BrokerConfig } from './config.js';
import type { BrokerPorts } from './broker-server.js';
import { settleComing } from './coming-snapshot.js';
import { Copy } from './copy.js';
import { codeOf, describe } from './disk-io.js';
import { moveSnapshots } from './foreign-snapshots.js';
import type { Journal } from './journal/api.js';
import { openJournal } from './journal/open.js';
import type { SegmentsDone } from './journal/recovery.js';
import { hasRoomForSecond } from './memory-guard.js';
import { SnapshotShelf } from './snapshot-shelf.js';

const JOURNAL_FOLDER = 'journal';
/** A journal whose description cannot be read has no id any more: it is put aside, whole and with its snapshots, under this name and a number. */
const ASIDE = 'journal-unreadable';

type Needs = Pick<BrokerPorts, 'disk' | 'clock' | 'random' | 'log' | 'checksum' | 'memory'>;

/**
 * Opens what this server has on its disk, without building the state yet.
 * @param opening told now and then while a large journal is opened
 * @throws LockstepError LOCKSTEP_JOURNAL_FOREIGN, LOCKSTEP_JOURNAL_NEWER; or an Error of the disk (rejects)
 */
export async function openCopy(ports: Needs, config: BrokerConfig, opening: () => void = () => undefined): Promise<Copy> {
  const { disk, clock, log, checksum, memory } = ports;
  const { tuning, cluster, limits } = config;
  const { journal, lost } = await openOrPutAside(ports, config, opening);
  const shelf = await SnapshotShelf.open(disk, checksum, cluster, log, (names) => settleComing(disk, checksum, log, journal.base, names));
  const tools = { disk, clock, log, checksum, limits, chunkBytes: tuning.chunkBytes, progressIntervalMs: tuning.progressIntervalMs };
  const options = {
    cluster,
    everyBytes: tuning.snapshotEveryBytes,
    everyRecords: tuning.snapshotEveryRecords,
    capturedItemsMax: tuning.snapshotCapturedItemsMax,
    crowdedItemsMax: tuning.snapshotCrowdedItemsMax,
    payloadBytesMax: Math.floor(tuning.payloadCacheBytes / 4),
    livePayloadBytesMax: tuning.payloadCacheBytes,
    ...(memory === undefined ? {} : { hasRoomForSecond: () => hasRoomForSecond(memory()) }),
  };
  return new Copy(journal, shelf, tools, options, lost);
}

async function openOrPutAside(ports: Needs, config: BrokerConfig, opening: () => void): Promise<{ journal: Journal; lost: string | null }> {
  const { disk, clock, random, log, checksum } = ports;
  const told = teller(ports, config.tuning.progressIntervalMs, opening);
  const open = (): Promise<Journal> => openJournal({ disk, folder: JOURNAL_FOLDER, checksum, random, clock, log, told, options: { cluster: config.cluster, ...config.tuning.journal } });
  try {
    return { journal: await open(), lost: null };
  } catch (error) {
    const code = codeOf(error);
    if (!(error instanceof LockstepError) || (code !== 'LOCKSTEP_JOURNAL_META_MISSING' && code !== 'LOCKSTEP_JOURNAL_META_DAMAGED')) throw error;
    const aside = await putAside(ports);
    const lost = `${describe(error)}; the old log and its snapshots were moved to ${disk.place(aside)}`;
    log.write('error', `The journal has lost its id: ${lost}`, { code, aside: disk.place(aside) });
    return { journal: await open(), lost };
  }
}

/** Says how far it is, and that this process lives: no more often than every `intervalMs`. */
function teller({ clock, log }: Needs, intervalMs: number, opening: () => void): SegmentsDone {
  let saidAt = clock.monotonic();
  return (done, total, what) => {
    const now = clock.monotonic();
    if (now - saidAt < intervalMs) return;
    saidAt = now;
    log.write('info', `Opening the journal: ${done} of ${counted(total, 'segment')} ${what} (${Math.floor((done * 100) / total)} %)`, { done, total });
    opening();
  };
}

async function putAside({ disk, log }: Needs): Promise<string> {
  let count = 1;
  while ((await disk.list(`${ASIDE}-${count}`)).length > 0) count += 1;
  const aside = `${ASIDE}-${count}`;
  await disk.makeFolder(aside);
  await moveSnapshots(disk, aside);
  for (const name of await disk.list(JOURNAL_FOLDER)) {
    await disk.rename(`${JOURNAL_FOLDER}/${name}`, `${aside}/${name}`).catch((error: unknown) => {
      log.write('warn', `${disk.place(`${JOURNAL_FOLDER}/${name}`)} stays where it is: ${describe(error)}`);
    });
  }
  await disk.syncFolder(aside);
  await disk.syncFolder(JOURNAL_FOLDER);
  return aside;
}
