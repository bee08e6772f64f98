import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { BACKCHANNEL_PAYLOAD_BYTES_MAX, BackchannelKind } from '../../src/core/wire/backchannel.js';
import { encodeFrame, frameHeader } from '../../src/core/wire/frame.js';
import { pairTest } from './support/pair.js';

interface Stranger {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Says what it has and then nothing, without closing. */
  readonly stays?: boolean;
}

function ofVersion(version: number): Uint8Array {
  const frame = encodeFrame(BackchannelKind.hello, randomBytes(32));
  frame[4] = version;
  return frame;
}

const STRANGERS: readonly Stranger[] = [
  { name: 'garbage', bytes: randomBytes(100_000) },
  { name: 'a browser', bytes: Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n') },
  { name: 'a frame above every limit', bytes: frameHeader(BackchannelKind.hello, 0xffff_ffff) },
  { name: 'a truncated frame', bytes: encodeFrame(BackchannelKind.hello, new Uint8Array(1_000)).subarray(0, 300) },
  { name: 'a truncated frame, and then silence', bytes: encodeFrame(BackchannelKind.hello, new Uint8Array(1_000)).subarray(0, 300), stays: true },
  { name: 'a frame of an old version', bytes: ofVersion(0) },
  { name: 'a frame of a newer version', bytes: ofVersion(9) },
  { name: 'a whole frame with nonsense in it', bytes: encodeFrame(BackchannelKind.hello, Buffer.from('{"cluster":17}')) },
  { name: 'a frame of an unknown kind', bytes: encodeFrame(200, new Uint8Array(8)) },
  { name: 'nothing', bytes: new Uint8Array(0), stays: true },
];

/** Resolves when the server has closed the connection. */
function visit(port: number, { bytes, stays }: Stranger): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true }, () => {
      socket.write(bytes);
      if (stays !== true) socket.end();
    });
    socket.resume();
    socket.on('error', () => undefined); // a reset is an answer as well
    socket.once('close', () => resolve());
    socket.once('end', () => socket.end());
    setTimeout(() => reject(new Error('the connection was not closed')), 60_000).unref();
  });
}

/** Bytes of memory that a process has in use. */
function rss(pid: number | null): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}

describe('strangers on the links of a running pair', () => {
  pairTest('whatever they say, each is sent away, the console says why, and the pair does not notice', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    const moves = async (): Promise<number> => ((await active.status())?.history.length ?? 0) + ((await passive.status())?.history.length ?? 0);
    const before = await moves();
    const ports = [active.ports.ha, active.ports.replication, passive.ports.ha, passive.ports.replication];
    await Promise.all(ports.flatMap((port) => STRANGERS.map((stranger) => visit(port, stranger).catch(() => Promise.reject(new Error(`${stranger.name} was not sent away from port ${port}`))))));
    await traffic.flows();
    expect(await moves()).toBe(before);
    for (const server of pair.servers) {
      await server.says(/WARN {2}closed a backchannel connection with 127\.0\.0\.1:\d+: a frame of version \d+ came; this server speaks version 1/);
      await server.says(new RegExp(`closed a backchannel connection with .*: a frame of 4294967295 bytes came; ${BACKCHANNEL_PAYLOAD_BYTES_MAX} are allowed here`));
      expect(server.console.filter((line) => line.includes('closed a backchannel connection')).length).toBeLessThan(12);
    }
    await active.says(/WARN {2}A connection to the replication port from 127\.0\.0\.1:\d+ ended before it said who it is: /);
    await traffic.settle();
  });

  pairTest('many at once that promise the longest frame cost no memory to speak of, and the peer still gets through', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    const before = rss(active.pid('broker'));
    const sockets: Socket[] = [];
    const piece = randomBytes(256 * 1024);
    try {
      for (let count = 0; count < 200; count += 1) {
        for (const port of [active.ports.ha, active.ports.replication]) {
          const socket = connect({ host: '127.0.0.1', port });
          socket.on('error', () => undefined).resume();
          socket.write(frameHeader(BackchannelKind.hello, port === active.ports.ha ? BACKCHANNEL_PAYLOAD_BYTES_MAX : 32 * 1024 * 1024));
          socket.write(piece.subarray(0, piece.length - 1));
          sockets.push(socket);
        }
      }
      await active.says(/A connection to the replication port from .* was refused: too many connections that have not said who they are/);
      const { term } = (await active.status()) ?? { term: 0 };
      passive.send('broker', 'SIGKILL');
      await pair.inNewTerm(term);
      expect(rss(active.pid('broker')) - before).toBeLessThan(200 * 1024 * 1024);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
    await traffic.settle();
  });
});
