import type { RepositoryFrame } from '../core/repository/frames.js';
import { SyncReason, type Scope } from '../core/repository/entry.js';
import { assert, LockstepError } from '../core/errors.js';
import { clip } from '../core/wire/fields.js';
import type { KeptVersion } from '../ports/repository.js';
import { differencesOf, leftText } from './differences.js';
import { damaged } from './fetching.js';
import { KeptLines } from './kept-lines.js';
import { RepositoryLink } from './link.js';
import { reasonOf } from './messages.js';
import { Receiving, type RoundOutcome } from './receiving.js';
import { DIFFERENCES_MAX, NAMED_MAX, readHint, readSettings } from './report.js';
import type { ReceiverParts, ReceiverSession, SyncProgress, SyncReport, SyncRequest } from './session.js';

/** A manifest that is outdated before its end is asked for anew so many times. */
export const ROUNDS_MAX = 3;
/** Folders below folders, made while they were looked at. */
const DEEPER_MAX = 100;
/** Folders named in one question; of more, everything is looked at. */
const DEEP_MAX = 64;
const DETAIL_CHARS = 4000;

interface Running {
  readonly request: SyncRequest;
  readonly begunAt: number;
  readonly wireBefore: number;
  readonly rounds: { outdated: number; deeper: number };
  readonly totals: { files: number; bytes: number; kept: KeptVersion | null; changed: boolean; readonly leftOut: Set<string> };
  round: Receiving;
}

/** The receiver's end of one repository link. */
export function createReceiver(parts: ReceiverParts): ReceiverSession {
  return new Receiver(parts);
}

class Receiver implements ReceiverSession {
  private readonly link: RepositoryLink;
  private isWelcome = false;
  private running: Running | null = null;
  private syncs = 0;
  private readonly keptLines: KeptLines;
  /** The sync whose file is coming. */
  private contentOf = 0;
  /** Why the sync under way must not change anything any more; it is committing, and ends by itself. */
  private withdrawn: string | null = null;
  private isClosed = false;

  constructor(private readonly parts: ReceiverParts) {
    this.link = new RepositoryLink({
      stream: parts.stream,
      clock: parts.clock,
      take: (frame) => this.take(frame),
      work: () => this.running?.round.step() ?? false,
      failed: (error) => this.failed(error),
      closed: (reason) => this.closed(reason),
    });
    this.keptLines = new KeptLines(parts.clock, parts.log);
    const { identity } = parts;
    const authority = parts.authority();
    if (authority === null) this.link.close('this server does not receive');
    else this.link.say({ kind: 'hello', cluster: identity.cluster, server: identity.server, run: identity.run, senderRun: parts.senderRun, term: authority.term });
  }

  get progress(): (SyncProgress & { readonly repository: string }) | null {
    const { running } = this;
    if (running === null) return null;
    const { round, request } = running;
    return { repository: request.repository, phase: round.progressPhase, ...round.counts, wireBytes: this.wire - running.wireBefore, elapsedMs: Math.round(this.parts.clock.monotonic() - running.begunAt) };
  }

  sync(request: SyncRequest): void {
    assert(this.isWelcome && this.running === null, 'one sync at a time, on a link that is welcome');
    const rounds = { outdated: 0, deeper: 0 };
    const totals = { files: 0, bytes: 0, kept: null, changed: false, leftOut: new Set<string>() };
    const scope: Scope | null = request.folders === null ? null : { folders: request.folders, deep: [] };
    const running = { request, begunAt: this.parts.clock.monotonic(), wireBefore: this.wire, rounds, totals };
    this.running = { ...running, round: this.round(request, scope) };
    this.link.turn();
  }

  tell(report: SyncReport): void {
    if (this.isWelcome) this.link.say({ kind: 'report', json: JSON.stringify(fitting({ ...report, detail: report.detail === null ? null : clip(report.detail, DETAIL_CHARS) })) });
  }

  cancel(reason: string): void {
    const { running } = this;
    if (running === null) return;
    if (running.round.isCommitting) {
      this.withdrawn = reason;
      return;
    }
    running.round.close();
    this.link.say({ kind: 'drop', sync: this.syncs });
    this.finish(running, 'failed', reason);
  }

  close(reason: string): void {
    this.link.close(reason);
  }

  private get wire(): number {
    return this.link.wire.in + this.link.wire.out;
  }

