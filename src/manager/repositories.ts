import type { BrokerStatus } from '../core/control/broker.js';
import type { PeerRepositories, PeerStatus, RepositoryCopy } from '../core/control/peer.js';
import type { ManagerToRepositoryKeeper, NumberedWish, RepositoryKeeperToManager, RepositoryOrder, RepositoryRole, RepositoryStatus, RepositoryView, RepositoryWish, WishAnswer } from '../core/control/repository.js';
import type { Situation } from '../core/ha/situation.js';
import type { HaState } from '../core/ha/state.js';
import { isServing, type Monotonic, type Position } from '../core/identity.js';
import { shown } from '../core/repository/names.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { Spawner } from '../ports/process.js';
import { silenceLimitMs, type ManagerConfig } from './config.js';
import { sameValue } from '../core/same-value.js';
import { follows, repositoryRole } from './repository-role.js';
import { RepositoryWishes, type WishState } from './repository-wishes.js';
import { Supervisor } from './supervisor.js';

export type RepositorySpawner = Spawner<ManagerToRepositoryKeeper, RepositoryKeeperToManager>;
export type RepositoryPart = Omit<RepositoryOrder, 'seq' | 'pulseAt'>;

export interface RepositoriesView {
  /** `null`: no keeper runs, because there is nothing to keep. */
  readonly status: RepositoryStatus | null;
  readonly pid: number | null;
  readonly crashes: number;
  readonly isNeeded: boolean;
  readonly names: readonly string[];
  /** While the repositories of the peer hold up its admission: how long they still may, in milliseconds. */
  readonly waitLeftMs: number | null;
}

/** The syncs that a handover waits for. */
interface LastSync {
  readonly left: Map<number, string>;
  readonly ended: Promise<void>;
  readonly done: () => void;
  /** When they are not waited for any longer. */
  until: Monotonic;
  cancel: Cancel;
}

/** Wishes of operators without an answer at one time; one more is refused. */
const WISHES_MAX = 16;
/** Messages flow for so long after the last one was written. */
const FLOW_MS = 2_000;
/** An admission that the repositories hold up is spoken of after so long. */
const SAY_WAIT_MS = 5_000;
const START_MS = 60_000;
const END_MS = 3_000;

/**
 * The repository keeper as the HA manager has it: started when there is something to keep here or at the peer, told its role, and asked whether the
 * peer's copies hold up an admission. Nothing here gives a right to serve or takes one away.
 */
export class Repositories {
  private readonly keeper: Supervisor<RepositoryPart, RepositoryStatus> | null;
  private isStarted = false;
  private peerNames: readonly string[] = [];
  private told: RepositoryPart | null = null;
  private isDue = true;
  private readonly wishes = new RepositoryWishes();
  /** When the messages were first in step since the last move. */
  private inStep: { readonly moves: number; readonly at: Monotonic } | null = null;
  private holdsUp = false;
  private role: RepositoryRole = { kind: 'idle' };
  /** How the copies here stood when they were last received: what a takeover goes by. */
  private received: readonly RepositoryView[] = [];
  /** Where the log ended when it was last seen to grow, and when that was; `null`: never. */
  private grown: { readonly position: Position | null; readonly at: Monotonic | null } = { position: null, at: null };
  /** When each of them was last seen in sync. */
  private readonly inSyncAt = new Map<string, Monotonic>();
  /** When the peer was last taken to serve. */
  private peerServedAt: Monotonic | null = null;
  /** What stands in this profile and not in that of the server that is followed, as it was last said. */
  private missing = '';
  /** The move that warnings were given for. */
  private warnedMoves = -1;
  private lastSync: LastSync | null = null;
  /** The move whose wait was said. */
  private saidWaitMoves = -1;

  constructor(
    private readonly config: ManagerConfig,
    spawner: RepositorySpawner | null,
    private readonly tools: { readonly clock: Clock; readonly log: Log },
    changed: () => void,
  ) {
    const options = { name: 'repository keeper', startLimitMs: START_MS, answerLimitMs: config.repositories.answerLimitMs, restartDelayMs: 200, restartDelayMaxMs: 10_000, abandonsKilled: false };
    // One that hangs in its file system is waited for: a folder has one writer.
    this.keeper = spawner === null ? null : new Supervisor(spawner, tools.clock, tools.log, options, changed);
  }

