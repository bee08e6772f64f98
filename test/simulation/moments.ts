import type { BrokerOrder, ManagerToBroker } from '../../src/core/control/broker.js';
import type { ManagerToKeeper } from '../../src/core/control/keeper.js';
import type { TermRecord } from '../../src/core/terms/record.js';
import type { Child, Spawner } from '../../src/ports/process.js';
import type { HostName } from './faults.js';
import type { Observer } from './observer.js';

/**
 * Steps on the way to another role. What goes wrong at one of them hits where the rules are at work; drawn by the clock alone, such a hit is
 * as rare as the steps are short.
 * - `fence`: a manager raises the fence (R4). `require`: it asks that the peer be required (R6). `drain`: it begins a handover (R10).
 * - `roll`: a broker has given a new journal segment its name. `claim`: a manager orders a claim. `record`: a term record begins to stand on the share. `serve`: it orders its broker to serve in a new term.
 */
export const MOMENTS = ['fence', 'require', 'drain', 'claim', 'record', 'serve', 'roll'] as const;
/** These are in every change of roles, and are over soonest: drawn twice as often. */
export const MOMENTS_DRAWN: readonly Moment[] = [...MOMENTS, 'fence', 'claim', 'record'];

export type Moment = (typeof MOMENTS)[number];

/** Who waits for which step; told by whoever sees it happen. */
export class Moments {
  /** Hears of everything, not of single steps; `null` for nobody. */
  observer: Observer | null = null;
  private waiting: { readonly moment: Moment; readonly action: (mover: HostName | null) => void }[] = [];

  /** `action` runs once, when the step happens next, within the event in which it does, and is told whose step it is. Gives back how to wait no more. */
  next(moment: Moment, action: (mover: HostName | null) => void): () => void {
    const entry = { moment, action };
    this.waiting.push(entry);
    return () => {
      this.waiting = this.waiting.filter((other) => other !== entry);
    };
  }

  /** `mover`: whose step it is; `null` when that does not show. */
  tell(moment: Moment, mover: HostName | null = null): void {
    if (this.waiting.length === 0) return;
    const due = this.waiting.filter((entry) => entry.moment === moment);
    if (due.length === 0) return;
    this.waiting = this.waiting.filter((entry) => entry.moment !== moment);
    for (const { action } of due) action(mover);
  }
}

/** Looks at what a parent sends to its children. Nothing is changed. */
function watching<Down, Up>(spawner: Spawner<Down, Up>, makeLook: () => (message: Down) => void): Spawner<Down, Up> {
  return {
    start: (): Child<Down, Up> => {
      const child = spawner.start();
      const look = makeLook();
      return {
        pid: child.pid,
        send: (message) => {
          child.send(message);
          look(message);
        },
        handle: (handlers) => child.handle(handlers),
        kill: () => child.kill(),
      };
    },
  };
}

export function watchBrokers<Up>(spawner: Spawner<ManagerToBroker, Up>, moments: Moments, host: HostName): Spawner<ManagerToBroker, Up> {
  return watching(spawner, () => {
    let before: BrokerOrder | null = null;
    return ({ order }) => {
      moments.observer?.ordersBroker(host, order);
      const last = before;
      before = order;
      if (order.fenceThrough > (last?.fenceThrough ?? 0)) moments.tell('fence', host);
      if (order.role.kind !== 'serve') return;
      const served = last?.role.kind === 'serve' ? last.role : null;
      if (served?.term !== order.role.term) moments.tell('serve', host);
      if (order.role.requirePeer && served?.requirePeer !== true) moments.tell('require', host);
      if (order.role.drain && served?.drain !== true) moments.tell('drain', host);
    };
  });
}

/** `claims`: told of every claim when it is ordered first, whichever keeper it is ordered of. */
export function watchKeepers<Up>(spawner: Spawner<ManagerToKeeper, Up>, moments: Moments, host: HostName, claims: (claim: TermRecord) => void): Spawner<ManagerToKeeper, Up> {
  let last: string | null = null;
  return watching(spawner, () => {
    let nonce: string | null = null;
    return ({ order }) => {
      moments.observer?.ordersKeeper(host, order);
      const claimed = order.claim?.nonce ?? null;
      if (claimed !== null && claimed !== nonce) moments.tell('claim', host);
      nonce = claimed;
      if (order.claim === null || order.claim.nonce === last) return;
      last = order.claim.nonce;
      claims(order.claim);
    };
  });
}
