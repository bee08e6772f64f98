import fc from 'fast-check';
import type { RunId, ServerId, Term } from '../../../../src/core/identity.js';
import { RepositoryFrameStream } from '../../../../src/core/repository/frame-stream.js';
import { dataPieces, decodeRepositoryFrame, encodeRepositoryFrame, FilesFrame, REPOSITORY_FRAME_BYTES_MAX, type FileResult, type RepositoryFrame } from '../../../../src/core/repository/frames.js';
import { manifestBytes } from '../../../../src/core/repository/manifest.js';
import { MalformedBytes } from '../../../../src/core/wire/bytes.js';
import { tree } from './trees.js';

const DIGEST = '0123456789abcdef'.repeat(2);
const RESULT: FileResult = { index: 7, outcome: 'sent', size: 3, mtimeUs: 1_700_000_000_123_456, mode: 0o1755, digest: DIGEST, detail: '' };

const FRAMES: readonly RepositoryFrame[] = [
  { kind: 'hello', cluster: 'c', server: 'primary' as ServerId, run: 'r' as RunId, senderRun: 's' as RunId, term: 3 as Term },
  { kind: 'welcome', server: 'primary' as ServerId, run: 'r' as RunId, term: 3 as Term },
  { kind: 'refused', reason: 'why' },
  { kind: 'settings', json: '{"repositories":[]}' },
  { kind: 'ask', sync: 1, repository: 'apps', checksum: true, scope: null },
  { kind: 'ask', sync: 2, repository: 'apps', checksum: false, scope: { folders: ['', 'a/b'], deep: ['ä'] } },
  { kind: 'tree', sync: 1, term: 3 as Term, tree: DIGEST, leftOut: [{ path: 'a', what: 'a socket' }, { path: 'ä/link', what: 'a link to the absolute path "/"' }] },
  { kind: 'tree', sync: 1, term: 3 as Term, tree: null, leftOut: [] },
  { kind: 'list', sync: 1 },
  { kind: 'manifest', sync: 1, term: 3 as Term, count: 5, tree: DIGEST },
  { kind: 'wants', sync: 1, wants: [{ how: 'whole', index: 1 }, { how: 'compare', index: 2, digest: DIGEST }, { how: 'check', index: 3, digest: DIGEST }, { how: 'delta', index: 4, blockBytes: 2048, blocks: 9 }] },
  { kind: 'sums', sync: 1, sums: Uint32Array.of(1, 2, 0xffffffff) },
  { kind: 'wantsEnd', sync: 1 },
  { kind: 'files', sync: 1, files: [{ result: RESULT, content: Uint8Array.of(1, 2, 3) }] },
  { kind: 'begin', sync: 1, index: 4 },
  { kind: 'data', bytes: Uint8Array.of(1, 2) },
  { kind: 'copy', offset: 2 ** 40, length: 65536 },
  { kind: 'finish', sync: 1, result: { ...RESULT, outcome: 'unreadable', digest: '', detail: 'EACCES' } },
  { kind: 'end', sync: 1, term: 3 as Term, tree: DIGEST },
  { kind: 'drop', sync: 1 },
  { kind: 'failed', sync: 1, reason: 'why' },
  { kind: 'report', json: '{"ä":1}' },
  { kind: 'hint', json: '{}' },
  { kind: 'ping' },
];

/** All frames in these bytes, cut as given; data of one frame put together. */
function read(bytes: Uint8Array, cuts: readonly number[]): RepositoryFrame[] {
  const frames: RepositoryFrame[] = [];
  const stream = new RepositoryFrameStream(({ kind, payload }) => frames.push(decodeRepositoryFrame(kind, payload.slice())));
  let at = 0;
  for (const cut of [...cuts, bytes.length]) {
    stream.push(bytes.slice(at, at + cut));
    at += cut;
  }
  return frames;
}

