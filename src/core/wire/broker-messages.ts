import type {
  BrokerOrder, BrokerRole, BrokerStatus, BrokerToManager, CopyProgress, Endpoint, JournalStatus, ManagerToBroker, ReplicationStatus,
} from '../control/broker.js'; // prettier-ignore
import type { JournalId, Monotonic, Position, RunId, ServerId, Term } from '../identity.js';
import { readFromChild, readToChild, words } from './child-messages.js';
import { Fields } from './fields.js';
import { PHASES, readUsers } from './peer-status.js';
import { NAME_CHARS_MAX, readMember } from './term-record.js';

const HOST_CHARS_MAX = 255;
const PORT_MAX = 65_535;

/** @throws MessageRefused that names the field */
export function readManagerToBroker(value: unknown): ManagerToBroker {
  return readToChild(value, readOrder);
}

/** @throws MessageRefused that names the field */
export function readBrokerToManager(value: unknown): BrokerToManager {
  return Fields.of('message', value).raw('kind') === 'opening' ? { kind: 'opening' } : readFromChild(value, readStatus);
}

export function readEndpoint(fields: Fields): Endpoint {
  return { host: fields.name('host', HOST_CHARS_MAX), port: fields.whole('port', 0, PORT_MAX) };
}

function readOrder(order: Fields): BrokerOrder {
  return {
    seq: order.whole('seq'),
    pulseAt: order.measure('pulseAt') as Monotonic,
    fenceThrough: order.whole('fenceThrough') as Term,
    clientPort: order.oneOf('clientPort', ['closed', 'bound']),
    role: readRole(order.object('role')),
    shutdown: order.flag('shutdown'),
  };
}

function readRole(role: Fields): BrokerRole {
  const kind = role.oneOf('kind', ['idle', 'follow', 'serve']);
  switch (kind) {
    case 'idle':
      return { kind, keepClients: role.flag('keepClients') };
    case 'follow': {
      const leader = role.object('leader');
      return {
        kind,
        term: role.whole('term', 1) as Term,
        leader: { server: leader.name('server', NAME_CHARS_MAX) as ServerId, brokerRun: runOf(leader, 'brokerRun'), endpoint: readEndpoint(leader.object('endpoint')) },
        resync: role.flag('resync'),
      };
    }
    case 'serve':
      return {
        kind,
        term: role.whole('term', 1) as Term,
        inSync: role.list('inSync', 1, 2, readMember),
        requirePeer: role.flag('requirePeer'),
        soloUntil: role.nullable('soloUntil', (at, name) => at.measure(name) as Monotonic),
        peer: role.nullable('peer', (at, name) => readPeer(at.object(name))),
        drain: role.flag('drain'),
      };
  }
}

function readPeer(peer: Fields): { server: ServerId; brokerRun: RunId } {
  return { server: peer.name('server', NAME_CHARS_MAX) as ServerId, brokerRun: runOf(peer, 'brokerRun') };
}

function runOf(fields: Fields, name: string): RunId {
  return fields.name(name, NAME_CHARS_MAX) as RunId;
}

function readStatus(status: Fields): BrokerStatus {
  return {
    run: runOf(status, 'run'),
    orderSeq: status.whole('orderSeq'),
    fencedThrough: status.whole('fencedThrough') as Term,
    onDisk: status.flag('onDisk'),
    clientPort: status.oneOf('clientPort', ['closed', 'bound', 'accepting', 'failed']),
    clientPortError: status.nullable('clientPortError', words),
    certificateUntil: status.nullable('certificateUntil', (at, name) => at.whole(name, Number.MIN_SAFE_INTEGER)),
    users: status.nullable('users', readUsers),
    role: status.oneOf('role', ['idle', 'follow', 'serve']),
    term: status.whole('term') as Term,
    peerRequiredFrom: status.nullable('peerRequiredFrom', (at, name) => at.whole(name) as Position),
    admitted: status.nullable('admitted', (at, name) => at.whole(name) as Position),
    drained: status.flag('drained'),
    journal: readJournal(status.object('journal')),
    replication: status.nullable('replication', (at, name) => readReplication(at.object(name))),
    diverged: status.nullable('diverged', words),
    trouble: status.nullable('trouble', words),
    notice: status.nullable('notice', words),
    clients: status.whole('clients'),
    sessions: status.whole('sessions'),
    queued: status.whole('queued'),
  };
}

function readJournal(journal: Fields): JournalStatus {
  return {
    id: journal.name('id', NAME_CHARS_MAX) as JournalId,
    term: journal.whole('term') as Term,
    position: journal.whole('position') as Position,
    durable: journal.whole('durable') as Position,
    stalledMs: journal.measure('stalledMs'),
    damage: journal.nullable('damage', words),
  };
}

function readReplication(replication: Fields): ReplicationStatus {
  return {
    phase: replication.oneOf('phase', PHASES),
    peerRun: replication.nullable('peerRun', runOf),
    peerJournal: replication.nullable('peerJournal', (at, name) => at.name(name, NAME_CHARS_MAX) as JournalId),
    term: replication.whole('term') as Term,
    peerDurable: replication.whole('peerDurable') as Position,
    stalledMs: replication.measure('stalledMs'),
    lagRecords: replication.measure('lagRecords'),
    lagBytes: replication.measure('lagBytes'),
    progress: replication.nullable('progress', (at, name) => readProgress(at.object(name))),
  };
}

function readProgress(progress: Fields): CopyProgress {
  return {
    recordsDone: progress.measure('recordsDone'),
    recordsTotal: progress.measure('recordsTotal'),
    bytesDone: progress.measure('bytesDone'),
    bytesTotal: progress.measure('bytesTotal'),
    elapsedMs: progress.measure('elapsedMs'),
  };
}
