/** A rule left out, to see that the exploration would notice. */
export type Flaw =
  | 'none'
  /** R3: any copy may claim, whether the record names it or not. */
  | 'membership'
  /** R5: serves alone at once, without a claim. */
  | 'solo-without-claim'
  /** Section 2: a claim without an answer counts as never made. */
  | 'no-record-is-defeat'
  /** R4: claims before the broker has confirmed that the old leader gets nothing more. */
  | 'no-fence'
  /** R10: hands over while records are under way. */
  | 'no-drain'
  /** R1: a restarted server goes on in its own term. */
  | 'resume-own-term'
  /** R3: a wiped disk keeps the journal's id. */
  | 'wiped-journal-keeps-membership'
  /** R3: a copy that its disk has put back behind what it had confirmed counts as before. */
  | 'watermark-not-asked'
  /** R2: the follower acknowledges what it has not synced. */
  | 'ack-before-durable'
  /** R6: what is acknowledged while an admission may land does not need the peer. */
  | 'admission-without-requirement'
  /** R9: what appears on a replaced share after both agreed on who comes first has no part in it. */
  | 'adoption-overtakes'
  /** Section 2: a number in doubt is left out, and the one after it is claimed. */
  | 'doubt-skips-number'
  /** R5: a server whose peer is lost, and which waits for the lock, acknowledges alone meanwhile. */
  | 'waits-without-peer'
  /** R4: claims for itself alone while what it has confirmed is not on its disk. */
  | 'claims-unsettled';

export const FLAWS: readonly Flaw[] = [
  'membership', 'solo-without-claim', 'no-record-is-defeat', 'no-fence', 'no-drain', 'resume-own-term', 'wiped-journal-keeps-membership', 'watermark-not-asked',
  'ack-before-durable', 'admission-without-requirement', 'adoption-overtakes', 'doubt-skips-number', 'waits-without-peer', 'claims-unsettled',
];
