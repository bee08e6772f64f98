import { readTlsFiles, type TlsPlace } from '../../adapters/tls-files.js';
import { renewal } from '../../adapters/tls-identity.js';
import { judgeChain } from '../../core/certificate.js';
import { LockstepError } from '../../core/errors.js';
import type { Profile } from '../../profile/profile.js';
import type { Finding } from './finding.js';

/** Certificate and key for clients make a TLS server, and clients that check would take it at this time (`wall`, milliseconds since 1970). */
export async function tlsFindings({ mqtt }: Profile, wall: number): Promise<Finding[]> {
  const { tlsCertificateFile: certFile, tlsKeyFile: keyFile } = mqtt;
  if (mqtt.tlsPort === null || certFile === null || keyFile === null) return [];
  return [await certificateFinding({ certFile, keyFile }, wall)];
}

async function certificateFinding(place: TlsPlace, wall: number): Promise<Finding> {
  try {
    const { chain, names, issuer } = await readTlsFiles(place);
    const { validity, text } = judgeChain(chain, wall);
    const file = `mqtt.tlsCertificateFile ${place.certFile}`;
    if (validity === 'good') return { area: 'tls', level: 'ok', text: `${file}: ${text}; for ${names ?? 'no name but that'}, issued by ${issuer}, and the key belongs to it` };
    return { area: 'tls', level: validity === 'expires-soon' ? 'warning' : 'fails', text: `${file}: ${text}. ${renewal(validity)}` };
  } catch (error) {
    if (error instanceof LockstepError) return { area: 'tls', level: 'fails', text: `${error.message}. ${error.remedy}` };
    throw error;
  }
}
