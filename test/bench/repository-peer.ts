import { createClock } from '../../src/adapters/clock.js';
import { createPlainNetwork } from '../../src/adapters/network.js';
import { createHashing } from '../../src/adapters/repository/hashing.js';
import { NodeRepository } from '../../src/adapters/repository/store.js';
import type { RunId, ServerId, Term } from '../../src/core/identity.js';
import type { Log } from '../../src/ports/log.js';
import type { ReceiverSession, SyncReport } from '../../src/repository/session.js';
import { WAITING_BYTES } from '../../src/repository/link.js';
import { createReceiver } from '../../src/repository/receiver.js';
import { createSender } from '../../src/repository/sender.js';

/*
 * One end of a repository link in a process of its own, as the repository keeper has it, without the manager: for measuring. Told what to do by
 * messages from the bench; answers each.
 */

export type PeerRequest =
  | { readonly what: 'send'; readonly folder: string; readonly record: string }
  | { readonly what: 'receive'; readonly folder: string; readonly record: string; readonly port: number }
  | { readonly what: 'sync' }
  | { readonly what: 'usage' };

export type PeerAnswer =
  | { readonly what: 'port'; readonly port: number }
  | { readonly what: 'ready' }
  | { readonly what: 'report'; readonly report: SyncReport }
  | { readonly what: 'usage'; readonly cpuMs: number; readonly peakBytes: number };

const SENDER = { cluster: 'bench', server: 'primary' as ServerId, run: 'sender-run' as RunId };
const RECEIVER = { cluster: 'bench', server: 'secondary' as ServerId, run: 'receiver-run' as RunId };
const TERM = 1 as Term;
const LOG: Log = { write: (level, message) => void (level === 'info' || process.stderr.write(`${level}: ${message}\n`)) };

const clock = createClock();
const hashing = await createHashing();
const network = createPlainNetwork({ log: LOG, loopbackOnly: true, highWaterBytes: WAITING_BYTES });
let session: ReceiverSession | null = null;

function answer(message: PeerAnswer): void {
  process.send?.(message);
}

async function open(folder: string, record: string): Promise<NodeRepository> {
  const store = NodeRepository.open({ name: 'bench', path: folder, recordFile: record, include: [], exclude: [], keep: 0, hashing });
  await store.recover();
  return store;
}

async function send(folder: string, record: string): Promise<void> {
  const store = await open(folder, record);
  const listener = await network.listen({ host: '127.0.0.1', port: 0 }, (stream) => {
    createSender({
      stream,
      hashing,
      identity: SENDER,
      clock,
      log: LOG,
      folders: new Map([['bench', store]]),
      isOpening: () => false,
      settings: [],
      authority: () => ({ peer: { server: RECEIVER.server, run: RECEIVER.run }, term: TERM }),
      allowance: () => Number.POSITIVE_INFINITY,
      sent: () => undefined,
      reported: () => store.save(),
      closed: () => undefined,
    });
  });
  answer({ what: 'port', port: listener.port });
}

async function receive(folder: string, record: string, port: number): Promise<void> {
  const store = await open(folder, record);
  const stream = await network.dial({ host: '127.0.0.1', port }, 5_000);
  session = createReceiver({
    stream,
    hashing,
    senderRun: SENDER.run,
    identity: RECEIVER,
    clock,
    log: LOG,
    stores: new Map([['bench', store]]),
    authority: () => ({ from: { server: SENDER.server, run: SENDER.run }, term: TERM, fencedThrough: 0 as Term }),
    told: () => undefined,
    hinted: () => undefined,
    ready: () => answer({ what: 'ready' }),
    finished: (report) => {
      store.save();
      answer({ what: 'report', report });
    },
    closed: (reason) => LOG.write('debug', `link closed: ${reason}`),
  });
}

process.on('message', (message) => {
  const request = message as PeerRequest;
  if (request.what === 'send') void send(request.folder, request.record);
  else if (request.what === 'receive') void receive(request.folder, request.record, request.port);
  else if (request.what === 'sync') session?.sync({ repository: 'bench', type: 'FULL', purpose: 'sync', checksum: false, folders: null, reason: 'bench' });
  else {
    const { user, system } = process.cpuUsage();
    answer({ what: 'usage', cpuMs: Math.round((user + system) / 1_000), peakBytes: process.resourceUsage().maxRSS * 1_024 });
  }
});
process.on('disconnect', () => process.exit(0));
