import type { MqttClient } from 'mqtt';
import { digestOf, type Recorder } from './recorder.js';

/** Takes everything under a filter into the history. */
export class Consumer {
  received = 0;
  private lastAt = performance.now();
  private granted = false;

  constructor(
    readonly client: MqttClient,
    readonly name: string,
    filter: string,
    private readonly recorder: Recorder,
  ) {
    client.on('message', (topic, payload, { qos, retain }) => {
      this.received += 1;
      this.lastAt = performance.now();
      // A cleared retained message has no payload that could name it; it goes to those who are subscribed.
      const message = payload.length === 0 ? `${publisherOf(topic)}-cleared` : payload.toString('utf8').trimEnd();
      recorder.tell({ event: 'received', client: name, message, topic, qos, retain, digest: digestOf(payload) });
    });
    client.on('connect', () => {
      this.lastAt = performance.now();
      if (!this.granted) this.subscribe(filter);
    });
  }

  get subscribed(): boolean {
    return this.granted;
  }

  /** Connected, and nothing came for so long. */
  quietFor(ms: number): boolean {
    return this.client.connected && performance.now() - this.lastAt >= ms;
  }

  drained(): void {
    this.recorder.tell({ event: 'drained', client: this.name });
  }

  private subscribe(filter: string): void {
    this.recorder.tell({ event: 'subscribe', client: this.name, filter });
    this.client.subscribe(filter, { qos: 2 }, (error, grants) => {
      if (error) return; // The connection ended; the next one asks again.
      const qos = grants?.[0]?.qos;
      this.granted = qos === 1 || qos === 2;
      this.recorder.tell({ event: 'subscribed', client: this.name, filter, qos: qos === 0 || qos === 1 || qos === 2 ? qos : null });
    });
  }
}

/** `run/publisher/retained` → `run-publisher`. */
function publisherOf(topic: string): string {
  const [run = '', publisher = ''] = topic.split('/');
  return `${run}-${publisher}`;
}
