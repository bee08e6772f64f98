import type { ServerState } from '../../src/core/identity.js';
import type { TermRecord } from '../../src/core/terms/record.js';
import type { HostName } from './faults.js';
import type { Operation } from './history.js';
import { reaches, type Ledger, type LogNode } from './ledger.js';
import { GIVING_WAY, isMove } from './moves.js';
import type { BrokerView, Move, ServerProbe, ShareProbe } from './probe.js';
import { RightsChecker } from './rights-checker.js';
import { SimProcess } from './process.js';
import { UnsyncedLosses } from './unsynced-losses.js';
import type { Owner, World } from './world.js';

/** Digests are compared at every so many positions, and at the end. */
const DIGEST_EVERY = 4;
/** A pair that is ACTIVE and PASSIVE, and at which nothing was wrong for so long but what is nothing to it, stays so. */
export const STAYS_AFTER_MS = 15_000;

/** The pair's times, and how long nothing has been wrong that a pair in sync has to answer: in milliseconds of the bundled profile, of which a slower pair needs as many more. */
export interface Pace {
  readonly stalenessMs: number;
  readonly quietMs: () => number;
}

interface Seen {
  /** The very view that was judged last: a probe gives the same one again while nothing in it has changed. */
  view: BrokerView | null;
  /** The last one that there was. */
  last: BrokerView | null;
  managerRun: string | null;
  state: ServerState;
  moves: number;
  brokerRun: string | null;
  fencedThrough: number;
  role: BrokerView['role'];
  term: number;
  headPosition: number;
  /** This run's copy is damaged, and nothing has happened to its disk. */
  damagedAs: string | null;
}

/**
 * What must hold after every event, judged from outside: from the clients' acknowledgements, the share's files as they really are,
 * and what each broker's log really contains. The code under test is not asked for its opinion.
 */
export class Checkers {
  /** Moves seen, `FROM TO`, with counts: the workload must reach every row of the table. */
  readonly moves = new Map<string, number>();
  highest: TermRecord | null = null;
  private shareVersion = -1;
  private readonly rights: RightsChecker;
  /** Servers whose disk was put back, and through which term that is known; `null`: not back yet. */
  private readonly putBacks = new Map<HostName, number | null>();
  private readonly unsyncedLosses: UnsyncedLosses;
  /** Servers whose disk may hold something that is damaged, … */
  private readonly mayBeDamaged = new Set<HostName>();
  /** … those of which no run of the broker has come up since, … */
  private readonly unmet = new Set<HostName>();
  /** … and those whose disk may not hold what it shows, without a word of it. */
  private readonly mayForget = new Set<HostName>();
  private readonly judged = new Map<string, TermRecord>();
  private readonly seen = new Map<HostName, Seen>();

  constructor(
    private readonly world: World,
    private readonly probes: readonly ServerProbe[],
    private readonly share: ShareProbe,
    private readonly ledger: Ledger,
    private readonly pace: Pace,
  ) {
    for (const probe of probes) {
      this.seen.set(probe.name, { view: null, last: null, managerRun: null, state: 'WAITING', moves: 0, brokerRun: null, fencedThrough: 0, role: 'idle', term: 0, headPosition: 0, damagedAs: null });
    }
    this.unsyncedLosses = new UnsyncedLosses(ledger);
    this.rights = new RightsChecker(world, probes, share, pace.stalenessMs);
    world.afterEach.push((owner) => this.check(owner));
  }

  /** Both brokers run, and both copies count in the highest term. */
  get bothAreMembers(): boolean {
    const { highest } = this;
    return highest !== null && this.probes.every((probe) => {
      const broker = probe.broker();
      return broker !== null && this.isMember(highest, probe.name, broker);
    });
  }

  /** The disk of `name` has lost what it had confirmed. Until it has all of it again, no record counts on its copy that stood when it came back. */
  putBack(name: HostName): void {
    this.putBacks.set(name, null);
  }

  /** Something happens to the disk of `name` for which its copy may be given up. */
  mayDamage(name: HostName): void {
    this.mayBeDamaged.add(name);
    this.unmet.add(name);
  }

  /** What the disk of `name` shows may be on it or not, without a word of it. */
  mayForgetUnsaid(name: HostName): void {
    this.mayForget.add(name);
  }

  /** The disk of `name` lets go of what was not synced, and says so: its copy may be given up, and nobody may count on it alone. */
  letsGo(name: HostName): void {
    this.mayDamage(name);
  }

