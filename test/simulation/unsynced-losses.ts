import type { LogPoint } from '../../src/core/journal/envelope.js';
import type { TermRecord } from '../../src/core/terms/record.js';
import type { HostName } from './faults.js';
import { reaches, type Ledger, type LogNode } from './ledger.js';
import type { BrokerView } from './probe.js';

interface Loss {
  /** The last record that the server had confirmed when its power went; `null` for none. */
  readonly confirmed: LogNode | null;
  /** The last term whose record may name the copy that stood before; `null` until a broker has found what is left of it. */
  through: number | null;
}

/**
 * The servers whose host lost power with something on its disk that was confirmed and never synced. Each is remembered until its log has all
 * of that again, sessions and subscriptions as well as messages: clients were told of them all (long seed 143393).
 */
export class UnsyncedLosses {
  private readonly losses = new Map<HostName, Loss>();

  constructor(private readonly ledger: Ledger) {}

  /** `name` lost power; `last` is what its broker was seen to have before. What an earlier loss took, and is not back, is still missed. */
  lose(name: HostName, last: BrokerView | null): void {
    const before = this.losses.get(name);
    this.losses.set(name, { confirmed: before === undefined ? this.confirmedBy(last) : before.confirmed, through: null });
  }

  isMissed(name: HostName): boolean {
    return this.losses.has(name);
  }

  /** A broker of `name` runs anew, and no record after `through` can count on what was lost. */
  beginsAnew(name: HostName, through: number): void {
    const loss = this.losses.get(name);
    if (loss?.through === null) loss.through = through;
  }

  /** The log of `name` ends at `head` now. */
  has(name: HostName, head: LogPoint): void {
    const confirmed = this.losses.get(name)?.confirmed;
    if (confirmed === undefined || !this.ledger.holdsAll(head)) return;
    const node = this.ledger.find(head);
    if (confirmed === null || (node !== null && reaches(node, confirmed))) this.losses.delete(name);
  }

  /** One of `records` counts a copy that may lack what it had confirmed. */
  areCountedIn(records: readonly TermRecord[]): boolean {
    return [...this.losses].some(([name, { through }]) => records.some(({ term, inSync }) => (through === null || term <= through) && inSync.some(({ server }) => server === name)));
  }

  private confirmedBy(last: BrokerView | null): LogNode | null {
    let node = last === null ? null : this.ledger.find(last.head);
    while (node !== null && last !== null && node.position > last.durable) node = node.before;
    return node;
  }
}
