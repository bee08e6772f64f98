import { GROUP_HEADER_BYTES, findGroup, readGroupHeader, stampOf } from '../../../../src/core/journal/group.js';
import { EMPTY_LOG } from '../../../../src/core/journal/envelope.js';
import { SegmentScanner, type Scan } from '../../../../src/core/journal/scan.js';
import type { Block } from '../../../../src/core/journal/codec.js';
import { checksum, codec, SegmentBuilder, STAMP } from './rig.js';

const scanner = new SegmentScanner(codec, STAMP);
const scan = (block: Block, through?: number): Scan => scanner.scan(block, EMPTY_LOG, () => undefined, through);
const damage = (block: Block, at: number): Block => {
  block.bytes[at] = (block.bytes[at] ?? 0) ^ 0x10;
  return block;
};
/** Three commits; each knows of the one before. */
const three = (): SegmentBuilder => new SegmentBuilder().group(['a', 'b'], 0).group(['c'], 2).group(['d', 'e'], 3);

test('an intact segment, with and without zeros behind it', () => {
  for (const zeros of [0, 1, GROUP_HEADER_BYTES - 1, 5000]) {
    const builder = three().zeros(zeros);
    const block = builder.block;
    const visited: number[] = [];
    const result = scanner.scan(block, EMPTY_LOG, ({ position }) => visited.push(position));
    expect(visited).toEqual([1, 2, 3, 4, 5]);
    expect(result).toMatchObject({ point: builder.head, end: block.bytes.length - zeros, partial: null, sealed: false, durable: 3, flaw: null, unvouchedFrom: builder.groups[2] });
    expect(scanner.judge(block, result)).toEqual({ kind: 'clean' });
  }
});

test('an idle mark vouches for all before it; a seal says that more follows', () => {
  expect(scan(three().group([], 5, 'mark').block)).toMatchObject({ durable: 5, sealed: false, flaw: null });
  const sealed = three().group([], 5, 'seal').zeros(100).block;
  expect(scan(sealed)).toMatchObject({ durable: 5, sealed: true, flaw: null });
});

test('bad bytes that nothing later vouches for are a torn tail; its intact records are kept', () => {
  const builder = three();
  const block = damage(builder.zeros(600).block, (builder.groups[2] ?? 0) + GROUP_HEADER_BYTES + 25 + 24);
  const result = scan(block);
  expect(result.point.position).toBe(4);
  expect(result.partial).toMatchObject({ offset: builder.groups[2], header: { records: 1, bytes: 25 } });
  expect(scanner.judge(block, result)).toMatchObject({ kind: 'torn', to: block.bytes.length - 600 });
});

test('the same bytes are damage when a later header says that they were durable', () => {
  for (const later of [(builder: SegmentBuilder) => builder.group([], 5, 'mark'), (builder: SegmentBuilder) => builder.group(['f'], 5)]) {
    const builder = later(three());
    const at = (builder.groups[2] ?? 0) + GROUP_HEADER_BYTES + 25 + 24;
    const block = damage(builder.block, at);
    expect(scanner.judge(block, scan(block))).toMatchObject({ kind: 'damage', offset: at - 24 });
  }
});

test('a later group of the same commit vouches for nothing of it', () => {
  const builder = three().group(['f'], 3).group(['g'], 3);
  const block = damage(builder.block, (builder.groups[2] ?? 0) + 3);
  const result = scan(block);
  expect(result.point.position).toBe(3);
  expect(scanner.judge(block, result)).toMatchObject({ kind: 'torn', to: block.bytes.length });
});

test('zeros where a group was durable are damage', () => {
  const builder = three().group([], 5, 'mark');
  const block = builder.block;
  block.bytes.fill(0, builder.groups[1], builder.groups[2]);
  expect(scanner.judge(block, scan(block))).toMatchObject({ kind: 'damage', offset: builder.groups[1] });
});

test("another journal's groups vouch for nothing", () => {
  const block = three().block;
  const other = stampOf('f'.repeat(32), checksum);
  expect(findGroup(block, 0, other, checksum)).toBeNull();
  const stranger = new SegmentScanner(codec, other);
  const result = stranger.scan(block, EMPTY_LOG, () => undefined);
  expect(result.point).toEqual(EMPTY_LOG);
  expect(stranger.judge(block, result).kind).toBe('torn');
});

test('a scan that ends at a position says how to cut there', () => {
  const builder = three();
  expect(scan(builder.block, 0)).toMatchObject({ point: EMPTY_LOG, partial: null });
  expect(scan(builder.block, 2)).toMatchObject({ point: { position: 2 }, end: builder.groups[1], partial: null });
  expect(scan(builder.block, 4)).toMatchObject({ point: { position: 4 }, partial: { offset: builder.groups[2], header: { records: 1 } } });
});

test('a group header is a header only where it begins', () => {
  const builder = three();
  const block = builder.block;
  const at = builder.groups[1] ?? 0;
  expect(readGroupHeader(block, at, STAMP, checksum)).toMatchObject({ kind: 'records', records: 1, durable: 2, before: { position: 2 } });
  expect(readGroupHeader(block, at + 1, STAMP, checksum)).toBe('no group begins here');
  expect(readGroupHeader(block, block.bytes.length - 10, STAMP, checksum)).toContain('cut off');
  expect(findGroup(block, at + 1, STAMP, checksum)?.offset).toBe(builder.groups[2]);
});