  /** What `name` has confirmed and not synced stands on another copy, too, or counts for nothing. One that counts alone has to sync. */
  mayBeUnsynced(name: HostName): boolean {
    const members = this.highest?.inSync ?? [];
    return members.length !== 1 || members[0]?.server !== name;
  }

  /** `name` counts, and so does another copy: together they stand for what neither has synced. */
  sharesUnsynced(name: HostName): boolean {
    return this.mayBeNewest.some(({ inSync }) => inSync.length > 1 && inSync.some(({ server }) => server === name));
  }

  private get mayBeNewest(): TermRecord[] {
    return [...this.claimsUnderWay, ...(this.highest === null ? [] : [this.highest])];
  }

  /** From when it was ordered, a claim may come to stand, and a copy that it names may count. */
  private get claimsUnderWay(): TermRecord[] {
    return this.probes.flatMap(({ ordered }) => ordered.filter(({ term }) => term > (this.highest?.term ?? 0)));
  }

  /** The host of `name` lost power with something on its disk that was confirmed and never synced: nothing else is excused by that. */
  losesUnsynced(name: HostName): void {
    if (!this.mayBeUnsynced(name)) return;
    this.unsyncedLosses.lose(name, this.seen.get(name)?.last ?? null);
    this.mayDamage(name);
    this.putBack(name);
  }

  /** The newest record, or one that may come to be it, still counts a copy that may have lost what was confirmed and never synced. No watermark guards against it. */
  get countsOnUnsynced(): boolean {
    return this.unsyncedLosses.areCountedIn(this.mayBeNewest);
  }

  /** A client got an acknowledgement that `server` sent. */
  acknowledged(operation: Operation, server: string): void {
    const nodes = this.ledger.ofOperation(operation.id);
    const holders = nodes.filter((node) => this.heldByMembers(node));
    // While a member is down, a record of the same operation that never was acknowledged, and is in no log any more, passes for held as well.
    const node = holders.find((one) => this.ledger.isOnOnePath(one)) ?? holders[0];
    if (node === undefined) {
      this.world.fail('durable at every member', `${server} acknowledged ${operation.id}; ${this.whoLacks(nodes)}`);
      return;
    }
    if (!this.rights.hasServed(server, node.term)) this.world.fail('one server a term', `${server} acknowledged ${operation.id} of term ${node.term}, and has served in no such term nor in a later one`);
    if (!this.ledger.acknowledge(node)) {
      this.world.fail('one log', `${operation.id} (position ${node.position}, term ${node.term}) was acknowledged and is not on one log with position ${this.ledger.trunk?.position ?? 0}`);
    }
  }

  /** Both logs are equal and say so in the same words; for the end of a run. */
  compareEnds(): void {
    const views = this.probes.map((probe) => probe.broker());
    const [one, other] = views;
    if (one === null || one === undefined || other === null || other === undefined) return;
    if (one.head.position !== other.head.position) return;
    if (one.head.chain !== other.head.chain) this.world.fail('equal positions, equal logs', `position ${one.head.position}`);
    else if (one.digest() !== other.digest()) this.world.fail('equal positions, equal digests', `position ${one.head.position}: ${one.digest()} and ${other.digest()}`);
  }

  /** A process can change nothing that is looked at here but its own server; the world's own events (power, the network, the share) can change all. */
  private check(owner: Owner | null): void {
    if (owner instanceof SimProcess && owner.kind === 'client') return;
    const changed = owner instanceof SimProcess ? owner.host.name : null;
    if (this.share.version !== this.shareVersion) {
      this.shareVersion = this.share.version;
      this.lookAtRecords(this.share.records());
    }
    for (const probe of this.probes) {
      if (changed !== null && probe.name !== changed) continue;
      const seen = this.seen.get(probe.name);
      if (seen === undefined) continue;
      for (; seen.moves < probe.moves.length; seen.moves += 1) this.checkMove(probe.name, probe.moves[seen.moves] as Move, seen);
      const broker = probe.broker();
      if (broker === seen.view) continue;
      if (broker !== null) this.checkBroker(probe.name, broker, seen);
      else seen.brokerRun = null;
      seen.view = broker;
      seen.last = broker ?? seen.last;
    }
    // A broker has no lock and claims nothing.
    if (!(owner instanceof SimProcess) || owner.kind !== 'broker') this.rights.check(changed);
  }

