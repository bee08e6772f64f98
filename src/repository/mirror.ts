import type { NumberedWish, ReceiveRepositories, RepositoryCondition, RepositoryProgress } from '../core/control/repository.js';
import type { RepositorySettings } from '../core/repository/entry.js';
import type { Cancel } from '../ports/clock.js';
import type { RepositoryStore } from '../ports/repository.js';
import type { Stream } from '../ports/stream.js';
import { disagreement } from './agreeing.js';
import type { RepositoryConfig } from './config.js';
import { reasonOf } from './messages.js';
import { Wanted } from './wanted.js';
import { follow } from './schedule.js';
import { counted, sizeText } from '../core/counted.js';
import { namesOf } from './differences.js';
import { LeftOutNotice } from './left-out.js';
import { progressLine, summaryLine } from './lines.js';
import { failedReport } from './report.js';
import type { ReceiverSession, SyncHint, SyncPurpose, SyncReport, SyncRequest } from './session.js';
import type { Shelf } from './shelf.js';
import type { KeeperTools, ReceiveAuthority } from './tools.js';

const DIAL_MS = 5_000;
const AGAIN_MS_MIN = 1_000;
const AGAIN_MS_MAX = 60_000;
/** A sync that takes longer tells how it goes, so often. */
const PROGRESS_MS = 10_000;
/** A difference that is not touched (NO) is looked at again so often. */
const COMPARE_AGAIN_MS = 60_000;

export interface MirrorParts {
  readonly tools: KeeperTools;
  readonly shelf: Shelf;
  readonly config: RepositoryConfig;
  readonly from: ReceiveRepositories['from'];
  readonly authority: () => ReceiveAuthority;
  readonly changed: () => void;
  /** A sync went well; wall time. */
  readonly synced: (at: number) => void;
  readonly answer: (wish: NumberedWish, report: SyncReport | string) => void;
}

interface Running {
  readonly request: SyncRequest;
  readonly wish: NumberedWish | null;
}

/**
 * One repository as it is received from one run of the sender: a link of its own, the sync of joining, and then what is hinted at, scheduled or asked for, one sync
 * after the other. A sync that failed, and a link that was lost, are tried again after 1 s, doubled up to 1 minute.
 */
export class Mirror {
  condition: RepositoryCondition = 'waiting';
  detail: string | null = null;
  since: number;
  private session: ReceiverSession | null = null;
  private isReady = false;
  private isDialling = false;
  private isStopped = false;
  /** What the serving server's profile says of it. `null`: it has not said. */
  private theirs: RepositorySettings | null = null;
  private disagreement: string | null = null;
  private running: Running | null = null;
  private readonly wanted = new Wanted();
  private failures = 0;
  /** A sync failed, maybe in the middle of an exchange: that is ended before anything else is begun, as after a crash. */
  private mustRecover = false;
  private again: Cancel | null = null;
  private telling: Cancel | null = null;
  private readonly leftOut: LeftOutNotice;
  /** What the type leaves as it differs, as the last sync of the whole found it. */
  private left: string | null = null;
  /** With NO: the differences that were warned of. */
  private differing: string | null = null;
  private readonly schedule: Cancel;

  constructor(private readonly parts: MirrorParts) {
    const { config, tools } = parts;
    this.since = tools.clock.wall();
    this.leftOut = new LeftOutNotice(tools, config.name, 'the serving server\'s');
    this.schedule = config.when === 'schedule' && config.schedule !== null ? follow(config.schedule, tools.clock, () => this.hint(null)) : () => undefined;
    this.go();
  }

  get progress(): RepositoryProgress | null {
    const progress = this.session?.progress ?? null;
    if (progress === null) return null;
    const { phase, filesDone, filesTotal, bytesDone, bytesTotal, wireBytes, elapsedMs } = progress;
    return { phase, filesDone, filesTotal, bytesDone, bytesTotal, wireBytes, elapsedMs };
  }

  /** Whether it still is what the order says. */
  isFrom(from: ReceiveRepositories['from']): boolean {
    const own = this.parts.from;
    return own.run === from.run && own.endpoint.host === from.endpoint.host && own.endpoint.port === from.endpoint.port;
  }

  /** An operator does not wait for the next try: without a link it is dialled now. */
  ask(wish: NumberedWish): void {
    this.wanted.wishes.push(wish);
    if (this.session === null && !this.isDialling) {
      this.again?.();
      this.again = null;
    }
    this.go();
  }

  /** Something changed there; `null`: look at everything. */
  hint(folders: readonly string[] | null): void {
    this.wanted.change(folders);
    this.go();
  }

