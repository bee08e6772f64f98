import { BrokerCore } from '../core/broker/core.js';
import type { EffectSink } from '../core/broker/effects.js';
import type { BrokerLimits } from '../core/broker/limits.js';
import { isKnownOperation, unknownRecord } from '../core/broker/records.js';
import { assertionFailed } from '../core/errors.js';
import { recordBytes } from '../core/journal/codec.js';
import { NO_POSITION, type Position } from '../core/identity.js';
import type { LogRecord } from '../core/journal/envelope.js';
import { STATE_RECORD_TYPE_MAX, isKnownMark } from '../core/replication/log-marks.js';
import { PayloadCache } from './payloads.js';

/** Whether this build can apply such a record. @throws LockstepError LOCKSTEP_RECORD_UNKNOWN when not */
export function assertKnown(type: number, version: number, position: Position): void {
  const known = type > STATE_RECORD_TYPE_MAX ? isKnownMark(type, version) : isKnownOperation(type, version);
  if (!known) throw unknownRecord({ type, version }, `record at position ${position}`);
}

/** Takes effects that nobody shall see. */
export const FORGET: EffectSink = () => undefined;

/**
 * The broker's state with the payloads that it holds in memory, at one position of the log.
 *
 * Invariant: records are applied one after the other, each once, so that equal logs give equal states.
 */
export class Replica {
  readonly core: BrokerCore;
  readonly payloads: PayloadCache;
  private at: Position = NO_POSITION;

  /** @param limits until the log's first term says which */
  constructor(limits: BrokerLimits, payloadBytesMax: number) {
    this.payloads = new PayloadCache(payloadBytesMax);
    this.core = new BrokerCore(limits, this.payloads, { viewsKept: true });
  }

  /** The last position applied, or that of the snapshot. */
  get position(): Position {
    return this.at;
  }

  /** The state was restored and stands at `position`. */
  restoredAt(position: Position): void {
    this.at = position;
  }

  /** @throws LockstepError LOCKSTEP_RECORD_UNKNOWN; nothing was applied then */
  apply(record: LogRecord, effects: EffectSink): void {
    if (record.position !== this.at + 1) assertionFailed(`record ${record.position} was to be applied after record ${this.at}`);
    assertKnown(record.type, record.version, record.position);
    this.payloads.begin(record.position, recordBytes(record.payload.length));
    if (record.type <= STATE_RECORD_TYPE_MAX) this.core.apply(record, effects);
    this.at = record.position;
  }
}
