/** One place in the source that a flaw changes: `find` stands there exactly once, and `put` takes its place. */
export interface Edit {
  /** Relative to the repository. */
  readonly file: string;
  readonly find: string;
  readonly put: string;
}

/** A mistake that somebody could make. The ordinary workload, faults and checkers find it; nothing here is made for one of them. */
export interface Flaw {
  readonly name: string;
  /** The rule of arbitration.md, or the habit, that is broken. */
  readonly rule: string;
  readonly edits: readonly Edit[];
  /** One of the gate's seeds that finds it, where the first that does is a late one. */
  readonly seed?: number;
}

const ALONE = 'src/core/ha/alone.ts';
const BROKER = 'src/server/broker-server.ts';
const CLAIMER = 'src/share/claimer.ts';
const FOLLOWER_LINK = 'src/server/follower-link.ts';
const ORDERS = 'src/core/ha/orders.ts';
const RIGHTS = 'src/core/ha/rights.ts';
const ADOPTED = '    if (this.said) countLimits(this.digest, -1, this.inForce);\n    this.said = true;\n    this.inForce = limits;\n    countLimits(this.digest, 1, limits);\n';
const SERVED_TERM = 'src/server/served-term.ts';
const SERVING = 'src/server/serving.ts';
const SITUATE = 'src/manager/situate.ts';
const RULES_OF_SERVING = 'src/core/ha/serving.ts';

const FENCE_CONFIRMED = "if (s.broker.fencedThrough < fence || s.broker.clientPort === 'closed' || s.broker.role !== 'idle') return ha;";
const FENCE_RAISED = 'if (fence > ha.fence) return { ...ha, fence };';
const ASSERTED = "assert(s.broker !== null && s.broker.fencedThrough >= record.term - 1, 'a solo term begins only behind a confirmed fence');";
/** The broker's own belt and braces, which hold a manager's mistake up; with it left in, some of the flaws below change nothing. */
const NARROWED = "if (peer === null && this.member !== null) log.write('error', `The order leaves out a copy that counts in term ${role.term}; it goes on counting`, { code: 'LOCKSTEP_ORDER_NARROWS' });\n    else this.member = peer;";
const OWN_TERM = 'if (head > role.term || (head === role.term && this.last !== role.term)) return `the log has records of term ${head} already, which this run did not serve in`;';
const RESOLVED = "answer = textOf(error); // Says nothing for sure, not even EEXIST: a repeated request meets its own success.";

/** What the broker makes of a fence: nothing, though it says that it is confirmed. */
const FENCE_IGNORED: readonly Edit[] = [
  { file: BROKER, find: 'if (parts.following !== null && parts.following.term <= this.fence) this.stopFollowing(parts, `terms up to ${this.fence} are fenced`);', put: '' },
  // It goes on until it is told to serve itself.
  { file: BROKER, find: "if (role.kind !== 'follow') this.stopFollowing(parts,", put: "if (role.kind === 'serve') this.stopFollowing(parts," },
  { file: BROKER, find: "role: serving.on ? 'serve' : following !== null ? 'follow' : 'idle',", put: "role: serving.on ? 'serve' : following !== null && (following.term as number) > this.fence ? 'follow' : 'idle'," },
  { file: 'src/core/replication/follower-session.ts', find: 'if (this.sessionTerm <= fencedThrough) return', put: 'if (false) return' },
  { file: FOLLOWER_LINK, find: 'if (session.term <= this.tools.fencedThrough()) return;', put: '' },
];

