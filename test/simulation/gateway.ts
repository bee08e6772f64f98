import type { GatewayProbe } from '../../src/ports/gateway.js';
import type { SimProcess } from './process.js';

/** The gateway machine as the hosts reach it: cut off from one of them or from all. */
export class SimGateway {
  private readonly cutFrom = new Set<string>();
  /** Milliseconds of one answer. */
  delayMs = 0.5;

  cut(host: string): void {
    this.cutFrom.add(host);
  }

  mend(host: string): void {
    this.cutFrom.delete(host);
  }

  answers(host: string): boolean {
    return !this.cutFrom.has(host);
  }

  /** The probe as a process of one host has it. Whether it answers is decided when the answer would come. */
  probeFor(process: SimProcess): GatewayProbe {
    const host = process.host.name;
    return {
      probe: (timeoutMs) =>
        new Promise((resolve) => {
          const reached = this.answers(host) && this.delayMs <= timeoutMs;
          process.schedule(reached ? this.delayMs : timeoutMs, () => resolve(reached && this.answers(host)));
        }),
    };
  }
}
