import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { NatsConnection } from '../clients/nats-connection.js';
import { NatsPublisher, NatsSubscriber } from '../clients/nats-clients.js';
import { stop, type Started } from '../started.js';
import { until } from '../waiting.js';
import type { Broker } from './broker.js';
import { freePorts, listening } from './programs.js';

const STREAM = 'BENCH';
const SUBJECT = 'bench.load';
const ELECTION_MS_MAX = 20_000;
/** Beyond it the oldest messages go, so that the folder does not grow. */
const STREAM_BYTES = 1024 * 1024 * 1024;

/**
 * Starts NATS with JetStream: one server, or three of a cluster with three replicas of the stream. File storage as it comes: a message is
 * written, and synced every two minutes.
 */
export async function startNats(started: Started, program: string, folder: string, replicas: 1 | 3): Promise<Broker> {
  const ports = await freePorts(replicas * 2);
  const port = (server: number): number => ports[server] as number;
  const routes = Array.from({ length: replicas }, (_, server) => `nats://127.0.0.1:${String(ports[replicas + server])}`);
  const children: ChildProcess[] = [];
  for (let server = 0; server < replicas; server++) {
    const home = path.join(folder, `nats-${replicas}-${server}`);
    mkdirSync(home, { recursive: true });
    const cluster = replicas === 1 ? [] : ['cluster {', '  name: bench', `  listen: 127.0.0.1:${String(ports[replicas + server])}`, `  routes: [${routes.join(', ')}]`, '}'];
    const lines = [`server_name: n${server}`, `listen: 127.0.0.1:${port(server)}`, 'jetstream {', `  store_dir: "${home}"`, '}', ...cluster, ''];
    const file = path.join(home, 'nats.conf');
    writeFileSync(file, lines.join('\n'));
    children.push(started.run(program, ['-c', file], { stdio: 'ignore' }));
  }
  for (let server = 0; server < replicas; server++) await listening(port(server), 'nats-server');
  const leader = await makeStream(port(0), replicas);
  const first = leader === null ? 0 : leader;
  const inOrder = [children[first], ...children.filter((_, at) => at !== first)];
  return {
    name: replicas === 1 ? 'NATS' : 'NATS, 3 replicas',
    promise: replicas === 1 ? 'one copy in a file, not synced' : 'three copies in files (two before the acknowledgement), not synced',
    pids: inOrder.map((child) => child?.pid ?? 0),
    publisher: (wish) => NatsPublisher.open(port(first), { ...wish, subject: `${SUBJECT}.${wish.index}` }),
    subscriber: ({ name, topics, ledger }) => {
      if (topics !== null) throw new Error('subscriptions to single topics are not measured with NATS');
      return NatsSubscriber.open(port(first), { stream: STREAM, name, ledger });
    },
    stop: async () => void (await Promise.all(children.map((child) => stop(child)))),
  };
}

/** Makes the stream, as soon as the cluster can. @returns the number of the server that leads it; `null` without a cluster */
async function makeStream(port: number, replicas: number): Promise<number | null> {
  const connection = await NatsConnection.open(port);
  try {
    const config = { name: STREAM, subjects: [`${SUBJECT}.>`], storage: 'file', num_replicas: replicas, max_bytes: STREAM_BYTES, discard: 'old' };
    const made = await until(ELECTION_MS_MAX, () => 'JetStream to make a stream', async () => {
      const answer = (await connection.request(`$JS.API.STREAM.CREATE.${STREAM}`, config)) as { error?: unknown; cluster?: { leader?: string } } | null;
      return answer === null || answer.error !== undefined ? null : answer;
    });
    return replicas === 1 ? null : Number((made.cluster?.leader ?? 'n0').slice(1));
  } finally {
    connection.close();
  }
}
