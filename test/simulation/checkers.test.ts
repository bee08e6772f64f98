import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LockStatus } from '../../src/core/control/keeper.js';
import type { JournalId, Position, ServerId, ServerState, Term } from '../../src/core/identity.js';
import { EMPTY_LOG, type LogPoint } from '../../src/core/journal/envelope.js';
import type { TermRecord } from '../../src/core/terms/record.js';
import { Checkers } from './checkers.js';
import type { HostName } from './faults.js';
import type { Operation } from './history.js';
import { Ledger } from './ledger.js';
import type { BrokerView, ClaimWord, LockWord, ManagerView, Move, ServerProbe, ShareProbe, TakeOver } from './probe.js';
import { World } from './world.js';

const STALENESS_MS = 2_500;
const QUIET_MS = 20_000;
const NAMES = ['primary', 'secondary'] as const;
const journalOf = (name: HostName): JournalId => `journal of ${name}` as JournalId;
const point = (term: number, position: number, branch = 0): LogPoint => ({ term: term as Term, position: position as Position, chain: 1_000 * branch + position });

function record(term: number, server: HostName, members: readonly HostName[], more: Partial<TermRecord> = {}): TermRecord {
  const inSync = members.map((name) => ({ server: name as string as ServerId, journal: journalOf(name) }));
  return { schema: 1, term: term as Term, server: server as string as ServerId, inSync, position: 0 as Position, cause: 'takeover', at: '', nonce: `nonce of ${term}`, ...more };
}

/** One server as the checkers see it, told what to be. */
class Told implements ServerProbe {
  readonly moves: Move[] = [];
  readonly claims: ClaimWord[] = [];
  readonly ordered: TermRecord[] = [];
  view: BrokerView | null = null;
  word: LockWord | null = null;
  state: ManagerView | null = null;

  constructor(readonly name: HostName) {}

  manager = (): ManagerView | null => this.state;
  broker = (): BrokerView | null => this.view;
  lock = (): LockWord | null => this.word;
  kept = 0;
  keptTerm = (): number => this.kept;
  dirty: string[] = [];
  unsynced = (): string[] => this.dirty;
  lostFromCache: string[] = [];
  forgotten = (): string[] => this.lostFromCache;
  isGivingWay = false;
  givesWay = (): boolean => this.isGivingWay;

  is(changes: Partial<BrokerView>): void {
    const before = this.view ?? { run: `run of ${this.name}`, role: 'idle' as const, term: 0, fencedThrough: 0, journal: journalOf(this.name), damage: null, head: EMPTY_LOG, durable: 0, digest: () => null };
    this.view = { ...before, ...changes };
  }

  goes(from: ServerState, to: ServerState, term = 2): void {
    this.moves.push({ run: `manager of ${this.name}`, from, to, term, reason: 'it was told to' });
    this.state = { state: to, term, reason: 'it was told to' };
  }

  relies(untilTrue: number, relied = true): void {
    const lock: LockStatus = { held: true, until: 1 as never, holder: null, holderSilentMs: null, detail: null };
    this.word = { lock, keeper: `${this.name}/keeper/1`, untilTrue, relied: () => relied, ahead: () => true };
  }
}

/** The primary ACTIVE and the secondary PASSIVE in term 2, four records on both, the fourth acknowledged. */
class Whole {
  readonly world = new World(1);
  readonly ledger = new Ledger();
  readonly primary = new Told('primary');
  readonly secondary = new Told('secondary');
  readonly records = new Map<number, TermRecord>();
  readonly robbed: TakeOver[] = [];
  beat: number | null = null;
  readonly checkers: Checkers;
  private version = 0;
  private replacements = 0;

  private constructor() {
    const share: ShareProbe = { version: 0, replacements: 0, records: () => this.records, beatAt: () => this.beat, takenOver: () => this.robbed.splice(0) };
    Object.defineProperty(share, 'version', { get: () => this.version });
    Object.defineProperty(share, 'replacements', { get: () => this.replacements });
    this.checkers = new Checkers(this.world, [this.primary, this.secondary], share, this.ledger, { stalenessMs: STALENESS_MS, quietMs: () => QUIET_MS });
  }

