import type { BrokerOrder } from '../../src/core/control/broker.js';
import type { KeeperOrder } from '../../src/core/control/keeper.js';
import type { Member, TermRecord } from '../../src/core/terms/record.js';
import type { LogLevel } from '../../src/ports/log.js';
import type { HostName } from '../simulation/faults.js';
import type { Observer } from '../simulation/observer.js';

interface Told {
  role: string;
  fence: number;
  wantsLock: boolean;
  nonce: string | null;
}

const NOTHING_TOLD: Told = { role: 'serve nobody', fence: 0, wantsLock: false, nonce: null };

/** What happens on the stage, a line each: what a manager says to its operator in quotation marks, what it orders behind an arrow. */
export class Recorder implements Observer {
  private readonly lines: string[] = [];
  private readonly told: Record<HostName, Told> = { primary: { ...NOTHING_TOLD }, secondary: { ...NOTHING_TOLD } };
  private from = 0;

  constructor(private readonly now: () => number) {}

  /** `who` did or saw `what`, now. */
  note(who: string, what: string): void {
    const seconds = ((this.now() - this.from) / 1000).toFixed(1);
    this.lines.push(`${seconds.padStart(5)}  ${who.padEnd(9)}  ${what}`);
  }

  /** What was noted since the last call. Time begins anew. */
  take(): string[] {
    this.from = this.now();
    return this.lines.splice(0);
  }

  /** Its processes are new: nothing was ordered yet. */
  begins(server: HostName): void {
    this.told[server] = { ...NOTHING_TOLD };
  }

  says(server: HostName, level: LogLevel, message: string): void {
    if (level !== 'debug') this.note(server, level === 'info' ? `"${message}"` : `"${level.toUpperCase()} ${message}"`);
  }

  ordersBroker(server: HostName, order: BrokerOrder): void {
    const told = this.told[server];
    if (order.fenceThrough > told.fence) this.note(server, `-> broker: accept nothing from term ${order.fenceThrough} or below`);
    told.fence = order.fenceThrough;
    const role = roleWords(order);
    if (role !== told.role) this.note(server, `-> broker: ${role}`);
    told.role = role;
  }

  ordersKeeper(server: HostName, order: KeeperOrder): void {
    const told = this.told[server];
    if (order.wantLock !== told.wantsLock) this.note(server, `-> keeper: ${order.wantLock ? 'take the lock' : 'give up the lock'}`);
    told.wantsLock = order.wantLock;
    const nonce = order.claim?.nonce ?? null;
    if (order.claim !== null && nonce !== told.nonce) this.note(server, `-> keeper: claim ${recordWords(order.claim)}`);
    told.nonce = nonce;
  }
}

export function recordWords({ term, server, inSync, position, cause, forced }: TermRecord): string {
  return `term ${term} for ${server}, ${memberWords(inSync)} in sync from position ${position} (${cause}${forced === true ? ', forced' : ''})`;
}

function roleWords({ role, shutdown }: BrokerOrder): string {
  if (shutdown) return 'close the journal and end';
  if (role.kind === 'idle') return role.keepClients ? 'answer nobody, keep the clients' : 'serve nobody';
  if (role.kind === 'follow') return `follow ${role.leader.server} in term ${role.term}${role.resync ? ', from a whole new copy' : ''}`;
  const needs = role.requirePeer ? ', every operation on both' : ', alone, while the lock lasts';
  return `serve in term ${role.term}${role.soloUntil === null ? ', every operation on both' : needs}${role.drain ? ', take nothing new' : ''}`;
}

function memberWords(members: readonly Member[]): string {
  return members.map(({ server }) => server).join(' and ');
}
