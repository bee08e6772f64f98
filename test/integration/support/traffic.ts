import { Consumer, Publisher, type Address } from './clients.js';
import { History } from './history.js';
import { until } from './until.js';

/** One publisher and one consumer that go on whatever happens to the servers, and the account of what became of every message. */
export class Traffic {
  readonly history = new History();
  readonly consumer: Consumer;
  private readonly publishers: Publisher[] = [];

  constructor(
    private readonly addresses: readonly Address[],
    private readonly name: string,
  ) {
    this.consumer = new Consumer(addresses, `${name}-consumer`, `${name}/#`, this.history);
  }

  /** Resolves when messages flow. */
  async start(): Promise<this> {
    await this.consumer.open();
    this.add('publisher', this.addresses);
    await this.flows();
    return this;
  }

  /** One more publisher; with one address only it stays with that server. */
  add(name: string, addresses: readonly Address[]): Publisher {
    const publisher = new Publisher(addresses, `${this.name}-${name}`, `${this.name}/${name}`, this.history);
    this.publishers.push(publisher);
    return publisher;
  }

  /** Waits until `count` more messages are acknowledged: the pair serves. */
  async flows(count = 20): Promise<void> {
    const before = this.history.acknowledgedCount;
    await until(`${count} more messages are acknowledged`, () => this.history.acknowledgedCount >= before + count);
  }

  /** Publishes no more; every message that was acknowledged has come, QoS 2 once. */
  async settle(publishers: readonly Publisher[] = this.publishers): Promise<void> {
    for (const publisher of publishers) await publisher.finish();
    const { history } = this;
    await until('every acknowledged message has come', () => history.missing.length === 0).catch(() => undefined);
    expect({ missing: history.missing, repeated: history.repeated, unknown: history.unknown }).toEqual({ missing: [], repeated: [], unknown: [] });
    expect(history.acknowledgedCount).toBeGreaterThan(0);
  }

  async close(): Promise<void> {
    await Promise.all([this.consumer.close(), ...this.publishers.map((publisher) => publisher.close())]);
  }
}
