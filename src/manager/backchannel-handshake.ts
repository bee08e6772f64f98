import type { Hello } from '../core/control/peer.js';
import type { Monotonic, RunId, ServerId } from '../core/identity.js';

/** Why two servers are no pair, in words for both operators, and what would make them one. */
export interface Refusal {
  readonly reason: string;
  readonly remedy: string;
}

const ADDRESS = 'correct peer.backupHaIpAddress and peer.backupHaPort';
const ROLES = `One of the two profiles must have server.role primary and the other secondary; where they have, ${ADDRESS}: another server is there than is meant.`;

/**
 * Why the server that said `theirs` cannot be our peer; `null` when it can. Both sides ask this of each other, and what is wrong is
 * the same from both.
 */
export function judgeHello(ours: Hello, theirs: Hello, expectedPeer: ServerId): Refusal | null {
  if (theirs.cluster !== ours.cluster) {
    return { reason: `wrong cluster: the other server belongs to "${theirs.cluster}", server "${ours.server}" to "${ours.cluster}"`, remedy: `server.cluster must be the same in both profiles; where the other server is one of another pair, ${ADDRESS}.` };
  }
  if (theirs.run === ours.run) return { reason: `server "${ours.server}" reached itself: the peer's address in its profile is its own`, remedy: `In this profile ${ADDRESS}.` };
  if (theirs.server === ours.server) return { reason: `same server id: both servers are called "${ours.server}"`, remedy: ROLES };
  if (theirs.server !== expectedPeer) return { reason: `wrong peer: the other server is called "${theirs.server}", server "${ours.server}" expects "${expectedPeer}"`, remedy: ROLES };
  if (theirs.role === ours.role) return { reason: `same role: "${theirs.server}" and "${ours.server}" are both configured as ${ours.role}`, remedy: ROLES };
  const reason = settingsDiffer(ours, theirs);
  return reason === null ? null : { reason, remedy: 'Make them equal in both profiles, and start the server whose profile was changed anew.' };
}

function settingsDiffer(ours: Hello, theirs: Hello): string | null {
  const found = differences(ours, theirs, 'settings');
  return found === '' ? null : `settings differ: ${found}`;
}

function differences(ours: Hello, theirs: Hello, part: 'settings' | 'advisedSettings'): string {
  const [one, other] = [ours[part] ?? {}, theirs[part] ?? {}];
  const keys = [...new Set([...Object.keys(one), ...Object.keys(other)])].sort();
  const show = (value: string | undefined): string => value ?? 'not set';
  return keys.filter((key) => one[key] !== other[key]).map((key) => `${key} is ${show(one[key])} on "${ours.server}" and ${show(other[key])} on "${theirs.server}"`).join('; ');
}

/**
 * What is not alike on two servers that are a pair all the same, in words for both operators; `null`: nothing that the hellos tell of.
 * Said of a pair that accepts each other.
 */
export function unlike(ours: Hello, theirs: Hello): string | null {
  const version = theirs.version === ours.version ? [] : [`the ${theirs.server} server runs version ${theirs.version}, this one ${ours.version}: bring both to the same version soon`];
  const settings = theirs.advisedSettings === null ? '' : differences(ours, theirs, 'advisedSettings');
  return [...version, ...(settings === '' ? [] : [`settings that should agree differ, and clients meet another server after a change of roles: ${settings}`])].join('; ') || null;
}

/** Runs of the peer that another run has replaced; the oldest are forgotten beyond this number. */
const REPLACED_MAX = 256;

/**
 * Which run of the peer counts, and which of its statuses is news. A run that was never seen replaces the one before: their ids are
 * random, so the order in which they are first seen is all there is to go by. That order can be wrong (this host slept while the
 * peer was started twice, and met the two hellos the other way round); so a replaced run that calls again counts
 * again once the one that replaced it has been silent for `silenceMs`.
 */
export class PeerRuns {
  private run: RunId | null = null;
  private seq = -1;
  private heardAt = -Infinity;
  private readonly replaced = new Set<RunId>();

  constructor(private readonly silenceMs: number) {}

  get current(): RunId | null {
    return this.run;
  }

  isReplaced(run: RunId, now: Monotonic): boolean {
    return this.replaced.has(run) && now - this.heardAt <= this.silenceMs;
  }

  /** A hello of `run` was accepted. True when it replaces another run. */
  enter(run: RunId, now: Monotonic): boolean {
    if (run === this.run) return false;
    this.replaced.delete(run);
    this.heardAt = now;
    const before = this.run;
    if (before !== null) {
      this.replaced.add(before);
      const [oldest] = this.replaced;
      if (this.replaced.size > REPLACED_MAX && oldest !== undefined) this.replaced.delete(oldest);
    }
    this.run = run;
    this.seq = -1;
    return before !== null;
  }

  /** True when this status is newer than all seen of the run that counts. */
  isNews(run: RunId, seq: number, now: Monotonic): boolean {
    if (run !== this.run) return false;
    this.heardAt = now;
    if (seq <= this.seq) return false;
    this.seq = seq;
    return true;
  }
}
