import { fork, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createClock } from '../../src/adapters/clock.js';
import type { BrokerOrder, BrokerRole, BrokerStatus, BrokerToManager, FollowRole, ServeRole } from '../../src/core/control/broker.js';
import type { ServerId, Term } from '../../src/core/identity.js';
import { MQTT_LIMITS_DEFAULT } from '../../src/protocols/mqtt/limits.js';
import { DEFAULT_BROKER_TUNING } from '../../src/server/config.js';
import type { BrokerProcessConfig } from '../../src/server/process-config.js';
import { freePorts } from './support/ports.js';

const MODULE = path.resolve('dist/server/main.js');
const PULSE_MS = 100;

/** A broker process of the built server, and a manager made by hand. */
export class BrokerProcess {
  readonly logs: string[] = [];
  readonly fatal: string[] = [];
  status: BrokerStatus | null = null;
  exit: string | null = null;
  private child: ChildProcess | null = null;
  private seq = 0;
  private timer: NodeJS.Timeout | null = null;
  private order: Omit<BrokerOrder, 'seq' | 'pulseAt'> = { fenceThrough: 0 as Term, clientPort: 'closed', role: { kind: 'idle', keepClients: false }, shutdown: false };

  private constructor(
    readonly name: string,
    readonly folder: string,
    readonly mqttPort: number,
    readonly replicationPort: number,
  ) {}

  static async create(name: string): Promise<BrokerProcess> {
    if (!existsSync(MODULE)) throw new Error(`${MODULE} is not there: run "npm run build" first`);
    const [mqttPort, replicationPort] = (await freePorts(2)) as [number, number];
    return new BrokerProcess(name, await mkdtemp(path.join(tmpdir(), `lockstep-${name}-`)), mqttPort, replicationPort);
  }

  async start(): Promise<void> {
    const config: BrokerProcessConfig = {
      broker: {
        cluster: 'test',
        server: this.name as ServerId,
        replicationListen: { host: '127.0.0.1', port: this.replicationPort },
        replicationSecured: false,
        tickMs: PULSE_MS,
        pulseLimitMs: 1_500,
        limits: { inflightMessagesMax: 100, sessionsMax: 1_000, subscriptionsPerSessionMax: 100, queuedMessagesPerSessionMax: 100_000, storedBytesMax: 1024 ** 3, retainedMessagesMax: 1_000 },
        tuning: { ...DEFAULT_BROKER_TUNING, snapshotEveryRecords: 2_000, payloadCacheBytes: 256 * 1024, journal: { segmentBytes: 1024 * 1024 } },
      },
      folder: this.folder,
      durability: 'both',
      secretFile: null,
      clients: { host: '127.0.0.1', port: this.mqttPort, tls: null, usersFile: null, connectionsMax: 100, mqtt: MQTT_LIMITS_DEFAULT },
    };
    this.status = null;
    this.exit = null;
    const child = fork(MODULE, [JSON.stringify(config)], { serialization: 'advanced', execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.child = child;
    child.on('message', (message) => this.received(message as BrokerToManager));
    child.on('exit', (code, signal) => {
      if (this.child === child) this.child = null;
      this.exit = signal ?? `code ${String(code)}`;
    });
    this.timer = setInterval(() => this.send(), PULSE_MS);
    await this.until((status) => status.trouble === null || !status.trouble.includes('being built'), 'started');
  }

  become(role: BrokerRole, fenceThrough = 0): void {
    this.order = { ...this.order, role, clientPort: role.kind === 'serve' ? 'bound' : 'closed', fenceThrough: Math.max(fenceThrough, this.order.fenceThrough) as Term };
    this.send();
  }

  serve(term: number, peer: BrokerProcess | null, both: boolean, changes: Partial<ServeRole> = {}): void {
    const inSync = [this, ...(both && peer !== null ? [peer] : [])].map((one) => ({ server: one.name as ServerId, journal: one.now.journal.id }));
    this.become({ kind: 'serve', term: term as Term, inSync, requirePeer: both, soloUntil: null, peer: peer === null ? null : { server: peer.name as ServerId, brokerRun: peer.now.run }, drain: false, ...changes });
  }

  follow(leader: BrokerProcess, term: number): void {
    const role: FollowRole = { kind: 'follow', term: term as Term, leader: { server: leader.name as ServerId, brokerRun: leader.now.run, endpoint: { host: '127.0.0.1', port: leader.replicationPort } }, resync: false };
    this.become(role);
  }

  shutDown(): void {
    this.order = { ...this.order, shutdown: true };
    this.send();
  }

  kill(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.child?.kill('SIGKILL');
  }

  /** The manager dies. */
  disconnect(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.child?.disconnect();
  }

  async dispose(): Promise<void> {
    this.kill();
    while (this.child !== null) await new Promise((resolve) => setTimeout(resolve, 10));
    await rm(this.folder, { recursive: true, force: true });
  }

  get now(): BrokerStatus {
    if (this.status === null) throw new Error(`${this.name} has no status`);
    return this.status;
  }

  /** Waits for a status for which the condition holds. */
  async until(condition: (status: BrokerStatus) => boolean, what: string, limitMs = 20_000): Promise<void> {
    const end = Date.now() + limitMs;
    while (this.status === null || !condition(this.status)) {
      if (Date.now() > end) throw new Error(`${this.name}: not within ${limitMs} ms: ${what}\n${JSON.stringify(this.status)}\n${this.fatal.join('\n')}\n${this.logs.slice(-10).join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async gone(): Promise<string> {
    const end = Date.now() + 10_000;
    while (this.exit === null) {
      if (Date.now() > end) throw new Error(`${this.name} does not end`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    if (this.timer !== null) clearInterval(this.timer);
    return this.exit;
  }

  private send(): void {
    if (this.child?.connected !== true) return;
    this.seq += 1;
    const pulseAt = createClock().monotonic();
    this.child.send({ kind: 'order', order: { ...this.order, seq: this.seq, pulseAt } });
  }

  private received(message: BrokerToManager): void {
    if (message.kind === 'status') this.status = message.status;
    else if (message.kind === 'fatal') this.fatal.push(`${message.code}: ${message.message}`);
    else if (message.kind === 'log') this.logs.push(`${message.level}: ${message.message}`);
  }
}
