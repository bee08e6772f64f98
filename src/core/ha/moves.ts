import type { ServerState } from '../identity.js';
import { assert } from '../errors.js';
import { NO_TERM } from '../identity.js';
import type { HaState } from './state.js';

/** Every move that there is (arbitration, section 5), and nothing else. */
const MOVES: Readonly<Record<ServerState, readonly ServerState[]>> = {
  WAITING: ['PASSIVE_SYNC', 'ACTIVE_SYNC', 'STANDALONE'],
  PASSIVE_SYNC: ['PASSIVE', 'WAITING'],
  ACTIVE_SYNC: ['ACTIVE', 'STANDALONE', 'WAITING'],
  PASSIVE: ['STANDALONE', 'WAITING', 'PASSIVE_SYNC', 'ACTIVE'],
  ACTIVE: ['STANDALONE', 'WAITING', 'PASSIVE'],
  STANDALONE: ['ACTIVE_SYNC', 'WAITING'],
};

export function isMove(from: ServerState, to: ServerState): boolean {
  return MOVES[from].includes(to);
}

type Patch = Partial<Omit<HaState, 'state' | 'previous' | 'moves' | 'reason'>>;

/** Enters a state whole. Whatever task was under way is over. @throws AssertionFailure for a move that is not in the table */
export function move(ha: HaState, to: ServerState, reason: string, patch: Patch = {}): HaState {
  assert(isMove(ha.state, to), `no move leads from ${ha.state} to ${to} (${reason})`);
  return { ...ha, task: null, ...patch, state: to, previous: ha.state, moves: ha.moves + 1, reason };
}

/** Gives up whatever authority there is. Needs nothing (R12). */
export function moveToWaiting(ha: HaState, reason: string): HaState {
  return move(ha, 'WAITING', reason, { term: NO_TERM, record: null, leader: null, partner: null, brokerRun: null });
}

/** Stays, with what is waited for said anew. Returns the same object when nothing changes, so that callers can compare. */
export function stay(ha: HaState, reason: string): HaState {
  return ha.reason === reason ? ha : { ...ha, reason };
}
