import { closeSync, fdatasyncSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { delimiter } from 'node:path';
import { accessSync, constants } from 'node:fs';
import { Latencies, round, type Spread } from './latencies.js';
import type { Started } from './started.js';
import { freePorts } from './pair.js';
import { until } from './waiting.js';

export interface DiskProbe {
  readonly bytes: number;
  readonly syncsPerSecond: number;
  readonly ms: Spread;
}

/** Appends `bytes` and syncs, one after the other, for `seconds`: what the disk itself takes. */
export function probeDisk(folder: string, bytes: number, seconds: number): DiskProbe {
  const file = openSync(path.join(folder, `probe-${bytes}`), 'w');
  const piece = Buffer.alloc(bytes, 0x2e);
  const latencies = new Latencies();
  const begun = performance.now();
  let now = begun;
  try {
    while (now - begun < seconds * 1_000) {
      const at = now;
      writeSync(file, piece);
      fdatasyncSync(file);
      now = performance.now();
      latencies.add(now - at);
    }
  } finally {
    closeSync(file);
  }
  const ms = latencies.spread();
  return { bytes, syncsPerSecond: round((ms.count * 1_000) / (now - begun)), ms };
}

/** Where a program is, by PATH and the folders for system programs; `null` when it is not installed. */
export function findProgram(name: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  for (const folder of folders) {
    const file = path.join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      continue;
    }
  }
  return null;
}

/** Starts Mosquitto, in memory only and without limits on queues, so that it drops nothing. */
export async function startMosquitto(started: Started, program: string, folder: string): Promise<{ port: number; pid: number }> {
  const [port] = (await freePorts(1)) as [number];
  const home = path.join(folder, 'mosquitto');
  mkdirSync(home, { recursive: true });
  const settings = ['allow_anonymous true', 'persistence false', 'set_tcp_nodelay true', 'max_inflight_messages 0', 'max_queued_messages 0', 'log_dest none'];
  const file = path.join(home, 'mosquitto.conf');
  writeFileSync(file, [`listener ${port} 127.0.0.1`, ...settings, ''].join('\n'));
  const { pid } = started.run(program, ['-c', file], { stdio: 'ignore' });
  await until(5_000, () => 'mosquitto to listen', () => listens(port));
  if (pid === undefined) throw new Error('mosquitto could not be started');
  return { port, pid };
}

function listens(port: number): Promise<true | null> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(null));
  });
}
