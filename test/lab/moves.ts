import type { ConfiguredRole, ServerState } from '../../src/core/identity.js';

/** A change of a server's state, as its console told it. */
export interface Move {
  /** Monotonic milliseconds of this machine at which the line came. */
  readonly at: number;
  readonly server: ConfiguredRole;
  readonly from: ServerState;
  readonly to: ServerState;
  readonly why: string;
}

const SWITCHED = /\] INFO +(Primary|Secondary) Server switched to (\w+) \(from (\w+): (.*)\)$/;

/** `null` for any other line, and for what a server says of the other one. */
export function parseMove(server: ConfiguredRole, line: string, at: number): Move | null {
  const found = SWITCHED.exec(line);
  if (found === null || found[1]?.toLowerCase() !== server) return null;
  return { at, server, from: found[3] as ServerState, to: found[2] as ServerState, why: found[4] ?? '' };
}

/** `P ACTIVE→STANDALONE→ACTIVE, S PASSIVE→WAITING`: each server's way, with runs that began anew parted by a stroke. */
export function describeMoves(moves: readonly Move[]): string {
  const ways = (['primary', 'secondary'] as const).map((server) => {
    let way = '';
    let last: ServerState | null = null;
    for (const { from, to } of moves.filter((move) => move.server === server)) {
      way += from === last ? `→${to}` : `${way === '' ? '' : ' / '}${from}→${to}`;
      last = to;
    }
    return way === '' ? null : `${server === 'primary' ? 'P' : 'S'} ${way}`;
  });
  return ways.filter((way) => way !== null).join(', ') || 'none';
}