describe('a repository frame', () => {
  it.each(FRAMES.map((frame) => [frame.kind, frame] as const))('%s comes back as it was', (_, frame) => {
    const bytes = encodeRepositoryFrame(frame);
    expect(read(bytes, [])).toEqual([frame]);
  });

  it.each(FRAMES.filter(({ kind }) => !['data', 'ping', 'report', 'hint', 'settings', 'sums', 'wants', 'files'].includes(kind)).map((frame) => [frame.kind, frame] as const))('%s is refused when it is cut short or too long', (_, frame) => {
    const bytes = encodeRepositoryFrame(frame);
    const payload = bytes.subarray(6);
    expect(() => decodeRepositoryFrame(bytes[5] ?? 0, payload.subarray(0, payload.length - 1))).toThrow(MalformedBytes);
    expect(() => decodeRepositoryFrame(bytes[5] ?? 0, Buffer.concat([payload, Uint8Array.of(0)]))).toThrow(MalformedBytes);
  });

  it.each([0o4755, 0o2755, 0o10755])('with a file of permissions %o is refused: no server of ours sends it', (mode) => {
    const file = { path: 'a', kind: 'file', mode, mtimeUs: 1, size: 0, digest: null, target: '' } as const;
    for (const frame of [{ kind: 'entries', sync: 1, entries: [file] }, { kind: 'finish', sync: 1, result: { ...RESULT, mode } }] as const) {
      expect(() => read(encodeRepositoryFrame(frame), [])).toThrow(MalformedBytes);
    }
  });

  it('with a folder whose new files get its group is taken', () => {
    const folder = { path: 'a', kind: 'folder', mode: 0o2775, mtimeUs: 1, size: 0, digest: null, target: '' } as const;
    expect(read(encodeRepositoryFrame({ kind: 'entries', sync: 1, entries: [folder] }), [])).toEqual([{ kind: 'entries', sync: 1, entries: [folder] }]);
  });

  it('names as much of what is left out as fits, however long its names are', () => {
    const leftOut = Array.from({ length: 5_000 }, (_, at) => ({ path: `${at}${'ä'.repeat(at % 2 === 0 ? 10 : 4_000)}`, what: 'a socket' }));
    for (const given of [leftOut, leftOut.filter((_, at) => at % 2 === 0)]) {
      const bytes = encodeRepositoryFrame({ kind: 'tree', sync: 1, term: 3 as Term, tree: DIGEST, leftOut: given });
      expect(bytes.length).toBeLessThan(REPOSITORY_FRAME_BYTES_MAX / 2);
      const [frame] = read(bytes, []);
      const named = frame?.kind === 'tree' ? frame.leftOut : [];
      expect(named).toEqual(given.slice(0, named.length));
      expect(named.length).toBe(given === leftOut ? 49 : 1_000);
    }
  });

  it.each([5, 7])('of kind %d, which an older version sends, is refused with what to do', (kind) => {
    expect(() => decodeRepositoryFrame(kind, new Uint8Array(26))).toThrow(/older version of Lockstep: run the same version on both servers/);
  });

  it('holds any entries, and equal entries are equal bytes', () => {
    fc.assert(
      fc.property(tree, (entries) => {
        expect(read(encodeRepositoryFrame({ kind: 'entries', sync: 1, entries }), [])).toEqual([{ kind: 'entries', sync: 1, entries }]);
        expect(Buffer.concat([...manifestBytes(entries)].map((piece) => piece.slice()))).toEqual(Buffer.concat([...manifestBytes(entries.map((entry) => ({ ...entry })))].map((piece) => piece.slice())));
      }),
    );
  });

  it('of any bytes is decoded or refused by name, and nothing else', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 }), fc.uint8Array({ maxLength: 200 }), (kind, payload) => {
        try {
          decodeRepositoryFrame(kind, payload);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedBytes);
        }
      }),
      { numRuns: 3_000 },
    );
  });
});

describe('a stream of frames', () => {
  const files = new FilesFrame(9);
  files.room(3)?.set([7, 8, 9]);
  files.add(RESULT, 3);
  files.add({ ...RESULT, index: 8, outcome: 'vanished', digest: '', size: 0 }, 0);
  const bytes = Buffer.concat([...FRAMES.map(encodeRepositoryFrame), files.take(), ...dataPieces(new Uint8Array(5_000).fill(3)), encodeRepositoryFrame({ kind: 'ping' })]);

  it('is read the same however it is cut', () => {
    const whole = read(bytes, []);
    expect(whole.slice(0, FRAMES.length)).toEqual(FRAMES);
    expect(whole[FRAMES.length]).toMatchObject({ kind: 'files', sync: 9, files: [{ result: RESULT, content: Uint8Array.of(7, 8, 9) }, { result: { outcome: 'vanished' } }] });
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 200 }), (cuts) => {
        const data = (frames: readonly RepositoryFrame[]): number => frames.reduce((sum, frame) => sum + (frame.kind === 'data' ? frame.bytes.length : 0), 0);
        const got = read(bytes, cuts);
        expect(got.filter(({ kind }) => kind !== 'data')).toEqual(whole.filter(({ kind }) => kind !== 'data'));
        expect(data(got)).toBe(data(whole));
      }),
    );
  });

  it('ends with a frame of another version or beyond the limit', () => {
    const bad = encodeRepositoryFrame({ kind: 'data', bytes: Uint8Array.of(1) });
    bad[4] = 9;
    expect(() => read(bad, [])).toThrow(/version 9/);
    const large = encodeRepositoryFrame({ kind: 'data', bytes: Uint8Array.of(1) });
    new DataView(large.buffer).setUint32(0, 2 ** 31);
    expect(() => read(large, [])).toThrow(/2147483648 bytes/);
  });
});
