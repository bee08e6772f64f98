import type { PeerStatus } from '../../src/core/control/peer.js';
import type { ServerState } from '../../src/core/identity.js';
import type { Flaw } from './flaws.js';
import { cycle, tell, type Side, type World } from './model.js';

/** The production rules as a step of the world asks for them. */
export interface Rules {
  readonly flaw: Flaw;
  /** The world after this server's manager has decided. */
  cycle(world: World, side: Side): World;
  /** What this server tells its peer now. */
  tell(world: World, side: Side): PeerStatus;
  isSame(one: PeerStatus | null, other: PeerStatus | null): boolean;
}

export type Moved = (from: ServerState, to: ServerState) => void;

/** The rules themselves, asked anew each time. */
export function plainRules(flaw: Flaw, moved?: Moved): Rules {
  return {
    flaw,
    cycle: (world, side) => cycle(world, side, flaw, moved),
    tell: (world, side) => tell(world, side, flaw),
    isSame: (one, other) => one === other || JSON.stringify(one) === JSON.stringify(other),
  };
}
