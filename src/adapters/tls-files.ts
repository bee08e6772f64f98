import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { promises as files } from 'node:fs';
import tls from 'node:tls';
import type { Certificate } from '../core/certificate.js';
import { LockstepError } from '../core/errors.js';
import { plainReason } from './network-errors.js';

/** Where a server's certificate with its chain, and the private key that belongs to it, stand: PEM files, absolute. */
export interface TlsPlace {
  readonly certFile: string;
  readonly keyFile: string;
}

/** What the two files hold, tried. */
export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
  /** The server's own first, then those of the chain that clients are shown and go by. */
  readonly chain: readonly [Certificate, ...Certificate[]];
  readonly issuer: string;
  /** For which names and addresses it was issued, as OpenSSL writes them; `null`: for none but its subject. */
  readonly names: string | null;
}

const PEM_CERTIFICATE = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]+-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;
const PEM_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/;
/** Both forms of a key with a passphrase: PKCS#8, and OpenSSL's old one. */
const PEM_KEY_ENCRYPTED = /-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m;
const USABLE_BY_OTHERS = 0o077;
/** What DER and PKCS#12 begin with, and no PEM file. */
const DER_SEQUENCE = 0x30;

/**
 * Reads both files and tries whether a TLS server can be made of them. Whether the certificate counts at this time is not looked at: see `judgeChain`.
 * @throws LockstepError LOCKSTEP_TLS_FILE_UNREADABLE, LOCKSTEP_TLS_FILE_REFUSED (rejects)
 */
export async function readTlsFiles(place: TlsPlace): Promise<TlsFiles> {
  const { bytes: cert } = await read('certificate', place.certFile);
  const { bytes: key, mode } = await read('private key', place.keyFile);
  const certificates = certificatesIn(place.certFile, cert);
  fitTogether(place, certificates, privateKeyIn(place.keyFile, key));
  tryContext(place, cert, key);
  onlyOurs(place.keyFile, mode);
  const [own, ...others] = certificates;
  // Clients go by their own copy of a root, whatever its copy here says.
  const shown = others.filter(({ subject, issuer }) => subject !== issuer);
  return { cert, key, chain: [outline(own), ...shown.map(outline)], issuer: oneLine(own.issuer), names: own.subjectAltName ?? null };
}