  private round(request: SyncRequest, scope: Scope | null): Receiving {
    const store = this.parts.stores.get(request.repository);
    assert(store !== undefined, `no repository ${request.repository}`);
    this.syncs += 1;
    const sync = this.syncs;
    return new Receiving({
      sync,
      request: request.purpose === 'verify' ? { ...request, checksum: true } : request,
      scope,
      store,
      hashing: this.parts.hashing,
      clock: this.parts.clock,
      send: this.link.send,
      mayChange: () => this.mayReceive() && this.withdrawn === null,
      hold: (work) => this.link.hold(work.catch((error: unknown) => this.roundFailed(sync, error))),
      ended: (outcome) => this.roundEnded(sync, outcome),
      failed: (error) => this.roundFailed(sync, error),
    });
  }

  /** One trouble of the disk can fail several writes of a sync: what comes behind the first is no trouble of the link. */
  private roundFailed(sync: number, error: unknown): void {
    if (this.running !== null && this.syncs === sync) this.failed(error);
  }

  /** The present order still names the sender of this link. */
  private mayReceive(): boolean {
    const authority = this.parts.authority();
    return authority !== null && authority.from.run === this.parts.senderRun;
  }

  private take(frame: RepositoryFrame): void {
    if (frame.kind === 'ping') return;
    if (frame.kind === 'refused') return this.link.close(`the sender refused: ${frame.reason}`);
    this.checkTerm(frame);
    if (!this.isWelcome) return this.welcome(frame);
    if (frame.kind === 'hint') return this.parts.hinted(readHint(frame.json));
    const { running } = this;
    // What belongs to a sync that was dropped is not listened to any more: data is that of the file that began before it.
    if (frame.kind === 'begin') this.contentOf = frame.sync;
    const sync = frame.kind === 'data' || frame.kind === 'copy' ? this.contentOf : 'sync' in frame ? frame.sync : 0;
    if (running === null || sync !== this.syncs) return;
    if (frame.kind === 'failed') throw new LockstepError('LOCKSTEP_REPOSITORY_SENDER', `the serving server cannot read its repository: ${frame.reason.replace(/\.$/, '')}`, 'See that server; the sync is tried again by itself.');
    running.round.take(frame);
  }

  private welcome(frame: RepositoryFrame): void {
    if (frame.kind === 'settings') return this.parts.told(readSettings(frame.json));
    if (frame.kind !== 'welcome') throw damaged(`a frame ${frame.kind} before the welcome`);
    if (frame.run !== this.parts.senderRun) return this.link.close('another run answers than the one that serves', 'this is not the run that was dialled');
    this.isWelcome = true;
    this.parts.ready();
  }

  /** A deposed server's frames end the link. */
  private checkTerm(frame: RepositoryFrame): void {
    if (!('term' in frame)) return;
    const authority = this.parts.authority();
    if (authority !== null && authority.from.run === this.parts.senderRun && frame.term >= authority.term && frame.term > authority.fencedThrough) return;
    throw new LockstepError('LOCKSTEP_REPOSITORY_DEPOSED', `the sender speaks in term ${frame.term}, which this server does not receive in any more`, 'Nothing needs to be done: the server that serves has the repository that counts.');
  }

  private roundEnded(sync: number, outcome: RoundOutcome): void {
    const { running } = this;
    if (running === null || sync !== this.syncs) return;
    if (this.withdrawn !== null && outcome.kind !== 'changed') return this.cancel(this.withdrawn);
    const { totals, rounds, round } = running;
    totals.files += round.counts.filesDone;
    totals.bytes += round.counts.bytesDone;
    if (outcome.kind === 'outdated') {
      rounds.outdated += 1;
      if (rounds.outdated < ROUNDS_MAX && !this.isClosed) return this.again(running, running.request.folders === null ? null : { folders: running.request.folders, deep: [] });
      return this.failed(new LockstepError('LOCKSTEP_REPOSITORY_UNSTABLE', `${JSON.stringify(outcome.path)} was changed while it was synced, ${ROUNDS_MAX} times`, 'Exclude it, or let it rest; the sync is tried again by itself.'));
    }
    for (const { path, what } of round.leftOut) totals.leftOut.add(`${path}: ${what}`);
    if (outcome.kind === 'changed') {
      totals.changed = true;
      const { repository } = running.request;
      if (outcome.said !== null) this.parts.log.write('warn', `Repository ${repository}: ${outcome.said}`, { event: 'repository-recovered', repository });
      totals.kept = outcome.kept ?? totals.kept;
      rounds.deeper += 1;
      // Their contents do not come any more.
      if (outcome.fresh.length > 0 && this.withdrawn !== null) return this.finish(running, 'failed', this.withdrawn);
      if (outcome.fresh.length > 0 && !this.isClosed && rounds.deeper < DEEPER_MAX) return this.again(running, { folders: [], deep: outcome.fresh.length > DEEP_MAX ? [''] : outcome.fresh });
    }
    this.link.say({ kind: 'drop', sync });
    // Of single folders it would be a part.
    const left = running.request.folders === null ? leftText(round.left) : null;
    if (outcome.kind === 'differs') this.finish(running, 'differs', left, outcome);
    else this.finish(running, totals.changed ? 'changed' : 'same', left);
  }

