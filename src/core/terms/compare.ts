import type { JournalId, ServerId } from '../identity.js';
import { termRecordText } from './codec.js';
import type { TermRecord } from './record.js';

/** True when the records agree in every field, the nonce included. Anything less would take another's claim for ours. */
export function sameRecord(one: TermRecord, other: TermRecord): boolean {
  return termRecordText(one) === termRecordText(other);
}

/** The record of the higher term; the first of two with the same term. */
export function higherOf(one: TermRecord | null, other: TermRecord | null): TermRecord | null {
  if (one === null) return other;
  return other !== null && other.term > one.term ? other : one;
}

/** True when this very copy counts in the record's term (rule R3): a journal that was made anew is another copy. */
export function isMember(record: TermRecord, server: ServerId, journal: JournalId): boolean {
  return record.inSync.some((member) => member.server === server && member.journal === journal);
}
