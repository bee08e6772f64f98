import { decide } from '../../../../src/core/ha/decide.js';
import type { HaState } from '../../../../src/core/ha/state.js';
import type { Situation } from '../../../../src/core/ha/situation.js';

/** Decides until nothing changes, as the manager does. @throws Error when that has no end */
export function settle(ha: HaState, s: Situation): HaState {
  let at = ha;
  for (let i = 0; i < 12; i += 1) {
    const next = decide(at, s);
    if (next === at) return at;
    at = next;
  }
  throw new Error(`does not settle: ${at.state}, ${at.reason}`);
}
