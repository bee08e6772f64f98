import type { Profile } from './profile.js';
import { formatBytes, formatDuration } from './values.js';

/**
 * The settings that must be equal on both servers, as text, compared when the backchannel is made. Each one either shapes
 * the replicated state (limits), or an argument of safety or time that rests on both sides (intervals, durability).
 */
export function settingsThatMustAgree(profile: Profile): Record<string, string> {
  const { ha, data, limits, mqtt, repositories } = profile;
  return {
    'ha.pingInterval': formatDuration(ha.pingInterval),
    'ha.pingMissLimit': String(ha.pingMissLimit),
    'ha.activeLockReacquisitionInterval': formatDuration(ha.activeLockReacquisitionInterval),
    'ha.passiveLockAcquisitionInterval': formatDuration(ha.passiveLockAcquisitionInterval),
    'ha.stallLimit': formatDuration(ha.stallLimit),
    'data.durability': data.durability,
    'mqtt.packetBytesMax': formatBytes(mqtt.packetBytesMax),
    'limits.inflightMessagesMax': String(limits.inflightMessagesMax),
    'limits.sessionsMax': String(limits.sessionsMax),
    'limits.subscriptionsPerSessionMax': String(limits.subscriptionsPerSessionMax),
    'limits.queuedMessagesPerSessionMax': String(limits.queuedMessagesPerSessionMax),
    'limits.storedBytesMax': formatBytes(limits.storedBytesMax),
    'limits.retainedMessagesMax': String(limits.retainedMessagesMax),
    'repositories.applicationSyncType': repositories.applicationSyncType,
    'repositories.componentSyncType': repositories.componentSyncType,
  };
}

/**
 * The settings that should be equal on both servers, as text: what a client meets when the other server serves, and how long the servers wait for each other.
 * A difference may be meant (a smaller second server), so it is told and refuses nobody.
 */
export function settingsThatShouldAgree({ ha, mqtt, limits }: Profile): Record<string, string> {
  return {
    'ha.peerWait': formatDuration(ha.peerWait),
    'ha.repositoryWait': formatDuration(ha.repositoryWait),
    'mqtt.usersFile': isSet(mqtt.usersFile),
    'mqtt.tlsPort': isSet(mqtt.tlsPort),
    'mqtt.connectionsMax': String(mqtt.connectionsMax),
    'mqtt.connectTimeout': formatDuration(mqtt.connectTimeout),
    'mqtt.outgoingBytesPerClientMax': formatBytes(mqtt.outgoingBytesPerClientMax),
    'mqtt.stalledReaderLimit': formatDuration(mqtt.stalledReaderLimit),
    'mqtt.failoverGrace': formatDuration(mqtt.failoverGrace),
    'limits.unadmittedBytesMax': formatBytes(limits.unadmittedBytesMax),
  };
}

/** Each server has a path and a port of its own. */
function isSet(value: unknown): string {
  return value === null ? 'not set' : 'set';
}
