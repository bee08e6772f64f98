import type { ReplicationPhase, UserList } from '../control/broker.js';
import type { PeerRepositories, PeerStatus, RepositoryCopy } from '../control/peer.js';
import type { RepositoryCondition } from '../control/repository.js';
import type { JournalId, Position, RunId, ServerId, ServerState, Term } from '../identity.js';
import { clip, decodeJson, encodeJson, Fields, textElement } from './fields.js';
import { NAME_CHARS_MAX, readTermRecord } from './term-record.js';

/** Of a reason, a damage, a divergence. Longer ones are cut by the sender. */
export const DETAIL_CHARS_MAX = 2048;
export const CLIENT_ENDPOINTS_MAX = 32;
/** A profile allows no more. */
export const REPOSITORIES_MAX = 80;
/** Of what one copy's detail says; longer ones are cut by the sender. */
export const COPY_DETAIL_CHARS_MAX = 512;
const HOST_CHARS_MAX = 255;
const USERS_DIGEST_CHARS_MAX = 64;

const STATES: readonly ServerState[] = ['WAITING', 'PASSIVE_SYNC', 'ACTIVE_SYNC', 'PASSIVE', 'ACTIVE', 'STANDALONE'];
export const CONDITIONS: readonly RepositoryCondition[] = ['unused', 'idle', 'waiting', 'syncing', 'in-sync', 'failed'];
export const PHASES: readonly ReplicationPhase[] = ['connecting', 'negotiating', 'snapshot', 'catching-up', 'in-step'];

type BrokerPart = NonNullable<PeerStatus['broker']>;

/** Payload of a status frame. What exceeds its limit (texts, client endpoints) is cut. */
export function encodePeerStatus(status: PeerStatus): Uint8Array {
  return encodeJson({
    ...status,
    reason: clip(status.reason, DETAIL_CHARS_MAX),
    hindrance: status.hindrance === null ? null : clip(status.hindrance, DETAIL_CHARS_MAX),
    clientEndpoints: status.clientEndpoints.slice(0, CLIENT_ENDPOINTS_MAX),
    broker: status.broker && {
      ...status.broker,
      damage: status.broker.damage === null ? null : clip(status.broker.damage, DETAIL_CHARS_MAX),
      diverged: status.broker.diverged === null ? null : clip(status.broker.diverged, DETAIL_CHARS_MAX),
    },
    repositories: status.repositories && {
      ...status.repositories,
      names: status.repositories.names.slice(0, REPOSITORIES_MAX),
      copies: status.repositories.copies.slice(0, REPOSITORIES_MAX).map((copy) => ({ ...copy, detail: copy.detail === null ? null : clip(copy.detail, COPY_DETAIL_CHARS_MAX) })),
    },
  });
}

/** @throws MessageRefused that names the field; fields of a newer version are tolerated */
export function decodePeerStatus(payload: Uint8Array): PeerStatus {
  const fields = Fields.of('status', decodeJson('status', payload));
  return {
    server: fields.name('server', NAME_CHARS_MAX) as ServerId,
    run: fields.name('run', NAME_CHARS_MAX) as RunId,
    seq: fields.whole('seq'),
    wallTime: fields.added('wallTime', (at, name) => at.whole(name, Number.MIN_SAFE_INTEGER)),
    heard: fields.nullable('heard', readHeard),
    state: fields.oneOf('state', STATES),
    previous: fields.oneOf('previous', STATES),
    moves: fields.whole('moves'),
    reason: fields.text('reason', DETAIL_CHARS_MAX),
    term: fields.whole('term') as Term,
    record: fields.nullable('record', (at, name) => readTermRecord(at.raw(name), 'status.record')),
    inDoubt: fields.nullable('inDoubt', (at, name) => at.whole(name, 1) as Term),
    shareId: fields.nullable('shareId', (at, name) => at.name(name, NAME_CHARS_MAX)),
    shareEmpty: fields.flag('shareEmpty'),
    shareReplaced: fields.flag('shareReplaced'),
    shareBare: fields.flag('shareBare'),
    shareGivenUp: fields.flag('shareGivenUp'),
    brokerDown: fields.flag('brokerDown'),
    broker: fields.nullable('broker', (at, name) => readBroker(at.object(name))),
    holdsLock: fields.flag('holdsLock'),
    releasedLock: fields.flag('releasedLock'),
    gatewayAnswers: fields.flag('gatewayAnswers'),
    wantsSwitchover: fields.flag('wantsSwitchover'),
    stopping: fields.flag('stopping'),
    unfit: fields.added('unfit', (at, name) => at.flag(name)),
    hindrance: fields.added('hindrance', (at, name) => at.text(name, DETAIL_CHARS_MAX)),
    clientEndpoints: fields.list('clientEndpoints', 0, CLIENT_ENDPOINTS_MAX, textElement(HOST_CHARS_MAX + 32)),
    repositories: fields.nullable('repositories', (at, name) => readRepositories(at.object(name))),
  };
}

function readRepositories(fields: Fields): PeerRepositories {
  return {
    run: fields.nullable('run', (at, name) => at.name(name, NAME_CHARS_MAX) as RunId),
    names: fields.list('names', 0, REPOSITORIES_MAX, textElement(NAME_CHARS_MAX)),
    from: fields.nullable('from', (at, name) => at.name(name, NAME_CHARS_MAX) as RunId),
    copies: fields.list('copies', 0, REPOSITORIES_MAX, readCopy),
  };
}

function readCopy(element: unknown, path: string): RepositoryCopy {
  const copy = Fields.of(path, element);
  return {
    name: copy.name('name', NAME_CHARS_MAX),
    condition: copy.oneOf('condition', CONDITIONS),
    detail: copy.nullable('detail', (at, name) => at.text(name, COPY_DETAIL_CHARS_MAX)),
  };
}

function readHeard(at: Fields, name: string): NonNullable<PeerStatus['heard']> {
  const heard = at.object(name);
  return { run: heard.name('run', NAME_CHARS_MAX) as RunId, seq: heard.whole('seq') };
}

/** @throws MessageRefused that names the field */
export function readUsers(at: Fields, name: string): UserList {
  const users = at.object(name);
  return { count: users.whole('count'), digest: users.name('digest', USERS_DIGEST_CHARS_MAX) };
}

function readBroker(broker: Fields): BrokerPart {
  const detail = (at: Fields, name: string): string => at.text(name, DETAIL_CHARS_MAX);
  return {
    run: broker.name('run', NAME_CHARS_MAX) as RunId,
    journal: broker.name('journal', NAME_CHARS_MAX) as JournalId,
    logTerm: broker.whole('logTerm') as Term,
    position: broker.whole('position') as Position,
    durable: broker.whole('durable') as Position,
    damage: broker.nullable('damage', detail),
    diverged: broker.nullable('diverged', detail),
    fencedThrough: broker.whole('fencedThrough') as Term,
    replicationPhase: broker.nullable('replicationPhase', (at, name) => at.oneOf(name, PHASES)),
    users: broker.added('users', readUsers),
  };
}
