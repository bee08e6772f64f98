import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

export interface CommandEnd {
  readonly code: number;
  readonly out: string;
}

/** The conversation with guest/init.sh: a line a command, a line an answer, in any order. */
export class GuestConsole {
  private nextNumber = 1;
  private closed = false;
  private readonly waiting = new Map<number, { resolve(end: CommandEnd): void; reject(error: Error): void }>();
  private markReady: () => void = () => undefined;
  /** Resolves when the guest takes commands. */
  readonly ready = new Promise<void>((resolve) => (this.markReady = resolve));

  constructor(
    private readonly input: Writable,
    output: Readable,
  ) {
    createInterface({ input: output }).on('line', (line) => this.heard(line.trim()));
    input.on('error', () => undefined); // the guest is gone; who waits is told by close()
  }

  /** Runs one command in the guest's bash. Rejects when the guest does not answer within the limit, or goes. */
  run(command: string, limitMs: number): Promise<CommandEnd> {
    if (this.closed) return Promise.reject(new Error(`the guest is gone: ${command}`));
    const number = this.nextNumber++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(number);
        reject(new Error(`no end within ${limitMs / 1000} s: ${command}`));
      }, limitMs);
      const settled = (): void => clearTimeout(timer);
      this.waiting.set(number, {
        resolve: (end) => (settled(), resolve(end)),
        reject: (error) => (settled(), reject(error)),
      });
      this.input.write(`${number} ${Buffer.from(command).toString('base64')}\n`);
    });
  }

  close(): void {
    this.closed = true;
    for (const { reject } of this.waiting.values()) reject(new Error('the guest went while a command ran'));
    this.waiting.clear();
  }

  private heard(line: string): void {
    if (line === 'ready') return this.markReady();
    const [number, code, out] = line.split(' ');
    const waiter = this.waiting.get(Number(number));
    if (waiter === undefined) return; // it came too late
    this.waiting.delete(Number(number));
    waiter.resolve({ code: Number(code), out: Buffer.from(out ?? '', 'base64').toString() });
  }
}
