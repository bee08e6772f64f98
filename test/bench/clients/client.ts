import type { Latencies } from '../latencies.js';

/** Sends numbered messages while it runs, a window of them in flight. */
export interface Publisher {
  /** Messages sent, and acknowledged. Where nothing is acknowledged (QoS 0), sent counts as acknowledged. */
  readonly sent: number;
  readonly acknowledged: number;
  latencies: Latencies;
  running: boolean;
  /** Why it can go on no more. */
  readonly failure: string | null;
  /** Sends what the window and the flow allow. */
  pump(): void;
  close(): void;
}

/** Takes messages and notes them in its ledger. */
export interface Subscriber {
  readonly failure: string | null;
  onProgress: () => void;
  close(): void;
  /** Closes, and ends a session that would be kept: else what is published later would wait for it. */
  forget(): Promise<void>;
}

/** What all publishers of a load share, so that no queue grows without end. */
export class Flow {
  /** Messages sent, of all publishers. */
  sent = 0;
  /** A publisher would have sent more. */
  starved = false;

  constructor(
    private readonly unreceivedMax: number,
    private readonly received: () => number,
  ) {}

  /** How many of `wanted` messages may be sent now. */
  grant(wanted: number): number {
    const spare = this.unreceivedMax - (this.sent - this.received());
    if (spare >= wanted) return wanted;
    this.starved = true;
    return Math.max(0, spare);
  }
}