  stop(reason: string): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.schedule();
    this.again?.();
    this.telling?.();
    this.session?.cancel(reason);
    this.session?.close(reason);
    this.session = null;
    this.refuse(reason);
  }

  /** What waits for a link hears why there is none. */
  private refuse(reason: string): void {
    for (const wish of this.wanted.wishes.splice(0)) if (wish.id !== 0) this.parts.answer(wish, reason);
  }

  /** An operator may wait there for what was hinted at, or for any sync of the whole. */
  private tellSender(why: string): void {
    const { name } = this.parts.config;
    const purposes = this.wanted.wishes.flatMap(({ id, ask }) => (id === 0 && ask !== 'restore' ? [ask] : []));
    for (const purpose of new Set<SyncPurpose>(['sync', ...purposes])) this.session?.tell(failedReport(name, purpose, why));
  }

  /** Does the next thing, if nothing is under way. */
  private go(): void {
    if (this.isStopped || this.isDialling || this.running !== null) return;
    if (this.session === null) {
      if (this.again === null) this.dial();
      return;
    }
    if (!this.isReady) return;
    const isRested = this.again === null;
    if (this.mustRecover && this.wanted.hasNext(isRested)) return this.recover();
    const next = this.wanted.next(isRested);
    if (next === null) return;
    const { config, tools } = this.parts;
    const { wish } = next;
    const purpose = wish === null || wish.ask === 'restore' ? 'sync' : wish.ask;
    const checksum = wish !== null && wish.ask !== 'restore' && wish.checksum;
    // What is only compared is compared as a whole.
    const folders = config.syncType === 'NO' ? null : next.folders;
    const { include, exclude } = this.theirs ?? config;
    this.running = { wish, request: { repository: config.name, type: config.syncType, purpose, checksum, folders, reason: next.reason, ...(this.disagreement === null ? {} : { patterns: { include, exclude } }) } };
    if (wish === null && (this.condition === 'waiting' || this.condition === 'idle')) this.become('syncing', null);
    tools.log.write('debug', `Repository ${config.name}: ${purpose} begins (${next.reason})`, { repository: config.name });
    this.tell();
    this.session.sync(this.running.request);
  }

  private dial(): void {
    const { tools, shelf, config, from } = this.parts;
    this.isDialling = true;
    void (async () => {
      let stream: Stream | null = null;
      try {
        const store = await shelf.open(config);
        this.mustRecover = false;
        if (!this.isStopped) stream = await tools.network.dial(from.endpoint, DIAL_MS);
        this.isDialling = false;
        if (stream !== null) this.begin(stream, store);
      } catch (error) {
        this.isDialling = false;
        this.refuse(reasonOf(error));
        if (shelf.get(config.name) === null) this.fail(reasonOf(error));
        else this.lose(reasonOf(error));
      }
    })();
  }

  private begin(stream: Stream, store: RepositoryStore): void {
    const { tools, config, from } = this.parts;
    if (this.isStopped) return stream.destroy('nothing is received any more');
    if (tools.config.secretFile !== null && !stream.authenticated) {
      stream.destroy('it did not prove the shared secret');
      return this.lose('the sender did not prove the shared secret');
    }
    let isClosed = false;
    const session = tools.createReceiver({
      stream,
      hashing: tools.hashing,
      senderRun: from.run,
      identity: { cluster: tools.config.cluster, server: tools.config.server, run: tools.run },
      clock: tools.clock,
      log: tools.log,
      stores: new Map([[config.name, store]]),
      authority: this.parts.authority,
      hinted: (hint) => this.hinted(hint),
      told: (settings) => this.told(settings),
      ready: () => {
        this.isReady = true;
        this.wanted.join = true;
        this.go();
      },
      finished: (report) => this.finished(report),
      // Also at once, while it is made.
      closed: (reason) => {
        if (isClosed) return;
        isClosed = true;
        this.session = null;
        if (!this.isReady) this.refuse(reason);
        this.isReady = false;
        if (!this.isStopped) this.lose(reason);
      },
    });
    if (isClosed) session.close('it has ended already');
    else this.session = session;
  }

  /** The two profiles are compared once for each link, and a difference is said when it is new. */
  private told(settings: readonly RepositorySettings[]): void {
    const { tools, config } = this.parts;
    this.theirs = settings.find(({ name }) => name === config.name) ?? null;
    const before = this.disagreement;
    this.disagreement = this.theirs === null ? null : disagreement(config, this.theirs);
    if (this.disagreement !== null && this.disagreement !== before) tools.log.write('warn', `Repository ${config.name}: ${this.disagreement}`, { event: 'repository-profiles', repository: config.name });
  }

  private hinted(hint: SyncHint): void {
    if (hint.repository !== this.parts.config.name) return;
    if (hint.purpose === 'sync') return this.hint(hint.folders);
    this.wanted.wishes.push({ id: 0, repository: hint.repository, ask: hint.purpose, checksum: false });
    this.go();
  }

  private finished(report: SyncReport): void {
    const { tools, shelf, config } = this.parts;
    const { running, session } = this;
    this.running = null;
    this.telling?.();
    this.telling = null;
    if (report.purpose === 'sync' && report.outcome === 'failed') this.mustRecover = true;
    shelf.look(config.name);
    if (running?.wish != null && running.wish.id !== 0) this.parts.answer(running.wish, report);
    if (this.isStopped) return;
    this.leftOut.note(report, running?.request.folders === null);
    if (report.purpose === 'sync' && report.outcome !== 'failed') this.succeed(report, running?.request.folders ?? null);
    // A link that was lost says so right after; only what fails on a good link is the repository's failure.
    if (report.purpose === 'sync' && report.outcome === 'failed') {
      tools.clock.soon(() => {
        if (this.session === session && !this.isStopped) this.fail(report.detail ?? 'the sync failed');
      });
    }
    tools.clock.soon(() => this.go());
    this.parts.changed();
  }

  private succeed(report: SyncReport, folders: readonly string[] | null): void {
    const { tools, config } = this.parts;
    this.failures = 0;
    if (folders === null) this.wanted.hasJoined = true;
    if (folders === null) this.parts.shelf.learnt(config.name);
    if (folders === null) this.left = report.outcome === 'differs' ? differsText(report) : report.detail;
    const isEqualAgain = this.differ(report);
    const news = isEqualAgain || (report.outcome !== 'differs' && this.condition !== 'in-sync') || (report.outcome === 'changed' && folders === null);
    if (news) tools.log.write('info', `Repository ${config.name}: ${summaryLine(report)}`, { event: 'repository', repository: config.name, outcome: report.outcome, files: report.files, bytes: report.bytes, wireBytes: report.wireBytes, elapsedMs: report.elapsedMs, kept: report.kept });
    this.parts.synced(tools.clock.wall());
    this.become('in-sync', [this.disagreement, this.left, this.leftOut.text].filter((one) => one !== null).join('; ') || null);
  }

  /** NO: nothing is touched, and the operator is told when it is news. That goes well: the folder is what its type makes of it. True: what differed is equal now. */
  private differ(report: SyncReport): boolean {
    const { tools, config } = this.parts;
    const before = this.differing;
    this.differing = report.outcome === 'differs' ? JSON.stringify([report.differencesTotal, report.differences]) : null;
    if (report.outcome !== 'differs') return before !== null;
    if (this.differing !== before || this.condition === 'failed') tools.log.write('warn', `Repository ${config.name} ${differsText(report)}`, { event: 'repository-differs', repository: config.name, differences: report.differencesTotal });
    this.wait(COMPARE_AGAIN_MS);
    return false;
  }

  private fail(reason: string): void {
    this.become('failed', reason);
    this.later();
  }

  private lose(reason: string): void {
    if (this.isStopped) return;
    if (this.condition !== 'failed') this.become('waiting', reason);
    this.later();
  }

  private later(): void {
    const ms = Math.min(AGAIN_MS_MAX, AGAIN_MS_MIN * 2 ** Math.min(this.failures, 10));
    this.failures += 1;
    this.wait(ms);
  }

  private wait(ms: number): void {
    this.again?.();
    this.again = this.parts.tools.clock.after(ms, () => {
      this.again = null;
      this.wanted.join = true;
      this.go();
    });
    this.go();
  }

  private recover(): void {
    const { shelf, config } = this.parts;
    this.isDialling = true;
    shelf.open(config).then(
      () => {
        this.isDialling = false;
        this.mustRecover = false;
        this.go();
      },
      (error: unknown) => {
        this.isDialling = false;
        this.tellSender(reasonOf(error));
        this.refuse(reasonOf(error));
        if (!this.isStopped) this.fail(reasonOf(error));
      },
    );
  }

  private become(condition: RepositoryCondition, detail: string | null): void {
    const { tools, config } = this.parts;
    if (condition === this.condition && detail === this.detail) return;
    const isNews = condition === 'failed' && (this.condition !== 'failed' || detail !== this.detail);
    if (isNews) tools.log.write('warn', `Repository ${config.name} is not in sync: ${detail ?? 'no reason given'}`, { event: 'repository', repository: config.name, condition, detail });
    if (condition !== this.condition) this.since = tools.clock.wall();
    this.condition = condition;
    this.detail = detail;
    this.parts.changed();
  }

  /** Tells how a long sync goes. */
  private tell(): void {
    const { tools, config } = this.parts;
    this.telling = tools.clock.after(PROGRESS_MS, () => {
      const { progress } = this;
      if (progress !== null) tools.log.write('info', `Repository ${config.name}: ${progressLine(progress)}, ${sizeText(progress.wireBytes)} over the link`, { event: 'repository-progress', repository: config.name, ...progress });
      this.tell();
    });
  }
}

function differsText({ differences, differencesTotal }: SyncReport): string {
  return `differs from the serving server's in ${counted(differencesTotal, 'place')}, and its type NO leaves it so: ${namesOf(differences, differencesTotal)}`;
}
