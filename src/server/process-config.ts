import type { MqttLimits } from '../protocols/mqtt/limits.js';
import type { BrokerConfig } from './config.js';

/** Everything that the broker process is told by the HA manager that starts it: plain data, as JSON in its first argument. */
export interface BrokerProcessConfig {
  readonly broker: BrokerConfig;
  /** The broker's own folder on this server's disk: journal, snapshots, quarantine. Absolute. */
  readonly folder: string;
  /** `bothWithoutDiskSync`: while two copies stand for an operation it counts as durable when the system has it. */
  readonly durability: 'both' | 'bothWithoutDiskSync';
  /** Shared secret of the pair; `null`: plain TCP, on loopback alone. `broker.replicationSecured` says the same. */
  readonly secretFile: string | null;
  readonly clients: {
    readonly host: string;
    readonly port: number;
    readonly tls: { readonly port: number; readonly certFile: string; readonly keyFile: string } | null;
    /** `null`: clients are anonymous. */
    readonly usersFile: string | null;
    readonly connectionsMax: number;
    readonly mqtt: MqttLimits;
  };
}