  static async make(): Promise<Whole> {
    const it = new Whole();
    const { primary, secondary } = it;
    await it.happens(() => primary.relies(1_000));
    await it.happens(() => {
      it.stands(record(1, 'primary', ['primary'], { cause: 'start' }), record(2, 'primary', ['primary', 'secondary'], { cause: 'admission' }));
      primary.goes('WAITING', 'ACTIVE_SYNC', 1);
      primary.goes('ACTIVE_SYNC', 'ACTIVE');
      secondary.goes('WAITING', 'PASSIVE_SYNC', 1);
      secondary.goes('PASSIVE_SYNC', 'PASSIVE');
    });
    for (let position = 1; position <= 4; position += 1) it.appends(point(2, position - 1), point(2, position));
    await it.happens(() => {
      primary.is({ role: 'serve', term: 2, fencedThrough: 1, head: point(2, 4), durable: 4, digest: () => 'four' });
      secondary.is({ role: 'follow', term: 2, fencedThrough: 1, head: point(2, 4), durable: 4, digest: () => 'four' });
    });
    it.checkers.acknowledged(operation(4), 'primary');
    expect(it.world.violation).toBeNull();
    return it;
  }

  appends(before: LogPoint, after: LogPoint, id: string = `pub1.${after.position}`): void {
    this.ledger.appended(before.position === 0 ? EMPTY_LOG : before, after, id);
  }

  stands(...records: readonly TermRecord[]): void {
    for (const one of records) this.records.set(one.term, one);
    this.version += 1;
  }

  /** An empty share stands in its place, and what it said before is remembered by the servers alone. */
  replacesShare(): void {
    this.replacements += 1;
    this.version += 1;
  }

  async happens(action: () => void): Promise<void> {
    this.world.schedule(0, action);
    await this.world.run(this.world.now + 1);
  }
}

function operation(number: number): Operation {
  return { id: `pub1.${number}`, publisher: 'pub1', number, topic: 't', qos: 1, retain: false, sentAt: 0, ackedAt: null };
}