  /** To be called at every tick. */
  check(): void {
    const { keeper } = this;
    if (keeper === null) return;
    if (!this.isStarted && this.isNeeded) {
      this.isStarted = true;
      keeper.start();
    }
    keeper.check();
  }

  /** The pulse: the keeper hears its order again. */
  repeat(): void {
    this.isDue = true;
  }

  order(ha: HaState, s: Situation): void {
    this.notePeer(s);
    this.takeAnswers();
    this.noteCopies(s);
    this.sayWait(ha, s.peer);
    this.warn(ha, s);
    this.warnOfMissing(ha, s);
    if (!this.isStarted || this.keeper === null) return;
    const role = repositoryRole(ha, s, this.config);
    this.role = role;
    const wish: RepositoryPart = { fenceThrough: ha.fence, role, wishes: this.wishes.all, messagesFlow: this.messagesFlow(s), shutdown: false };
    if (!this.isDue && this.told !== null && sameValue(wish, this.told)) return;
    this.isDue = false;
    this.told = wish;
    this.keeper.order(wish);
    if (this.keeper.pid !== null) this.wishes.sent(this.keeper.starts);
  }

  /**
   * What this server sends, and the peer has in sync, is synced once more: whatever stands in the folders now is on the other server when it takes over.
   * Resolves when that is done, has failed, or has taken longer than `limitMs`, or than that of an earlier call that it joins; each is said.
   * @returns `null` when there is nothing to wait for
   */
  syncOnceMore(peer: PeerStatus | null, limitMs: number): Promise<void> | null {
    if (this.lastSync !== null) {
      this.limit(this.lastSync, limitMs);
      return this.lastSync.ended;
    }
    const views = this.role.kind === 'send' ? (this.keeper?.status?.repositories ?? []) : [];
    const names = views.filter(({ name, syncType }) => syncType !== 'NO' && this.copyOf(peer, name)?.condition === 'in-sync').map(({ name }) => name);
    const left = new Map<number, string>();
    for (const name of names) left.set(this.put(name, { ask: 'sync', checksum: false }, true), name);
    if (left.size === 0) return null;
    let done = (): void => undefined;
    const ended = new Promise<void>((resolve) => (done = resolve));
    this.lastSync = { left, ended, done, until: Number.POSITIVE_INFINITY as Monotonic, cancel: () => undefined };
    this.limit(this.lastSync, limitMs);
    this.tools.log.write('info', `Before this server hands over, the peer's copies are brought up to date: ${[...left.values()].join(', ')}`, { event: 'repository-handover', repositories: [...left.values()] });
    return ended;
  }

  /** A stop does not wait as long as the switchover that it meets. */
  private limit(lastSync: LastSync, limitMs: number): void {
    const { clock } = this.tools;
    const until = (clock.monotonic() + limitMs) as Monotonic;
    if (until >= lastSync.until) return;
    lastSync.cancel();
    lastSync.until = until;
    lastSync.cancel = clock.after(limitMs, () => {
      for (const name of lastSync.left.values()) this.saidLate(name, `its last sync was waited for ${limitMs / 1000} s, and has not ended`);
      this.endLastSync();
    });
  }

  private endLastSync(): void {
    const { lastSync } = this;
    this.lastSync = null;
    lastSync?.cancel();
    lastSync?.done();
  }

  private saidLate(name: string, why: string): void {
    this.tools.log.write('warn', `Repository ${name} may lack its latest changes on the peer when that takes over: ${clause(why)}. What it lacks goes to the kept versions of this server.`, { event: 'repository-handover', repository: name, why });
  }

  /** The log has grown a short while ago. */
  private messagesFlow(s: Situation): boolean {
    const now = this.tools.clock.monotonic();
    const position = s.broker?.journal.position ?? null;
    if (position !== null && position !== this.grown.position) this.grown = { position, at: this.grown.position === null ? null : now };
    return this.grown.at !== null && now - this.grown.at <= FLOW_MS;
  }