  private again(running: Running, scope: Scope | null): void {
    running.round.close();
    this.link.say({ kind: 'drop', sync: this.syncs });
    running.round = this.round(running.request, scope);
    this.link.turn();
  }

  private finish(running: Running, outcome: SyncReport['outcome'], detail: string | null, differs: Extract<RoundOutcome, { kind: 'differs' }> | null = null): void {
    this.running = null;
    const { request, totals } = running;
    const differences = differs === null ? [] : differencesOf(differs.plan);
    const report: SyncReport = {
      repository: request.repository,
      purpose: request.purpose,
      outcome,
      detail: detail === null ? null : clip(detail, DETAIL_CHARS),
      files: totals.files,
      bytes: totals.bytes,
      wireBytes: this.wire - running.wireBefore,
      elapsedMs: Math.round(this.parts.clock.monotonic() - running.begunAt),
      kept: totals.kept?.name ?? null,
      differences: differences.slice(0, DIFFERENCES_MAX),
      differencesTotal: differences.length,
      leftOut: [...totals.leftOut].slice(0, NAMED_MAX),
    };
    if (totals.kept !== null) this.keptLines.say(request.repository, totals.kept, request.reason === SyncReason.change);
    this.link.say({ kind: 'report', json: JSON.stringify(fitting(report)) });
    this.parts.finished(report);
    const why = this.withdrawn;
    this.withdrawn = null;
    if (this.isClosed) this.parts.closed(why ?? 'closed');
  }

  /** A sync that fails leaves the link as it is, unless the link itself is the trouble. */
  private failed(error: unknown): void {
    const { running } = this;
    const isOfLink = running === null || (error instanceof LockstepError && LINK_CODES.includes(error.code));
    if (running !== null) this.cancel(this.withdrawn ?? reasonOf(error));
    if (running !== null && isFull(error)) this.giveRoomBack(running.request.repository);
    if (isOfLink) this.link.breakOff(error);
  }

  /** A disk that is full harms more than this repository: what a sync could not end is not left on it for the next. */
  private giveRoomBack(repository: string): void {
    const { stores, log } = this.parts;
    stores.get(repository)?.discard().catch((error: unknown) => log.write('warn', `Repository ${repository}: what an interrupted sync had written cannot be removed: ${reasonOf(error)}`, { repository }));
  }

  private closed(reason: string): void {
    this.isClosed = true;
    this.keptLines.close();
    if (this.running === null) this.parts.closed(reason);
    else {
      this.withdrawn ??= `the repository link was lost: ${reason}`;
      if (!this.running.round.isCommitting) this.cancel(this.withdrawn); // Otherwise `closed` follows the end of the commit.
    }
  }
}

function isFull(error: unknown): boolean {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

const LINK_CODES: readonly string[] = ['LOCKSTEP_REPOSITORY_DEPOSED', 'LOCKSTEP_REPOSITORY_DAMAGED', 'LOCKSTEP_BYTES_MALFORMED', 'LOCKSTEP_MESSAGE_MALFORMED', 'LOCKSTEP_FRAME_VERSION', 'LOCKSTEP_FRAME_TOO_LARGE'];

/** What the other side reads is cut to a frame: long paths count. */
function fitting(report: SyncReport): SyncReport {
  let chars = 0;
  const fits = (text: string): boolean => (chars += text.length * 2 + 40) < 200_000;
  return { ...report, differences: report.differences.filter(({ path }) => fits(path)), leftOut: report.leftOut.filter(fits) };
}
