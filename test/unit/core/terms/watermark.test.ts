import type { Position, Term } from '../../../../src/core/identity.js';
import { decodeWatermark, encodeWatermark, NO_WATERMARK, type Watermark } from '../../../../src/core/terms/watermark.js';
import { encodeHeartbeat } from '../../../../src/core/lock/heartbeat.js';
import { IN_PLACE_BYTES } from '../../../../src/core/wire/in-place.js';
import type { ServerId } from '../../../../src/core/identity.js';

const mark = (position: number): Watermark => ({ term: 7 as Term, nonce: 'f'.repeat(128), position: position as Position });

describe('the watermark', () => {
  it('has one length, whatever it holds, and comes back', () => {
    for (const one of [mark(0), mark(Number.MAX_SAFE_INTEGER)]) {
      const bytes = encodeWatermark(one);
      expect(bytes.length).toBe(IN_PLACE_BYTES);
      expect(decodeWatermark(bytes)).toEqual(one);
    }
  });

  it('that is torn at any byte is either of the two or none', () => {
    const [before, after] = [encodeWatermark(mark(1999)), encodeWatermark(mark(2000))];
    for (let at = 0; at <= IN_PLACE_BYTES; at += 1) {
      expect([null, 1999, 2000]).toContain(decodeWatermark(new Uint8Array([...after.subarray(0, at), ...before.subarray(at)]))?.position ?? null);
    }
  });

  it('says nothing where it only keeps the place, is a heartbeat, or garbage', () => {
    expect(decodeWatermark(encodeWatermark(NO_WATERMARK))).toBeNull();
    expect(decodeWatermark(encodeHeartbeat({ token: 'a', server: 'primary' as ServerId, counter: 1, state: 'held' }))).toBeNull();
    expect(decodeWatermark(new Uint8Array(IN_PLACE_BYTES).fill(0x20))).toBeNull();
    expect(decodeWatermark(encodeWatermark({ ...mark(5), position: -1 as Position }))).toBeNull();
    for (const nonce of ['', 'f'.repeat(129)]) expect(decodeWatermark(encodeWatermark({ ...mark(5), nonce }))).toBeNull();
  });
});