  private checkMove(name: HostName, told: Move, seen: Seen): void {
    const { run, from, to, term, reason } = told;
    if (run !== seen.managerRun) {
      seen.managerRun = run;
      seen.state = 'WAITING';
    }
    this.rights.checkAuthority(name, told);
    this.see(`${from} ${to}`);
    if (from === 'ACTIVE' && to === 'WAITING' && reason.endsWith('; the peer can serve')) this.see(GIVING_WAY);
    if (from !== seen.state || !isMove(from, to)) this.world.fail('table of moves', `${name}, ${seen.state}, said that it went from ${from} to ${to} in term ${term}: ${reason}`);
    if (from === 'ACTIVE' || from === 'PASSIVE') this.checkNeed(name, told);
    if (from === 'ACTIVE_SYNC' && to === 'ACTIVE') this.checkAdmitted(name, told);
    if (from === 'PASSIVE_SYNC' && to === 'PASSIVE') this.checkAdmitted(name, told);
    seen.state = to;
  }

  private see(move: string): void {
    this.moves.set(move, (this.moves.get(move) ?? 0) + 1);
  }

  /** R6: a record of the term has come to stand that counts both copies. */
  private checkAdmitted(name: HostName, { from, to, term }: Move): void {
    const admitted = [...this.judged.values()].some((record) => record.term === term && record.inSync.length === 2);
    if (!admitted) this.world.fail('R6: admitted before in sync', `${name} went from ${from} to ${to} in term ${term}, and no record of that term ever counted both copies`);
  }

  /** "Peer lost", judged by what was wrong: whatever a pair in sync has to answer is over for long enough. */
  private checkNeed(name: HostName, { from, to, term, reason }: Move): void {
    const quietMs = this.pace.quietMs();
    // What a server is now, and not what its last move said: a run that was started anew is WAITING before it has made one.
    const others = this.probes.filter((probe) => probe.name !== name).map((probe) => probe.manager()?.state ?? null);
    const whole = others.every((state) => state === (from === 'ACTIVE' ? 'PASSIVE' : 'ACTIVE'));
    if (whole && quietMs > STAYS_AFTER_MS) this.world.fail('what is whole stays so', `${name} went from ${from} to ${to} in term ${term} (${reason}), and nothing that calls for it has been wrong for ${Math.round(quietMs)} ms`);
  }

  /** The last term whose record may name the copy of `name` that stood before this run. That of a claim under way is known to nobody, and what was lost unsynced can be missed in it, too. */
  private mayNameThrough(name: HostName): number {
    const claims = this.unsyncedLosses.isMissed(name) ? this.claimsUnderWay.filter(({ inSync }) => inSync.some(({ server }) => server === name)) : [];
    return Math.max(this.highest?.term ?? 0, ...claims.map(({ term }) => term));
  }

  private checkBroker(name: HostName, broker: BrokerView, seen: Seen): void {
    this.checkDamage(name, broker, seen);
    if (broker.run !== seen.brokerRun) {
      seen.brokerRun = broker.run;
      this.unmet.delete(name);
      seen.fencedThrough = 0;
      seen.role = 'idle';
      seen.term = 0;
      seen.headPosition = -1;
      const through = this.mayNameThrough(name);
      if (this.putBacks.get(name) === null) this.putBacks.set(name, through);
      this.unsyncedLosses.beginsAnew(name, through);
      if (this.highest !== null && this.isMember(this.highest, name, broker) && !this.ledger.holdsAll(broker.head)) {
        this.lost(name, broker, `came back as a member of term ${this.highest.term}`);
      }
    }
    if (this.putBacks.has(name) && this.ledger.holdsAll(broker.head)) this.putBacks.delete(name);
    this.unsyncedLosses.has(name, broker.head);
    if (broker.fencedThrough < seen.fencedThrough) this.world.fail('fences hold', `${name} was fenced through ${seen.fencedThrough}, now ${broker.fencedThrough}`);
    seen.fencedThrough = broker.fencedThrough;
    if (broker.role !== seen.role || broker.term !== seen.term) {
      seen.role = broker.role;
      seen.term = broker.term;
      this.rights.checkRole(name, broker);
      if (broker.role === 'serve') this.beginsToServe(name, broker);
    }
    if (broker.head.position !== seen.headPosition) {
      // What a member gives up of its log was never acknowledged, at any moment.
      const cut = broker.head.position < seen.headPosition && this.highest !== null && this.isMember(this.highest, name, broker);
      const { wentBack } = this.ledger;
      if (wentBack !== null) this.world.fail('terms never go back', `${name} has appended position ${wentBack.position} of term ${wentBack.term} behind a record of term ${wentBack.before?.term ?? 0}`);
      seen.headPosition = broker.head.position;
      this.rights.checkHandedOver(name, broker);
      if (cut && !this.ledger.holdsAll(broker.head)) this.lost(name, broker, `cut its log as a member of term ${this.highest?.term ?? 0}`);
      if (broker.head.position > 0 && broker.head.position % DIGEST_EVERY === 0) this.compareDigest(name, broker);
    }
  }

