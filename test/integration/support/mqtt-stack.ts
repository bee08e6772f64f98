import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checksum } from '../../../src/adapters/checksum.js';
import { createClock } from '../../../src/adapters/clock.js';
import { NodeDisk } from '../../../src/adapters/disk.js';
import { createPlainNetwork } from '../../../src/adapters/network.js';
import { createRandom } from '../../../src/adapters/random.js';
import type { BrokerLimits } from '../../../src/core/broker/limits.js';
import type { BrokerRole, BrokerStatus, BrokerToManager, ManagerToBroker } from '../../../src/core/control/broker.js';
import type { JournalId, ServerId, Term } from '../../../src/core/identity.js';
import type { Authenticator } from '../../../src/ports/authenticator.js';
import type { Channel } from '../../../src/ports/process.js';
import { AnonymousAuthenticator } from '../../../src/protocols/mqtt/anonymous.js';
import { MQTT_LIMITS_DEFAULT, type MqttLimits } from '../../../src/protocols/mqtt/limits.js';
import { MqttProtocol } from '../../../src/protocols/mqtt/protocol.js';
import { BrokerServer } from '../../../src/server/broker-server.js';
import { ClientListener } from '../../../src/server/clients/client-listener.js';
import { DEFAULT_BROKER_TUNING } from '../../../src/server/config.js';
import type { ClientEdge } from '../../../src/server/edge.js';
import { FakeLog } from '../../unit/support/fake-log.js';
import { until } from './until.js';

const PULSE_MS = 100;
const SERVER = 'primary' as ServerId;

const LIMITS: BrokerLimits = {
  inflightMessagesMax: 100,
  sessionsMax: 10_000,
  subscriptionsPerSessionMax: 1_000,
  queuedMessagesPerSessionMax: 10_000,
  storedBytesMax: 256 * 1024 * 1024,
  retainedMessagesMax: 10_000,
};

export interface StackChanges {
  readonly limits?: Partial<BrokerLimits>;
  readonly mqtt?: Partial<MqttLimits>;
  readonly authenticator?: Authenticator;
}

/**
 * All that a client of one server meets, in this process: sockets, listener, protocol, and the whole broker with its journal on a real disk
 * (synced before it answers). In the manager's place stands a few lines that order it to serve alone.
 */
export class MqttStack {
  readonly log = new FakeLog();
  private status: BrokerStatus | null = null;
  private seq = 0;
  private role: BrokerRole = { kind: 'idle', keepClients: false };
  private pulses: NodeJS.Timeout | null = null;
  private readonly toBroker: ((message: ManagerToBroker) => void)[] = [];
  private readonly clock = createClock();
  private offered: ClientEdge | null = null;
  private listener: ClientListener | null = null;
  private exited = false;

  private constructor(private readonly folder: string) {}

  static async start(changes: StackChanges = {}): Promise<MqttStack> {
    const stack = new MqttStack(await mkdtemp(join(tmpdir(), 'lockstep-mqtt-')));
    await stack.begin(changes);
    return stack;
  }

  get port(): number {
    return this.listener?.ports[0]?.port ?? 0;
  }

  /** What the protocol has been given, to say what no client may: the server's own messages. */
  get edge(): ClientEdge {
    if (this.offered === null) throw new Error('not started');
    return this.offered;
  }

  get now(): BrokerStatus | null {
    return this.status;
  }

  async stop(): Promise<void> {
    this.order(true);
    await until('the broker has ended', () => this.exited);
    if (this.pulses !== null) clearInterval(this.pulses);
    await rm(this.folder, { recursive: true, force: true });
  }

  private async begin({ limits, mqtt, authenticator = new AnonymousAuthenticator() }: StackChanges): Promise<void> {
    const { clock, log } = this;
    const random = createRandom();
    const network = createPlainNetwork({ log, loopbackOnly: true });
    const disk = new NodeDisk(this.folder);
    const server = new BrokerServer(
      {
        disk,
        network,
        clock,
        random,
        log,
        checksum,
        channel: this.channel(),
        clients: (edge) => {
          this.offered = edge;
          const protocol = new MqttProtocol({ edge, clock, random, log, authenticator, limits: { ...MQTT_LIMITS_DEFAULT, ...mqtt } });
          this.listener = new ClientListener({ doors: [{ name: 'mqtt', network, endpoint: { host: '127.0.0.1', port: 0 } }], limits: { connectionsMax: 5_000 }, start: (stream) => protocol.start(stream), departed: () => protocol.departed, clock, log });
          return this.listener;
        },
        exit: () => (this.exited = true),
      },
      {
        cluster: 'conformance',
        server: SERVER,
        replicationListen: { host: '127.0.0.1', port: 0 },
        replicationSecured: false,
        tickMs: PULSE_MS,
        pulseLimitMs: 60_000,
        limits: { ...LIMITS, ...limits },
        // Few payloads stay in memory: most that wait are read back from the journal.
        tuning: { ...DEFAULT_BROKER_TUNING, payloadCacheBytes: 1_024, snapshotEveryRecords: 500 },
      },
    );
    this.pulses = setInterval(() => this.order(false), PULSE_MS);
    await server.start();
    const journal = await until('the journal is open', () => this.status?.journal.id ?? null);
    this.role = { kind: 'serve', term: 1 as Term, inSync: [{ server: SERVER, journal: journal as JournalId }], requirePeer: false, soloUntil: null, peer: null, drain: false };
    this.order(false);
    await until('clients are accepted', () => this.status?.clientPort === 'accepting');
  }

  private channel(): Channel<BrokerToManager, ManagerToBroker> {
    return {
      send: (message) => {
        if (message.kind === 'status') this.status = message.status;
        if (message.kind === 'fatal') throw new Error(`${message.code}: ${message.message}`);
      },
      handle: ({ message }) => this.toBroker.push(message),
    };
  }

  private order(shutdown: boolean): void {
    this.seq += 1;
    const clientPort = this.role.kind === 'serve' ? 'bound' : 'closed';
    for (const say of this.toBroker) say({ kind: 'order', order: { seq: this.seq, pulseAt: this.clock.monotonic(), fenceThrough: 0 as Term, clientPort, role: this.role, shutdown } });
  }
}
