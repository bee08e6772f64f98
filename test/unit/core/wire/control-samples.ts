import type { BrokerToManager, ManagerToBroker } from '../../../../src/core/control/broker.js';
import type { KeeperToManager, ManagerToKeeper } from '../../../../src/core/control/keeper.js';
import type { ManagerToRepositoryKeeper, RepositoryKeeperToManager } from '../../../../src/core/control/repository.js';
import type { JournalId, Monotonic, Position, RunId, ServerId, Term } from '../../../../src/core/identity.js';
import { readBrokerToManager, readManagerToBroker } from '../../../../src/core/wire/broker-messages.js';
import { readKeeperToManager, readManagerToKeeper } from '../../../../src/core/wire/keeper-messages.js';
import { readManagerToRepositoryKeeper, readRepositoryKeeperToManager } from '../../../../src/core/wire/repository-messages.js';
import { record } from '../ha/situations.js';

/** Each direction between the processes of one server, with messages that are said there: every kind, and every field both with a value and without. */
export interface Direction {
  readonly name: string;
  readonly read: (value: unknown) => unknown;
  readonly messages: readonly unknown[];
}

const [ME, PEER] = ['primary' as ServerId, 'secondary' as ServerId];
const run = (name: string): RunId => name as RunId;
const at = (ms: number): Monotonic => ms as Monotonic;
const MEMBERS = record(7).inSync;
const ENDPOINT = { host: '192.0.2.7', port: 2102 };
const LOG = { kind: 'log', level: 'warn', message: 'The lock was taken over', fields: { event: 'lock', nested: { list: [1, 'two', null] } } } as const;
const FATAL = { kind: 'fatal', code: 'LOCKSTEP_KEEPER_BROKEN', message: 'no more' } as const;

const brokerOrder = { seq: 3, pulseAt: at(1_234.5), fenceThrough: 6 as Term, clientPort: 'bound', shutdown: false } as const;
const toBroker: readonly ManagerToBroker[] = [
  { kind: 'order', order: { ...brokerOrder, role: { kind: 'idle', keepClients: true } } },
  { kind: 'order', order: { ...brokerOrder, role: { kind: 'follow', term: 7 as Term, leader: { server: PEER, brokerRun: run('b2'), endpoint: ENDPOINT }, resync: true } } },
  { kind: 'order', order: { ...brokerOrder, role: { kind: 'serve', term: 7 as Term, inSync: MEMBERS, requirePeer: true, soloUntil: null, peer: { server: PEER, brokerRun: run('b2') }, drain: false } } },
  { kind: 'order', order: { ...brokerOrder, role: { kind: 'serve', term: 7 as Term, inSync: MEMBERS.slice(0, 1), requirePeer: false, soloUntil: at(2_000.25), peer: null, drain: true } } },
];

const brokerStatus = {
  run: run('b1'), orderSeq: 3, fencedThrough: 6 as Term, onDisk: false, clientPort: 'failed', clientPortError: 'the port is taken', certificateUntil: 1_798_761_600_000, users: { count: 2, digest: 'd1' }, role: 'serve', term: 7 as Term, peerRequiredFrom: 9 as Position, admitted: 8 as Position, drained: false,
  journal: { id: 'j1' as JournalId, term: 7 as Term, position: 12 as Position, durable: 11 as Position, stalledMs: 700.5, damage: 'a failed sync' },
  diverged: 'at 7', trouble: 'the disk is full', notice: 'a file is wrong', clients: 2, sessions: 3, queued: 4,
} as const; // prettier-ignore
const progress = { recordsDone: 1, recordsTotal: 5, bytesDone: 10.5, bytesTotal: 50, elapsedMs: 12.5 };
const fromBroker: readonly BrokerToManager[] = [
  { kind: 'opening' },
  { kind: 'status', status: { ...brokerStatus, replication: { phase: 'catching-up', peerRun: run('b2'), peerJournal: 'j2' as JournalId, term: 7 as Term, peerDurable: 8 as Position, stalledMs: 1.5, lagRecords: 4, lagBytes: 400, progress } } },
  { kind: 'status', status: { ...brokerStatus, clientPortError: null, certificateUntil: null, users: null, peerRequiredFrom: null, admitted: null, journal: { ...brokerStatus.journal, damage: null }, diverged: null, trouble: null, notice: null, replication: null } },
  LOG,
  { kind: 'log', level: 'info', message: 'Serves' },
  FATAL,
];

const toKeeper: readonly ManagerToKeeper[] = [
  { kind: 'order', order: { seq: 3, pulseAt: at(1_234.5), wantLock: true, peerReleasedLock: false, claim: record(8), kept: record(7), watermark: { term: 7 as Term, nonce: 'n7', position: 8 as Position }, shareId: 'share', wasNetwork: true, shutdown: false } },
  { kind: 'order', order: { seq: 4, pulseAt: at(1_300), wantLock: false, peerReleasedLock: true, claim: null, kept: null, watermark: null, shareId: null, wasNetwork: false, shutdown: true } },
];

