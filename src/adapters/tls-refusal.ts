import { plainReason, systemCode } from './network-errors.js';

/** Why a TLS handshake came to nothing, for the log. `by`: who refused it; `text` goes on from "the client at …" of the client, and from "a connection from …" of nobody. */
export interface TlsRefusal {
  readonly by: 'server' | 'client' | 'nobody';
  readonly text: string;
}

/** Alerts by which a client says that it does not take the certificate shown to it (RFC 8446 §6.2), in its words about that certificate. */
const CERTIFICATE_ALERTS: ReadonlyMap<number, string> = new Map([
  [42, 'it is bad: not for the name or address that was dialled, not valid yet by its clock, or damaged. Compare it with what the client dials (mqtt.tlsCertificateFile)'],
  [43, 'it is of a kind that it cannot use, or not made for a server. Have it issued for one (mqtt.tlsCertificateFile)'],
  [44, 'it was revoked by its issuer. Put a new one in place (mqtt.tlsCertificateFile)'],
  [45, 'it has expired. Put a new one in place (mqtt.tlsCertificateFile), and look at the clock of the client if this one still counts'],
  [46, 'it does not take it, without a reason. See the log of the client'],
  [48, 'it does not know its issuer. Give the client the certificate of the issuer (its CA file), and put the whole chain into mqtt.tlsCertificateFile'],
]);

/** Other alerts that a client may end the handshake with. */
const OTHER_ALERTS: ReadonlyMap<number, string> = new Map([
  [40, 'nothing that both sides can do fits together'],
  [47, 'an answer of this server has an illegal parameter'],
  [49, 'access is denied'],
  [51, 'a signature or a sum does not come out right: is this the key of that certificate?'],
  [70, 'it speaks no version of TLS that this server takes (1.2 and 1.3)'],
  [71, 'this server is not secure enough for it'],
  [80, 'it met an error of its own (mosquitto says this of a certificate that is not for the name or address that it dialled)'],
  [90, 'its user gave up'],
  [112, 'this server does not know the name that was dialled'],
]);

/** The number of the alert that the other side sent; `null` when the error is of this side's making. */
function alertOf(error: unknown): number | null {
  if (!(systemCode(error) ?? '').startsWith('ERR_SSL_') || typeof error !== 'object' || error === null || !('message' in error)) return null;
  const found = /SSL alert number (\d+)/.exec(String(error.message));
  return found === null ? null : Number(found[1]);
}

/** What went wrong between a client and a server that shows a certificate and asks for none. */
export function explainClientHandshake(error: unknown, handshakeMs: number): TlsRefusal {
  const alert = alertOf(error);
  if (alert !== null) return explainAlert(alert);
  switch (systemCode(error)) {
    case 'ERR_SSL_HTTP_REQUEST':
    case 'ERR_SSL_HTTPS_PROXY_REQUEST':
      return refused('it speaks HTTP without TLS; this port takes MQTT over TLS (mqtt.tlsPort)');
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
      return refused('it does not speak TLS; this port takes MQTT over TLS alone (mqtt.tlsPort), and clients without TLS belong on mqtt.port');
    case 'ERR_SSL_UNSUPPORTED_PROTOCOL':
      return refused('it speaks a version of TLS older than 1.2');
    case 'ERR_SSL_NO_SHARED_CIPHER':
    case 'ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM':
      return refused('it offers no cipher or signature that goes with the key of this server\'s certificate (mqtt.tlsKeyFile: RSA, EC)');
    case 'ERR_TLS_HANDSHAKE_TIMEOUT':
      return refused(`it did not come to the end of the TLS handshake within ${handshakeMs} ms`);
    case 'ECONNRESET':
    case 'EPIPE':
      return { by: 'client', text: 'went away during the TLS handshake: it only looked whether the port is open, or it does not trust this server\'s certificate and does not say so' };
    default:
      return refused(plainReason(error));
  }
}

function explainAlert(alert: number): TlsRefusal {
  const about = CERTIFICATE_ALERTS.get(alert);
  if (about !== undefined) return { by: 'client', text: `refused this server's certificate: it says that ${about}` };
  const other = OTHER_ALERTS.get(alert);
  return { by: 'client', text: `ended the TLS handshake${other === undefined ? '' : `: it says that ${other}`} (TLS alert ${alert})` };
}

function refused(text: string): TlsRefusal {
  return { by: 'server', text };
}
