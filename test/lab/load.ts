import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { until } from '../integration/support/until.js';
import type { ClientsConfig, ClientsProgress } from './client-process.js';
import { ahead } from './machine.js';
import type { LabNetwork } from './network.js';
import { CLIENT_PASSWORD, CLIENT_USER } from './site.js';
import type { Undo } from './undo.js';

const MAIN = fileURLToPath(new URL('./clients-main.js', import.meta.url));
const NOTHING: ClientsProgress = { ready: false, acknowledged: 0, inFlight: 0, caughtUp: false };
const LIMIT_MS = 90_000;

/** The client host at work, from one scenario's beginning to its end. */
export class Load {
  readonly historyFile: string;
  private progress = NOTHING;
  private readonly child: ChildProcess;

  constructor(network: LabNetwork, folder: string, name: string, undo: Undo) {
    this.historyFile = join(folder, 'histories', `${name}.jsonl`);
    const config: ClientsConfig = {
      name,
      addresses: [network.address('primary'), network.address('secondary')].map((host) => ({ host, port: 1883 })),
      username: CLIENT_USER,
      password: CLIENT_PASSWORD,
      historyFile: this.historyFile,
    };
    undo.push(`clients ${name}`, () => this.end());
    const [program, args] = ahead('ip', ['netns', 'exec', network.namespace, process.execPath, MAIN, JSON.stringify(config)]);
    this.child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.child.stdin?.on('error', () => undefined); // it has ended; the next wait says so
    if (this.child.stdout === null) throw new Error('no standard output');
    createInterface({ input: this.child.stdout }).on('line', (line) => (this.progress = JSON.parse(line) as ClientsProgress));
  }

  get now(): ClientsProgress {
    return this.progress;
  }

  /** Messages flow. */
  async started(): Promise<void> {
    await this.until('the clients have subscribed', () => this.progress.ready);
    await this.flows();
  }

  /** Waits until so many more messages are acknowledged: somebody serves. */
  async flows(count = 20): Promise<void> {
    const before = this.progress.acknowledged;
    await this.until(`${count} more messages are acknowledged`, () => this.progress.acknowledged >= before + count);
  }

  /** A word in the history, for who reads it later. */
  mark(text: string): void {
    this.child.stdin?.write(`mark ${text}\n`);
  }

  /** Publishes no more. Resolves when everything sent is acknowledged and every consumer has caught up, or when the limit has passed: the history tells. */
  async finish(): Promise<void> {
    this.child.stdin?.write('finish\n');
    await this.until('the clients have caught up', () => this.progress.caughtUp).catch(() => undefined);
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.stdin?.end('end\n');
    await ended;
  }

  private async until(what: string, probe: () => boolean): Promise<void> {
    await until(what, () => {
      if (this.child.exitCode !== null) throw new Error('the clients have ended');
      return probe();
    }, LIMIT_MS);
  }
}
