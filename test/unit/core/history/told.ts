import { Account } from '../../../../src/core/history/account.js';
import type { HistoryEvent, HistoryHeader, Qos } from '../../../../src/core/history/events.js';
import { Judge } from '../../../../src/core/history/judge.js';
import { readEvent, readHeader } from '../../../../src/core/history/read.js';
import type { Verdict } from '../../../../src/core/history/verdict.js';

export interface File {
  readonly header: HistoryHeader;
  readonly events: readonly HistoryEvent[];
}

export const CLOCK: HistoryHeader = { clock: 'one', uncertaintyMs: 0 };

/** Judges files as the command does, each line written down and read again. */
export function judged(...files: readonly File[]): Verdict {
  const told = files.map(({ header, events }) => ({
    header: readHeader(JSON.stringify({ lockstep: 'history', version: 1, ...header })),
    events: events.map((event) => readEvent(JSON.stringify(event))),
  }));
  const account = new Account();
  for (const { header, events } of told) {
    account.beginFile(header);
    for (const event of events) account.add(event);
    account.endFile();
  }
  const judge = new Judge(account);
  for (const { header, events } of told) for (const event of events) if (event.event === 'received') judge.add(event, header);
  return judge.verdict();
}

/** Events one after the other, a millisecond apart unless told otherwise, and the end behind them. */
export class Teller {
  private readonly events: HistoryEvent[] = [];
  private now = 0;

  constructor(private readonly header: HistoryHeader = CLOCK) {}

  at(ms: number): this {
    this.now = ms;
    return this;
  }

  connected(client: string, { clean = false, sessionPresent = false } = {}): this {
    return this.tell({ event: 'connected', at: this.tick(), client, clean, sessionPresent });
  }

  disconnected(client: string): this {
    return this.tell({ event: 'disconnected', at: this.tick(), client });
  }

  subscribes(client: string, filter: string, qos: Qos | null = 2): this {
    this.tell({ event: 'subscribe', at: this.tick(), client, filter });
    return this.tell({ event: 'subscribed', at: this.tick(), client, filter, qos });
  }

  unsubscribes(client: string, filter: string): this {
    return this.tell({ event: 'unsubscribe', at: this.tick(), client, filter });
  }

  sends(client: string, message: string, { topic = 't', qos = 2 as Qos, retain = false, digest = `d-${message}` } = {}): this {
    return this.tell({ event: 'send', at: this.tick(), client, message, topic, qos, retain, digest });
  }

  acknowledged(client: string, message: string): this {
    return this.tell({ event: 'acknowledged', at: this.tick(), client, message });
  }

  receives(client: string, message: string, { topic = 't', qos = 2 as Qos, retain = false, digest = `d-${message}` } = {}): this {
    return this.tell({ event: 'received', at: this.tick(), client, message, topic, qos, retain, digest });
  }

  drained(client: string): this {
    return this.tell({ event: 'drained', at: this.tick(), client });
  }

  mark(text: string): this {
    return this.tell({ event: 'mark', at: this.tick(), text });
  }

  get file(): File {
    return { header: this.header, events: [...this.events, { event: 'end', at: this.now }] };
  }

  private tick(): number {
    this.now += 1;
    return this.now;
  }

  private tell(event: HistoryEvent): this {
    this.events.push(event);
    return this;
  }
}

/** A consumer with a session that is kept, subscribed to everything under `t`, and a connected publisher. */
export function begun(): Teller {
  return new Teller().connected('c').subscribes('c', 't/#').connected('p');
}
