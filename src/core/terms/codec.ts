import { LockstepError } from '../errors.js';
import { encodeText, sameBytes } from '../wire/bytes.js';
import { decodeJson, Fields, MessageRefused } from '../wire/fields.js';
import { shortSum } from '../wire/sum.js';
import { NAME_CHARS_MAX, readTermRecord } from '../wire/term-record.js';
import { TERM_MAX } from './names.js';
import type { ShareIdentity, TermRecord } from './record.js';

const RECORD_KEYS: readonly string[] = ['schema', 'term', 'server', 'inSync', 'position', 'cause', 'forced', 'at', 'nonce', 'sum'];
const MEMBER_KEYS: readonly string[] = ['server', 'journal'];
const IDENTITY_KEYS: readonly string[] = ['schema', 'share', 'cluster', 'method', 'sum'];

/** The record as one line of JSON with its keys in a fixed order: equal records give equal text. */
export function termRecordText(record: TermRecord): string {
  return JSON.stringify({
    schema: record.schema,
    term: record.term,
    server: record.server,
    inSync: record.inSync.map((member) => ({ server: member.server, journal: member.journal })),
    position: record.position,
    cause: record.cause,
    ...(record.forced === true ? { forced: true } : {}),
    at: record.at,
    nonce: record.nonce,
  });
}

export function encodeTermRecord(record: TermRecord): Uint8Array {
  return summed(termRecordText(record));
}

/**
 * Strict, because this file says who may serve: a key that this version does not know may mean something that it must not ignore.
 * @throws LockstepError LOCKSTEP_TERM_RECORD_DAMAGED, naming `file` and what is wrong, unless `bytes` is exactly a term record
 */
export function decodeTermRecord(bytes: Uint8Array, file: string): TermRecord {
  try {
    const value = decodeJson('its content', bytes);
    const record = readTermRecord(value);
    onlyKeys('record', value, RECORD_KEYS);
    Fields.of('record', value).list('inSync', 1, 2, (member, path) => onlyKeys(path, member, MEMBER_KEYS));
    if (record.term > TERM_MAX) throw new MessageRefused(`record.term is above ${TERM_MAX}`);
    if (!record.inSync.some((member) => member.server === record.server)) throw new MessageRefused('record.server is not among record.inSync');
    mustBe(bytes, encodeTermRecord(record));
    return record;
  } catch (error) {
    if (!(error instanceof MessageRefused)) throw error;
    throw new LockstepError(
      'LOCKSTEP_TERM_RECORD_DAMAGED',
      `the term record ${file} cannot be believed: ${error.message}`,
      'Put this one file back, byte for byte, from a backup of the share, or use a version of Lockstep that can read it. Do not delete it: its number is used.',
      { cause: error },
    );
  }
}

export function encodeShareIdentity(identity: ShareIdentity): Uint8Array {
  const { schema, share, cluster, method } = identity;
  return summed(JSON.stringify({ schema, share, cluster, method }));
}

/** @throws LockstepError LOCKSTEP_SHARE_IDENTITY_DAMAGED, naming `file` and what is wrong */
export function decodeShareIdentity(bytes: Uint8Array, file: string): ShareIdentity {
  try {
    const value = decodeJson('its content', bytes);
    const fields = Fields.of('lockfile', value);
    fields.whole('schema', 1, 1);
    onlyKeys('lockfile', value, IDENTITY_KEYS);
    const identity: ShareIdentity = {
      schema: 1,
      share: fields.name('share', NAME_CHARS_MAX),
      cluster: fields.name('cluster', NAME_CHARS_MAX),
      method: fields.oneOf('method', ['link', 'rename'] as const),
    };
    mustBe(bytes, encodeShareIdentity(identity));
    return identity;
  } catch (error) {
    if (!(error instanceof MessageRefused)) throw error;
    throw new LockstepError(
      'LOCKSTEP_SHARE_IDENTITY_DAMAGED',
      `the lockfile ${file} cannot be believed: ${bytes.length === 0 ? 'it is empty' : error.message}`,
      'On a new share, remove the file: Lockstep makes it itself at the first start. On a share in use, put this one file back, byte for byte, from a backup.',
      { cause: error },
    );
  }
}

/** A line of JSON with the sum of all before it as its last key. A bit that was turned on the share must not make another record. */
function summed(text: string): Uint8Array {
  return encodeText(`${text.slice(0, -1)},"sum":"${shortSum(encodeText(text))}"}\n`);
}

/** Every byte, so that of two keys of one name, of blanks and of other spellings of a number none can say something that we do not see. */
function mustBe(bytes: Uint8Array, written: Uint8Array): void {
  if (!sameBytes(bytes, written)) throw new MessageRefused('its checksum does not agree with its content');
}

function onlyKeys(path: string, value: unknown, keys: readonly string[]): void {
  const stranger = Object.keys(Object(value) as object).find((key) => !keys.includes(key));
  if (stranger !== undefined) throw new MessageRefused(`${path} has the unknown key ${JSON.stringify(stranger.slice(0, NAME_CHARS_MAX))}`);
}