/** Each is what a pair must never do, from where everything is whole, and the check that says so. */
const WRONG: readonly (readonly [check: string, what: string, does: (it: Whole) => void])[] = [
  ['nothing acknowledged is lost', 'a member comes back without a record', ({ secondary }) => secondary.is({ run: 'next', role: 'idle', term: 0, head: point(2, 3), durable: 3 })],
  ['nothing acknowledged is lost', 'a member cuts its log', ({ secondary }) => secondary.is({ head: point(2, 3), durable: 3 })],
  ['nothing acknowledged is lost', 'a record names a copy that lacks what was acknowledged', (it) => {
    it.secondary.is({ run: 'next', journal: 'a new one', role: 'idle', term: 0, head: EMPTY_LOG, durable: 0 });
    it.stands(record(3, 'primary', ['primary', 'secondary'], { inSync: [{ server: 'primary' as ServerId, journal: journalOf('primary') }, { server: 'secondary' as ServerId, journal: 'a new one' as JournalId }] }));
  }],
  ['a copy that counts alone is on its disk', 'a server claims for itself alone with a file that is not synced', (it) => {
    it.primary.is({ role: 'idle', term: 0, fencedThrough: 2 });
    it.primary.dirty = ['snapshots/4.snap'];
    it.stands(record(3, 'primary', ['primary']));
  }],
  ['a copy that counts alone is on its disk', 'a server claims for itself alone, and its system has let go of what the log shows', (it) => {
    it.primary.is({ role: 'idle', term: 0, fencedThrough: 2 });
    it.primary.lostFromCache = ['journal/1.segment'];
    it.stands(record(3, 'primary', ['primary'], { position: 4 as Position }));
  }],
  ['durable at every member', 'an operation is acknowledged that one member has not synced', (it) => {
    it.appends(point(2, 4), point(2, 5));
    it.primary.is({ head: point(2, 5), durable: 5 });
    it.checkers.acknowledged(operation(5), 'primary');
  }],
  ['durable at every member', 'an operation is acknowledged that nobody has', (it) => it.checkers.acknowledged(operation(9), 'primary')],
  ['one log', 'another record is acknowledged in the place of one that was', (it) => {
    it.appends(point(2, 3), point(2, 4, 1), 'pub2.1');
    for (const server of [it.primary, it.secondary]) server.is({ head: point(2, 4, 1), journal: 'not a member' });
    it.checkers.acknowledged({ ...operation(1), id: 'pub2.1' }, 'primary');
  }],
  ['one server a term', 'whoever has not served acknowledges', (it) => it.checkers.acknowledged(operation(3), 'secondary')],
  ['one server a term', 'both serve in one term', ({ secondary }) => secondary.is({ role: 'serve' })],
  ['R1: one run a term', 'a new run serves in the term of the one before', ({ primary }) => primary.is({ run: 'next' })],
  ['a term for serving', 'a server serves in a term that nobody claimed', ({ primary }) => primary.is({ term: 3 })],
  ['terms never go back', 'a server serves in an older term', ({ primary }) => primary.is({ term: 1 })],
  ['terms never go back', 'a record of an older term is appended', (it) => {
    it.appends(point(2, 4), point(1, 5));
    it.primary.is({ head: point(1, 5) });
  }],
  ['positions never go back', 'a term begins before the one below it', (it) => {
    it.primary.is({ role: 'idle', term: 0 });
    it.stands(record(3, 'primary', ['primary'], { position: 4 as Position }), record(4, 'primary', ['primary'], { position: 3 as Position }));
  }],
  ['equal positions, equal digests', 'the same log amounts to two states', ({ secondary }) => secondary.is({ run: 'next', role: 'idle', term: 0, digest: () => 'another' })],
  ['a known log', 'a server has a log that nobody wrote', ({ secondary }) => secondary.is({ run: 'next', journal: 'not a member', role: 'idle', term: 0, head: point(9, 8, 7) })],
  ['damage has a cause', 'a new run finds its copy damaged, and nothing has happened to its disk', ({ secondary }) => secondary.is({ run: 'next', role: 'idle', term: 0, damage: 'a segment' })],
  ['fences hold', 'a fence is lowered', ({ secondary }) => secondary.is({ fencedThrough: 0 })],
  ['table of moves', 'a move is not in the table', ({ primary }) => primary.goes('ACTIVE', 'ACTIVE_SYNC')],
  ['table of moves', 'a move begins where the server is not', ({ primary }) => primary.goes('STANDALONE', 'WAITING')],
  ['R6: admitted before in sync', 'a server is in sync in a term that counts one copy', (it) => {
    it.primary.is({ term: 3 });
    it.primary.state = { state: 'ACTIVE_SYNC', term: 3, reason: '' };
    it.stands(record(3, 'primary', ['primary']));
    it.secondary.goes('PASSIVE', 'PASSIVE_SYNC', 3);
    it.secondary.goes('PASSIVE_SYNC', 'PASSIVE', 3);
  }],
  ['what is whole stays so', 'a server leaves a pair at which nothing is wrong', ({ primary }) => primary.goes('ACTIVE', 'STANDALONE', 3)],
  ['authority needs the lock', 'a server begins to serve without it', ({ secondary }) => secondary.goes('PASSIVE', 'STANDALONE', 3)],
  ['R3: only a member claims', 'a server claims that the record before does not name', (it) => {
    it.primary.is({ role: 'idle', term: 0 });
    it.stands(record(3, 'primary', ['primary']), record(4, 'secondary', ['secondary']));
  }],
  ['R3: only a member claims', 'a server claims with a journal that was made anew', (it) => it.stands(record(3, 'secondary', [], { inSync: [{ server: 'secondary' as ServerId, journal: 'a new one' as JournalId }] }))],
  ['R4: the fence before the claim', 'a server has claimed for itself alone, and follows in the term before', (it) => it.stands(record(3, 'secondary', ['secondary']))],
  ['R10: drained before the claim', 'a term is handed over at a position at which neither log ends', (it) => it.stands(record(3, 'secondary', ['primary', 'secondary'], { cause: 'switchover', position: 3 as Position }))],
  ['R10: nothing after the claim', 'a server appends behind the position from which it has claimed for its peer', (it) => {
    it.primary.ordered.push(record(3, 'secondary', ['primary', 'secondary'], { cause: 'switchover', position: 4 as Position }));
    it.appends(point(2, 4), point(2, 5));
    it.primary.is({ head: point(2, 5) });
  }],
  ['claims are told truly', 'a claim is called won, and nothing stands there', ({ primary }) => primary.claims.push({ term: 3, outcome: { kind: 'won', nonce: 'n', record: record(3, 'primary', ['primary']) } })],
  ['claims are told truly', 'a claim is called never sent, and stands there', ({ primary }) => primary.claims.push({ term: 2, outcome: { kind: 'failed', nonce: 'nonce of 2', detail: '' } })],
  ['claims are told truly', 'a claim is called lost, to an older term', ({ primary }) => primary.claims.push({ term: 3, outcome: { kind: 'lost', nonce: 'n', record: record(2, 'primary', ['primary']) } })],
  ['a lease ends before it is stale', 'a server relies on its lock for longer than others wait', (it) => {
    it.beat = it.world.now;
    it.primary.relies(it.world.now + STALENESS_MS + 1);
  }],
  ['one holder of the lock', 'a lock is taken from who may rely on it', (it) => it.robbed.push({ from: 'primary', askedAt: it.world.now, stands: () => true })],
  ['one holder of the lock', 'both rely on it after it was taken over', (it) => {
    it.robbed.push({ from: 'primary', askedAt: -1, stands: () => true });
    it.secondary.relies(it.world.now + 1);
  }],
];

