import type { Step } from './events.js';
import { highest, NAMES, other, type Side, type World } from './model.js';

/*
 * What happened in the explored part, so that a proof cannot grow empty unnoticed: every kind of event by its own name, and what only the
 * worlds around it tell, such as a restart while the term stands.
 */

/** Events of the model, without whose they are. */
const EVENTS: readonly string[] = [
  'decides', 'looks at the share', "'s disk goes on", 'is heard', 'is heard late', 'hears nothing', 'has time', 'finds its task overdue', 'tries its claim again', 'gets the lock', "'s broker is heard again",
  "'s broker obeys", 'appends', 'syncs', 'has all of its copy on its disk', 'acknowledges', 'agrees with its follower', 'sends a record', 'hears its follower',
  'notices that its follower is gone', 'notices that its leader is gone',
  "'s claim is won", "'s claim meets a record", "'s claim gets no answer", "'s claim is never sent", "'s claim is settled", "'s claim is refused", "'s claim finds another share", "'s claim lands on another share",
  'a lost claim lands',
  'starts', 'crashes', "'s broker crashes", 'loses its disk', 'has its disk put back', "'s disk fails", "'s state differs", 'is asked to switch over', 'is promoted', 'loses the lock',
  'finds the link stalled', "'s disk makes nothing durable", 'cannot use the share', "'s session breaks", "'s broker is not heard", 'says something that comes late',
  'the network is cut', 'the network heals', 'the backchannel is cut', 'the backchannel heals', 'the share is replaced by an empty one', 'the share is put back from a backup',
];

const CAUSES_IN_DOUBT = ['start', 'admission', 'takeover', 'peer-lost', 'switchover', 'alone', 'promotion'] as const;

const MORE: readonly string[] = [
  ...CAUSES_IN_DOUBT.map((cause) => inDoubt(cause)),
  'a doubtful claim turns out to be won',
  'a doubtful claim turns out to be lost',
  'a number in doubt is claimed again',
  'a claim is lost to an earlier one of the same server',
  'a claim is won without the lock',
  'a replaced share is adopted',
  'a server with a disk that stands still gives way',
  'a restart within a term',
  'a restart after the term has changed',
  'a restart on a lost disk',
  'a session begins again within a term',
  'the peer is heard again within a term',
  'records that were not durable are lost',
  'a switchover is won',
];

/** Everything that the explored part has to show. */
export const HAPPENINGS: readonly string[] = [...EVENTS, ...MORE];

export class Happenings {
  readonly counts = new Map<string, number>();

  note(before: World, step: Step): void {
    const { side, event, world } = step;
    this.noteGivingWay(before, world);
    this.count(event.startsWith('the lost claim') ? 'a lost claim lands' : event);
    if (side === null) return;
    switch (event) {
      case 'starts':
        return this.noteStart(before, side);
      case 'crashes':
      case "'s broker crashes":
        if (before.servers[side].broker.log.length > before.servers[side].broker.durable) this.count('records that were not durable are lost');
        return;
      case 'agrees with its follower':
        // What the peer had acknowledged is forgotten when a term of another server begins.
        if (before.servers[side].broker.known !== null) this.count('a session begins again within a term');
        return;
      case 'is heard':
        return this.noteHeard(before, side);
      default:
        if (event.startsWith("'s claim")) this.noteClaim(before, world, side, event);
        return this.noteAnew(before, world, side);
    }
  }

  private noteGivingWay(before: World, after: World): void {
    for (const [side, { ha, diskStalled, broker }] of after.servers.entries()) {
      const isReason = diskStalled && !broker.damaged && broker.feed !== null && broker.feed.durable > broker.durable;
      if (isReason && ha.state === 'WAITING' && before.servers[side]?.ha.state === 'ACTIVE') this.count('a server with a disk that stands still gives way');
    }
  }

  private noteStart(before: World, side: Side): void {
    const { kept } = before.servers[side];
    const last = highest(before.share);
    if (kept === null) this.count('a restart on a lost disk');
    else this.count(last?.nonce === kept.nonce ? 'a restart within a term' : 'a restart after the term has changed');
  }

  private noteHeard(before: World, side: Side): void {
    const listener = before.servers[other(side)];
    const { ha } = before.servers[side];
    if (listener.silent && ha.term !== 0 && listener.ha.term === ha.term) this.count('the peer is heard again within a term');
  }

  private noteClaim(before: World, after: World, side: Side, event: string): void {
    const { asked, ha } = before.servers[side];
    if (event === "'s claim gets no answer" && asked !== null) this.count(inDoubt(asked.cause));
    if (event === "'s claim is settled") this.count(`a doubtful claim turns out to be ${after.servers[side].claim?.kind === 'won' ? 'won' : 'lost'}`);
    const { claim } = after.servers[side];
    const isNews = claim !== before.servers[side].claim;
    if (isNews && claim?.kind === 'lost' && claim.record.server === NAMES[side] && claim.record.inSync.length === 1) this.count('a claim is lost to an earlier one of the same server');
    if (isNews && claim?.kind === 'won' && !before.servers[side].lockHeld && claim.record.inSync.length === 1) this.count('a claim is won without the lock');
    if (event !== "'s claim is won") return;
    if (asked?.cause === 'switchover') this.count('a switchover is won');
    if (ha.task?.kind === 'alone' && ha.task.fresh && before.shareId > 1) this.count('a replaced share is adopted');
  }

  private noteAnew(before: World, after: World, side: Side): void {
    const { asked } = after.servers[side];
    if (asked === null || asked === before.servers[side].asked) return;
    if (after.inFlight.some((lost) => lost.term === asked.term && lost.nonce !== asked.nonce)) this.count('a number in doubt is claimed again');
  }

  private count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }
}

function inDoubt(cause: string): string {
  return `no answer to a claim: ${cause}`;
}
