import { AssertionFailure } from '../../../../src/core/errors.js';
import { isMove, move, moveToWaiting, stay } from '../../../../src/core/ha/moves.js';
import type { ServerState, Term } from '../../../../src/core/identity.js';
import { active, passive, PEER, PEER_RUN, standalone } from './situations.js';

const STATES: readonly ServerState[] = ['WAITING', 'PASSIVE_SYNC', 'ACTIVE_SYNC', 'PASSIVE', 'ACTIVE', 'STANDALONE'];

/** docs/states.md, "Moves", row by row. */
const TABLE: readonly (readonly [ServerState, ServerState])[] = [
  ['WAITING', 'PASSIVE_SYNC'],
  ['WAITING', 'ACTIVE_SYNC'],
  ['WAITING', 'STANDALONE'],
  ['STANDALONE', 'ACTIVE_SYNC'],
  ['ACTIVE_SYNC', 'ACTIVE'],
  ['PASSIVE_SYNC', 'PASSIVE'],
  ['ACTIVE', 'STANDALONE'],
  ['ACTIVE_SYNC', 'STANDALONE'],
  ['ACTIVE', 'WAITING'],
  ['ACTIVE_SYNC', 'WAITING'],
  ['STANDALONE', 'WAITING'],
  ['PASSIVE', 'STANDALONE'],
  ['PASSIVE', 'WAITING'],
  ['PASSIVE', 'PASSIVE_SYNC'],
  ['PASSIVE_SYNC', 'WAITING'],
  ['ACTIVE', 'PASSIVE'],
  ['PASSIVE', 'ACTIVE'],
];

test('the moves are those of the table and no others', () => {
  const all = STATES.flatMap((from) => STATES.filter((to) => isMove(from, to)).map((to) => `${from} → ${to}`));
  expect(all.sort()).toEqual(TABLE.map(([from, to]) => `${from} → ${to}`).sort());
});

test('a move that is not in the table is a broken assumption', () => {
  expect(() => move(standalone(3), 'PASSIVE', 'no')).toThrow(AssertionFailure);
});

test('a state is entered whole: the task is over, the move is counted, the reason is said', () => {
  const before = active(3, { task: { kind: 'handover', claim: null }, moves: 4 });
  const leader = { server: PEER, brokerRun: PEER_RUN, endpoint: { host: 'h', port: 1 } };
  expect(move(before, 'PASSIVE', 'handed over', { term: 4 as Term, record: null, partner: null, leader })).toMatchObject({ state: 'PASSIVE', previous: 'ACTIVE', moves: 5, task: null, reason: 'handed over', leader });
});

test('whoever goes to WAITING keeps nothing but the fence', () => {
  expect(moveToWaiting(passive(3, { fence: 7 as Term }), 'lost')).toMatchObject({ state: 'WAITING', previous: 'PASSIVE', term: 0, record: null, leader: null, partner: null, brokerRun: null, task: null, fence: 7 });
});

test('the same reason again is no change', () => {
  const before = standalone(3, { reason: 'x' });
  expect(stay(before, 'x')).toBe(before);
  expect(stay(before, 'y')).toEqual({ ...before, reason: 'y' });
});