  /**
   * A copy is given up only for what has happened to its disk: a new run finds it whole, and none makes it anew. A run may call its own copy damaged for what
   * the host denied it, when it ends by that and leaves the disk as it was; or where that copy has given way to another one already, which is not begun yet.
   */
  private checkDamage(name: HostName, broker: BrokerView, seen: Seen): void {
    if (this.mayBeDamaged.has(name)) return;
    const isNew = broker.run !== seen.brokerRun;
    const given = isNew ? broker.damage : seen.damagedAs !== null && seen.view?.journal !== broker.journal ? seen.damagedAs : null;
    if (given !== null) this.world.fail('damage has a cause', `${name} has given its copy up (${given}), and nothing has happened to its disk`);
    seen.damagedAs = isNew ? broker.damage : (seen.damagedAs ?? (broker.damage !== null && this.probes.some((probe) => probe.name === name && probe.givesWay()) ? null : broker.damage));
  }

  private beginsToServe(name: HostName, broker: BrokerView): void {
    const record = this.share.records().get(broker.term);
    if (record === undefined || record.server !== name) {
      this.world.fail('a term for serving', `${name} serves in term ${broker.term}, whose record ${record === undefined ? 'does not exist' : `names ${record.server}`}`);
    }
    if (broker.term === this.highest?.term) {
      if (!this.ledger.holdsAll(broker.head)) this.lost(name, broker, `begins to serve in term ${broker.term}`);
    } else if (record !== undefined) this.checkSuperseded(name, record);
  }

  /**
   * Arbitration lets a server begin in a term that is not the highest any more, and lack what was acknowledged since: R10 gives it the term "at
   * once", and nothing in R1 to R12 rests on how soon it takes it. A host that slept or stood still, or whose share is slow, cannot know what was
   * claimed meanwhile, so that refusing after a sleep would mend one case of many, and would cost an outage whenever the sleep was short and
   * nobody had claimed. It is safe because such a server can say nothing: the term was handed over for both copies, so everything waits for
   * the other one (R2), and that one has fenced the term before it claimed the next (R4). This is what is judged.
   */
  private checkSuperseded(name: HostName, record: TermRecord): void {
    const { term, inSync } = record;
    if (inSync.length < 2) this.world.fail('a term for serving', `${name} begins to serve alone in term ${term}, and term ${this.highest?.term ?? 0} stands`);
    for (const probe of this.probes) {
      const broker = probe.broker();
      if (probe.name !== name && broker?.role === 'follow' && broker.term === term) this.world.fail('a term for serving', `${name} begins to serve in term ${term}, which ${probe.name} follows in although term ${this.highest?.term ?? 0} stands`);
    }
  }

  /** A record was claimed: whoever may serve next holds everything acknowledged. */
  private lookAtRecords(records: ReadonlyMap<number, TermRecord>): void {
    this.highest = null;
    for (const record of [...records.values()].sort((a, b) => a.term - b.term)) {
      const before = this.highest;
      this.highest = record;
      if (this.judged.has(record.nonce)) continue;
      this.judged.set(record.nonce, record);
      const members = record.inSync.map((member) => member.server).join('+');
      this.world.transcript.line('share', `term ${record.term}: ${record.server} with ${members} from position ${record.position}, ${record.cause}`);
      if (before !== null && record.forced !== true && record.position < before.position) {
        this.world.fail('positions never go back', `term ${record.term} begins at ${record.position}, term ${before.term} at ${before.position}`);
      }
      const stands = (one: TermRecord): boolean => records.get(one.term)?.nonce === one.nonce;
      const forgotten = [...this.judged.values()].filter((one) => one.term > (before?.term ?? 0) && one.term < record.term && !stands(one));
      this.rights.judgeRecord(record, before, forgotten);
      this.judgeMembers(record);
      this.judgeForgotten(record);
    }
    this.rights.checkWon(records);
  }

