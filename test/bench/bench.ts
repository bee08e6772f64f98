import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { DiskWatch } from './disk-watch.js';
import type { Broker } from './peers/broker.js';
import { startMosquitto } from './peers/mosquitto.js';
import { startNats } from './peers/nats.js';
import { Pair, type PairOptions, type Settings } from './peers/pair.js';
import { startProbe } from './peers/probe.js';
import { findProgram } from './peers/programs.js';
import type { Started } from './started.js';

export type PeerName = 'Mosquitto' | 'bare probe' | 'NATS' | 'NATS, 3 replicas';

export interface BenchOptions {
  readonly long: boolean;
  /** The folder of this run: journals, logs and profiles of all that is started. */
  readonly folder: string;
  /** The built `cli/main.js`. */
  readonly command: string;
}

/** What few pairs need. */
export type PairExtras = Partial<Pick<PairOptions, 'settingsOf' | 'brokerNodeOptions'>>;

/** What a row works with: it starts pairs and peers, each in a folder of its own that is removed behind it. */
export class Bench {
  /** What was not measured, and why. */
  readonly skipped: string[] = [];
  private folders = 0;

  constructor(
    readonly started: Started,
    private readonly options: BenchOptions,
  ) {}

  get long(): boolean {
    return this.options.long;
  }

  /** The size of the short form, or of the long one. */
  size(short: number, long: number): number {
    return this.options.long ? long : short;
  }

  say(line: string): void {
    process.stderr.write(`bench: ${line}\n`);
  }

  skip(why: string): void {
    if (!this.skipped.includes(why)) this.skipped.push(why);
  }

  /** A pair for one piece of work; it is stopped and its folder removed when the work ends well. */
  async withPair<T>(settings: Settings, work: (pair: Pair) => Promise<T>, more: PairExtras = {}): Promise<T> {
    return this.inFolder('pair', async (folder) => {
      const pair = await Pair.start(this.started, { command: this.options.command, folder, settings, brokerNodeOptions: [], ...more });
      try {
        return await work(pair);
      } finally {
        await pair.stop();
      }
    });
  }

  /** Lockstep first, and of the peers those that are there. */
  async withBrokers<T>(peers: readonly PeerName[], work: (brokers: readonly Broker[]) => Promise<T>): Promise<T> {
    return this.withPair({}, (pair) =>
      this.inFolder('peers', async (folder) => {
        const brokers: Broker[] = [await pair.broker()];
        try {
          for (const name of peers) {
            const broker = await this.peer(name, folder);
            if (broker !== null) brokers.push(broker);
          }
          return await work(brokers);
        } finally {
          await Promise.all(brokers.slice(1).map((one) => one.stop()));
        }
      }),
    );
  }

  private async peer(name: PeerName, folder: string): Promise<Broker | null> {
    if (name === 'bare probe') return startProbe(folder);
    const program = findProgram(name === 'Mosquitto' ? 'mosquitto' : 'nats-server');
    if (program === null) {
      this.skip(`${name}: it is not installed`);
      return null;
    }
    if (name === 'Mosquitto') return startMosquitto(this.started, program, folder);
    return startNats(this.started, program, folder, name === 'NATS' ? 1 : 3);
  }

  /** Work with an eye on the disk that the journals are on. */
  async watchingDisk<T>(work: (disk: DiskWatch) => Promise<T>): Promise<T> {
    const disk = new DiskWatch(this.options.folder);
    try {
      return await work(disk);
    } finally {
      await disk.stop();
    }
  }

  /** An empty folder for one piece of work, removed when it ends well. */
  async inFolder<T>(what: string, work: (folder: string) => Promise<T>): Promise<T> {
    const folder = path.join(this.options.folder, `${what}-${this.folders++}`);
    mkdirSync(folder, { recursive: true });
    const result = await work(folder);
    rmSync(folder, { recursive: true, force: true });
    return result;
  }
}
