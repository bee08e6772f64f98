import type { Hello } from '../core/control/peer.js';
import type { Monotonic, RunId, ServerId } from '../core/identity.js';

/**
 * Why the server that said `theirs` cannot be our peer, in words for both operators; `null` when it can. Both sides ask
 * this of each other, and what is wrong is the same from both.
 */
export function whyRefused(ours: Hello, theirs: Hello, expectedPeer: ServerId): string | null {
  if (theirs.cluster !== ours.cluster) return `wrong cluster: "${theirs.cluster}" called, this is server "${ours.server}" of cluster "${ours.cluster}"`;
  if (theirs.run === ours.run) return `server "${ours.server}" reached itself: the peer's address in its profile is its own`;
  if (theirs.server === ours.server) return `same server id: both servers are called "${ours.server}"`;
  if (theirs.server !== expectedPeer) return `wrong peer: "${theirs.server}" called, server "${ours.server}" expects "${expectedPeer}"`;
  if (theirs.role === ours.role) return `same role: "${theirs.server}" and "${ours.server}" are both configured as ${ours.role}`;
  return settingsDiffer(ours, theirs);
}

function settingsDiffer(ours: Hello, theirs: Hello): string | null {
  const keys = [...new Set([...Object.keys(ours.settings), ...Object.keys(theirs.settings)])].sort();
  const differences = keys.filter((key) => ours.settings[key] !== theirs.settings[key]).map((key) => `${key} is ${show(ours, key)} on "${ours.server}" and ${show(theirs, key)} on "${theirs.server}"`);
  return differences.length === 0 ? null : `settings differ: ${differences.join('; ')}`;
}

function show(hello: Hello, key: string): string {
  return hello.settings[key] ?? 'not set';
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