  /** What one copy alone stands for is on its disk, and does not only look so. */
  private judgeForgotten({ term, inSync }: TermRecord): void {
    const [only, another] = inSync;
    const probe = another === undefined ? this.probes.find(({ name }) => name === only?.server) : undefined;
    if (probe === undefined || this.mayForget.has(probe.name)) return;
    const forgotten = probe.forgotten();
    if (forgotten.length > 0) this.world.fail('a copy that counts alone is on its disk', `${probe.name} counts alone in term ${term}, and its system has let go of what it shows of ${forgotten.join(', ')}`);
  }

  /** The copy of the other server has everything that was acknowledged, also if its broker does not run just now: what happens to the disk of `name` costs nothing. */
  canDoWithout(name: HostName): boolean {
    const records = this.mayBeNewest;
    const other = this.probes.find((probe) => probe.name !== name);
    const broker = other?.broker() ?? (other === undefined ? null : (this.seen.get(other.name)?.last ?? null));
    if (other === undefined || broker === null || this.unmet.has(other.name) || this.countsOnUnsynced) return false;
    return records.length > 0 && records.every((record) => this.isMember(record, other.name, broker)) && this.ledger.holdsAll(broker.head);
  }

  private judgeMembers(record: TermRecord): void {
    for (const probe of this.probes) {
      const broker = probe.broker();
      if (broker === null || !this.isMember(record, probe.name, broker)) continue;
      if (!this.ledger.holdsAll(broker.head)) this.lost(probe.name, broker, `is a member of term ${record.term}`);
    }
  }

  private lost(name: HostName, broker: BrokerView, what: string): void {
    const { trunk } = this.ledger;
    this.world.fail(
      'nothing acknowledged is lost',
      `${name} ${what}; its log ends at ${broker.head.position} (term ${broker.head.term}) and lacks what was acknowledged up to position ${trunk?.position ?? 0} (term ${trunk?.term ?? 0}, ${trunk?.operation ?? '-'})`,
    );
  }

  /** Whether every member of the highest record whose broker runs has this record durably. A member that is down is judged when it is back. */
  private heldByMembers(node: LogNode): boolean {
    const { highest } = this;
    if (highest === null) return false;
    for (const probe of this.probes) {
      const broker = probe.broker();
      if (broker === null || !this.isMember(highest, probe.name, broker)) continue;
      if (broker.durable < node.position) return false;
      const head = this.ledger.find(broker.head);
      if (head === null || !reaches(head, node)) return false;
    }
    return true;
  }

  private whoLacks(nodes: readonly LogNode[]): string {
    const logs = this.probes.map((probe) => {
      const broker = probe.broker();
      return broker === null ? `${probe.name} is down` : `${probe.name} durable to ${broker.durable} of ${broker.head.position}`;
    });
    const at = nodes.map((node) => `${node.position} in term ${node.term}`).join(', ') || 'in no log';
    return `it stands at ${at}; members of term ${this.highest?.term ?? 0}: ${this.highest?.inSync.map((member) => member.server).join('+') ?? 'none'}; ${logs.join('; ')}`;
  }

  /** Whether this copy counts, as far as anybody can know: one that lacks what its disk had confirmed is known to, by those who ask. */
  private isMember(record: TermRecord, name: HostName, broker: BrokerView): boolean {
    const through = this.putBacks.get(name);
    if (through !== undefined && (through === null || record.term <= through)) return false;
    return broker.damage === null && record.inSync.some((member) => member.server === name && member.journal === broker.journal);
  }

  private compareDigest(name: HostName, broker: BrokerView): void {
    const node = this.ledger.find(broker.head);
    if (node === null) {
      this.world.fail('a known log', `${name} has a log up to position ${broker.head.position} of term ${broker.head.term} that no server wrote`);
      return;
    }
    const value = broker.digest();
    if (value === null) return;
    if (node.digest === null) node.digest = { server: name, value };
    else if (node.digest.value !== value) {
      this.world.fail('equal positions, equal digests', `position ${broker.head.position}: ${node.digest.value} at ${node.digest.server}, ${value} at ${name}`);
    }
  }
}