export const FLAWS: readonly Flaw[] = [
  {
    name: 'no-membership',
    rule: 'R3: any copy may claim, whether the record names it or not',
    edits: [{ file: RIGHTS, find: 'if (member === undefined) {', put: 'if (member === undefined || member.journal !== copy.journal) {\n    if (copy.damage === null) return null;' }],
  },
  {
    name: 'solo-without-claim',
    rule: 'R5: serves alone at once, without a claim',
    edits: [
      { file: RULES_OF_SERVING, find: "return beginAlone(ha, s, 'STANDALONE', 'peer-lost', { reason: lost });\n  }\n  const whyNot = whyGiveWay", put: "return move(ha, 'STANDALONE', lost, { partner: null, record: ha.record === null ? null : { ...ha.record, inSync: ha.record.inSync.filter((member) => member.server === s.server) } });\n  }\n  const whyNot = whyGiveWay" },
      { file: SERVED_TERM, find: NARROWED, put: 'this.member = peer;' },
    ],
  },
  {
    name: 'serves-without-lock',
    rule: 'R3, R12: claims and begins to serve without holding the lock',
    edits: [
      { file: SITUATE, find: 'const held = lock.held && lock.until !== null && k.now < lock.until;', put: 'const held = true;' },
      { file: 'src/share/keeper.ts', find: "if (!lease.held) return `the lock is not held (${lease.status().detail ?? 'its deadline has passed'})`;", put: '' },
    ],
  },
  {
    name: 'gateway-not-asked',
    seed: 209,
    rule: 'R3: takes over although the gateway does not answer',
    edits: [{ file: SITUATE, find: 'gatewayAnswers: within(k.gatewayAnsweredAt, silence + config.pingIntervalMs) && isNewerThanSilence(config, k, peerSilent),', put: 'gatewayAnswers: true,' }],
  },
  {
    name: 'gateway-of-before',
    seed: 285,
    rule: 'R3: goes by an answer of the gateway from before the peer fell silent',
    edits: [{ file: SITUATE, find: ' && isNewerThanSilence(config, k, peerSilent),', put: ',' }],
  },
  {
    name: 'peer-gets-no-wait',
    rule: 'R8: serves alone before the peer had peerWait to connect',
    edits: [{ file: SITUATE, find: "peerHadItsWait: ha.state === 'WAITING' && k.now - waitingSince >= config.peerWaitMs,", put: "peerHadItsWait: ha.state === 'WAITING'," }],
  },
  {
    name: 'first-miss-is-loss',
    rule: 'section 2: takes the peer for lost before the backchannel is broken beyond its limit',
    edits: [{ file: 'src/manager/config.ts', find: 'return config.pingIntervalMs * config.pingMissLimit;', put: 'return config.pingIntervalMs;' }],
  },
  {
    name: 'standstill-is-silence',
    rule: 'section 2: an HA manager that stood still judges its peer before it has read what that one said meanwhile',
    edits: [{ file: 'src/manager/cycles.ts', find: 'if (this.catchingUp || this.stoodStill()) return this.catchUp();', put: '' }],
  },
  {
    name: 'late-renewal-counts',
    rule: 'section 4: a renewal that is confirmed after the deadline has passed makes the lock relied on at once',
    edits: [{ file: 'src/share/lease.ts', find: 'if (!this.held && !(await this.isBack(hold, sent))) return;', put: '' }],
  },
  {
    name: 'no-record-is-defeat',
    rule: 'section 2: no record there is taken for a claim that was never made',
    edits: [{ file: CLAIMER, find: 'if (found === null) return this.doubt(attempt, answer);', put: "if (found === null) return this.settle(attempt, { kind: 'failed', nonce, detail: answer });" }],
  },
  {
    name: 'no-fence',
    rule: 'R4: claims with no fence at all; the broker goes on in its old term until the claim is won',
    edits: [
      { file: ALONE, find: FENCE_RAISED, put: '' },
      { file: ALONE, find: FENCE_CONFIRMED, put: '' },
      { file: ALONE, find: ASSERTED, put: '' },
      { file: ORDERS, find: "return ha.task?.kind === 'alone' && (ha.task.claim !== null || ha.fence >= (s.kept?.term ?? ha.fence));", put: 'return false;' },
    ],
  },
  {
    name: 'fence-not-awaited',
    seed: 104,
    rule: 'R4: orders the fence and claims at once, before the broker has confirmed it',
    edits: [
      { file: ALONE, find: FENCE_CONFIRMED, put: '' },
      { file: ALONE, find: ASSERTED, put: '' },
    ],
  },
  { name: 'broker-ignores-fence', rule: 'R4: the broker says that the fence stands, and goes on acknowledging to the old leader', edits: FENCE_IGNORED },
  {
    name: 'no-drain',
    seed: 70,
    rule: 'R10: hands over while operations are under way',
    edits: [{ file: RULES_OF_SERVING, find: '!s.broker.drained || ha.record', put: 'ha.record' }],
  },
  {
    name: 'begins-while-draining',
    seed: 32,
    rule: 'R10: a broker that ended by itself, since its manager stood still, begins its term anew while its handover is under way, which the manager does not give up in time either',
    edits: [
      { file: SERVED_TERM, find: 'if (role.drain) return', put: 'if (false as boolean) return' },
      { file: RULES_OF_SERVING, find: "return s.taskOverdue ? moveToWaiting(ha, 'the switchover did not come to its end in time; neither server serves until that is settled') : ha;", put: 'return ha;' },
    ],
  },
  {
    name: 'admission-without-requirement',
    seed: 26,
    rule: 'R6: operations do not need the peer while its admission may land',
    edits: [
      { file: ORDERS, find: "requirePeer: both || (ha.task?.kind === 'admit' && ha.task.requirePeer),", put: 'requirePeer: both,' },
      { file: RULES_OF_SERVING, find: 'if (broker.peerRequiredFrom === null || link.peerJournal', put: 'if (link.peerJournal' },
      { file: RULES_OF_SERVING, find: 'const position = (broker.peerRequiredFrom - 1) as Position;', put: 'const position = link.peerDurable as Position;' },
    ],
  },
  {
    name: 'resume-own-term',
    rule: 'R1: a restarted server goes on in its own term',
    edits: [
      { file: 'src/core/ha/waiting.ts', find: "  return beginAlone(ha, s, 'STANDALONE', 'alone',", put: "  if (s.kept?.server === s.server && s.kept.inSync.length === 1 && s.lock.held) return move(ha, 'STANDALONE', 'resumed', { term: s.kept.term, record: s.kept, brokerRun: s.broker?.run ?? null });\n  return beginAlone(ha, s, 'STANDALONE', 'alone'," },
      { file: ORDERS, find: "return isServing(ha.state) || ha.task?.kind === 'alone'", put: "return isServing(ha.state) || ha.state === 'WAITING' || ha.task?.kind === 'alone'" },
      { file: SERVED_TERM, find: OWN_TERM, put: '' },
    ],
  },
  {
    name: 'bare-share-claimed-at-once',
    seed: 28,
    rule: 'R9: where both find nothing, the first one claims before the peer sees the lockfile that was made there',
    edits: [{ file: ALONE, find: 'if (task.fresh && !task.forced && !isOneShare(s)) return awaitPeersLook(ha, s);', put: '' }],
  },
  {
    name: 'limits-of-the-profile',
    seed: 179,
    rule: 'a log is read by the limits of the profile, whatever they were when it was written',
    edits: [{ file: 'src/core/broker/state.ts', find: ADOPTED, put: '' }],
  },
  {
    name: 'ack-before-own-sync',
    rule: 'R2: acknowledges before the own disk has synced',
    edits: [{ file: SERVING, find: 'own: copy.durable,\n', put: 'own: copy.head.position,\n' }],
  },
  {
    name: 'ack-before-peer',
    rule: 'R2: acknowledges before the peer has it',
    edits: [{ file: SERVING, find: 'peerIsMember: member !== null,', put: 'peerIsMember: false,' }, { file: SERVING, find: 'peerRequiredFrom: requiredFrom,\n    });', put: 'peerRequiredFrom: null,\n    });' }],
  },
  {
    name: 'follower-acks-unsynced',
    rule: 'R2: the follower acknowledges what it has received and not synced',
    edits: [{ file: FOLLOWER_LINK, find: '    this.progress?.bytes(taken);\n', put: "    this.progress?.bytes(taken);\n    this.said = this.session.received;\n    this.wire.send({ kind: 'durable', position: this.said });\n" }],
  },
  {
    name: 'lease-from-answer',
    seed: 43,
    rule: 'section 4: the lease is counted from the answer to the renewal',
    edits: [{ file: 'src/share/lease.ts', find: 'return leaseUntil(sent, config.passiveLockIntervalMs);', put: 'return leaseUntil(clock.monotonic() + 0 * sent as Monotonic, config.passiveLockIntervalMs);' }],
  },
  {
    name: 'eexist-is-defeat',
    seed: 40,
    rule: 'section 2: EEXIST, also after a lost reply, is taken for defeat',
    edits: [{ file: CLAIMER, find: RESOLVED, put: "answer = textOf(error);\n      if (codeOf(error) === 'EEXIST' || codeOf(error) === 'ENOTEMPTY') {\n        const winner = await shelf.at(term).catch(() => null);\n        if (winner !== null) return this.settle(attempt, { kind: 'lost', nonce: attempt.record.nonce, record: winner });\n      }" }],
  },
  {
    name: 'eexist-is-victory',
    rule: 'section 2: EEXIST is taken for the own success of a repeated request',
    edits: [{ file: CLAIMER, find: RESOLVED, put: "answer = textOf(error);\n      if (codeOf(error) === 'EEXIST' || codeOf(error) === 'ENOTEMPTY') return this.settle(attempt, { kind: 'won', nonce: attempt.record.nonce, record: attempt.record });" }],
  },
  {
    name: 'stale-term-accepted',
    rule: 'R4, R7: a follower takes frames of a term that is older than the ordered one, or fenced',
    edits: [
      // A broker that obeys its fence has no link by which such frames could come: without this part nothing changes.
      ...FENCE_IGNORED,
      { file: 'src/core/replication/follower-session.ts', find: 'if (offer.term < term || offer.term <= fencedThrough) return', put: 'if (false) return' },
      { file: 'src/core/replication/leader-session.ts', find: 'if (hello.term > this.term) return', put: 'if (false) return' },
      { file: 'src/core/replication/follower-session.ts', find: 'if (this.rule !== null && place.position >= this.rule.first', put: 'if (false && this.rule !== null && place.position >= this.rule.first' },
    ],
  },
  {
    name: 'follower-truncates',
    seed: 29,
    rule: 'R7: a follower that connects anew gives up acknowledged records, and counts meanwhile',
    edits: [{ file: 'src/server/feed.ts', find: 'const point = await copy.journal.pointAt(shared);', put: 'const point = await copy.journal.pointAt(Math.max(hello.floor, copy.journal.base.position, shared - 16) as Position);' }],
  },
  {
    name: 'no-folder-sync',
    rule: 'a new segment whose name is not synced',
    edits: [{ file: 'src/server/journal/roller.ts', find: 'await context.disk.syncFolder(context.folder);', put: '' }],
  },
  {
    name: 'found-name-not-synced',
    seed: 338,
    rule: 'a segment whose name a killed process had not made durable, and which the next one goes on with',
    edits: [{ file: 'src/server/journal/open.ts', find: 'await context.disk.syncFolder(context.folder);', put: '' }],
  },
  {
    name: 'mark-left-behind',
    rule: 'a commit behind a mark that no sync has taken along: the mark may be lost, and with it what stands behind it',
    edits: [
      { file: 'src/server/journal/committer.ts', find: 'this.unsynced === null ? [] : [this.unsynced];', put: '[];' },
      { file: 'src/server/journal/committer.ts', find: 'segment.end - (this.unsynced?.length ?? 0)', put: 'segment.end' },
    ],
  },
  {
    name: 'alone-not-synced',
    rule: 'a copy that counts alone is not synced where the profile asks for no syncing',
    edits: [
      { file: BROKER, find: "const two = role.kind === 'follow' || (role.kind === 'serve' && role.inSync.length > 1);", put: "const two = role.kind !== 'idle';" },
      { file: BROKER, find: 'if (role.inSync.length > 1 || settling.settled)', put: 'if (true)' },
      { file: ALONE, find: 'if (!s.broker.onDisk)', put: 'if (false)' },
    ],
  },
  {
    name: 'claims-unsettled',
    seed: 444,
    rule: 'R4: claims for itself alone while what it has confirmed is not on its disk',
    edits: [{ file: ALONE, find: 'if (!s.broker.onDisk)', put: 'if (false)' }],
  },
  {
    name: 'log-not-settled',
    rule: 'a copy that is to count alone syncs its snapshots, and not its log',
    edits: [{ file: 'src/server/copy.ts', find: 'await this.journal.settle();', put: 'await Promise.resolve();' }],
  },
  {
    name: 'snapshot-not-settled',
    rule: 'a copy that is to count alone syncs its log, and not the snapshots that it builds on',
    edits: [{ file: 'src/server/copy.ts', find: 'await this.shelf.settle();', put: 'await Promise.resolve();' }],
  },
  {
    name: 'unreadable-payload-blank',
    rule: 'of a payload in a snapshot that the disk does not give, or gives altered, zeros are delivered',
    edits: [{ file: 'src/server/snapshot-shelf.ts', find: 'this.condemn(snapshot, error);\n      }\n    }\n    return null;', put: 'return new Uint8Array(place.length);\n      }\n    }\n    return null;' }],
  },
  {
    name: 'no-sync-at-opening',
    rule: 'what was written without syncing is not synced when it is opened with it',
    edits: [
      { file: 'src/server/journal/open.ts', find: '(await syncNames(context)) ?? (await syncFound(context, read, told))', put: 'await syncNames(context)' },
      { file: 'src/server/snapshot-shelf.ts', find: 'if (!(await this.isDurable(path)))', put: 'if (false)' },
    ],
  },
  {
    name: 'synced-once-more',
    seed: 718,
    rule: 'a sync of the whole copy that finds no room is tried again, and that one succeeds without having done anything',
    edits: [{ file: 'src/server/journal/syncing.ts', find: '    return notDurable(name, error);\n  } finally {', put: "    if (codeOf(error) === 'ENOSPC') throw error;\n    return notDurable(name, error);\n  } finally {" }],
  },
  {
    name: 'no-file-is-damage',
    seed: 75,
    rule: 'a segment that cannot be begun since the host has no file left is a failure of the disk',
    edits: [{ file: 'src/server/journal/committer.ts', find: '!isNoRoom(error) && !(untouched && isShortage(error))', put: '!isNoRoom(error)' }],
  },
  {
    name: 'long-record-unheard',
    seed: 126,
    rule: 'a follower that hears of whole records alone ends the link in the middle of one that is long on its way',
    edits: [{ file: FOLLOWER_LINK, find: 'came: () => this.onBytes(),', put: 'came: () => undefined,' }],
  },
  {
    name: 'long-record-unanswered',
    seed: 64,
    rule: 'a follower to which a long record is on its way says nothing meanwhile, and its leader ends the link',
    edits: [{ file: FOLLOWER_LINK, find: '    if (this.partly) this.wire.send({ kind: \'pong\', count: this.answered });\n', put: '' }],
  },
  {
    name: 'gone-mount-is-another-share',
    seed: 647,
    rule: 'R11: a share keeper that was started anew takes the folder in the place of a mount that is gone for another share',
    edits: [{ file: 'src/share/opening.ts', find: '(this.wasNetwork || order.wasNetwork) && !mount.isNetwork', put: 'this.wasNetwork && !mount.isNetwork' }],
  },
  {
    name: 'gone-mount-unnoticed',
    seed: 96,
    rule: 'R11: the folder in the place of a mount that is gone is taken for another share',
    edits: [{ file: 'src/share/opening.ts', find: '(this.wasNetwork || order.wasNetwork) && !mount.isNetwork', put: '(false as boolean)' }],
  },
  {
    name: 'retained-out-of-order',
    rule: 'a retained message is kept one operation late',
    edits: [
      { file: 'src/core/broker/routing.ts', find: 'export class Routing {', put: 'export class Routing {\n  private late: StoredMessage | null = null;' },
      { file: 'src/core/broker/routing.ts', find: '    if (kept) this.state.retain(message);\n    const { sessions } = targets;\n    for (let at = 0; at < sessions.length; at++) {\n      const session = sessions[at];\n      if (session !== undefined)', put: '    if (this.late !== null) this.state.retain(this.late);\n    this.late = kept ? message : null;\n    const { sessions } = targets;\n    for (let at = 0; at < sessions.length; at++) {\n      const session = sessions[at];\n      if (session !== undefined)' },
    ],
  },
  {
    name: 'packet-id-not-replicated',
    rule: 'the next packet id of a session is not part of the state that is copied',
    edits: [{ file: 'src/core/broker/restore.ts', find: 'session.nextPacketId = reader.u16();', put: 'reader.u16();' }],
  },
  {
    name: 'watermark-not-asked',
    rule: 'R3: a copy that its disk has put back behind what it had confirmed counts as before',
    edits: [{ file: SITUATE, find: 'watermark: keeper?.watermark ?? null,', put: 'watermark: null,' }],
  },
  {
    name: 'wiped-journal-keeps-membership',
    seed: 17,
    rule: 'R3: a journal that was made anew has the id of the one before',
    edits: [{ file: 'src/server/open-copy.ts', find: "folder: JOURNAL_FOLDER, checksum, random, clock,", put: "folder: JOURNAL_FOLDER, checksum, random: { id: () => (config.server === 'primary' ? 'a' : 'b').repeat(32), fraction: () => random.fraction() }, clock," }],
  },
];
