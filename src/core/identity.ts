/**
 * The names of things that two servers tell each other apart by. All are plain strings or numbers; the brand keeps one
 * from being passed for another.
 */
declare const brand: unique symbol;
type Branded<Base, Name extends string> = Base & { readonly [brand]: Name };

/** A server of the pair, as its profile names it: `primary` or `secondary`. Unique within the cluster. */
export type ServerId = Branded<string, 'ServerId'>;
/** Random, made when a journal is created. A disk that was wiped, replaced or found damaged has another one. */
export type JournalId = Branded<string, 'JournalId'>;
/** Random, made at each start of a process. Tells a process that was restarted from one that was away. */
export type RunId = Branded<string, 'RunId'>;
/** The number of a period in which one server at most acknowledges. Whole, from 1; 0 means "no term yet". */
export type Term = Branded<number, 'Term'>;
/** Counts log records: the first record has position 1; 0 is the empty log. Whole, below 2^53. */
export type Position = Branded<number, 'Position'>;
/** Milliseconds on one host's monotonic clock. Comparable between the processes of one host, never between hosts. */
export type Monotonic = Branded<number, 'Monotonic'>;

export const NO_TERM = 0 as Term;
export const NO_POSITION = 0 as Position;

/** The role that the profile gives a server. It breaks ties and nothing else: either server may serve. */
export type ConfiguredRole = 'primary' | 'secondary';

/** The states of the reference. DEAD is only ever seen of a peer. */
export type ServerState = 'WAITING' | 'PASSIVE_SYNC' | 'ACTIVE_SYNC' | 'PASSIVE' | 'ACTIVE' | 'STANDALONE';
export type PeerState = ServerState | 'DEAD';

/** True in the three states in which a server answers clients. */
export function isServing(state: PeerState): boolean {
  return state === 'ACTIVE' || state === 'ACTIVE_SYNC' || state === 'STANDALONE';
}
