import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { X509Certificate } from 'node:crypto';
import { readTlsFiles } from '../../../src/adapters/tls-files.js';
import { tlsFindings } from '../../../src/cli/check/tls.js';
import type { Finding } from '../../../src/cli/check/finding.js';
import { loadProfile } from '../../../src/profile/load.js';
import { bundledPair, renderProfile } from '../../../src/profile/template.js';
import { encryptKey, makeCertificate, type CertificateFiles } from '../support/certificates.js';

const DAY = 24 * 3_600_000;

let folder: string;
let good: CertificateFiles;
let other: CertificateFiles;
let validFrom: number;
let validUntil: number;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-tls-files-'));
  good = makeCertificate(folder, { name: 'good', days: 90 });
  other = makeCertificate(folder, { name: 'other' });
  const certificate = new X509Certificate(readFileSync(good.certFile));
  [validFrom, validUntil] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, content: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, 0o600);
  return path;
}

function exposed(path: string): string {
  chmodSync(path, 0o644);
  return path;
}

const text = (path: string): string => readFileSync(path, 'utf8');

test('what belongs together is read, with the chain; a root in it does not count', async () => {
  const certFile = file('chain.crt', `a comment\n${text(good.certFile)}${text(other.certFile)}`);
  const { chain, issuer, names } = await readTlsFiles({ certFile, keyFile: good.keyFile });
  expect(chain).toEqual([{ subject: 'CN=good', validFrom, validUntil }]);
  expect({ issuer, names }).toEqual({ issuer: 'CN=good', names: 'DNS:localhost, IP Address:127.0.0.1' });
});

describe('what does not is refused, with the file and what to do', () => {
  const cases: readonly (readonly [string, () => CertificateFiles, string, RegExp, RegExp])[] = [
    ['a certificate that is not there', () => ({ ...good, certFile: join(folder, 'none') }), 'UNREADABLE', /^cannot read the TLS certificate .*\/none: /, /path in the profile/],
    ['a key that is not there', () => ({ ...good, keyFile: join(folder, 'none') }), 'UNREADABLE', /^cannot read the TLS private key .*\/none: /, /path in the profile/],
    ['no PEM', () => ({ ...good, certFile: file('text.crt', 'a certificate') }), 'REFUSED', /^the TLS certificate .*\/text\.crt holds no certificate in PEM form$/, /BEGIN CERTIFICATE/],
    ['DER', () => ({ ...good, certFile: file('der.crt', new X509Certificate(readFileSync(good.certFile)).raw) }), 'REFUSED', /der\.crt holds no certificate in PEM form$/, /openssl x509 -inform der -in .*der\.crt/],
    ['a damaged certificate', () => ({ ...good, certFile: file('damaged.crt', text(good.certFile).replace(/\nMI/, '\nAA')) }), 'REFUSED', /^certificate 1 in the TLS certificate .*\/damaged\.crt cannot be read: /, /Copy the file anew/],
    ['the key in place of the certificate', () => ({ ...good, certFile: good.keyFile }), 'REFUSED', /good\.key holds a private key and no certificate$/, /mqtt\.tlsCertificateFile/],
    ['the certificate in place of the key', () => ({ ...good, keyFile: good.certFile }), 'REFUSED', /good\.crt holds a certificate and no key$/, /mqtt\.tlsKeyFile/],
    ['a key that is no PEM', () => ({ ...good, keyFile: file('text.key', 'a key') }), 'REFUSED', /^the TLS private key .*\/text\.key holds no key in PEM form$/, /BEGIN PRIVATE KEY/],
    ['a damaged key', () => ({ ...good, keyFile: file('damaged.key', text(good.keyFile).replace(/\nM/, '\nA')) }), 'REFUSED', /^the TLS private key .*\/damaged\.key cannot be read: /, /Copy the file anew/],
    ['a key with a passphrase', () => ({ ...good, keyFile: encryptKey(good, join(folder, 'encrypted.key')) }), 'REFUSED', /^the TLS private key .*\/encrypted\.key is encrypted/, /openssl pkey -in .*encrypted\.key -out/],
    ['a key that others can read', () => ({ ...good, keyFile: exposed(file('exposed.key', text(good.keyFile))) }), 'REFUSED', /exposed\.key can be used by others \(mode 644\)$/, /chmod 600 .*exposed\.key/],
    ['the key of another certificate', () => ({ ...good, keyFile: other.keyFile }), 'REFUSED', /other\.key does not belong to the certificate .*\/good\.crt \(CN=good\)$/, /both change together/],
    ['a chain the wrong way round', () => ({ ...good, certFile: file('reversed.crt', text(other.certFile) + text(good.certFile)) }), 'REFUSED', /^the server's own certificate is number 2 in .*\/reversed\.crt, and must be the first$/, /before those of its issuers/],
  ];
  test.each(cases)('%s', async (_name, files, code, message, remedy) => {
    await expect(readTlsFiles(files())).rejects.toMatchObject({ code: `LOCKSTEP_TLS_FILE_${code}`, message: expect.stringMatching(message), remedy: expect.stringMatching(remedy) });
  });
});

describe('check', () => {
  async function found(files: CertificateFiles, wall: number): Promise<Finding[]> {
    const profile = loadProfile(file('lockstep.yaml', renderProfile(bundledPair('haprofile1'), 'primary').replace(/^mqtt:\n/m, `mqtt:\n  tlsPort: 8883\n  tlsCertificateFile: ${files.certFile}\n  tlsKeyFile: ${files.keyFile}\n`)));
    return tlsFindings(profile, wall);
  }

  test('says for whom, by whom and how long', async () => {
    expect(await found(good, validFrom)).toEqual([{ area: 'tls', level: 'ok', text: expect.stringMatching(/^mqtt\.tlsCertificateFile \/.*good\.crt: the certificate of CN=good expires in 90 days, at .* UTC; for DNS:localhost, IP Address:127\.0\.0\.1, issued by CN=good, and the key belongs to it$/) }]);
  });

  test.each([
    ['warning', () => validUntil - 29 * DAY, /good\.crt: the certificate of CN=good expires in 29 days, at .*\. Put a new one in place/],
    ['fails', () => validUntil + 3 * DAY, /good\.crt: the certificate of CN=good expired 3 days ago, at .*\. Put a new one in place/],
    ['fails', () => validFrom - 3 * DAY, /good\.crt: the certificate of CN=good is not valid before .*\. Look at the clock/],
  ] as const)('%s, by the time', async (level, wall, line) => {
    expect(await found(good, wall())).toEqual([{ area: 'tls', level, text: expect.stringMatching(line) }]);
  });

  test('fails, by the files', async () => {
    expect(await found({ ...good, keyFile: other.keyFile }, validFrom)).toEqual([{ area: 'tls', level: 'fails', text: expect.stringMatching(/other\.key does not belong to the certificate .*both change together\.$/) }]);
  });

  test('says nothing without a TLS port', async () => {
    expect(await tlsFindings(loadProfile(file('lockstep.yaml', renderProfile(bundledPair('haprofile1'), 'primary'))), validFrom)).toEqual([]);
  });

  test('a file that is not there is named with its path', () => {
    const profile = file('lockstep.yaml', renderProfile(bundledPair('haprofile1'), 'primary').replace(/^mqtt:\n/m, `mqtt:\n  tlsPort: 8883\n  tlsCertificateFile: absent.crt\n  tlsKeyFile: ${good.keyFile}\n`));
    expect(() => loadProfile(profile)).toThrow(`mqtt.tlsCertificateFile: ${join(folder, 'absent.crt')} cannot be read: it is not there`);
  });
});
