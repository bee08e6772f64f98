import type { ShareKind } from './share.js';
import type { Stage } from './stage.js';

/** A fault on real hosts, what the pair promises of it, and the way back. */
export interface Scenario {
  readonly name: string;
  /** What arbitration promises here; `run` demands it. */
  readonly promise: string;
  /** Who serves when all is well again. */
  readonly ends: 'same' | 'switched' | 'either';
  /** Left out: both. */
  readonly share?: ShareKind;
  /** Brings the fault, demands the promised moves, and takes the fault back. Rejects with what was not so. */
  run(stage: Stage): Promise<void>;
}
