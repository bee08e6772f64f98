import type { BrokerLimits } from '../core/broker/limits.js';
import type { Endpoint } from '../core/control/broker.js';
import type { ServerId } from '../core/identity.js';
import { JOURNAL_DEFAULTS, type JournalOptions } from './journal/options.js';

/** What a broker server must be told. Every limit has a default in `DEFAULT_BROKER_TUNING`. */
export interface BrokerConfig {
  readonly cluster: string;
  readonly server: ServerId;
  /** Where this server's broker listens for the peer's. */
  readonly replicationListen: Endpoint;
  /** The replication link takes and makes only connections whose other side proved the shared secret. Mandatory beyond loopback. */
  readonly replicationSecured: boolean;
  /** What is due is tried again, and a changed status sent, at least this often. */
  readonly tickMs: number;
  /** The broker acknowledges only while the last order is younger than this. */
  readonly pulseLimitMs: number;
  readonly limits: BrokerLimits;
  readonly tuning: BrokerTuning;
}

/** Limits that need not be equal on both servers. What happens at each is said with it. */
export interface BrokerTuning {
  /**
   * Bytes appended of which something waits (to be admitted, or for the gate), and 64 for each effect that does; above it clients are not read from, until half
   * of it is left. What cannot wait to be read, logins for one, is refused at twice as much.
   */
  readonly unadmittedBytesMax: number;
  /** Bytes sent to the follower and not acknowledged; above it nothing is sent until it answers. */
  readonly inFlightBytesMax: number;
  /** Memory of the newest groups that are kept for the link, in bytes, with what each takes beside its records; a follower that is further behind is served from the journal. */
  readonly recentBytesMax: number;
  /** Bytes read from the journal at a time for a follower that is behind, and for replaying. */
  readonly chunkBytes: number;
  /** Payload bytes of stored messages kept in memory; the oldest beyond it are read back from disk when they are sent. */
  readonly payloadCacheBytes: number;
  /** A snapshot is written after this many bytes of log. */
  readonly snapshotEveryBytes: number;
  /** … or this many records, whichever comes first. */
  readonly snapshotEveryRecords: number;
  /**
   * Sessions, subscriptions, messages and deliveries together, up to which a snapshot is captured from the serving state in one turn of the event loop (130 ms
   * for a million queued messages: two million items). Larger states are built a second time, from the journal.
   */
  readonly snapshotCapturedItemsMax: number;
  /** … or up to which it is captured so where there is no memory for a second state. Beyond it none is written: this broker would count as hung. */
  readonly snapshotCrowdedItemsMax: number;
  /** After a failover, how long clients of the lost server may take to come back before their wills are published. */
  readonly orphanGraceMs: number;
  /** Between pings on the replication link. */
  readonly pingIntervalMs: number;
  /** A link on which nothing was heard for this long is closed and made anew. */
  readonly linkSilenceMs: number;
  /** A follower that for this long makes nothing durable of what it was sent, or reads nothing, is let go: the log is kept for it meanwhile, and fills the disk here. */
  readonly linkStandstillMs: number;
  /** To connect, and to say hello. */
  readonly dialTimeoutMs: number;
  /** Wait before the follower dials again: doubled from the first to the second, with some chance in it. */
  readonly redialMinMs: number;
  readonly redialMaxMs: number;
  /** Between comparisons of the two servers' digests while in step. */
  readonly digestIntervalMs: number;
  /** Between lines about the progress of a copy. */
  readonly progressIntervalMs: number;
  /** Connections to the replication port that have not said who they are; further ones are closed at once. */
  readonly strangersMax: number;
  /** Sizes of the journal that differ from its defaults. */
  readonly journal: Partial<Omit<JournalOptions, 'cluster'>>;
}

export const DEFAULT_BROKER_TUNING: BrokerTuning = {
  unadmittedBytesMax: 32 * 1024 * 1024,
  inFlightBytesMax: 32 * 1024 * 1024,
  recentBytesMax: 16 * 1024 * 1024,
  chunkBytes: 1024 * 1024,
  payloadCacheBytes: 32 * 1024 * 1024,
  snapshotEveryBytes: 512 * 1024 * 1024,
  snapshotEveryRecords: 500_000,
  snapshotCapturedItemsMax: 2_500_000,
  snapshotCrowdedItemsMax: 20_000_000,
  orphanGraceMs: 10_000,
  pingIntervalMs: 500,
  linkSilenceMs: 5_000,
  linkStandstillMs: 60_000,
  dialTimeoutMs: 3_000,
  redialMinMs: 50,
  redialMaxMs: 1_000,
  digestIntervalMs: 5_000,
  progressIntervalMs: 2_000,
  strangersMax: 8,
  journal: {},
};

/**
 * The times of the replication link that go by the profile's: a few pings that are late are no silence, and a follower is let go only long after the HA
 * manager could have dropped it: a link that is made anew helps nobody while that one still may.
 */
export function linkTimes(pingIntervalMs: number, stallLimitMs: number): Pick<BrokerTuning, 'pingIntervalMs' | 'linkSilenceMs' | 'linkStandstillMs'> {
  const { linkSilenceMs, linkStandstillMs } = DEFAULT_BROKER_TUNING;
  return { pingIntervalMs, linkSilenceMs: Math.max(linkSilenceMs, 3 * pingIntervalMs), linkStandstillMs: Math.max(linkStandstillMs, 6 * pingIntervalMs, 2 * stallLimitMs) };
}

export function segmentBytesOf({ tuning }: Pick<BrokerConfig, 'tuning'>): number {
  return tuning.journal.segmentBytes ?? JOURNAL_DEFAULTS.segmentBytes;
}
