import type { BrokerLimits } from '../core/broker/limits.js';
import type { ConfiguredRole, ServerId } from '../core/identity.js';
import type { ProfileValues } from './keys.js';
import type { Problem } from './problem.js';
import type { RepositorySettings } from './repositories.js';

/**
 * A checked profile: one server of a pair. Durations are milliseconds, sizes bytes, paths absolute. What each key means
 * is said in `keys.ts` and docs/profile.md.
 */
export interface Profile {
  /** The profile file. */
  readonly path: string;
  readonly server: {
    readonly cluster: string;
    readonly role: ConfiguredRole;
    /** The server's name: its role. */
    readonly id: ServerId;
    readonly peerRole: ConfiguredRole;
    readonly peerId: ServerId;
  };
  readonly mqtt: Omit<ProfileValues['mqtt'], 'advertisedHost'> & { readonly advertisedHost: string };
  readonly peer: Omit<ProfileValues['peer'], 'backupServerIp' | 'backupRepositoryPort'> & { readonly backupServerIp: string; readonly backupRepositoryPort: number };
  readonly ha: Omit<ProfileValues['ha'], 'repositoryPort'> & {
    readonly repositoryPort: number;
    /** activeLockReacquisitionInterval, raised to the next multiple of pingInterval/2: what the lock goes by. */
    readonly effectiveActiveLockInterval: number;
    /** pingMissLimit × pingInterval: silence after which the backchannel counts as broken. */
    readonly silenceLimit: number;
  };
  readonly data: ProfileValues['data'];
  readonly limits: BrokerLimits & { readonly unadmittedBytesMax: number };
  readonly admin: ProfileValues['admin'];
  readonly log: Omit<ProfileValues['log'], 'folder'> & { readonly folder: string };
  readonly repositories: Pick<ProfileValues['repositories'], 'applicationSyncType' | 'componentSyncType'> & {
    /** The reference's three and the operator's own; those that are not written may not be in use. */
    readonly all: readonly RepositorySettings[];
  };
  /** What is allowed and yet should be looked at. Said at every start and by `lockstep check`. */
  readonly warnings: readonly Problem[];
}