async function read(what: string, file: string): Promise<{ readonly bytes: Buffer; readonly mode: number }> {
  try {
    const handle = await files.open(file, 'r');
    try {
      return { bytes: await handle.readFile(), mode: (await handle.stat()).mode };
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new LockstepError('LOCKSTEP_TLS_FILE_UNREADABLE', `cannot read the TLS ${what} ${file}: ${plainReason(error)}`, 'Check the path in the profile and that this user may read the file.', { cause: error });
  }
}

/** The profile asks for it at every start, so a key that is taken while the server runs must hold to it as well. Windows has no such bits. */
function onlyOurs(file: string, mode: number): void {
  if (process.platform === 'win32' || (mode & USABLE_BY_OTHERS) === 0) return;
  throw refused(`the TLS private key ${file} can be used by others (mode ${(mode & 0o777).toString(8)})`, `Run \`chmod 600 ${file}\`.`);
}

function certificatesIn(file: string, bytes: Buffer): [X509Certificate, ...X509Certificate[]] {
  const text = bytes.toString('latin1');
  const [first, ...others] = text.match(PEM_CERTIFICATE) ?? [];
  if (first === undefined) {
    if (PEM_KEY.test(text)) throw refused(`the TLS certificate ${file} holds a private key and no certificate`, 'Name the certificate in mqtt.tlsCertificateFile and the key in mqtt.tlsKeyFile.');
    throw refused(`the TLS certificate ${file} holds no certificate in PEM form`, bytes[0] === DER_SEQUENCE ? `It looks like DER or PKCS#12: \`openssl x509 -inform der -in ${file}\` writes it as PEM, \`openssl pkcs12 -nodes -in ${file}\` the other.` : 'Give a file with lines "-----BEGIN CERTIFICATE-----", the server\'s own first.');
  }
  const parse = (pem: string, index: number): X509Certificate => parsed(file, pem, index + 1);
  return [parse(first, 0), ...others.map((pem, index) => parse(pem, index + 1))];
}

function parsed(file: string, pem: string, number: number): X509Certificate {
  try {
    const certificate = new X509Certificate(pem);
    const { validFrom, validUntil } = outline(certificate);
    if (!Number.isFinite(validFrom) || !Number.isFinite(validUntil)) throw new Error('its dates cannot be read');
    return certificate;
  } catch (error) {
    throw refused(`certificate ${number} in the TLS certificate ${file} cannot be read: ${plainReason(error)}`, 'Copy the file anew from where it was issued.', error);
  }
}

function privateKeyIn(file: string, bytes: Buffer): KeyObject {
  const text = bytes.toString('latin1');
  if (PEM_KEY_ENCRYPTED.test(text)) throw refused(`the TLS private key ${file} is encrypted, and nobody is there to type its passphrase`, `\`openssl pkey -in ${file} -out FILE\` writes it without one; \`chmod 600\` that file, and name it in mqtt.tlsKeyFile.`);
  if (!PEM_KEY.test(text)) {
    if (text.includes('-----BEGIN CERTIFICATE-----')) throw refused(`the TLS private key ${file} holds a certificate and no key`, 'Name the certificate in mqtt.tlsCertificateFile and the key in mqtt.tlsKeyFile.');
    throw refused(`the TLS private key ${file} holds no key in PEM form`, bytes[0] === DER_SEQUENCE ? `It looks like DER: \`openssl pkey -inform der -in ${file} -out FILE\` writes it as PEM.` : 'Give a file with a line "-----BEGIN PRIVATE KEY-----".');
  }
  try {
    return createPrivateKey({ key: bytes, format: 'pem' });
  } catch (error) {
    throw refused(`the TLS private key ${file} cannot be read: ${plainReason(error)}`, 'Copy the file anew from where it was made.', error);
  }
}

function fitTogether({ certFile, keyFile }: TlsPlace, [own, ...others]: readonly [X509Certificate, ...X509Certificate[]], key: KeyObject): void {
  if (own.checkPrivateKey(key)) return;
  const misplaced = others.findIndex((other) => other.checkPrivateKey(key));
  if (misplaced >= 0) throw refused(`the server's own certificate is number ${misplaced + 2} in the TLS certificate ${certFile}, and must be the first`, 'Put it before those of its issuers.');
  throw refused(`the TLS private key ${keyFile} does not belong to the certificate ${certFile} (${oneLine(own.subject)})`, 'Put the key with which this certificate was asked for beside it; both change together.');
}

/** What OpenSSL has against them all the same: a key that is too short, a sum that is too weak. */
function tryContext({ certFile, keyFile }: TlsPlace, cert: Buffer, key: Buffer): void {
  try {
    tls.createSecureContext({ cert, key });
  } catch (error) {
    throw refused(`no TLS server can be made of ${certFile} and ${keyFile}: ${plainReason(error)}`, 'Have a certificate issued that goes by today\'s rules (RSA from 2,048 bits, or EC; SHA-256).', error);
  }
}

function refused(message: string, remedy: string, cause?: unknown): LockstepError {
  return new LockstepError('LOCKSTEP_TLS_FILE_REFUSED', message, remedy, { cause });
}

function outline({ subject, validFrom, validTo }: X509Certificate): Certificate {
  return { subject: oneLine(subject), validFrom: Date.parse(validFrom), validUntil: Date.parse(validTo) };
}

/** OpenSSL gives each part of a name a line. */
function oneLine(name: string | undefined): string {
  return name === undefined || name === '' ? 'no name' : name.split('\n').join(', ');
}
