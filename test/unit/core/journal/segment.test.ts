import type { JournalId, Position } from '../../../../src/core/identity.js';
import { baseOfName, decodeSegmentHeader, encodeSegmentHeader, SEGMENT_HEADER_BYTES, segmentName } from '../../../../src/core/journal/segment.js';
import { checksum, ID, point } from './rig.js';

const header = { journal: ID, base: point(7, 0x1_0000_0003, 0xcafebabe) };
const bytes = encodeSegmentHeader(header, checksum);
const changed = (at: number, ...values: number[]): Uint8Array => {
  const copy = bytes.slice();
  copy.set(values, at);
  return copy;
};

test('a header is read back as it was written', () => {
  expect(bytes).toHaveLength(SEGMENT_HEADER_BYTES);
  expect(decodeSegmentHeader(bytes, ID, checksum)).toEqual(header);
  expect(decodeSegmentHeader(bytes, null, checksum)).toEqual(header);
});

test.each([
  ['another journal', bytes, 'f'.repeat(32) as JournalId, 'foreign'],
  ['another file', changed(0, ...new TextEncoder().encode('PK\u0003\u0004 something else altogether')), ID, 'foreign'],
  ['a turned magic number', changed(0, 0), ID, 'damaged'],
  ['zeros', new Uint8Array(100), ID, 'damaged'],
  ['too few bytes', bytes.slice(0, 63), ID, 'damaged'],
  ['a turned byte', changed(50, 0xff), ID, 'damaged'],
])('%s: %#', (_, content, journal, kind) => {
  expect(decodeSegmentHeader(content, journal, checksum)).toMatchObject({ kind });
});

test('a later format is told from damage', () => {
  const later = changed(4, 0, 2);
  new DataView(later.buffer).setUint32(60, checksum(later.subarray(0, 60), 0));
  expect(decodeSegmentHeader(later, ID, checksum)).toMatchObject({ kind: 'newer' });
});

test('names sort as positions do, and other names are none', () => {
  const positions = [0, 9, 99, 1_000_000, Number.MAX_SAFE_INTEGER - 1] as Position[];
  const names = positions.map(segmentName);
  expect([...names].sort()).toEqual(names);
  expect(names.map(baseOfName)).toEqual(positions);
  expect(['journal.json', 'spare.tmp', '1.segment', '0000000000000001.segment.tmp'].map(baseOfName)).toEqual([null, null, null, null]);
});
