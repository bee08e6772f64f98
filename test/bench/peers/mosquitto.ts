import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stop, type Started } from '../started.js';
import { mqttClients, type Broker } from './broker.js';
import { freePorts, listening } from './programs.js';

/** Starts Mosquitto, in memory only and without limits on queues, so that it drops nothing. */
export async function startMosquitto(started: Started, program: string, folder: string): Promise<Broker> {
  const [port] = (await freePorts(1)) as [number];
  const home = path.join(folder, 'mosquitto');
  mkdirSync(home, { recursive: true });
  const settings = ['allow_anonymous true', 'persistence false', 'set_tcp_nodelay true', 'max_inflight_messages 0', 'max_queued_messages 0', 'log_dest none'];
  const file = path.join(home, 'mosquitto.conf');
  writeFileSync(file, [`listener ${port} 127.0.0.1`, ...settings, ''].join('\n'));
  const child = started.run(program, ['-c', file], { stdio: 'ignore' });
  await listening(port, 'mosquitto');
  return { name: 'Mosquitto', promise: 'one copy, in memory', pids: [child.pid ?? 0], ...mqttClients(port), stop: () => stop(child) };
}
