import { X509Certificate } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { LOOK_MS, TELL_AGAIN_MS, TlsIdentity } from '../../../src/adapters/tls-identity.js';
import { createTlsServer } from '../../../src/adapters/tls-server.js';
import { FakeClock } from '../../unit/support/fake-clock.js';
import { FakeLog } from '../../unit/support/fake-log.js';
import { makeCertificate, type CertificateFiles } from '../support/certificates.js';

const DAY = 24 * 3_600_000;

let folder: string;
let files: CertificateFiles;
let next: CertificateFiles;
let validUntil: number;
let log: FakeLog;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-tls-identity-'));
  files = makeCertificate(folder, { days: 90 });
  next = makeCertificate(folder, { name: 'next', days: 180 });
  validUntil = Date.parse(new X509Certificate(readFileSync(files.certFile)).validTo);
  log = new FakeLog();
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function renew(from: CertificateFiles): void {
  copyFileSync(from.certFile, files.certFile);
  copyFileSync(from.keyFile, files.keyFile);
}

/** The wall clock shows so long before the end of the first certificate. */
async function opened(beforeEndMs: number): Promise<{ readonly clock: FakeClock; readonly identity: TlsIdentity }> {
  const clock = new FakeClock(1_000, validUntil - beforeEndMs);
  return { clock, identity: await TlsIdentity.open(files, { clock, log }) };
}

const news = (): string[] => log.lines.splice(0).map(({ level, message }) => `${level} ${message}`);

test('a good certificate is nothing to speak of', async () => {
  const { identity } = await opened(31 * DAY);
  await identity.look();
  expect(identity.validUntil).toBe(validUntil);
  expect(log.lines).toEqual([]);
});

test('one that ends soon is said at the start and once a day, and its end at once', async () => {
  const { clock, identity } = await opened(2.5 * DAY);
  expect(news()).toEqual([expect.stringMatching(/^warn The TLS certificate \/.*server\.crt: the certificate of CN=server expires in 2 days, at .* UTC\. Put a new one in place with its key/)]);
  clock.suspend(TELL_AGAIN_MS - 1); // wall time alone: what is said again goes by monotonic time
  await identity.look();
  expect(news()).toEqual([]);
  clock.advance(TELL_AGAIN_MS);
  await identity.look();
  expect(news()).toEqual([expect.stringMatching(/^warn .*expires in 12 hours, at/)]);
  clock.jumpWall(DAY + 1);
  await identity.look();
  expect(news()).toEqual([expect.stringMatching(/^error .*the certificate of CN=server expired 12 hours ago, at .*: clients that check it cannot connect\. Put a new one/)]);
  clock.advance(TELL_AGAIN_MS);
  await identity.look();
  expect(news()).toEqual([expect.stringMatching(/^error .*expired 36 hours ago/)]);
});

test('an expired one is shown all the same', async () => {
  const { identity } = await opened(-DAY);
  expect(news()).toHaveLength(1);
  expect(identity.files.cert).toEqual(readFileSync(files.certFile));
});

test('one that does not count yet points to the clock', async () => {
  await opened(120 * DAY);
  expect(news()).toEqual([expect.stringMatching(/^error .*is not valid before .*Look at the clock of this host/)]);
});

test('it looks by itself', async () => {
  const { clock } = await opened(31 * DAY);
  expect(clock.nextInMs).toBe(LOOK_MS);
});

test('a changed pair of files is taken when it has stood still for one look', async () => {
  const { identity } = await opened(DAY);
  news();
  const taken: Buffer[] = [];
  identity.onChange(({ cert }) => taken.push(cert));
  renew(next);
  await identity.look();
  expect(news()).toEqual([]);
  await identity.look();
  expect(news()).toEqual([expect.stringMatching(/^info The TLS certificate \/.*server\.crt has changed: new connections are shown the new one; the certificate of CN=next expires in \d+ days/)]);
  expect(taken).toEqual([readFileSync(next.certFile)]);
  expect(identity.problem).toBeNull();
  await identity.look();
  expect(news()).toEqual([]);
});

test('what cannot be used keeps the old one, and is said once a day until it is mended', async () => {
  const { clock, identity } = await opened(31 * DAY);
  const before = identity.files;
  copyFileSync(next.certFile, files.certFile);
  await identity.look();
  await identity.look();
  const line = /^error the TLS private key \/.*server\.key does not belong to the certificate \/.*server\.crt \(CN=next\); the certificate and key read before are shown on\. Put the key/;
  expect(news()).toEqual([expect.stringMatching(line)]);
  expect(identity.files).toBe(before);
  expect(identity.problem).toMatch(/server\.crt \(CN=next\); the certificate and key read before are shown until the broker is started anew$/);
  await identity.look();
  expect(news()).toEqual([]);
  clock.advance(TELL_AGAIN_MS);
  await identity.look();
  expect(news()).toContainEqual(expect.stringMatching(line));
  copyFileSync(next.keyFile, files.keyFile);
  await identity.look();
  await identity.look();
  expect(news()).toEqual([expect.stringMatching(/^info .*CN=next/)]);
});

test('a file that has gone is said as such', async () => {
  const { identity } = await opened(31 * DAY);
  rmSync(files.keyFile);
  await identity.look();
  await identity.look();
  expect(news()).toEqual([expect.stringMatching(/^error cannot read the TLS private key \/.*server\.key: .*shown on/)]);
});

test('broken files at the start are an error', async () => {
  writeFileSync(files.keyFile, 'no key');
  await expect(opened(31 * DAY)).rejects.toMatchObject({ code: 'LOCKSTEP_TLS_FILE_REFUSED' });
});

test('an open port shows the new certificate to those that come, and keeps those that are there', async () => {
  const { identity } = await opened(31 * DAY);
  const ended: string[] = [];
  const server = createTlsServer({ identity, log });
  const listener = await server.listen({ host: '127.0.0.1', port: 0 }, (stream) => stream.handle({ data: (bytes) => void stream.write(bytes), drain: () => undefined, close: (reason) => ended.push(reason) }));
  const dial = (): Promise<tls.TLSSocket> => new Promise((resolve) => {
    const socket = tls.connect({ host: '127.0.0.1', port: listener.port, rejectUnauthorized: false }, () => resolve(socket));
  });
  const subject = (socket: tls.TLSSocket): unknown => socket.getPeerCertificate().subject.CN;
  const early = await dial();
  renew(next);
  await identity.look();
  await identity.look();
  const late = await dial();
  expect([subject(early), subject(late)]).toEqual(['server', 'next']);
  const echoed = new Promise<string>((resolve) => early.once('data', (bytes: Buffer) => resolve(bytes.toString())));
  early.write('still here');
  expect(await echoed).toBe('still here');
  expect(ended).toEqual([]);
  for (const socket of [early, late]) socket.destroy();
  listener.close();
});
