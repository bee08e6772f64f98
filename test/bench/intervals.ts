import { bundledPair, renderProfile } from '../../src/profile/template.js';

/** Keys of the profile that decide how long a failover takes. */
export const TIMING_KEYS = ['pingInterval', 'pingMissLimit', 'activeLockReacquisitionInterval', 'passiveLockAcquisitionInterval', 'peerWait', 'stallLimit'] as const;
export type TimingKey = (typeof TIMING_KEYS)[number];

/** As the bundled profiles have it, which every pair here is started with. @throws Error when they have no such line */
export function timingOf(key: TimingKey): string {
  const line = new RegExp(`^ *${key}: (\\S+)$`, 'm').exec(renderProfile(bundledPair('haprofile1'), 'primary'));
  if (line?.[1] === undefined) throw new Error(`the bundled profile does not say ${key}`);
  return line[1];
}

/** The same in milliseconds; a count stays a count. */
export function timingMs(key: TimingKey): number {
  const text = timingOf(key);
  const value = Number.parseFloat(text);
  return text.endsWith('ms') || /^[\d.]+$/.test(text) ? value : value * 1_000;
}
