import type { ShareCondition } from '../core/control/keeper.js';
import type { LostData } from '../core/ha/rights.js';
import type { HaState } from '../core/ha/state.js';
import type { Monotonic, PeerState, ServerState, Term } from '../core/identity.js';
import type { Log } from '../ports/log.js';
import type { ManagerConfig } from './config.js';
import { Lasting } from './lasting.js';

export interface Transition {
  /** Wall time, ISO 8601. */
  readonly at: string;
  readonly from: ServerState;
  readonly to: ServerState;
  readonly reason: string;
  readonly term: Term;
}

/** So long a reason is not said again while the state stays. */
const REASON_AGAIN_MS = 30_000;
const REASONS_MAX = 64;
/** So long nobody serves for want of the share before it is said as a warning. */
export const STANDSTILL_MS = 2_000;

/** A share that is in trouble again within this, after it was said to be well, comes and goes: then it is said to be well when it has been so for as long. */
export const SHARE_WELL_MS = 10_000;

/** Says in the reference's words what changes: to the console, the log and the history of the status page. */
export class Announcer {
  readonly history: Transition[] = [];
  private lastReason = '';
  /** When each was last said, since the last move. */
  private readonly saidReasons = new Map<string, Monotonic>();
  private lockHeld = false;
  /** It was said that one copy only is left, and not yet that there are two again. */
  private saidAlone = false;
  /** `Infinity`: it was said. */
  private standstillSince: Monotonic | null = null;
  private readonly splitting: Lasting;
  /** What was said of it last. */
  private shareCondition: ShareCondition | null = null;
  private shareSaidWellAt = -Infinity;
  private shareWellSince: Monotonic | null = null;
  private shareComesAndGoes = false;
  private saidLost: LostData['reach'] | null = null;
  private peerState: PeerState = 'DEAD';
  private peerReason = '';

  constructor(
    private readonly config: ManagerConfig,
    private readonly log: Log,
    private readonly wallTime: () => string,
    private readonly now: () => Monotonic,
  ) {
    this.splitting = new Lasting(now, STANDSTILL_MS);
  }

  state(before: HaState, after: HaState): void {
    if (after.moves !== before.moves) {
      const name = title(this.config.role);
      this.history.push({ at: this.wallTime(), from: after.previous, to: after.state, reason: after.reason, term: after.term });
      if (this.history.length > this.config.historyMax) this.history.shift();
      const term = after.term > 0 ? `, term ${after.term}` : '';
      this.log.write('info', `${name} Server switched to ${after.state} (from ${after.previous}: ${after.reason}${term})`, {
        event: 'state',
        state: after.state,
        previous: after.previous,
        reason: after.reason,
        term: after.term,
        critical: true,
      });
      this.saidReasons.clear();
      this.copies(after);
    } else if (after.reason !== this.lastReason && this.isNews(after.reason)) {
      this.log.write('info', `${title(this.config.role)} Server is ${after.state}: ${after.reason}`, { event: 'reason', state: after.state, reason: after.reason });
    }
    this.lastReason = after.reason;
  }

  /** With the second copy go the other server's takeover and the data's second disk: said once, however often the peer comes and goes before it is in sync. */
  private copies({ state, term }: HaState): void {
    const { peerServer } = this.config;
    if (state === 'STANDALONE' && !this.saidAlone) {
      this.saidAlone = true;
      this.log.write('warn', `Only this server's copy counts now: what is acknowledged from here on is on this server's disk alone, and no server can take over. Start the ${peerServer} server, or see to what keeps it away; it is admitted by itself`, { event: 'copies', copies: 1, term });
    } else if ((state === 'ACTIVE' || state === 'PASSIVE') && this.saidAlone) {
      this.saidAlone = false;
      this.log.write('info', "Both copies count again: what is acknowledged is on both servers, and either can go on without the other", { event: 'copies', copies: 2, term });
    }
  }

  /** A reason that comes and goes, or differs in a number only, is not said again and again. */
  private isNews(reason: string): boolean {
    const kind = reason.replace(/\d+/g, '#');
    const now = this.now();
    const said = this.saidReasons.get(kind);
    if (said !== undefined && now - said < REASON_AGAIN_MS) return false;
    if (this.saidReasons.size >= REASONS_MAX) this.saidReasons.clear();
    this.saidReasons.set(kind, now);
    return true;
  }

