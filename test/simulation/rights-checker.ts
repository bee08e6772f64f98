import { isServing } from '../../src/core/identity.js';
import type { TermRecord } from '../../src/core/terms/record.js';
import type { HostName } from './faults.js';
import type { BrokerView, ClaimWord, LockWord, Move, ServerProbe, ShareProbe, TakeOver } from './probe.js';
import type { World } from './world.js';

/** Words of a keeper that may be on their way to the manager, and more. */
const LOCK_WORDS_KEPT = 8;

/**
 * Who has which right, judged from outside (design: arbitration): by the records as they really stand, by what each broker really is,
 * and by what each keeper says of its claims. A right that was taken without being there is a violation, also where luck kept
 * everything acknowledged.
 */
export class RightsChecker {
  /** The newest solo term of each server, and the highest that it fenced by claiming it. */
  private readonly soloTerms = new Map<HostName, number>();
  /** The broker run that serves in a term (R1). */
  private readonly runs = new Map<number, { readonly name: HostName; readonly run: string }>();
  /** The highest term in which each server was seen to serve. */
  private readonly served = new Map<string, number>();
  private readonly claimsSeen = new Map<HostName, number>();
  /** Nonces of claims of which it was said that they were never sent. */
  private readonly disowned = new Map<string, HostName>();
  private readonly leases = new Map<HostName, LockWord>();
  /** Since when each server relies on its lock without a gap; true time. */
  private readonly reliesSince = new Map<HostName, number>();
  /** Take-overs whose lock stands still. */
  private readonly overtaken = new Set<TakeOver>();
  /** What each server's keepers have said of a lock that it held, the last of it. */
  private readonly held = new Map<HostName, readonly LockWord[]>();
  private readonly won = new Map<number, { readonly nonce: string; readonly name: HostName }>();
  private replacements = 0;

  constructor(
    private readonly world: World,
    private readonly probes: readonly ServerProbe[],
    private readonly share: ShareProbe,
    /** After which a lock whose holder is silent may be taken over. */
    private readonly stalenessMs: number,
  ) {}

  /** After every event. `changed`: the server whose event it was; `null` when it may concern both. */
  check(changed: string | null): void {
    for (const probe of this.probes) {
      const { claims, name } = probe;
      if (changed !== null && name !== changed) continue;
      const seen = this.claimsSeen.get(name) ?? 0;
      this.checkLease(name, probe.lock());
      if (claims.length === seen) continue;
      for (const word of claims.slice(seen)) this.hearClaim(name, word);
      this.claimsSeen.set(name, claims.length);
    }
    for (const takeOver of this.share.takenOver()) this.checkTakeOver(takeOver);
    for (const takeOver of this.overtaken) this.checkOvertaken(takeOver);
  }

  /** R3, R5, R8: "gains authority only while it holds the lock". A server that begins to serve by a claim of its own was told of a lock whose deadline lies ahead. */
  checkAuthority(name: HostName, { from, to, term }: Move): void {
    if (isServing(from) || (to !== 'STANDALONE' && to !== 'ACTIVE_SYNC')) return;
    if (!(this.held.get(name) ?? []).some((word) => word.ahead())) this.world.fail('authority needs the lock', `${name} went from ${from} to ${to} in term ${term}, and no keeper has told it of a lock that it may rely on now`);
  }

  /** A broker shows another role or term than before. */
  checkRole(name: HostName, broker: BrokerView): void {
    if (broker.role === 'idle') return;
    const solo = this.soloTerms.get(name) ?? 0;
    // R4: "Every claim of {me, [me]}, by whatever path, first ends the replication session and waits until the broker has confirmed."
    if (broker.term < solo) this.world.fail('R4: the fence before the claim', `${name} has claimed term ${solo} for itself alone, and its broker still ${broker.role === 'serve' ? 'serves' : 'follows'} in term ${broker.term}`);
    if (broker.role !== 'serve') return;
    const served = this.served.get(name) ?? 0;
    if (broker.term < served) this.world.fail('terms never go back', `${name} serves in term ${broker.term}; it has served in term ${served}`);
    this.served.set(name, Math.max(served, broker.term));
    // R1: "A server serves only in a term that this run of its process claimed, or accepted once by R10."
    const before = this.runs.get(broker.term);
    if (before === undefined) this.runs.set(broker.term, { name, run: broker.run });
    else if (before.name !== name) this.world.fail('one server a term', `${name} serves in term ${broker.term}, in which ${before.name} served`);
    else if (before.run !== broker.run) this.world.fail('R1: one run a term', `${name} serves in term ${broker.term} again after its broker was restarted`);
  }

