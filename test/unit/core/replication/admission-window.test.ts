import fc from 'fast-check';
import type { Effect } from '../../../../src/core/broker/effects.js';
import type { Position } from '../../../../src/core/identity.js';
import { AdmissionWindow, admittedPosition } from '../../../../src/core/replication/admission-window.js';

const at = (position: number): Position => position as Position;
const puback = (packetId: number): Effect => ({ kind: 'puback', connection: 1, packetId });
const open = (): boolean => true;

describe('what is admitted', () => {
  test.each([
    ['alone', { own: 7, peer: null, peerIsMember: false, peerRequiredFrom: null }, 7],
    ['alone, the peer is behind', { own: 7, peer: 3, peerIsMember: false, peerRequiredFrom: null }, 7],
    ['both, the peer never spoke', { own: 7, peer: null, peerIsMember: true, peerRequiredFrom: 1 }, 0],
    ['both, the peer is behind', { own: 7, peer: 3, peerIsMember: true, peerRequiredFrom: 1 }, 3],
    ['both, the peer is ahead of the own disk', { own: 3, peer: 7, peerIsMember: true, peerRequiredFrom: null }, 3],
    ['on the way to both: what came before needs only this copy', { own: 9, peer: 2, peerIsMember: false, peerRequiredFrom: 6 }, 5],
    ['on the way to both: what came after needs the peer', { own: 9, peer: 7, peerIsMember: false, peerRequiredFrom: 6 }, 7],
    ['on the way to both: the own disk still counts', { own: 4, peer: 7, peerIsMember: false, peerRequiredFrom: 6 }, 4],
  ])('%s', (_, of, admitted) => {
    expect(admittedPosition({ ...of, own: at(of.own), peer: of.peer === null ? null : at(of.peer), peerRequiredFrom: of.peerRequiredFrom === null ? null : at(of.peerRequiredFrom) })).toBe(admitted);
  });
});

describe('effects', () => {
  test('leave in order, each once, and only when admitted', () => {
    const window = new AdmissionWindow();
    const left: Effect[] = [];
    const deliver = (effect: Effect): unknown => left.push(effect);
    for (let i = 1; i <= 5; i++) window.hold(at(i), puback(i));
    window.hold(at(5), puback(55));
    window.release(open, deliver);
    expect(left).toEqual([]);
    window.admit(at(3));
    window.release(open, deliver);
    expect(window.admit(at(2))).toBe(false);
    expect(window.admitted).toBe(3);
    expect(left).toEqual([1, 2, 3].map(puback));
    window.admit(at(9));
    window.release(open, deliver);
    expect(left).toEqual([1, 2, 3, 4, 5, 55].map(puback));
    expect(window.held).toBe(0);
  });

  test('a gate that closes keeps what is left; it is asked anew for each record', () => {
    const window = new AdmissionWindow();
    for (let i = 1; i <= 4; i++) window.hold(at(i), puback(i));
    window.admit(at(4));
    const left: Effect[] = [];
    let asked = 0;
    window.release(() => ++asked <= 2, (effect) => left.push(effect));
    expect(left).toEqual([1, 2].map(puback));
    expect(window.held).toBe(2);
    window.release(open, (effect) => left.push(effect));
    expect(left).toEqual([1, 2, 3, 4].map(puback));
  });

  test('what is released is what is admitted, up to the first that the gate keeps', () => {
    const window = new AdmissionWindow();
    const nothing = (): void => undefined;
    for (const position of [2, 3, 3, 5]) window.hold(at(position), puback(position));
    expect(window.released).toBe(0);
    window.admit(at(1));
    expect(window.released).toBe(1);
    window.admit(at(4));
    expect(window.released).toBe(1);
    let asked = 0;
    window.release(() => ++asked <= 1, nothing);
    expect(window.released).toBe(2);
    window.release(open, nothing);
    expect(window.released).toBe(4);
    window.admit(at(7));
    window.release(open, nothing);
    expect(window.released).toBe(7);
  });

  test('a delivery that holds, releases or clears on its way does no harm', () => {
    const window = new AdmissionWindow();
    const left: number[] = [];
    window.hold(at(1), puback(1));
    window.hold(at(2), puback(2));
    window.admit(at(3));
    window.release(open, (effect) => {
      left.push((effect as { packetId: number }).packetId);
      if (left.length === 1) {
        window.hold(at(3), puback(3));
        window.release(open, () => left.push(-1));
      }
    });
    expect(left).toEqual([1, 2, 3]);
    window.hold(at(4), puback(4));
    window.hold(at(4), puback(5));
    window.admit(at(4));
    window.release(open, () => window.clear());
    expect(window.held).toBe(0);
  });

  test('whatever is held and admitted in whatever steps, nothing is lost or doubled', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(6), { minLength: 1, maxLength: 400 }), (steps) => {
        const window = new AdmissionWindow();
        const left: number[] = [];
        let head = 0;
        let id = 0;
        for (const step of steps) {
          if (step < 4) {
            if (step > 0) head += 1;
            window.hold(at(head), puback(++id));
          } else {
            window.admit(at(Math.max(window.admitted, head - step + 4)));
            window.release(open, (effect) => left.push((effect as { packetId: number }).packetId));
          }
        }
        window.admit(at(head));
        window.release(open, (effect) => left.push((effect as { packetId: number }).packetId));
        expect(left).toEqual(Array.from({ length: id }, (_, i) => i + 1));
      }),
    );
  });
});
