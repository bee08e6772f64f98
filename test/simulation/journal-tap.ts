import { decodeOperation } from '../../src/core/broker/records.js';
import { RecordType } from '../../src/core/broker/operations.js';
import type { Term } from '../../src/core/identity.js';
import type { LogPoint, LogRecord } from '../../src/core/journal/envelope.js';
import type { Journal } from '../../src/server/journal/api.js';
import type { Ledger } from './ledger.js';

const OPERATION_ID = /^[a-z]+\d+\.\d+$/;
const decoder = new TextDecoder();

/** The id of the client operation that a record brought, if it is one. */
export function operationOf(record: LogRecord): string | null {
  if (record.type !== RecordType.publish) return null;
  const operation = decodeOperation(record);
  if (operation.kind !== 'publish') return null;
  const space = operation.payload.indexOf(0x20);
  const id = decoder.decode(space < 0 ? operation.payload : operation.payload.subarray(0, space));
  return OPERATION_ID.test(id) ? id : null;
}

/** Notes in the ledger whatever is appended to a journal. Nothing else is changed: everything else is the journal's own. */
export function tapJournal(journal: Journal, ledger: Ledger): Journal {
  const { append, appendEncoded } = journal;
  const note = (before: LogPoint, record: LogRecord): LogPoint => {
    const point = { term: record.term, position: record.position, chain: record.chain };
    if (ledger.find(point) === null) ledger.appended(before, point, operationOf(record), record.type);
    return point;
  };
  journal.append = (type: number, version: number, origin: number, term: Term, payload: Uint8Array): LogRecord => {
    const before = journal.head;
    const record = append.call(journal, type, version, origin, term, payload);
    note(before, record);
    return record;
  };
  journal.appendEncoded = (bytes: Uint8Array, each: (record: LogRecord) => boolean): number => {
    let before = journal.head;
    return appendEncoded.call(journal, bytes, (record) => {
      before = note(before, record);
      return each(record);
    });
  };
  return journal;
}