  /** Whether a server was seen to serve in `term` or a later one. Records of a term are acknowledged in it, or repeated in a later one. */
  hasServed(server: string, term: number): boolean {
    return (this.served.get(server) ?? 0) >= term;
  }

  /**
   * A new record stands on the share; `before` is the highest one below it. `forgotten`: above that, records that stood there until the share forgot
   * them in a restart. Who saw one goes by it: while it stood, its claimant acknowledged nothing that its members do not have.
   */
  judgeRecord(record: TermRecord, before: TermRecord | null, forgotten: readonly TermRecord[] = []): void {
    const disowner = this.disowned.get(record.nonce);
    if (disowner !== undefined) this.world.fail('claims are told truly', `${disowner} said that its claim of term ${record.term} could not have been sent; its record stands there now`);
    if (record.forced === true) return;
    const claimant = record.cause === 'switchover' ? otherMember(record) : record.server;
    const known = forgotten.some((one) => countsIn(one, record, claimant));
    if (before !== null && before.forced !== true && !known) this.judgeClaimant(record, before, claimant);
    if (record.cause === 'switchover') this.judgeHandover(record);
    if (record.inSync.length === 1) this.judgeSolo(record);
  }

  /** What was won stands: a number that a restart of the share forgets could be used twice. */
  checkWon(records: ReadonlyMap<number, TermRecord>): void {
    if (this.share.replacements > this.replacements) this.forgetUnkept();
    for (const [term, { nonce, name }] of this.won) {
      if (records.get(term)?.nonce !== nonce) this.world.fail('a won term stays won', `${name} was told that it had won term ${term}; ${records.has(term) ? 'another record' : 'no record'} stands there now`);
    }
  }

  /** Section 2: it counts as won when the server has kept it on its own disk, too. What only the old share had, nobody goes by, and its number is free. */
  private forgetUnkept(): void {
    this.replacements = this.share.replacements;
    for (const [term, { name }] of this.won) if ((this.probes.find((probe) => probe.name === name)?.keptTerm() ?? 0) < term) this.won.delete(term);
  }

  /** R3: "it is in inSync(T) with its present journal id". */
  private judgeClaimant(record: TermRecord, before: TermRecord, claimant: string): void {
    const member = before.inSync.find(({ server }) => server === claimant);
    const now = record.inSync.find(({ server }) => server === claimant);
    if (member === undefined) this.world.fail('R3: only a member claims', `${claimant} claimed term ${record.term}, and is no member of term ${before.term}`);
    else if (now?.journal !== member.journal) this.world.fail('R3: only a member claims', `${claimant} claimed term ${record.term} with journal ${now?.journal ?? '-'}; term ${before.term} counts on its journal ${member.journal}`);
  }

  /** R10: "drains until both logs are equal, and claims". Who has left that term meanwhile, since the claim landed late, is past caring. */
  private judgeHandover(record: TermRecord): void {
    for (const { name, broker } of this.views()) {
      if (broker.role === 'idle' || broker.term !== record.term - 1) continue;
      if (broker.head.position !== record.position || broker.durable < record.position) {
        this.world.fail('R10: drained before the claim', `term ${record.term} was handed over at position ${record.position}, and ${name} has its log durable to ${broker.durable} of ${broker.head.position}`);
      }
    }
  }

  /** R10: "Take nothing new". Who has claimed for its peer writes nothing behind the position of the handover, unless it was told that the claim was never sent. */
  checkHandedOver(name: HostName, { role, term, head }: BrokerView): void {
    if (role !== 'serve') return;
    const ordered = this.probes.find((probe) => probe.name === name)?.ordered ?? [];
    const claim = ordered.findLast((one) => one.cause === 'switchover' && one.term === term + 1 && !this.disowned.has(one.nonce));
    if (claim === undefined || head.position <= claim.position) return;
    this.world.fail('R10: nothing after the claim', `${name} serves in term ${term} and has appended position ${head.position}; it has claimed term ${claim.term} for its peer, from position ${claim.position} on`);
  }

  private judgeSolo(record: TermRecord): void {
    const name = record.server as string as HostName;
    this.soloTerms.set(name, Math.max(this.soloTerms.get(name) ?? 0, record.term));
    for (const view of this.views()) if (view.name === name) this.checkRole(name, view.broker);
    const unsynced = this.probes.find((probe) => probe.name === name)?.unsynced() ?? [];
    if (unsynced.length > 0) this.world.fail('a copy that counts alone is on its disk', `${name} has claimed term ${record.term} for itself alone, and of its copy not all is synced: ${unsynced.join(', ')}`);
  }

