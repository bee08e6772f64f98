import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Observers } from './js-clients.js';
import { kill, type Started } from '../started.js';
import type { Tally } from './tally.js';
import { pause, until } from '../waiting.js';

const AGAIN_MS = 50;
const PUBLISH_MS_MAX = 3_000;
const SETTLE_MS_MAX = 20_000;

interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * What a shell script would do: mosquitto_pub for each message, at one address until it fails, then at the other; and for each address a
 * mosquitto_sub that is started again when it ends, both with the client id of one persistent session.
 */
export async function startMosquittoClients(started: Started, programs: { pub: string; sub: string }, addresses: readonly Address[], name: string, tally: Tally): Promise<Observers> {
  const loops = new CommandLoops(started, programs, addresses, `bench/${name}`, `bench-sub-${name}`, tally);
  await loops.start();
  return loops;
}

class CommandLoops implements Observers {
  private publishing = true;
  private closed = false;
  private readonly subscribers = new Set<ChildProcess>();
  private publisher: Promise<void> = Promise.resolve();

  constructor(
    private readonly started: Started,
    private readonly programs: { readonly pub: string; readonly sub: string },
    private readonly addresses: readonly Address[],
    private readonly topic: string,
    private readonly session: string,
    readonly tally: Tally,
  ) {}

  async start(): Promise<void> {
    await this.subscribeOnce();
    for (const address of this.addresses) void this.subscribeLoop(address);
    this.publisher = this.publishLoop();
  }

  async settle(): Promise<void> {
    this.publishing = false;
    await this.publisher;
    await until(SETTLE_MS_MAX, () => 'the messages of mosquitto_sub', () => (this.tally.missing === 0 ? true : null)).catch(() => undefined);
  }

  close(): Promise<void> {
    this.publishing = false;
    this.closed = true;
    for (const { pid } of this.subscribers) if (pid !== undefined) kill(pid);
    return Promise.resolve();
  }

  /** Makes the persistent session, so that nothing that is published before the loops run is missed. */
  private async subscribeOnce(): Promise<void> {
    await until(10_000, () => 'mosquitto_sub to subscribe', async () => {
      for (const address of this.addresses) if ((await this.exit(this.programs.sub, [...this.subscription(address), '-E'])) === 0) return true;
      return null;
    });
  }

  private async subscribeLoop(address: Address): Promise<void> {
    while (!this.closed) {
      const child = this.started.run(this.programs.sub, [...this.subscription(address), '-F', '%p'], { stdio: ['ignore', 'pipe', 'ignore'] });
      this.subscribers.add(child);
      if (child.stdout !== null) createInterface({ input: child.stdout }).on('line', (line) => this.tally.receive(Number(line)));
      await new Promise((resolve) => child.once('close', resolve));
      this.subscribers.delete(child);
      await pause(AGAIN_MS);
    }
  }

  private async publishLoop(): Promise<void> {
    let at = 0;
    for (let sequence = 0; this.publishing; sequence++) {
      for (;;) {
        const address = this.addresses[at % this.addresses.length] as Address;
        const args = ['-h', address.host, '-p', String(address.port), '-t', this.topic, '-q', '1', '-m', String(sequence)];
        if ((await this.exit(this.programs.pub, args)) === 0) break;
        if (!this.publishing) return;
        at += 1;
        await pause(AGAIN_MS);
      }
      this.tally.acknowledge(sequence);
    }
  }

  private subscription(address: Address): string[] {
    return ['-h', address.host, '-p', String(address.port), '-t', this.topic, '-q', '1', '-c', '-i', this.session];
  }

  /** The exit code of a command that is given three seconds; another number when it takes longer. */
  private exit(program: string, args: readonly string[]): Promise<number> {
    return new Promise((resolve) => {
      const child = this.started.run(program, args, { stdio: 'ignore' });
      const tooLate = setTimeout(() => child.kill('SIGKILL'), PUBLISH_MS_MAX);
      child.once('close', (code) => {
        clearTimeout(tooLate);
        resolve(code ?? -1);
      });
    });
  }
}
