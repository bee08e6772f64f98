import { createClock } from '../../adapters/clock.js';
import { showEndpoint } from '../../adapters/network-errors.js';
import { createRandom } from '../../adapters/random.js';
import type { Hello } from '../../core/control/peer.js';
import { LockstepError } from '../../core/errors.js';
import type { RunId, ServerId } from '../../core/identity.js';
import { judgeHello, unlike } from '../../manager/backchannel-handshake.js';
import { hearHello, type Heard } from '../../manager/backchannel-look.js';
import type { Network } from '../../ports/stream.js';
import type { Profile } from '../../profile/profile.js';
import { backchannelOptions } from '../../run/configs.js';
import { packageVersion } from '../../run/package-version.js';
import { pairNetwork } from '../../run/pair-network.js';
import type { Finding } from './finding.js';

/** For the connection, and again for the first word. */
const HELLO_MS = 3_000;
const SECRET = 'The files that ha.secretFile names must hold the same on both servers: copy one to the other server, and start that one anew.';

/**
 * Whether the server at the peer's backchannel address and this profile accept each other.
 * @param run of this very server, where it runs: so it is known again when the address is its own
 * @returns `null` when no conversation begins there
 */
export async function backchannelFindings(profile: Profile, run: RunId | null): Promise<Finding[] | null> {
  const { hello, expectedPeer, peerAt } = backchannelOptions(profile, packageVersion(), run ?? (createRandom().id() as RunId));
  const name = `backupHaPort ${showEndpoint(peerAt)}`;
  const network = await ownNetwork(profile);
  if (network instanceof LockstepError) return [{ area: 'peer', level: 'fails', text: `the way to the other server cannot be tried: ${network.message}. ${network.remedy}` }];
  try {
    return heardFindings(name, hello, expectedPeer, profile.ha.secretFile !== null, await hearHello(network, createClock(), peerAt, HELLO_MS));
  } catch (error) {
    if (!(error instanceof LockstepError)) throw error;
    if (error.code === 'LOCKSTEP_DIAL_FAILED') return null;
    return [fails(name, error.message, error.code === 'LOCKSTEP_SECRET_REFUSED' ? SECRET : error.remedy)];
  }
}

/** That it cannot be had is this server's own trouble: nobody was asked. */
async function ownNetwork(profile: Profile): Promise<Network | LockstepError> {
  try {
    return await pairNetwork(profile, { write: () => undefined });
  } catch (error) {
    if (error instanceof LockstepError) return error;
    throw error;
  }
}

/** @param secured over a connection on which both have proved the shared secret */
export function heardFindings(name: string, ours: Hello, expectedPeer: ServerId, secured: boolean, heard: Heard): Finding[] {
  if (heard.kind === 'misunderstood') return [fails(name, heard.error.message, heard.error.remedy)];
  if (heard.kind === 'silent') {
    const what = secured ? 'the server there is held up, or stopping (then ask again)' : 'another program listens there, or a server with a secret file (ha.secretFile), which this profile does not name';
    return [{ area: 'peer', level: 'warning', text: `${name} accepts connections, and ${heard.why}; ${what}, or it is another port of that server: compare peer.backupHaPort with ha.port of the other profile` }];
  }
  const { hello } = heard;
  const refusal = judgeHello(ours, hello, expectedPeer);
  if (refusal !== null) return [fails(name, refusal.reason, refusal.remedy)];
  const found: Finding = { area: 'peer', level: 'ok', text: `${name} answers: the ${hello.server} server of "${hello.cluster}", and the two accept each other` };
  const differs = unlike(ours, hello);
  return differs === null ? [found] : [found, { area: 'peer', level: 'warning', text: differs }];
}

function fails(name: string, reason: string, remedy: string): Finding {
  return { area: 'peer', level: 'fails', text: `${name}: the server there and one of this profile refuse each other: ${reason}. ${remedy}` };
}
