import { worstCaseFailover } from '../../profile/failover.js';
import type { FailoverBound } from '../../profile/failover.js';
import type { Profile } from '../../profile/profile.js';
import { formatDuration } from '../../profile/values.js';
import type { Finding } from './finding.js';

/** The worst-case failover times with the steps that add up to them. */
export function failoverFindings(profile: Profile): Finding[] {
  const { crashedProcess, deadHost, hungDisk, cutLink } = worstCaseFailover(profile);
  return [...explain('crashed broker process', crashedProcess), ...explain('dead host', deadHost), ...explain('hung disk of the ACTIVE server', hungDisk), ...explain('cut link between the servers', cutLink)];
}

function explain(name: string, { ms, steps }: FailoverBound): Finding[] {
  const all = [`${name}: at most ${formatDuration(ms)}`, ...steps.map((step) => `    ${formatDuration(step.ms).padStart(7)}  ${step.what}`)];
  return all.map((text) => ({ area: 'failover', level: 'ok', text }));
}
