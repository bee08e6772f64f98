import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate that vouches for itself, and its key, as `NAME.crt` and `NAME.key` in the folder. It counts from now on, for `days`. */
export function makeCertificate(folder: string, { name = 'server', days = 2 }: { readonly name?: string; readonly days?: number } = {}): CertificateFiles {
  const [certFile, keyFile] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', String(days), '-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', keyFile, '-out', certFile);
  chmodSync(keyFile, 0o600);
  return { certFile, keyFile };
}

/** The same key behind a passphrase. */
export function encryptKey({ keyFile }: CertificateFiles, to: string): string {
  openssl('pkcs8', '-topk8', '-in', keyFile, '-out', to, '-passout', 'pass:a passphrase');
  chmodSync(to, 0o600);
  return to;
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore' });
}
