import { counted } from '../core/counted.js';
import type { UserList } from '../core/control/broker.js';
import { peerConnected, type Situation } from '../core/ha/situation.js';
import type { Monotonic } from '../core/identity.js';
import type { Log } from '../ports/log.js';
import { Lasting } from './lasting.js';

/** So long something is not alike before it is said: an operator changes one server after the other. */
export const UNLIKE_MS = 60_000;
/** Clocks that are further apart are said to differ. What a status takes on its way counts to it. */
export const CLOCKS_APART_MS = 10_000;

interface Kind {
  readonly lasting: Lasting;
  readonly again: string;
  /** As it was last; `null`: alike. */
  text: string | null;
}

/**
 * What is not alike on two servers that are a pair all the same, and that both go on with: said when it has lasted, and when it is over. Clients meet it
 * after a change of roles, or whoever lays two logs side by side. No rule goes by it.
 */
export class Unlike {
  private readonly users: Kind;
  private readonly clocks: Kind;

  constructor(
    private readonly log: Log,
    now: () => Monotonic,
  ) {
    const kind = (again: string): Kind => ({ lasting: new Lasting(now, UNLIKE_MS), again, text: null });
    this.users = kind('The user files of the two servers are the same again');
    this.clocks = kind("The two servers' clocks agree again");
  }

  /** What was said and is not over, a sentence each. */
  get texts(): readonly string[] {
    return [this.users, this.clocks].flatMap(({ lasting, text }) => (lasting.on && text !== null ? [text] : []));
  }

  /** While the peer is not there, or a broker does not run, what was known of it stays. @param clockOffsetMs as PeerView has it */
  look(s: Situation, clockOffsetMs: number | null): void {
    if (!peerConnected(s) || s.peer === null) return;
    if (s.broker !== null && s.peer.broker !== null) this.judge(this.users, usersDiffer(s.broker.users, s.peer.broker.users, s.peerServer));
    if (clockOffsetMs !== null) this.judge(this.clocks, clocksDiffer(clockOffsetMs, s.peerServer));
  }

  private judge(kind: Kind, text: string | null): void {
    kind.text = text;
    const change = kind.lasting.look(text !== null);
    if (change === 'over') this.log.write('info', kind.again, { event: 'unlike' });
    if (change === 'begun' && text !== null) this.log.write('warn', text.charAt(0).toUpperCase() + text.slice(1), { event: 'unlike', code: 'LOCKSTEP_SERVERS_UNLIKE' });
  }
}

/** Where only one server asks for passwords, the settings differ, and that is said of them. */
function usersDiffer(ours: UserList | null, theirs: UserList | null, peer: string): string | null {
  if (ours === null || theirs === null || ours.digest === theirs.digest) return null;
  return `the user files of the two servers differ (${counted(ours.count, 'user')} here, ${theirs.count} on the ${peer} server): who is let in by one can be refused by the other after a change of roles. Copy the file of one server to the other; a password that was set on each of them counts as two`;
}

function clocksDiffer(offsetMs: number, peer: string): string | null {
  if (Math.abs(offsetMs) <= CLOCKS_APART_MS) return null;
  return `the clock of the ${peer} server is ${counted(Math.round(Math.abs(offsetMs) / 1000), 'second')} ${offsetMs > 0 ? 'ahead of' : 'behind'} this one's: who serves does not rest on clocks, but the times in their logs do, and whether a certificate counts. Let both ask the same time server`;
}
