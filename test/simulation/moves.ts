import type { ServerState } from '../../src/core/identity.js';

/** The table of moves (design: arbitration, section 5), written down a second time so that the code cannot change it unseen. */
export const MOVES: Readonly<Record<ServerState, readonly ServerState[]>> = {
  WAITING: ['PASSIVE_SYNC', 'ACTIVE_SYNC', 'STANDALONE'],
  STANDALONE: ['ACTIVE_SYNC', 'WAITING'],
  ACTIVE_SYNC: ['ACTIVE', 'STANDALONE', 'WAITING'],
  ACTIVE: ['STANDALONE', 'WAITING', 'PASSIVE'],
  PASSIVE_SYNC: ['PASSIVE', 'WAITING'],
  PASSIVE: ['STANDALONE', 'WAITING', 'PASSIVE_SYNC', 'ACTIVE'],
};

/** What an ACTIVE server does whose disk makes nothing durable: a reason of its own for a row of the table. */
export const GIVING_WAY = 'ACTIVE WAITING, giving way';

/** Every row of the table, as `FROM TO`, and the reason above; a thousand seeds must see each. */
export const MOVES_TO_SEE: readonly string[] = [...(Object.keys(MOVES) as ServerState[]).flatMap((from) => MOVES[from].map((to) => `${from} ${to}`)), GIVING_WAY];

export function isMove(from: ServerState, to: ServerState): boolean {
  return MOVES[from].includes(to);
}