  async end(): Promise<void> {
    if (!this.isStarted || this.keeper === null) return;
    this.keeper.order({ fenceThrough: this.told?.fenceThrough ?? (0 as RepositoryPart['fenceThrough']), role: { kind: 'idle' }, wishes: [], messagesFlow: false, shutdown: true });
    await this.keeper.end(END_MS);
  }

  /** True when nothing of the peer's repositories holds up its admission. */
  settled(ha: HaState, peer: PeerStatus | null, broker: BrokerStatus | null): boolean {
    this.holdsUp = false;
    if (this.keeper === null || this.config.repositories.names.length === 0 || ha.state !== 'ACTIVE_SYNC') return true;
    const since = this.inStepSince(ha, broker);
    if (since === null) return false;
    const waited = this.tools.clock.monotonic() - since;
    const settled = this.unsettled(peer).length === 0 || waited >= this.config.repositories.waitMs;
    this.holdsUp = !settled;
    return settled;
  }

  get forPeer(): PeerRepositories | null {
    if (!this.isNeeded) return null;
    const status = this.keeper?.status ?? null;
    const copies = status === null || status.from === null ? [] : status.repositories.filter(({ condition }) => condition !== 'unused').map(({ name, condition, detail }) => ({ name, condition, detail }));
    return { run: status === null || !status.listening ? null : status.run, names: this.config.repositories.names, from: status?.from ?? null, copies };
  }

  get view(): RepositoriesView {
    const { keeper, isNeeded, inStep, holdsUp } = this;
    const left = holdsUp && inStep !== null ? Math.max(0, Math.round(inStep.at + this.config.repositories.waitMs - this.tools.clock.monotonic())) : null;
    return { status: keeper?.status ?? null, pid: keeper?.pid ?? null, crashes: keeper?.crashes ?? 0, isNeeded, names: this.config.repositories.names, waitLeftMs: left };
  }

  /** @returns the wish's number, or why it is refused */
  ask(repository: string, wish: RepositoryWish): { readonly kind: 'accepted'; readonly id: number } | { readonly kind: 'refused'; readonly why: string } {
    const status = this.keeper?.status ?? null;
    if (status === null) return { kind: 'refused', why: this.isNeeded ? 'the repository keeper is not running now' : 'neither server has a repository' };
    const known = status.repositories.filter(({ condition }) => condition !== 'unused').map(({ name }) => name);
    if (!known.includes(repository)) return { kind: 'refused', why: `there is no repository ${repository}; there are ${known.join(', ') || 'none'}` };
    if (wish.ask === 'restore' && this.role.kind === 'receive') return { kind: 'refused', why: 'this server receives its repositories, and a restored file would be replaced again: restore it on the serving server' };
    if (wish.ask !== 'restore' && this.role.kind === 'idle') return { kind: 'refused', why: this.missing !== this.config.repositories.names.join(', ') ? `a ${wish.ask} needs both servers, one of them serving` : 'the serving server has no repository: name it in both profiles, and start that server anew' };
    if (this.wishes.asked >= WISHES_MAX) return { kind: 'refused', why: `${WISHES_MAX} wishes are under way already` };
    return { kind: 'accepted', id: this.put(repository, wish, false) };
  }

  private put(repository: string, wish: RepositoryWish, isOwn: boolean): number {
    this.isDue = true;
    return this.wishes.put(repository, wish, isOwn);
  }

  wishState(id: number): WishState {
    return this.wishes.state(id);
  }

  private get isNeeded(): boolean {
    return this.keeper !== null && (this.config.repositories.names.length > 0 || this.peerNames.length > 0);
  }

  private notePeer(s: Situation): void {
    const names = s.peer?.repositories?.names ?? [];
    if (names.length > 0) this.peerNames = names;
  }

  private takeAnswers(): void {
    const { keeper } = this;
    for (const answer of keeper?.status?.answers ?? []) this.takeAnswer(answer);
    for (const wish of this.wishes.lost(keeper === null || keeper.pid === null ? null : keeper.starts)) this.lose(wish);
  }

