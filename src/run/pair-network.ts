import { createPlainNetwork } from '../adapters/network.js';
import { readPairKey } from '../adapters/secret.js';
import { createPskNetwork } from '../adapters/tls-psk.js';
import type { Log } from '../ports/log.js';
import type { Network } from '../ports/stream.js';
import type { Profile } from '../profile/profile.js';

/** The network of the backchannel: with the shared secret where there is one; the profile has made sure that there is beyond loopback. */
export async function pairNetwork(profile: Profile, log: Log): Promise<Network> {
  if (profile.ha.secretFile === null) return createPlainNetwork({ log, loopbackOnly: true });
  return createPskNetwork({ key: await readPairKey(profile.ha.secretFile), cluster: profile.server.cluster, server: profile.server.id, log });
}
