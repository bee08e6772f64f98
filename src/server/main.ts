import { availableParallelism } from 'node:os';
import path from 'node:path';
import { checksum } from '../adapters/checksum.js';
import { createClock } from '../adapters/clock.js';
import { NodeDisk } from '../adapters/disk.js';
import { heapUse } from '../adapters/memory.js';
import { createPlainNetwork } from '../adapters/network.js';
import { isOrphaned, parentChannel } from '../adapters/parent-channel.js';
import { createRandom } from '../adapters/random.js';
import { readPairKey } from '../adapters/secret.js';
import { becomeSoleWriter } from '../adapters/sole-writer.js';
import { createPskNetwork } from '../adapters/tls-psk.js';
import { loginsAtOnce } from '../adapters/thread-pool.js';
import { TlsIdentity } from '../adapters/tls-identity.js';
import { createTlsServer } from '../adapters/tls-server.js';
import { USER_FILE_LIMITS, UserFileAuthenticator } from '../adapters/user-file-authenticator.js';
import type { BrokerToManager, ManagerToBroker } from '../core/control/broker.js';
import { LockstepError } from '../core/errors.js';
import { readManagerToBroker } from '../core/wire/broker-messages.js';
import type { Authenticator } from '../ports/authenticator.js';
import type { Log } from '../ports/log.js';
import type { Network } from '../ports/stream.js';
import { AnonymousAuthenticator } from '../protocols/mqtt/anonymous.js';
import { MqttProtocol } from '../protocols/mqtt/protocol.js';
import { BrokerServer } from './broker-server.js';
import { ClientListener, type ClientDoor } from './clients/client-listener.js';
import type { BrokerProcessConfig } from './process-config.js';
import { RelaxableDisk } from './relaxable-disk.js';

/*
 * The broker process. Forked by the HA manager with its BrokerProcessConfig as JSON in the first argument; everything else
 * comes and goes over the message channel. It ends when the manager is gone.
 */

/** So long a last message may take to reach the manager. */
const FAREWELL_MS = 50;

const channel = parentChannel<BrokerToManager, ManagerToBroker>(readManagerToBroker);
const log: Log = {
  write: (level, message, fields) => channel.send({ kind: 'log', level, message, ...(fields === undefined ? {} : { fields }) }),
};
const clock = createClock();
let server: BrokerServer | null = null;
let leaving = false;

/** With an operation hung in the file system not even process.exit returns, so only a clean end goes that way. */
function leave(code: number): void {
  if (leaving) return;
  leaving = true;
  setTimeout(() => (code === 0 ? process.exit(0) : process.kill(process.pid, 'SIGKILL')), FAREWELL_MS);
}

function broken(error: unknown): void {
  const code = error instanceof LockstepError ? error.code : 'LOCKSTEP_BROKER_BROKEN';
  const message = error instanceof LockstepError ? `${error.message}. ${error.remedy}` : error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (server !== null) return server.fail(code, message);
  channel.send({ kind: 'fatal', code, message });
  leave(1);
}

async function identityOf({ clients }: BrokerProcessConfig): Promise<TlsIdentity | null> {
  if (clients.tls === null) return null;
  const { certFile, keyFile } = clients.tls;
  return await TlsIdentity.open({ certFile, keyFile }, { clock, log });
}

function doorsOf({ clients }: BrokerProcessConfig, identity: TlsIdentity | null): ClientDoor[] {
  const plain = createPlainNetwork({ log, loopbackOnly: false });
  const doors: ClientDoor[] = [{ name: 'mqtt', network: plain, endpoint: { host: clients.host, port: clients.port } }];
  if (clients.tls !== null && identity !== null) {
    const { listen } = createTlsServer({ identity, log });
    doors.push({ name: 'mqtts', network: { listen, dial: plain.dial }, endpoint: { host: clients.host, port: clients.tls.port } });
  }
  return doors;
}

async function replicationOf({ secretFile, broker }: BrokerProcessConfig): Promise<Network> {
  if (secretFile === null) return createPlainNetwork({ log, loopbackOnly: true });
  return createPskNetwork({ key: await readPairKey(secretFile), cluster: broker.cluster, server: broker.server, log });
}

async function authenticatorOf({ clients }: BrokerProcessConfig): Promise<Authenticator> {
  return clients.usersFile === null ? new AnonymousAuthenticator() : await UserFileAuthenticator.open(clients.usersFile, { clock, log, limits: { ...USER_FILE_LIMITS, verifyingMax: loginsAtOnce(availableParallelism(), process.env) } });
}

async function run(config: BrokerProcessConfig): Promise<void> {
  const random = createRandom();
  const [identity, network, authenticator] = [await identityOf(config), await replicationOf(config), await authenticatorOf(config)];
  const judge = authenticator instanceof UserFileAuthenticator ? authenticator : null;
  const doors = doorsOf(config, identity);
  const disk = new NodeDisk(config.folder);
  await disk.makeFolder('.');
  if (!(await becomeSoleWriter(path.join(config.folder, 'broker.pid'), log, isOrphaned))) return leave(1);
  server = new BrokerServer(
    {
      disk: config.durability === 'both' ? disk : new RelaxableDisk(disk),
      network,
      clock,
      random,
      log,
      checksum,
      channel,
      memory: heapUse,
      clients: (edge) => {
        const mqtt = new MqttProtocol({ edge, clock, random, log, authenticator, limits: config.clients.mqtt });
        return new ClientListener({ doors, limits: { connectionsMax: config.clients.connectionsMax }, start: (stream) => mqtt.start(stream), departed: () => mqtt.departed, clock, log });
      },
      ...(judge === null ? {} : { loginsWait: () => judge.isPressed, users: () => judge.list }),
      ...(identity === null ? {} : { certificateUntil: () => identity.validUntil }),
      notice: () => [judge?.problem ?? null, identity?.problem ?? null].filter((one) => one !== null).join('; ') || null,
      exit: leave,
    },
    config.broker,
  );
  await server.start();
}

// Ctrl-C at a terminal, and its closing, reach every process of a server; the manager decides in which order they end.
process.on('SIGHUP', () => undefined);
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('uncaughtException', broken);
process.on('unhandledRejection', broken);
// Also before there is a server that listens to the channel.
process.on('disconnect', () => leave(1));

const config = JSON.parse(process.argv[2] ?? 'null') as BrokerProcessConfig | null;
if (config === null) {
  process.stderr.write('This is a part of Lockstep that the HA manager starts by itself; run "lockstep start".\n');
  process.exitCode = 2;
} else {
  run(config).catch(broken);
}
