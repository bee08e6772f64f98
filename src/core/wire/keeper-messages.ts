import type { ClaimOutcome, KeeperOrder, KeeperStatus, KeeperToManager, LockStatus, ManagerToKeeper, ShareCondition } from '../control/keeper.js';
import type { Monotonic, Position, RunId, ServerId, Term } from '../identity.js';
import type { TermRecord } from '../terms/record.js';
import type { Watermark } from '../terms/watermark.js';
import { readFromChild, readToChild, words } from './child-messages.js';
import type { Fields } from './fields.js';
import { NAME_CHARS_MAX, readTermRecord } from './term-record.js';

const CONDITIONS: readonly ShareCondition[] = ['unknown', 'ok', 'absent', 'read-only', 'denied', 'full', 'hung', 'replaced', 'refused', 'failed'];

/** @throws MessageRefused that names the field */
export function readManagerToKeeper(value: unknown): ManagerToKeeper {
  return readToChild(value, readOrder);
}

/** @throws MessageRefused that names the field */
export function readKeeperToManager(value: unknown): KeeperToManager {
  return readFromChild(value, readStatus);
}

function readOrder(order: Fields): KeeperOrder {
  return {
    seq: order.whole('seq'),
    pulseAt: order.measure('pulseAt') as Monotonic,
    wantLock: order.flag('wantLock'),
    peerReleasedLock: order.flag('peerReleasedLock'),
    claim: order.nullable('claim', recordOf),
    kept: order.nullable('kept', recordOf),
    watermark: order.nullable('watermark', watermarkOf),
    shareId: order.nullable('shareId', nameOf),
    wasNetwork: order.flag('wasNetwork'),
    shutdown: order.flag('shutdown'),
  };
}

function readStatus(status: Fields): KeeperStatus {
  return {
    run: nameOf(status, 'run') as RunId,
    orderSeq: status.whole('orderSeq'),
    condition: status.oneOf('condition', CONDITIONS),
    detail: status.nullable('detail', words),
    shareId: status.nullable('shareId', nameOf),
    highest: status.nullable('highest', recordOf),
    watermark: status.nullable('watermark', watermarkOf),
    lookedAt: status.nullable('lookedAt', timeOf),
    onNetwork: status.flag('onNetwork'),
    lock: readLock(status.object('lock')),
    claim: status.nullable('claim', (at, name) => readOutcome(at.object(name))),
  };
}

function readLock(lock: Fields): LockStatus {
  return {
    held: lock.flag('held'),
    until: lock.nullable('until', timeOf),
    holder: lock.nullable('holder', (at, name) => at.text(name, NAME_CHARS_MAX) as ServerId),
    holderSilentMs: lock.nullable('holderSilentMs', (at, name) => at.measure(name)),
    detail: lock.nullable('detail', words),
  };
}

function readOutcome(outcome: Fields): ClaimOutcome {
  const kind = outcome.oneOf('kind', ['pending', 'won', 'lost', 'in-doubt', 'failed']);
  const nonce = nameOf(outcome, 'nonce');
  switch (kind) {
    case 'pending':
      return { kind, nonce };
    case 'won':
    case 'lost':
      return { kind, nonce, record: recordOf(outcome, 'record') };
    case 'in-doubt':
    case 'failed':
      return { kind, nonce, detail: words(outcome, 'detail') };
  }
}

function recordOf(fields: Fields, name: string): TermRecord {
  return readTermRecord(fields.raw(name), name);
}

function watermarkOf(at: Fields, name: string): Watermark {
  const fields = at.object(name);
  return { term: fields.whole('term', 1) as Term, nonce: nameOf(fields, 'nonce'), position: fields.whole('position') as Position };
}

function nameOf(fields: Fields, name: string): string {
  return fields.name(name, NAME_CHARS_MAX);
}

function timeOf(fields: Fields, name: string): Monotonic {
  return fields.measure(name) as Monotonic;
}