  private takeAnswer(answer: WishAnswer): void {
    if (this.wishes.end(answer)) this.noteLastSync(answer);
  }

  /** Its keeper has ended. */
  private lose(wish: NumberedWish): void {
    const { id, repository } = wish;
    const why = `the repository keeper ended before it had answered${wish.ask === 'restore' ? ', and a part of the files may be back' : ''}; the log of this server says why it ended. Ask again`;
    if (wish.ask === 'restore') this.tools.log.write('warn', `Repository ${repository}: the restore of the kept version ${shown(wish.version)} that an operator asked for has failed: ${why}`, { event: 'repository-restore', repository, version: wish.version, why });
    this.takeAnswer({ id, outcome: 'failed', detail: why, files: 0, bytes: 0, wireBytes: 0, elapsedMs: 0, kept: null, differences: [], differencesTotal: 0 });
  }

  private noteLastSync(answer: WishAnswer): void {
    const { lastSync } = this;
    const name = lastSync?.left.get(answer.id);
    if (lastSync === null || name === undefined) return;
    lastSync.left.delete(answer.id);
    if (answer.outcome === 'failed') this.saidLate(name, answer.detail ?? 'its last sync failed');
    if (lastSync.left.size === 0) this.endLastSync();
  }

  /** How the copies here stand, for as long as they are received. */
  private noteCopies(s: Situation): void {
    const now = this.tools.clock.monotonic();
    if (s.peer !== null && !s.peerSilent && isServing(s.peer.state)) this.peerServedAt = now;
    const status = this.keeper?.status ?? null;
    if (status === null || status.from === null) return;
    this.received = status.repositories;
    for (const { name, condition } of this.received) if (condition === 'in-sync') this.inSyncAt.set(name, now);
  }

  /** A sender that stops or dies ends its links with it, and is taken to serve for up to the silence limit after: a copy that only lost its link since was in sync. */
  private wasInSync({ name, condition }: RepositoryView): boolean {
    const at = this.inSyncAt.get(name);
    if (condition === 'in-sync' || at === undefined || this.peerServedAt === null) return condition === 'in-sync';
    return condition === 'waiting' && at >= this.peerServedAt - silenceLimitMs(this.config) - this.config.pingIntervalMs;
  }

  private inStepSince(ha: HaState, broker: BrokerStatus | null): Monotonic | null {
    if (this.inStep !== null && this.inStep.moves !== ha.moves) this.inStep = null;
    if (this.inStep === null && broker?.replication?.phase === 'in-step') this.inStep = { moves: ha.moves, at: this.tools.clock.monotonic() };
    return this.inStep?.at ?? null;
  }

  /** What of ours the peer has neither in sync nor given a reason for. What its profile does not name does not come, and what is only compared may differ: neither is waited for. */
  private unsettled(peer: PeerStatus | null): readonly string[] {
    const copies = this.copiesOf(peer);
    return this.config.repositories.names.filter((name) => {
      const condition = this.copyOf(peer, name)?.condition;
      const isAwaited = condition === undefined ? copies === null : condition !== 'in-sync' && condition !== 'failed';
      return isAwaited && !this.isOnlyCompared(name);
    });
  }

  private isOnlyCompared(name: string): boolean {
    return this.keeper?.status?.repositories.find((one) => one.name === name)?.syncType === 'NO';
  }

  /** Of each that its profile has, as far as it is about what this very keeper sends; `null`: nothing is known of that. */
  private copiesOf(peer: PeerStatus | null): readonly RepositoryCopy[] | null {
    const run = this.keeper?.status?.run ?? null;
    const theirs = peer?.repositories ?? null;
    return run === null || theirs?.from !== run ? null : theirs.copies;
  }

  private copyOf(peer: PeerStatus | null, name: string): RepositoryCopy | undefined {
    return this.copiesOf(peer)?.find((copy) => copy.name === name);
  }

