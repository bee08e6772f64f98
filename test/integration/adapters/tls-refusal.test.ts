import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { createTlsServer } from '../../../src/adapters/tls-server.js';
import { TlsIdentity } from '../../../src/adapters/tls-identity.js';
import type { Listener } from '../../../src/ports/stream.js';
import { FakeClock } from '../../unit/support/fake-clock.js';
import { FakeLog } from '../../unit/support/fake-log.js';
import { makeCertificate, type CertificateFiles } from '../support/certificates.js';

/* What the log says of clients that do not come through the TLS handshake, and which side it names as the one that ended it. */

const WRONG = /^the client at 127\.0\.0\.1:\d+ refused this server's certificate: it says that /;

let folder: string;
let files: CertificateFiles;
let log: FakeLog;
let listener: Listener;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-tls-refusal-'));
  files = makeCertificate(folder);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeEach(async () => {
  log = new FakeLog();
  const server = createTlsServer({ identity: await TlsIdentity.open(files, { clock: new FakeClock(), log: new FakeLog() }), log });
  listener = await server.listen({ host: '127.0.0.1', port: 0 }, (stream) => stream.destroy('not expected here'));
});

afterEach(() => listener.close());

/** The first bytes of a TLS 1.2 client, after which it may still send an alert in clear. */
async function clientHello(): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({ read: () => undefined, write: (bytes: Buffer) => resolve(bytes) });
    tls.connect({ socket: wire, maxVersion: 'TLSv1.2' }).on('error', () => undefined);
  });
}

/** Ends when the server has closed the connection. */
async function dial(speak: (socket: net.Socket) => void): Promise<void> {
  await new Promise<void>((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port: listener.port }, () => speak(socket));
    socket.on('error', () => undefined).on('close', () => resolve());
  });
}

async function said(): Promise<string> {
  const giveUpAt = performance.now() + 4000;
  while (log.lines.length === 0) {
    if (performance.now() > giveUpAt) throw new Error('nothing was said');
    await new Promise((resolve) => setImmediate(resolve));
  }
  return log.lines.map(({ message }) => message).join('\n');
}

async function alerted(number: number): Promise<string> {
  const hello = await clientHello();
  await dial((socket) => {
    socket.once('data', () => socket.write(Buffer.from([0x15, 3, 3, 0, 2, 2, number])));
    socket.write(hello);
  });
  return said();
}

describe('the alert of a client', () => {
  it.each([
    [42, 'it is bad: not for the name or address that was dialled'],
    [43, 'it is of a kind that it cannot use, or not made for a server'],
    [44, 'it was revoked by its issuer'],
    [45, 'it has expired'],
    [46, 'it does not take it, without a reason'],
    [48, 'it does not know its issuer'],
  ])('%i is its refusal of our certificate', async (number, why) => {
    const line = await alerted(number);
    expect(line).toMatch(WRONG);
    expect(line).toContain(`it says that ${why}`);
    expect(line).not.toMatch(/routines|openssl|\bwas refused\b/);
  });

  it.each([
    [47, 'it says that an answer of this server has an illegal parameter (TLS alert 47)'],
    [40, 'it says that nothing that both sides can do fits together (TLS alert 40)'],
    [80, 'mosquitto says this of a certificate that is not for the name or address that it dialled'],
    [115, 'ended the TLS handshake (TLS alert 115)'],
  ])('%i is no word about the certificate', async (number, why) => {
    const line = await alerted(number);
    expect(line).toMatch(/^the client at 127\.0\.0\.1:\d+ ended the TLS handshake/);
    expect(line).toContain(why);
  });

  it('comes from a real one that trusts another issuer', async () => {
    const other = makeCertificate(folder, { name: 'other' });
    await new Promise<void>((resolve) => {
      tls.connect({ host: '127.0.0.1', port: listener.port, ca: readFileSync(other.certFile) }).on('error', () => undefined).on('close', () => resolve());
    });
    // Node.js closes the connection without an alert.
    expect(await said()).toMatch(/^the client at 127\.0\.0\.1:\d+ went away during the TLS handshake: .*does not trust this server's certificate and does not say so$/);
  });
});

describe('a client that does not speak TLS', () => {
  it.each([
    ['MQTT', Buffer.from('100c00044d5154540402003c0000', 'hex'), /^a connection from 127\.0\.0\.1:\d+ was refused: it does not speak TLS; this port takes MQTT over TLS alone \(mqtt\.tlsPort\), and clients without TLS belong on mqtt\.port$/],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), /^a connection from 127\.0\.0\.1:\d+ was refused: it speaks HTTP without TLS; /],
  ])('is told apart: %s', async (_name, bytes, line) => {
    await dial((socket) => socket.write(bytes));
    expect(await said()).toMatch(line);
  });
});