const keeperStatus = { run: run('k1'), orderSeq: 3, condition: 'ok', detail: null, shareId: 'share', highest: record(7), watermark: { term: 7 as Term, nonce: 'n7', position: 0 as Position }, lookedAt: at(1_200.5), onNetwork: true, lock: { held: true, until: at(3_000.5), holder: null, holderSilentMs: null, detail: null }, claim: null } as const;
const watching = { held: false, until: null, holder: PEER, holderSilentMs: 1_330.5, detail: 'held by secondary' };
const fromKeeper: readonly KeeperToManager[] = [
  { kind: 'status', status: keeperStatus },
  { kind: 'status', status: { ...keeperStatus, condition: 'hung', detail: 'no answer', shareId: null, highest: null, watermark: null, lookedAt: null, onNetwork: false, lock: watching, claim: { kind: 'pending', nonce: 'n' } } },
  { kind: 'status', status: { ...keeperStatus, claim: { kind: 'won', nonce: 'n8', record: record(8) } } },
  { kind: 'status', status: { ...keeperStatus, claim: { kind: 'lost', nonce: 'n', record: record(8, { server: PEER, forced: true }) } } },
  { kind: 'status', status: { ...keeperStatus, claim: { kind: 'in-doubt', nonce: 'n', detail: 'EIO' } } },
  { kind: 'status', status: { ...keeperStatus, claim: { kind: 'failed', nonce: 'n', detail: 'EROFS' } } },
  LOG,
  FATAL,
];

const repositoryOrder = { seq: 3, pulseAt: at(1_234.5), fenceThrough: 6 as Term, messagesFlow: true, shutdown: false };
const toRepositoryKeeper: readonly ManagerToRepositoryKeeper[] = [
  { kind: 'order', order: { ...repositoryOrder, role: { kind: 'idle' }, wishes: [] } },
  { kind: 'order', order: { ...repositoryOrder, role: { kind: 'send', term: 7 as Term, to: { server: PEER, run: run('r2') } }, wishes: [{ id: 1, repository: 'applications', ask: 'diff', checksum: true }] } },
  {
    kind: 'order',
    order: {
      ...repositoryOrder,
      role: { kind: 'receive', term: 7 as Term, from: { server: ME, run: run('r1'), endpoint: ENDPOINT, names: ['applications', 'peers'] } },
      wishes: [{ id: 2, repository: 'peers', ask: 'restore', version: '2026-01-01', paths: ['a/b'] }, { id: 3, repository: 'peers', ask: 'restore', version: '2026-01-01', paths: null }],
    },
  },
];

const view = { name: 'peers', path: '/srv/peers', syncType: 'FULL', when: 'continuous', condition: 'syncing', detail: 'the disk is full', since: 1_767_225_600_000, exchange: 'atomic', kept: ['2026-01-01'] } as const;
const answer = { id: 2, outcome: 'differs', detail: 'two', files: 2, bytes: 10, wireBytes: 12.5, elapsedMs: 1.5, kept: '2026-01-02', differences: [{ path: 'a/b', what: 'missing' }], differencesTotal: 1 } as const;
const fromRepositoryKeeper: readonly RepositoryKeeperToManager[] = [
  {
    kind: 'status',
    status: {
      run: run('r1'), orderSeq: 3, listening: true, trouble: 'the port is taken', from: run('r2'),
      repositories: [{ ...view, syncedAt: 1_767_225_600_001, progress: { phase: 'copying', filesDone: 1, filesTotal: 2, bytesDone: 3, bytesTotal: 4, wireBytes: 5, elapsedMs: 6.5 } }, { ...view, detail: null, syncedAt: null, progress: null, exchange: null, kept: [] }],
      answers: [answer, { ...answer, detail: null, kept: null, differences: [] }],
    },
  },
  { kind: 'status', status: { run: run('r1'), orderSeq: 3, listening: false, trouble: null, from: null, repositories: [], answers: [] } },
  LOG,
  FATAL,
]; // prettier-ignore

export const DIRECTIONS: readonly Direction[] = [
  { name: 'HA manager to broker', read: readManagerToBroker, messages: toBroker },
  { name: 'broker to HA manager', read: readBrokerToManager, messages: fromBroker },
  { name: 'HA manager to share keeper', read: readManagerToKeeper, messages: toKeeper },
  { name: 'share keeper to HA manager', read: readKeeperToManager, messages: fromKeeper },
  { name: 'HA manager to repository keeper', read: readManagerToRepositoryKeeper, messages: toRepositoryKeeper },
  { name: 'repository keeper to HA manager', read: readRepositoryKeeperToManager, messages: fromRepositoryKeeper },
];
