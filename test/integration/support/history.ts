type Qos = 1 | 2;

interface Message {
  readonly qos: Qos;
  acknowledged: boolean;
  received: number;
}

/** What clients sent, were told is safe, and got: the promise of the pair is checked against it. */
export class History {
  private readonly messages = new Map<string, Message>();
  private readonly strange: string[] = [];

  sent(id: string, qos: Qos): void {
    this.messages.set(id, { qos, acknowledged: false, received: 0 });
  }

  acknowledged(id: string): void {
    const message = this.messages.get(id);
    if (message !== undefined) message.acknowledged = true;
  }

  received(id: string): void {
    const message = this.messages.get(id);
    if (message === undefined) this.strange.push(id);
    else message.received += 1;
  }

  get acknowledgedCount(): number {
    return [...this.messages.values()].filter((message) => message.acknowledged).length;
  }

  /** Acknowledged and not received (yet). */
  get missing(): string[] {
    return this.named((message) => message.acknowledged && message.received === 0);
  }

  /** QoS 2 and received more than once. */
  get repeated(): string[] {
    return this.named((message) => message.qos === 2 && message.received > 1);
  }

  /** Received and never sent by any of the test's clients. */
  get unknown(): readonly string[] {
    return this.strange;
  }

  private named(fits: (message: Message) => boolean): string[] {
    return [...this.messages].filter(([, message]) => fits(message)).map(([id, { qos }]) => `${id} (QoS ${qos})`);
  }
}
