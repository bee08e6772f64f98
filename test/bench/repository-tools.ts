import { fork, type ChildProcess } from 'node:child_process';
import * as fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from './peers/programs.js';
import type { PeerAnswer, PeerRequest } from './repository-peer.js';
import type { Started } from './started.js';
import { until } from './waiting.js';

/** What one run of one tool took. */
export interface Taken {
  readonly ms: number;
  /** Processor time of both sides, kernel included; `null` where the system does not tell. */
  readonly cpuMs: number | null;
  readonly wireBytes: number;
  /** Largest memory of a side; `null` where it was not asked for. */
  readonly peakBytes: number | null;
}

/** A program that makes the folder `to` equal to the folder `from`. */
export interface Tool {
  readonly name: string;
  prepare(from: string, to: string): Promise<void>;
  sync(): Promise<Taken>;
  stop(): Promise<void>;
}

const TICKS_PER_SECOND = 100;

/** User and system time of a process, and of its children that have ended and were waited for. Milliseconds. */
function cpuOf(pid: number | 'self'): number | null {
  try {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
    const own = pid === 'self' ? 0 : Number(fields[11]) + Number(fields[12]);
    return ((own + Number(fields[13]) + Number(fields[14])) * 1000) / TICKS_PER_SECOND;
  } catch {
    return null;
  }
}

/** rsync between two processes over loopback: a client that pushes to a daemon of this run's own. */
export class Rsync implements Tool {
  readonly name = 'rsync';
  private daemon: ChildProcess | null = null;
  private port = 0;
  private from = '';

  constructor(
    private readonly started: Started,
    private readonly program: string,
    private readonly folder: string,
  ) {}

  async prepare(from: string, to: string): Promise<void> {
    await this.stop();
    fs.mkdirSync(to, { recursive: true });
    this.from = from;
    this.port = (await freePorts(1))[0] ?? 0;
    const config = path.join(this.folder, 'rsyncd.conf');
    const user = process.getuid?.() === 0 ? 'uid = root\ngid = root\n' : '';
    fs.writeFileSync(config, `use chroot = no\naddress = 127.0.0.1\nport = ${this.port}\n${user}[target]\npath = ${to}\nread only = no\n`);
    this.daemon = this.started.run(this.program, ['--daemon', '--no-detach', `--config=${config}`], { stdio: 'ignore' });
    const { port } = this;
    await until(5_000, () => 'the rsync daemon', () => (this.client([`rsync://127.0.0.1:${port}/`]).then(() => true, () => null)));
  }

  async sync(): Promise<Taken> {
    const before = this.cpu();
    const begun = performance.now();
    const output = await this.client(['-a', '--fsync', '--stats', `${this.from}/`, `rsync://127.0.0.1:${this.port}/target/`]);
    const ms = performance.now() - begun;
    // The daemon's process for this connection ends a moment after the client.
    await new Promise((resolve) => setTimeout(resolve, 200));
    const after = this.cpu();
    const count = (what: string): number => Number((new RegExp(`Total bytes ${what}: ([\\d,.]+)`).exec(output)?.[1] ?? 'NaN').replace(/\D/g, ''));
    return { ms, cpuMs: before === null || after === null ? null : after - before, wireBytes: count('sent') + count('received'), peakBytes: null };
  }

  async stop(): Promise<void> {
    const { daemon } = this;
    this.daemon = null;
    if (daemon === null || daemon.exitCode !== null) return;
    const ended = new Promise((resolve) => daemon.once('exit', resolve));
    daemon.kill('SIGTERM');
    await ended;
  }

  private cpu(): number | null {
    const daemon = cpuOf(this.daemon?.pid ?? 0);
    const client = cpuOf('self');
    return daemon === null || client === null ? null : daemon + client;
  }

  private client(args: readonly string[]): Promise<string> {
    const child = this.started.run(this.program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, LC_ALL: 'C' } });
    let output = '';
    child.stdout?.on('data', (text: Buffer) => (output += text.toString()));
    child.stderr?.on('data', (text: Buffer) => (output += text.toString()));
    return new Promise((resolve, reject) => child.once('error', reject).once('close', (code) => (code === 0 ? resolve(output) : reject(new Error(`rsync ended with ${String(code)}: ${output}`)))));
  }
}

/** Both ends of a repository link, each in a process of its own, started before the time is taken: they run all the time on a server. */
export class Lockstep implements Tool {
  readonly name = 'lockstep';
  private peers: { readonly sender: ChildProcess; readonly receiver: ChildProcess } | null = null;

  constructor(private readonly folder: string) {}

  async prepare(from: string, to: string): Promise<void> {
    await this.stop();
    fs.mkdirSync(to, { recursive: true });
    const module = fileURLToPath(new URL('./repository-peer.js', import.meta.url));
    const start = (): ChildProcess => fork(module, { env: { ...process.env, UV_THREADPOOL_SIZE: '64' } });
    const peers = { sender: start(), receiver: start() };
    this.peers = peers;
    const listening = answerOf(peers.sender, 'port');
    tell(peers.sender, { what: 'send', folder: from, record: path.join(this.folder, `${path.basename(to)}-sender.digests`) });
    const { port } = await listening;
    const ready = answerOf(peers.receiver, 'ready');
    tell(peers.receiver, { what: 'receive', folder: to, record: path.join(this.folder, `${path.basename(to)}-receiver.digests`), port });
    await ready;
  }

  async sync(): Promise<Taken> {
    const { peers } = this;
    if (peers === null) throw new Error('not prepared');
    const before = await this.usage();
    const begun = performance.now();
    const reported = answerOf(peers.receiver, 'report');
    tell(peers.receiver, { what: 'sync' });
    const { report } = await reported;
    const ms = performance.now() - begun;
    if (report.outcome === 'failed') throw new Error(report.detail ?? 'failed');
    const after = await this.usage();
    return { ms, cpuMs: after.cpuMs - before.cpuMs, wireBytes: report.wireBytes, peakBytes: after.peakBytes };
  }

  async stop(): Promise<void> {
    const { peers } = this;
    this.peers = null;
    if (peers === null) return;
    await Promise.all([peers.sender, peers.receiver].map((child) => new Promise((resolve) => child.once('exit', resolve).disconnect())));
  }

  private async usage(): Promise<{ cpuMs: number; peakBytes: number }> {
    const { peers } = this;
    if (peers === null) throw new Error('not prepared');
    const both = await Promise.all(
      [peers.sender, peers.receiver].map((child) => {
        const answered = answerOf(child, 'usage');
        tell(child, { what: 'usage' });
        return answered;
      }),
    );
    return { cpuMs: both.reduce((sum, one) => sum + one.cpuMs, 0), peakBytes: Math.max(...both.map((one) => one.peakBytes)) };
  }
}

function tell(child: ChildProcess, request: PeerRequest): void {
  child.send(request);
}

function answerOf<What extends PeerAnswer['what']>(child: ChildProcess, what: What): Promise<Extract<PeerAnswer, { what: What }>> {
  return new Promise((resolve, reject) => {
    const ended = (): void => reject(new Error(`an end of the repository link ended before its ${what}`));
    const heard = (message: unknown): void => {
      const answer = message as PeerAnswer;
      if (answer.what !== what) return;
      child.off('message', heard).off('exit', ended);
      resolve(answer as Extract<PeerAnswer, { what: What }>);
    };
    child.on('message', heard).on('exit', ended);
  });
}