  /** What an admission waits for is said once, where it takes a while. */
  private sayWait(ha: HaState, peer: PeerStatus | null): void {
    const { waitLeftMs } = this.view;
    if (waitLeftMs === null || this.saidWaitMoves === ha.moves || waitLeftMs > this.config.repositories.waitMs - SAY_WAIT_MS) return;
    this.saidWaitMoves = ha.moves;
    const names = this.unsettled(peer);
    const each = names.map((name) => `${name} (${conditionText(this.copyOf(peer, name))})`);
    this.tools.log.write('info', `The messages are in step; the admission of the peer waits up to ${Math.ceil(waitLeftMs / 1000)} s more for its repositories: ${each.join(', ')}`, { event: 'repository-wait', repositories: names });
  }

  /** An admission without repositories in sync, and a takeover by a server that lacks some, are said once. */
  private warn(ha: HaState, s: Situation): void {
    if (this.warnedMoves === ha.moves || !isServing(ha.state)) return;
    this.warnedMoves = ha.moves;
    if (ha.state === 'ACTIVE' && ha.previous === 'ACTIVE_SYNC') this.warnOfAdmission(s.peer);
    if (ha.previous === 'PASSIVE') this.warnOfTakeover();
  }

  private warnOfAdmission(peer: PeerStatus | null): void {
    const copies = this.copiesOf(peer);
    for (const name of this.config.repositories.names) {
      const copy = this.copyOf(peer, name);
      if (copy === undefined && copies !== null) {
        const why = 'its profile does not name it';
        this.tools.log.write('warn', `The peer was admitted, and has no repository ${name}: ${why}, and nothing of it is copied. Name it in both profiles, and start that server anew`, { event: 'repository-admission', repository: name, why });
        continue;
      }
      if (copy?.condition === 'in-sync' || (copy?.condition !== 'failed' && this.isOnlyCompared(name))) continue;
      const why = copy?.detail ?? conditionText(copy);
      this.tools.log.write('warn', `The peer was admitted though its repository ${name} is not in sync: ${clause(why)}. It goes on trying; the messages are in sync.`, { event: 'repository-admission', repository: name, why });
    }
  }

  /** Said on the server that follows, when it changes: with the next switchover the folders here are what counts. */
  private warnOfMissing(ha: HaState, s: Situation): void {
    if (!follows(ha)) this.missing = '';
    const { peer } = s;
    if (!follows(ha) || peer === null || s.peerSilent || !isServing(peer.state)) return;
    const named = peer.repositories?.names ?? [];
    const missing = this.config.repositories.names.filter((name) => !named.includes(name));
    const text = missing.join(', ');
    if (text === this.missing) return;
    this.missing = text;
    if (text === '') return;
    const one = missing.length === 1;
    this.tools.log.write('warn', `${one ? 'Repository' : 'Repositories'} ${text}: the serving server has none of ${one ? 'this name' : 'these names'}, and nothing is received. Name ${one ? 'it' : 'them'} in both profiles, and start that server anew; should this one serve before, what lies in its ${one ? 'folder' : 'folders'} is what counts`, { event: 'repository-profiles', repositories: missing });
  }

  private warnOfTakeover(): void {
    for (const view of this.received) {
      const { name, condition, detail, syncedAt } = view;
      if (condition === 'unused' || condition === 'idle' || this.wasInSync(view)) continue;
      const last = syncedAt === null ? 'it was never in sync' : `its last sync that went well ended at ${new Date(syncedAt).toISOString()}`;
      this.tools.log.write('warn', `This server serves now, and its repository ${name} was not in sync (${clause(detail ?? condition)}): ${last}. What it holds is what counts from now on.`, { event: 'repository-takeover', repository: name, condition });
    }
  }
}

function conditionText(copy: RepositoryCopy | undefined): string {
  if (copy === undefined) return 'nothing is heard of it';
  return copy.detail === null ? copy.condition : `${copy.condition}: ${clause(copy.detail)}`;
}

/** A reason may end in a sentence of its own; what follows it in a line brings its full stop. */
function clause(why: string): string {
  return why.replace(/\.$/, '');
}
