import type { JournalId, Position, ServerId, Term } from '../identity.js';
import type { Member, TermCause, TermRecord } from '../terms/record.js';
import { Fields, MessageRefused } from './fields.js';

export const NAME_CHARS_MAX = 128;
const CAUSES: readonly TermCause[] = ['start', 'takeover', 'alone', 'peer-lost', 'admission', 'switchover', 'promotion'];

/**
 * A term record out of JSON of unknown origin (the peer, our own disk).
 * @throws MessageRefused that names the field
 */
export function readTermRecord(value: unknown, path = 'record'): TermRecord {
  const fields = Fields.of(path, value);
  fields.whole('schema', 1, 1);
  const inSync = fields.list('inSync', 1, 2, readMember);
  const [first, second] = inSync;
  if (first?.server === second?.server) throw new MessageRefused(`${path}.inSync names ${String(first?.server)} twice`);
  const record: TermRecord = {
    schema: 1,
    term: fields.whole('term', 1) as Term,
    server: fields.name('server', NAME_CHARS_MAX) as ServerId,
    inSync,
    position: fields.whole('position') as Position,
    cause: fields.oneOf('cause', CAUSES),
    at: fields.name('at', NAME_CHARS_MAX),
    nonce: fields.name('nonce', NAME_CHARS_MAX),
  };
  if (!fields.has('forced')) return record;
  if (!fields.flag('forced')) throw new MessageRefused(`${path}.forced is false; it is true or absent`);
  return { ...record, forced: true };
}

/** A copy that counts. @throws MessageRefused that names the field */
export function readMember(value: unknown, path: string): Member {
  const fields = Fields.of(path, value);
  return { server: fields.name('server', NAME_CHARS_MAX) as ServerId, journal: fields.name('journal', NAME_CHARS_MAX) as JournalId };
}
