import type { HaState } from './state.js';
import type { Situation } from './situation.js';
import { decidePassive, decidePassiveSync } from './following.js';
import { decideActive, decideActiveSync, decideStandalone } from './serving.js';
import { decideWaiting } from './waiting.js';

/**
 * One step of a server's rules: what it is next, given what it is and everything it knows. Pure: the same arguments give the same answer.
 * Returns the same object when nothing changes. Called again at once after each change, until nothing changes (see `settle`).
 */
export function decide(ha: HaState, s: Situation): HaState {
  switch (ha.state) {
    case 'WAITING':
      return decideWaiting(ha, s);
    case 'PASSIVE_SYNC':
      return decidePassiveSync(ha, s);
    case 'ACTIVE_SYNC':
      return decideActiveSync(ha, s);
    case 'PASSIVE':
      return decidePassive(ha, s);
    case 'ACTIVE':
      return decideActive(ha, s);
    case 'STANDALONE':
      return decideStandalone(ha, s);
  }
}
