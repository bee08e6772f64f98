import path from 'node:path';
import { createClock } from '../adapters/clock.js';
import { createLock } from '../adapters/lockfile.js';
import { createMountInspector } from '../adapters/mount-options.js';
import { parentChannel } from '../adapters/parent-channel.js';
import { createRandom } from '../adapters/random.js';
import { createShareFiles } from '../adapters/share-files.js';
import type { KeeperToManager, ManagerToKeeper } from '../core/control/keeper.js';
import type { RunId } from '../core/identity.js';
import { readManagerToKeeper } from '../core/wire/keeper-messages.js';
import type { Log } from '../ports/log.js';
import type { KeeperConfig } from './config.js';
import { ShareKeeper } from './keeper.js';

/*
 * The share keeper process. Forked by the HA manager with its KeeperConfig as JSON in the first argument; everything else
 * comes and goes over the message channel.
 */

/** So long a last message may take to reach the manager. */
const FAREWELL_MS = 50;

const channel = parentChannel<KeeperToManager, ManagerToKeeper>(readManagerToKeeper);
const log: Log = {
  write: (level, message, fields) => channel.send({ kind: 'log', level, message, ...(fields === undefined ? {} : { fields }) }),
};

/** With an operation hung in the file system, not even process.exit returns. */
function leave(_reason: string, how: 'clean' | 'hung'): void {
  setTimeout(() => (how === 'clean' ? process.exit(0) : process.kill(process.pid, 'SIGKILL')), FAREWELL_MS);
}

function fatal(error: unknown): void {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  channel.send({ kind: 'fatal', code: 'LOCKSTEP_KEEPER_BROKEN', message });
  leave(message, 'hung');
}

// Ctrl-C at a terminal, and its closing, reach every process of a server; the manager decides in which order they end.
process.on('SIGHUP', () => undefined);
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('uncaughtException', fatal);
process.on('unhandledRejection', fatal);

const config = JSON.parse(process.argv[2] ?? 'null') as KeeperConfig | null;
if (config === null) {
  process.stderr.write('This is a part of Lockstep that the HA manager starts by itself; run "lockstep start".\n');
  process.exitCode = 2;
} else {
  const folder = path.dirname(config.lockFile);
  const random = createRandom();
  new ShareKeeper({
    config,
    lockFileName: path.basename(config.lockFile),
    run: random.id() as RunId,
    files: createShareFiles(folder),
    lock: createLock(config.lockFile, random),
    mount: createMountInspector(folder),
    clock: createClock(),
    random,
    log,
    channel,
    ended: leave,
  }).start();
}
