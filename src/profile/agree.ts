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
