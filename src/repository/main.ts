import { constants, getPriority, setPriority } from 'node:os';
import path from 'node:path';
import { createClock } from '../adapters/clock.js';
import { makeFolders, PRIVATE_FOLDER } from '../adapters/folders.js';
import { watchFolder } from '../adapters/folder-watch.js';
import { createPlainNetwork } from '../adapters/network.js';
import { isOrphaned, parentChannel } from '../adapters/parent-channel.js';
import { createRandom } from '../adapters/random.js';
import { createHashing } from '../adapters/repository/hashing.js';
import { NodeRepository } from '../adapters/repository/store.js';
import { readPairKey } from '../adapters/secret.js';
import { becomeSoleWriter, REPOSITORY_KEEPER } from '../adapters/sole-writer.js';
import { createSyncMemory } from '../adapters/sync-memory.js';
import { createPskNetwork } from '../adapters/tls-psk.js';
import type { ManagerToRepositoryKeeper, RepositoryKeeperToManager } from '../core/control/repository.js';
import { LockstepError } from '../core/errors.js';
import type { RunId } from '../core/identity.js';
import { readManagerToRepositoryKeeper } from '../core/wire/repository-messages.js';
import type { Log } from '../ports/log.js';
import type { Network } from '../ports/stream.js';
import type { RepositoryKeeperConfig } from './config.js';
import { RepositoryKeeper } from './keeper.js';
import { WAITING_BYTES } from './link.js';
import { createReceiver } from './receiver.js';
import { createSender } from './sender.js';

/*
 * The repository keeper process. Forked by the HA manager with its RepositoryKeeperConfig as JSON in the first argument; everything else comes and goes
 * over the message channel. It ends when the manager is gone.
 */

/** So long a last message may take to reach the manager. */
const FAREWELL_MS = 50;

const channel = parentChannel<RepositoryKeeperToManager, ManagerToRepositoryKeeper>(readManagerToRepositoryKeeper);
const log: Log = {
  write: (level, message, fields) => channel.send({ kind: 'log', level, message, ...(fields === undefined ? {} : { fields }) }),
};

/** With an operation hung in the file system, not even process.exit returns. */
function leave(how: 'clean' | 'hung'): void {
  setTimeout(() => (how === 'clean' ? process.exit(0) : process.kill(process.pid, 'SIGKILL')), FAREWELL_MS);
}

function fatal(error: unknown): void {
  const code = error instanceof LockstepError ? error.code : 'LOCKSTEP_REPOSITORY_KEEPER_BROKEN';
  const message = error instanceof LockstepError ? `${error.message}. ${error.remedy}` : error instanceof Error ? (error.stack ?? error.message) : String(error);
  channel.send({ kind: 'fatal', code, message });
  leave('hung');
}

async function networkOf({ secretFile, cluster, server }: RepositoryKeeperConfig): Promise<Network> {
  if (secretFile === null) return createPlainNetwork({ log, loopbackOnly: true, highWaterBytes: WAITING_BYTES });
  return createPskNetwork({ key: await readPairKey(secretFile, 'repository'), cluster, server, log, highWaterBytes: WAITING_BYTES });
}

async function run(config: RepositoryKeeperConfig): Promise<void> {
  makeFolders(config.folder, { mode: PRIVATE_FOLDER });
  if (!(await becomeSoleWriter(path.join(config.folder, 'keeper.pid'), log, isOrphaned, REPOSITORY_KEEPER))) return leave('hung');
  const hashing = await createHashing();
  const clock = createClock();
  const keeper = new RepositoryKeeper(
    {
      config,
      run: createRandom().id() as RunId,
      network: await networkOf(config),
      clock,
      log,
      hashing,
      memory: createSyncMemory(path.join(config.folder, 'synced.json')),
      open: ({ name, path: folder, include, exclude, keptVersions }) =>
        NodeRepository.open({ name, path: folder, include, exclude, keep: keptVersions, recordFile: path.join(config.folder, `${name}.digests`), hashing, hanging: { clock, hung: fatal } }),
      watch: watchFolder,
      createSender,
      createReceiver,
    },
    channel,
    () => leave('clean'),
  );
  keeper.start();
}

// Ctrl-C at a terminal, and its closing, reach every process of a server; the manager decides in which order they end.
process.on('SIGHUP', () => undefined);
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('uncaughtException', fatal);
process.on('unhandledRejection', fatal);
// Also before there is a keeper that listens to the channel.
process.on('disconnect', () => leave('hung'));

const config = JSON.parse(process.argv[2] ?? 'null') as RepositoryKeeperConfig | null;
if (config === null) {
  process.stderr.write('This is a part of Lockstep that the HA manager starts by itself; run "lockstep start".\n');
  process.exitCode = 2;
} else {
  // Messages come first.
  // A server that was started at a lower one still (`nice`) stays there: to raise it is refused to who is not root.
  if (getPriority() < constants.priority.PRIORITY_BELOW_NORMAL) setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  run(config).catch(fatal);
}
