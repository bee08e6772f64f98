import type { ReplicationPhase } from '../control/broker.js';
import type { PeerStatus } from '../control/peer.js';
import type { JournalId, Position, RunId, ServerId, ServerState, Term } from '../identity.js';
import { clip, decodeJson, encodeJson, Fields, textElement } from './fields.js';
import { NAME_CHARS_MAX, readTermRecord } from './term-record.js';

/** Of a reason, a damage, a divergence. Longer ones are cut by the sender. */
export const DETAIL_CHARS_MAX = 2048;
export const CLIENT_ENDPOINTS_MAX = 32;
const HOST_CHARS_MAX = 255;

const STATES: readonly ServerState[] = ['WAITING', 'PASSIVE_SYNC', 'ACTIVE_SYNC', 'PASSIVE', 'ACTIVE', 'STANDALONE'];
const PHASES: readonly ReplicationPhase[] = ['connecting', 'negotiating', 'snapshot', 'catching-up', 'in-step'];

type BrokerPart = NonNullable<PeerStatus['broker']>;

/** Payload of a status frame. What exceeds its limit (texts, client endpoints) is cut. */
export function encodePeerStatus(status: PeerStatus): Uint8Array {
  return encodeJson({
    ...status,
    reason: clip(status.reason, DETAIL_CHARS_MAX),
    clientEndpoints: status.clientEndpoints.slice(0, CLIENT_ENDPOINTS_MAX),
    broker: status.broker && {
      ...status.broker,
      damage: status.broker.damage === null ? null : clip(status.broker.damage, DETAIL_CHARS_MAX),
      diverged: status.broker.diverged === null ? null : clip(status.broker.diverged, DETAIL_CHARS_MAX),
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
    shareGivenUp: fields.flag('shareGivenUp'),
    brokerDown: fields.flag('brokerDown'),
    broker: fields.nullable('broker', (at, name) => readBroker(at.object(name))),
    holdsLock: fields.flag('holdsLock'),
    releasedLock: fields.flag('releasedLock'),
    gatewayAnswers: fields.flag('gatewayAnswers'),
    wantsSwitchover: fields.flag('wantsSwitchover'),
    stopping: fields.flag('stopping'),
    clientEndpoints: fields.list('clientEndpoints', 0, CLIENT_ENDPOINTS_MAX, textElement(HOST_CHARS_MAX + 32)),
  };
}

function readHeard(at: Fields, name: string): NonNullable<PeerStatus['heard']> {
  const heard = at.object(name);
  return { run: heard.name('run', NAME_CHARS_MAX) as RunId, seq: heard.whole('seq') };
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
  };
}
