import { encodePeerStatus } from '../../../src/core/wire/peer-status.js';
import { StatusReader } from '../../../src/manager/status-reader.js';
import { STATUS } from '../core/wire/samples.js';

describe('StatusReader', () => {
  it('reads what comes twice once', () => {
    const reader = new StatusReader();
    const first = reader.read(encodePeerStatus(STATUS));
    expect(first).toEqual(STATUS);
    expect(reader.read(encodePeerStatus(STATUS))).toBe(first);
  });

  it('takes nothing for the same that differs in one byte, or in its length', () => {
    const reader = new StatusReader();
    reader.read(encodePeerStatus(STATUS));
    expect(reader.read(encodePeerStatus({ ...STATUS, seq: 8 })).seq).toBe(8);
    expect(reader.read(encodePeerStatus({ ...STATUS, seq: 18 })).seq).toBe(18);
  });

  it('does not go by bytes that the sender of the view has overwritten since', () => {
    const reader = new StatusReader();
    const buffer = encodePeerStatus({ ...STATUS, seq: 3, reason: '0' });
    reader.read(buffer);
    const other = encodePeerStatus({ ...STATUS, seq: 4, reason: '0' });
    buffer.set(other);
    expect(reader.read(buffer).seq).toBe(4);
  });

  it('remembers nothing of what it refused', () => {
    const reader = new StatusReader();
    const garbage = new Uint8Array([0x7b]);
    expect(() => reader.read(garbage)).toThrow('not JSON');
    expect(() => reader.read(garbage)).toThrow('not JSON');
  });
});