const FOLDER = import.meta.dirname;
const JUDGES = ['checkers.ts', 'rights-checker.ts', 'testimony.ts', 'history.ts'];

test('every check is seen to fail in a test', () => {
  const text = (name: string): string => readFileSync(join(FOLDER, name), 'utf8');
  const checks = JUDGES.flatMap((name) => [...text(name).matchAll(/\bfail\(\s*'([^']+)'/g)].map(([, check]) => check ?? ''));
  expect(new Set(checks).size).toBeGreaterThan(30);
  const tests = readdirSync(FOLDER).filter((name) => name.endsWith('.test.ts')).map(text).join('\n');
  expect(checks.filter((check) => !tests.includes(`'${check}'`))).toEqual([]);
});

describe('the checkers', () => {
  it('have nothing to say of a pair that does as it should, through a takeover and back', async () => {
    const it = await Whole.make();
    const { primary, secondary } = it;
    await it.happens(() => {
      primary.view = primary.state = primary.word = null;
      secondary.is({ role: 'idle', term: 0, fencedThrough: 2 });
      secondary.relies(it.world.now + 1_000);
    });
    await it.happens(() => {
      it.stands(record(3, 'secondary', ['secondary'], { position: 4 as Position }));
      secondary.goes('PASSIVE', 'STANDALONE', 3);
      secondary.is({ role: 'serve', term: 3 });
    });
    await it.happens(() => {
      it.appends(point(2, 4), point(3, 5), 'pub1.5');
      secondary.is({ head: point(3, 5), durable: 5, digest: () => 'five' });
    });
    it.checkers.acknowledged(operation(5), 'secondary');
    await it.happens(() => primary.is({ run: 'next', role: 'follow', term: 3, head: point(2, 4), durable: 4 }));
    await it.happens(() => {
      primary.is({ head: point(3, 5), durable: 5, digest: () => 'five' });
      it.stands(record(4, 'secondary', ['primary', 'secondary'], { cause: 'admission', position: 5 as Position }));
      secondary.goes('STANDALONE', 'ACTIVE_SYNC', 3);
      secondary.goes('ACTIVE_SYNC', 'ACTIVE', 4);
    });
    it.checkers.compareEnds();
    expect(it.world.violation).toBeNull();
    expect(it.checkers.moves.get('PASSIVE STANDALONE')).toBe(1);
  });

  it.each(WRONG)('say "%s" when %s', async (check, _, does) => {
    const it = await Whole.make();
    await it.happens(() => does(it));
    expect(it.world.violation?.check).toBe(check);
  });

  it('say in the end when two logs that end alike are two', async () => {
    const it = await Whole.make();
    it.secondary.is({ head: point(2, 4, 1) });
    it.checkers.compareEnds();
    expect(it.world.violation?.check).toBe('equal positions, equal logs');
  });

  it('say "damage has a cause" when a run makes its copy anew after what the host denied it, and not when it ends by that', async () => {
    for (const anew of [false, true]) {
      const it = await Whole.make();
      await it.happens(() => it.secondary.is({ role: 'idle', term: 0, damage: 'no file was to be had' }));
      expect(it.world.violation).toBeNull();
      await it.happens(() => it.secondary.is(anew ? { journal: 'a new one', damage: null, head: EMPTY_LOG, durable: 0 } : { run: 'next', damage: null }));
      expect(it.world.violation?.check).toBe(anew ? 'damage has a cause' : undefined);
    }
  });

  it('have nothing to say of a run that cannot begin the log to which its copy has given way, and makes it anew', async () => {
    const it = await Whole.make();
    it.secondary.isGivingWay = true;
    await it.happens(() => it.secondary.is({ role: 'idle', term: 0, damage: 'no room' }));
    it.secondary.isGivingWay = false;
    await it.happens(() => it.secondary.is({ journal: 'a new one', damage: null, head: EMPTY_LOG, durable: 0 }));
    expect(it.world.violation).toBeNull();
  });

  it('have nothing to say of a copy that is given up when something has happened to its disk', async () => {
    const it = await Whole.make();
    it.checkers.mayDamage('secondary');
    await it.happens(() => it.secondary.is({ run: 'next', role: 'idle', term: 0, damage: 'a bit' }));
    await it.happens(() => it.secondary.is({ journal: 'a new one', damage: null, head: EMPTY_LOG, durable: 0 }));
    expect(it.world.violation).toBeNull();
  });

  it('remember what was won', async () => {
    const it = await Whole.make();
    await it.happens(() => it.primary.claims.push({ term: 2, outcome: { kind: 'won', nonce: 'nonce of 2', record: record(2, 'primary', ['primary', 'secondary']) } }));
    expect(it.world.violation).toBeNull();
    await it.happens(() => it.stands({ ...record(2, 'primary', ['primary', 'secondary'], { cause: 'admission' }), nonce: 'another' }));
    expect(it.world.violation?.check).toBe('a won term stays won');
  });

  it.each([
    ['and was kept', 2, 'a won term stays won'],
    ['and nobody had kept when the share was replaced', 1, undefined],
  ] as const)('know of a number that was won %s', async (_, kept, check) => {
    const it = await Whole.make();
    await it.happens(() => it.primary.claims.push({ term: 2, outcome: { kind: 'won', nonce: 'nonce of 2', record: record(2, 'primary', ['primary', 'secondary']) } }));
    it.primary.kept = kept;
    await it.happens(() => it.replacesShare());
    await it.happens(() => it.stands({ ...record(2, 'primary', ['primary', 'secondary'], { cause: 'admission' }), nonce: 'another' }));
    expect(it.world.violation?.check).toBe(check);
  });

  it.each(NAMES)('do not count on a copy that is known to be put back, until it has everything again (%s)', async (name) => {
    const it = await Whole.make();
    it.checkers.putBack(name);
    await it.happens(() => it[name].is({ run: 'next', role: 'idle', term: 0, head: point(2, 3), durable: 3 }));
    expect(it.world.violation).toBeNull();
    await it.happens(() => it[name].is({ head: point(2, 4), durable: 4 }));
    await it.happens(() => it[name].is({ run: 'third', head: point(2, 3), durable: 3 }));
    expect(it.world.violation?.check).toBe('nothing acknowledged is lost');
  });

  it('excuse a host that lost power with what was never synced, and know for how long the newest record counts on it', async () => {
    const it = await Whole.make();
    it.checkers.losesUnsynced('secondary');
    expect(it.checkers.countsOnUnsynced).toBe(true);
    await it.happens(() => it.secondary.is({ run: 'next', role: 'idle', term: 0, head: point(2, 3), durable: 3, damage: 'a segment' }));
    expect(it.world.violation).toBeNull();
    expect(it.checkers.countsOnUnsynced).toBe(true);
    await it.happens(() => {
      it.stands(record(3, 'primary', ['primary'], { position: 4 as Position }));
      it.primary.is({ role: 'idle', term: 0 });
    });
    expect(it.checkers.countsOnUnsynced).toBe(false);
    await it.happens(() => it.stands(record(4, 'primary', ['primary', 'secondary'], { cause: 'admission', position: 4 as Position })));
    await it.happens(() => it.secondary.is({ damage: null }));
    await it.happens(() => it.secondary.is({ run: 'third' }));
    expect(it.world.violation?.check).toBe('nothing acknowledged is lost');
  });

  it.each([
    ['what was never synced', 'losesUnsynced', undefined],
    ['what was synced', 'putBack', 'nothing acknowledged is lost'],
  ] as const)('know that an admission was under way when its follower lost %s', async (_, loses, check) => {
    const it = await Whole.make();
    it.stands(record(3, 'primary', ['primary'], { position: 4 as Position }));
    await it.happens(() => it.primary.is({ role: 'idle', term: 0 }));
    const admission = record(4, 'primary', ['primary', 'secondary'], { cause: 'admission', position: 4 as Position });
    it.primary.ordered.push(admission);
    expect(it.checkers.sharesUnsynced('secondary')).toBe(true);
    it.checkers[loses]('secondary');
    expect(it.checkers.countsOnUnsynced).toBe(loses === 'losesUnsynced');
    await it.happens(() => it.secondary.is({ run: 'next', role: 'idle', term: 0, head: point(2, 3), durable: 3 }));
    expect(it.world.violation).toBeNull();
    await it.happens(() => it.stands(admission));
    expect(it.world.violation?.check).toBe(check);
    if (check !== undefined) return;
    expect(it.checkers.countsOnUnsynced).toBe(true);
    await it.happens(() => it.stands(record(6, 'primary', ['primary', 'secondary'], { cause: 'admission', position: 4 as Position })));
    expect(it.world.violation).toMatchObject({ check: 'nothing acknowledged is lost' });
  });

  it('know that a host lacks what no message is, and nobody has acknowledged as one (long seed 143393)', async () => {
    const it = await Whole.make();
    it.appends(point(2, 4), point(2, 5), 'a session');
    await it.happens(() => {
      for (const name of NAMES) it[name].is({ head: point(2, 5), durable: 5 });
    });
    it.checkers.losesUnsynced('primary');
    await it.happens(() => {
      it.primary.view = null;
    });
    await it.happens(() => it.primary.is({ run: 'next', role: 'idle', term: 0, head: point(2, 4), durable: 4 }));
    expect([it.checkers.countsOnUnsynced, it.world.violation]).toEqual([true, null]);
    it.checkers.losesUnsynced('primary');
    await it.happens(() => it.primary.is({ run: 'third' }));
    expect(it.checkers.countsOnUnsynced).toBe(true);
    await it.happens(() => it.primary.is({ head: point(2, 5), durable: 5 }));
    expect(it.checkers.countsOnUnsynced).toBe(false);
  });

  it('do not miss what a host had on its disk and had not confirmed', async () => {
    const it = await Whole.make();
    it.appends(point(2, 4), point(2, 5), 'a session');
    await it.happens(() => it.primary.is({ head: point(2, 5) }));
    it.checkers.losesUnsynced('primary');
    await it.happens(() => it.primary.is({ run: 'next', role: 'idle', term: 0, head: point(2, 4), durable: 4 }));
    expect([it.checkers.countsOnUnsynced, it.world.violation]).toEqual([false, null]);
  });

  it('count on a host again that has everything in spite of it', async () => {
    const it = await Whole.make();
    it.checkers.losesUnsynced('secondary');
    await it.happens(() => it.secondary.is({ run: 'next', role: 'idle', term: 0 }));
    expect([it.checkers.countsOnUnsynced, it.world.violation]).toEqual([false, null]);
    await it.happens(() => it.secondary.is({ run: 'third', head: point(2, 3), durable: 3 }));
    expect(it.world.violation?.check).toBe('nothing acknowledged is lost');
  });
});

describe('what happens to a disk costs nothing', () => {
  const LACKS: readonly [string, (it: Whole) => void][] = [
    ['has a damaged copy', (it) => it.secondary.is({ damage: 'a bit' })],
    ['lacks what was acknowledged', (it) => it.secondary.is({ head: point(2, 3), durable: 3 })],
    ['does not count', (it) => it.stands(record(3, 'primary', ['primary'], { position: 4 as Position }))],
    ['will not count when a claim that is under way comes to stand', (it) => it.primary.ordered.push(record(3, 'primary', ['primary']))],
    ['has met a fault of its disk', (it) => it.checkers.mayDamage('secondary')],
    ['has lost what was never synced', (it) => it.checkers.losesUnsynced('secondary')],
  ];

  it('while the other copy has everything', async () => {
    const it = await Whole.make();
    expect(NAMES.map((name) => it.checkers.canDoWithout(name))).toEqual([true, true]);
  });

  it('also while its broker is down', async () => {
    const it = await Whole.make();
    await it.happens(() => (it.secondary.view = null));
    expect(it.checkers.canDoWithout('primary')).toBe(true);
  });

  it('and once a new run of that one has come up after a fault of its disk', async () => {
    const it = await Whole.make();
    it.checkers.mayDamage('secondary');
    await it.happens(() => it.secondary.is({ run: 'next' }));
    expect(it.checkers.canDoWithout('primary')).toBe(true);
  });

  it.each(LACKS)('but where the other one %s', async (_, lacks) => {
    const it = await Whole.make();
    await it.happens(() => lacks(it));
    expect(it.checkers.canDoWithout('primary')).toBe(false);
  });
});

test.each([
  ['says nothing of it', 'mayForgetUnsaid', undefined],
  ['may be damaged otherwise', 'mayDamage', 'a copy that counts alone is on its disk'],
  ['has said so', 'letsGo', 'a copy that counts alone is on its disk'],
] as const)('that a system has let go of what counts alone is excused where it %s', async (_, how, check) => {
  const it = await Whole.make();
  it.checkers[how]('primary');
  it.primary.is({ role: 'idle', term: 0, fencedThrough: 2 });
  it.primary.lostFromCache = ['journal/1.segment'];
  await it.happens(() => it.stands(record(3, 'primary', ['primary'], { position: 4 as Position })));
  expect(it.world.violation?.check).toBe(check);
});

test('an operation that was appended twice is known by the record on the log, also when whoever acknowledged it is gone by then (long seed 134545)', async () => {
  const it = await Whole.make();
  await it.happens(() => {
    it.appends(point(2, 3), point(2, 4, 1), 'pub2.1');
    it.appends(point(2, 4), point(2, 5), 'pub2.1');
    for (const server of [it.primary, it.secondary]) server.view = null;
  });
  it.checkers.acknowledged({ ...operation(1), id: 'pub2.1' }, 'primary');
  expect(it.world.violation).toBeNull();
  expect(it.ledger.trunk).toMatchObject({ position: 5 });
});