  peer(state: PeerState, reason: string): void {
    if (state === this.peerState) return;
    const name = this.config.role === 'primary' ? 'Secondary' : 'Primary';
    // The words of the other server: what it calls "the peer" is this one.
    const why = reason === '' ? '' : state === 'DEAD' ? ` (${reason})` : ` (its reason: ${reason})`;
    this.log.write('info', `${name} Server switched to ${state}${why}`, { event: 'peer', state, previous: this.peerState, reason });
    this.peerState = state;
    this.peerReason = reason;
  }

  /** Said also where the other server has it all, and nothing is lost: such a disk is no second copy. */
  lostData(lost: LostData | null): void {
    if (lost === null || lost.reach === this.saidLost) return;
    this.saidLost = lost.reach;
    const { durable, reach } = lost;
    this.log.write('error', `This server's log ends at position ${durable}, and was durable up to ${reach}: its disk has lost what it had confirmed, or was put back from a backup. It does not serve before it has copied the rest, or is promoted`, { code: 'LOCKSTEP_DISK_LOST_DATA', durable, reach });
  }

  /** `unknown`, which a new keeper says before it has looked, is no news. @param meaning of the trouble to this server in its present state; `null`: its state says that */
  share(condition: ShareCondition, detail: string | null, meaning: string | null): void {
    if (condition === 'unknown') return;
    if (condition !== 'ok') this.shareWellSince = null;
    if (condition === this.shareCondition) return;
    const fields = { event: 'share', condition, detail };
    const now = this.now();
    if (condition === 'ok') {
      this.shareWellSince ??= now;
      if (this.shareComesAndGoes && now - this.shareWellSince < SHARE_WELL_MS) return;
      if (this.shareCondition !== null) {
        this.log.write('info', `The share is well again: ${this.config.lockFile}`, fields);
        this.shareSaidWellAt = now;
      }
      this.shareComesAndGoes = false;
    } else {
      if (now - this.shareSaidWellAt < SHARE_WELL_MS) this.shareComesAndGoes = true;
      this.log.write('warn', `The share is ${IN_TROUBLE[condition]}: ${detail ?? 'no reason given'}${meaning === null ? '' : ` (${meaning})`}`, fields);
    }
    this.shareCondition = condition;
  }

  /** Said once when it has lasted, until it is over: one lost answer of the share is a passing thing. @param why as `nobodyServes` has it */
  standstill(why: string | null, isOver: boolean): void {
    if (isOver) this.standstillSince = null;
    if (why === null) return;
    this.standstillSince ??= this.now();
    if (this.now() - this.standstillSince < STANDSTILL_MS) return;
    this.standstillSince = Infinity as Monotonic;
    this.log.write('warn', `${why.charAt(0).toUpperCase()}${why.slice(1)}`, { event: 'standstill' });
  }

  /** Both serve, each for itself: said once when it has lasted, and when it is over. A server that stood still finds out by itself that it serves no more. @param why as `bothServe` has it */
  split(why: string | null): void {
    const change = this.splitting.look(why !== null);
    if (change === 'over') this.log.write('info', 'No longer do both servers serve', { event: 'split' });
    if (change === 'begun' && why !== null) this.log.write('error', `${why.charAt(0).toUpperCase()}${why.slice(1)}`, { event: 'split', code: 'LOCKSTEP_BOTH_SERVE' });
  }

  get peerStateSeen(): { state: PeerState; reason: string } {
    return { state: this.peerState, reason: this.peerReason };
  }

  /** `givenUp`: on purpose, so that the loss is nothing to look into. */
  lock(held: boolean, givenUp: boolean, detail: string | null): void {
    if (held === this.lockHeld) return;
    this.lockHeld = held;
    if (held) this.log.write('info', `Successfully acquired lock on: ${this.config.lockFile}`, { event: 'lock', held });
    else if (givenUp) this.log.write('info', `Released lock on: ${this.config.lockFile}`, { event: 'lock', held, detail });
    else this.log.write('warn', `Lost lock on: ${this.config.lockFile}${detail === null ? '' : ` (${detail})`}`, { event: 'lock', held, detail });
  }
}

const IN_TROUBLE: Readonly<Record<Exclude<ShareCondition, 'ok' | 'unknown'>, string>> = {
  absent: 'absent',
  'read-only': 'read-only',
  denied: "closed to this server's user",
  full: 'full',
  hung: 'hung',
  replaced: 'another one',
  refused: 'refused',
  failed: 'in trouble',
};

function title(role: string): string {
  return role === 'primary' ? 'Primary' : 'Secondary';
}