  /** Section 2: who has won is the record that stands there; without one nothing is known, and what was not sent cannot land. */
  private hearClaim(name: HostName, { term, outcome }: ClaimWord): void {
    const { nonce } = outcome;
    const stands = this.share.records().get(term);
    // Ordered anew, of a keeper that was started since: it may send what the one before it had not sent.
    if (outcome.kind === 'pending') this.disowned.delete(nonce);
    const wrong = (what: string): void => this.world.fail('claims are told truly', `${name} was told that its claim of term ${term} is ${what}`);
    if (outcome.kind === 'won') {
      if (stands?.nonce !== nonce) wrong(`won; ${stands === undefined ? 'no record' : `${stands.server}'s`} stands there`);
      else this.won.set(term, { nonce, name });
    }
    if (outcome.kind === 'lost' && outcome.record.nonce === nonce) wrong('lost to itself');
    if (outcome.kind === 'lost' && outcome.record.term < term) wrong(`lost to term ${outcome.record.term}`);
    if (outcome.kind === 'failed') {
      this.disowned.set(nonce, name);
      if (stands?.nonce === nonce) wrong('failed, as if it had never been sent; its record stands there');
    }
  }

  /**
   * Section 4: "A lock is stale when this server has seen that counter unchanged for the whole staleness period", and the holder's deadline
   * is before that: nobody takes over from a server that may still rely on its lock.
   */
  private checkTakeOver(takeOver: TakeOver): void {
    const { from, askedAt } = takeOver;
    this.overtaken.add(takeOver);
    const lock = this.reliedBy(from);
    // Asked for while that one was silent, and slow on its way to the share: then it may rely on it still, and the taker must not.
    if (lock === null || askedAt < (this.reliesSince.get(from) ?? 0)) return;
    this.world.fail('one holder of the lock', `the lock of ${from} was taken over as abandoned, and ${from} may rely on it until ${Math.round(lock.lock.until ?? 0)} ms of its clock`);
  }

  /** Also later: one from which it was taken over does not come to rely on it again. */
  private checkOvertaken(takeOver: TakeOver): void {
    const { from } = takeOver;
    if (!takeOver.stands()) this.overtaken.delete(takeOver);
    else if (this.reliedBy(from) !== null && this.probes.some(({ name }) => name !== from && this.reliedBy(name) !== null)) {
      this.world.fail('one holder of the lock', `both servers may rely on the lock: ${from}, from which it was taken over, and the other`);
    }
  }

  private reliedBy(server: HostName): LockWord | null {
    const lock = this.probes.find(({ name }) => name === server)?.lock() ?? null;
    return lock !== null && lock.lock.held && lock.relied() ? lock : null;
  }

  /**
   * Section 4: "The holder's own deadline runs from when the renewal was sent, less a margin": whoever watches the heartbeat cannot have seen
   * it stand still for the whole period before the holder gives up by itself.
   */
  private checkLease(name: HostName, word: LockWord | null): void {
    const before = this.leases.get(name);
    if (word === null || word === before) return;
    this.leases.set(name, word);
    if (word.untilTrue !== null && (before?.untilTrue ?? 0) <= this.world.now) this.reliesSince.set(name, this.world.now);
    if (word.untilTrue !== null) this.held.set(name, [...(this.held.get(name) ?? []).slice(-LOCK_WORDS_KEPT), word]);
    const { untilTrue, keeper } = word;
    const beatAt = this.share.beatAt(keeper);
    if (untilTrue === null || beatAt === null || untilTrue <= beatAt + this.stalenessMs) return;
    this.world.fail('a lease ends before it is stale', `${name} relies on its lock for ${Math.round(untilTrue - beatAt)} ms after the last heartbeat that others could see; they take it for abandoned after ${this.stalenessMs} ms`);
  }

  private *views(): Generator<{ name: HostName; broker: BrokerView }> {
    for (const { name, broker } of this.probes) {
      const view = broker();
      if (view !== null) yield { name, broker: view };
    }
  }
}

/** `claimant` is a member of `one`, with the copy that it claims with. */
function countsIn(one: TermRecord, { inSync }: TermRecord, claimant: string): boolean {
  const now = inSync.find(({ server }) => server === claimant);
  return one.inSync.some(({ server, journal }) => server === claimant && journal === now?.journal);
}

function otherMember(record: TermRecord): string {
  return record.inSync.find(({ server }) => server !== record.server)?.server ?? record.server;
}
