import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { createPlainNetwork } from '../../../src/adapters/network.js';
import { derivePairKey, readPairKey } from '../../../src/adapters/secret.js';
import { createPskNetwork } from '../../../src/adapters/tls-psk.js';
import { TlsIdentity } from '../../../src/adapters/tls-identity.js';
import { createTlsServer } from '../../../src/adapters/tls-server.js';
import type { Listener, Network, Stream } from '../../../src/ports/stream.js';
import { FakeClock } from '../../unit/support/fake-clock.js';
import { FakeLog } from '../../unit/support/fake-log.js';
import { makeCertificate } from '../support/certificates.js';

const LOCAL = { host: '127.0.0.1', port: 0 };
const KEY = derivePairKey('0123456789abcdef0123456789abcdef');
const OTHER_KEY = derivePairKey('fedcba9876543210fedcba9876543210');
const DIAL_MS = 2000;

let log: FakeLog;
let listener: Listener | null;
let streams: Stream[];
let folder: string;

beforeEach(() => {
  log = new FakeLog();
  listener = null;
  streams = [];
  folder = mkdtempSync(join(tmpdir(), 'lockstep-tls-'));
});

afterEach(() => {
  for (const stream of streams) stream.destroy('the test is over');
  listener?.close();
  rmSync(folder, { recursive: true, force: true });
});

const psk = (server: string, key = KEY): Network => createPskNetwork({ key, cluster: 'orders', server, log });

async function listening(network: Pick<Network, 'listen'>): Promise<{ host: string; port: number }> {
  listener = await network.listen(LOCAL, (stream) => streams.push(stream));
  return { host: LOCAL.host, port: listener.port };
}

async function until(condition: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 4000;
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error('never happened');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('links with a shared secret', () => {
  it('name the other side in its address', async () => {
    const at = await listening(psk('secondary'));
    const stream = await psk('primary').dial(at, DIAL_MS);
    streams.push(stream);
    await until(() => streams.length === 2);
    expect(streams.every(({ authenticated }) => authenticated)).toBe(true);
    expect(streams.find((other) => other !== stream)?.remote).toMatch(/^orders\/primary at 127\.0\.0\.1:\d+$/);
  });

  it('do not warn of a look whether the port is open', async () => {
    const at = await listening(psk('secondary'));
    const socket = net.connect(at);
    socket.once('connect', () => socket.destroy());
    await until(() => log.lines.length > 0);
    expect(log.from('warn')).toEqual([]);
    expect(log.from('info')[0]).toMatch(/^a connection from 127\.0\.0\.1:\d+ ended before it said who it is; a look whether the port is open/);
  });

  it('say in one line on both sides that the secrets differ', async () => {
    const at = await listening(psk('secondary', OTHER_KEY));
    for (let i = 0; i < 3; i += 1) {
      await expect(psk('primary').dial(at, DIAL_MS)).rejects.toMatchObject({
        code: 'LOCKSTEP_SECRET_REFUSED',
        message: `cannot connect to 127.0.0.1:${at.port}: it does not have our shared secret (the secret files differ)`,
      });
    }
    await until(() => log.lines.length > 0);
    expect(log.from('warn')).toHaveLength(1);
    expect(log.from('warn')[0]).toMatch(/^a connection from 127\.0\.0\.1:\d+ was refused: it does not have our shared secret \(the secret files differ\)$/);
    expect(streams).toEqual([]);
  });

  it('take no plain bytes, no other TLS, and no client without the key', async () => {
    const at = await listening(psk('secondary'));
    const plain = net.connect(at).on('error', () => undefined);
    plain.write('GET / HTTP/1.1\r\n\r\n');
    await new Promise((resolve) => plain.once('close', resolve));
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const stranger = tls.connect({ ...at, rejectUnauthorized: false, maxVersion }).on('error', () => undefined);
      await new Promise((resolve) => stranger.once('close', resolve));
    }
    expect(streams).toEqual([]);
    expect(log.from('warn').length).toBeGreaterThan(0);
  });

  it('refuse a server that shows a certificate in place of the key', async () => {
    const at = await listening(await tlsServer());
    await expect(psk('primary').dial(at, DIAL_MS)).rejects.toMatchObject({ code: 'LOCKSTEP_DIAL_FAILED' });
  });

  it('refuse a server that has neither', async () => {
    const at = await listening(createPlainNetwork({ log, loopbackOnly: true }));
    const outcome = psk('primary').dial(at, 300);
    await until(() => streams.length === 1);
    await expect(outcome).rejects.toMatchObject({ message: `cannot connect to 127.0.0.1:${at.port}: no answer within 300 ms` });
  });
});

describe('links without a secret', () => {
  it('stay on loopback', async () => {
    const network = createPlainNetwork({ log, loopbackOnly: true });
    const refused = { code: 'LOCKSTEP_NETWORK_SECRET_MISSING' };
    await expect(network.listen({ host: '0.0.0.0', port: 0 }, () => undefined)).rejects.toMatchObject(refused);
    await expect(network.dial({ host: '192.0.2.1', port: 1 }, 100)).rejects.toMatchObject(refused);
  });
});

describe('the secret file', () => {
  const file = (content: string, mode = 0o600): string => {
    const path = join(folder, 'secret');
    writeFileSync(path, content);
    chmodSync(path, mode);
    return path;
  };
  const good = '0123456789abcdef0123456789abcdef';

  it('gives the same key with and without a line end', async () => {
    expect(await readPairKey(file(`${good}\n`))).toEqual(KEY);
  });

  it.each([
    ['LOCKSTEP_SECRET_SHORT', 'too short\n', 0o600],
    ['LOCKSTEP_SECRET_EXPOSED', good, 0o644],
  ])('is refused: %s', async (code, content, mode) => {
    await expect(readPairKey(file(content, mode))).rejects.toMatchObject({ code });
  });

  it('is refused when absent', async () => {
    await expect(readPairKey(join(folder, 'none'))).rejects.toMatchObject({ code: 'LOCKSTEP_SECRET_UNREADABLE' });
  });
});

describe('TLS for clients', () => {
  it('carries bytes', async () => {
    const at = await listening(await tlsServer());
    const client = tls.connect({ ...at, rejectUnauthorized: false });
    await until(() => streams.length === 1);
    let heard = '';
    streams[0]?.handle({ data: (bytes) => (heard += Buffer.from(bytes).toString()), drain: () => undefined, close: () => undefined });
    client.write('hello');
    await until(() => heard === 'hello');
    expect(streams[0]?.authenticated).toBe(false);
    client.destroy();
  });
});

async function tlsServer(): Promise<Pick<Network, 'listen'>> {
  return createTlsServer({ identity: await TlsIdentity.open(makeCertificate(folder), { clock: new FakeClock(), log: new FakeLog() }), log });
}
