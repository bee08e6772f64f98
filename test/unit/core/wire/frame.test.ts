import fc from 'fast-check';
import { encodeFrame, frameHeader, FRAME_HEADER_BYTES, FRAME_VERSION, FrameReader, FrameRefused } from '../../../../src/core/wire/frame.js';

const LIMIT = 1000;
const frames = fc.array(fc.record({ kind: fc.nat(255), payload: fc.uint8Array({ maxLength: 300 }) }), { maxLength: 12 });

function reading(limit = LIMIT): { reader: FrameReader; got: { kind: number; payload: Uint8Array }[] } {
  const got: { kind: number; payload: Uint8Array }[] = [];
  return { got, reader: new FrameReader(limit, ({ kind, payload }) => got.push({ kind, payload: payload.slice() })) };
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

describe('FrameReader', () => {
  it('gives the same frames however the bytes are cut', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat(3000), { maxLength: 30 }), (sent, cuts) => {
        const bytes = join(sent.map(({ kind, payload }) => encodeFrame(kind, payload)));
        const { reader, got } = reading();
        const points = [...new Set(cuts.filter((cut) => cut < bytes.length))].sort((a, b) => a - b);
        let from = 0;
        for (const to of [...points, bytes.length]) {
          reader.push(bytes.slice(from, to));
          from = to;
        }
        expect(got).toEqual(sent);
      }),
    );
  });

  it('gives the same frames byte by byte', () => {
    fc.assert(
      fc.property(frames, (sent) => {
        const { reader, got } = reading();
        for (const byte of join(sent.map(({ kind, payload }) => encodeFrame(kind, payload)))) reader.push(Uint8Array.of(byte));
        expect(got).toEqual(sent);
      }),
      { numRuns: 30 },
    );
  });

  it('refuses a length above the limit as soon as the header is there', () => {
    const header = encodeFrame(1, new Uint8Array(LIMIT + 1)).slice(0, FRAME_HEADER_BYTES);
    const { reader } = reading();
    reader.push(header.slice(0, 3));
    expect(() => reader.push(header.slice(3))).toThrow(expect.objectContaining({ code: 'LOCKSTEP_FRAME_TOO_LARGE' }));
    const { reader: exact, got } = reading();
    exact.push(encodeFrame(1, new Uint8Array(LIMIT)));
    expect(got).toHaveLength(1);
  });

  it('refuses another version by its number', () => {
    const frame = encodeFrame(1, new Uint8Array(4));
    frame[4] = FRAME_VERSION + 1;
    expect(() => reading().reader.push(frame)).toThrow(/version 2 came/);
  });

  it('holds no more than what came, however long a frame was announced and however small the pieces are', () => {
    const { reader } = reading(64 * 1024 * 1024);
    const header = frameHeader(5, 64 * 1024 * 1024);
    for (const byte of header) reader.push(Uint8Array.of(byte));
    for (let i = 0; i < 5_000; i++) reader.push(new Uint8Array(65_536).subarray(i, i + 1));
    const { room } = reader as unknown as { room: Uint8Array };
    expect(room.buffer.byteLength).toBeLessThan(2 * (5_000 + FRAME_HEADER_BYTES));
  });

  it('takes any garbage without another error than a refusal, and holds no more than a frame', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 }), (chunks) => {
        const { reader } = reading();
        try {
          for (const chunk of chunks) reader.push(chunk);
        } catch (error) {
          expect(error).toBeInstanceOf(FrameRefused);
        }
      }),
    );
  });
});
