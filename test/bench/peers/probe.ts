import { fork, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { mqttClients, type Broker } from './broker.js';

/** Starts the bare probe (`probe-main.ts`): two processes, their files in `folder`. */
export async function startProbe(folder: string): Promise<Broker> {
  const follower = await start([path.join(folder, 'probe-follower')]);
  const serving = await start([path.join(folder, 'probe-serving'), String(follower.port)]);
  return {
    name: 'bare probe',
    promise: 'two copies, each synced to disk; nothing but that',
    pids: [serving.child.pid ?? 0, follower.child.pid ?? 0],
    ...mqttClients(serving.port),
    stop: async () => void (await Promise.all([end(serving.child), end(follower.child)])),
  };
}

/** Ends by itself when this process does: its channel closes then. */
function start(args: readonly string[]): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(fileURLToPath(new URL('./probe-main.js', import.meta.url)), [...args]);
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve({ child, port: (message as { port: number }).port }));
    child.once('exit', (code) => reject(new Error(`the probe ended with ${String(code)}`)));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.disconnect();
  await ended;
}
