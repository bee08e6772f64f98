import type { DiskImage } from './disk-image.js';
import type { Fault, FaultKind, HostName } from './faults.js';
import type { FaultGround } from './fault-actions.js';

/** Faults of the share and of the servers' disks. */
export interface StorageFaults {
  readonly actions: Readonly<Partial<Record<FaultKind, (ground: FaultGround, fault: Fault) => (() => void) | null>>>;
  /** One host does not reach the share. Gives back how it is mended. */
  shareGoneFor(host: HostName): () => void;
  /** The share stalls for whoever holds the lock, or for `host` where nobody does; as the fault `share-stalls`. */
  holderStalls(host: HostName, forMs: number, amount: number): () => void;
  /** A sync will fail, and has not been asked for yet. */
  readonly syncWillFail: boolean;
  /** Takes that back. */
  letSyncs(): void;
  /** `may`: asked when the disk of `host` finds out at a sync of this file that it is full, which costs what was not synced of it. */
  onLettingGo(host: HostName, may: (path: string) => boolean): void;
  /** A bit turns somewhere in the journal or in a snapshot. `where` in [0, 1). */
  flipBit(host: HostName, where: number): void;
  /** The disk does not give some of its segments, of its snapshots, or of both any more. `which` in [0, 1). */
  makeUnreadable(host: HostName, which: number): void;
  /** It gives everything again. */
  allReadable(host: HostName): void;
  /** There is something that a disk does not give. */
  readonly hasUnreadable: boolean;
  /** Whose disks hold what was confirmed and not synced. */
  readonly unsynced: ReadonlySet<HostName>;
  /** The disk as it is now. */
  remember(host: HostName): DiskImage;
  /** The disk is as it was then. */
  putBack(host: HostName, image: DiskImage): void;
  /** Up to where the highest term's copies reached, as it stands beside the records. */
  reach(): number;
  /** The disk was replaced by an empty one. */
  wipe(host: HostName): void;
}
