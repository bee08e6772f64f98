import { describeMoves, parseMove } from '../../lab/moves.js';

const LINE = '2026-11-24 15:44:10.613 [secondary] INFO  Secondary Server switched to STANDALONE (from PASSIVE: the peer is lost, term 4)';

describe('moves told by a console', () => {
  it('are read with what they were from, to and for', () => {
    expect(parseMove('secondary', LINE, 7)).toEqual({ at: 7, server: 'secondary', from: 'PASSIVE', to: 'STANDALONE', why: 'the peer is lost, term 4' });
  });

  it.each([
    ['what a server says of the other one', '2026-11-24 15:44:10.613 [secondary] INFO  Primary Server switched to DEAD (nothing was heard of it for 1500 ms)'],
    ['what a server says of the other one in the words of a move', '2026-11-24 15:44:10.613 [secondary] INFO  Primary Server switched to ACTIVE (from ACTIVE_SYNC: x)'],
    ['a reason that changed', '2026-11-24 15:44:10.613 [secondary] INFO  Secondary Server is WAITING: the peer is lost'],
  ])('are not %s', (_, line) => {
    expect(parseMove('secondary', line, 7)).toBeNull();
  });

  it('are told as ways, a new run after a stroke', () => {
    const move = (server: 'primary' | 'secondary', from: string, to: string) => ({ at: 0, server, from, to, why: '' }) as Parameters<typeof describeMoves>[0][number];
    const moves = [move('primary', 'ACTIVE', 'STANDALONE'), move('secondary', 'WAITING', 'PASSIVE_SYNC'), move('primary', 'STANDALONE', 'ACTIVE_SYNC'), move('primary', 'WAITING', 'PASSIVE_SYNC')];
    expect(describeMoves(moves)).toBe('P ACTIVE→STANDALONE→ACTIVE_SYNC / WAITING→PASSIVE_SYNC, S WAITING→PASSIVE_SYNC');
    expect(describeMoves([])).toBe('none');
  });
});
