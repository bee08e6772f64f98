import type { MqttClient } from 'mqtt';
import { digestOf, type Recorder } from './recorder.js';

/** Sent and not answered, of one publisher; beyond it nothing new is sent. */
const IN_FLIGHT_MAX = 32;
/** One message in so many is retained. */
const RETAIN_EVERY = 10;

/** Publishes at QoS 1 and 2 in turn, at the pace that it is given. */
export class Publisher {
  acknowledged = 0;
  private number = 0;
  private inFlight = 0;
  private retainedOnce = false;

  /** @param bytes of a payload at least; the message's name takes what it takes */
  constructor(
    private readonly client: MqttClient,
    private readonly name: string,
    private readonly topic: string,
    private readonly bytes: number,
    private readonly recorder: Recorder,
  ) {}

  get idle(): boolean {
    return this.inFlight === 0;
  }

  publish(): void {
    if (this.inFlight >= IN_FLIGHT_MAX || this.recorder.full) return;
    this.number += 1;
    const retain = this.number % RETAIN_EVERY === 0;
    this.retainedOnce ||= retain;
    const message = `${this.name}-${this.number}`;
    this.send(retain ? this.retainedTopic : this.topic, message, Buffer.from(message.padEnd(this.bytes, ' ')), retain);
  }

  /** Takes the retained message away again. */
  clear(): void {
    if (this.retainedOnce) this.send(this.retainedTopic, `${this.name}-cleared`, Buffer.alloc(0), true);
  }

  /** Ends the client, and its session with it. */
  async end(): Promise<void> {
    await this.client.endAsync(true);
  }

  private get retainedTopic(): string {
    return `${this.topic}/retained`;
  }

  private send(topic: string, message: string, payload: Buffer, retain: boolean): void {
    const qos = this.number % 2 === 0 ? 2 : 1;
    this.inFlight += 1;
    this.recorder.tell({ event: 'send', client: this.name, message, topic, qos, retain, digest: digestOf(payload) });
    this.client.publish(topic, payload, { qos, retain }, (error) => {
      this.inFlight -= 1;
      if (error) return; // The client was ended: nobody answered.
      this.acknowledged += 1;
      this.recorder.tell({ event: 'acknowledged', client: this.name, message });
    });
  }
}
