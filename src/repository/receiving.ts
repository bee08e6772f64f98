import type { Term } from '../core/identity.js';
import { LockstepError } from '../core/errors.js';
import type { Digest, Entry, LeftOut, Manifest, Scope, SyncType } from '../core/repository/entry.js';
import { encodeRepositoryFrame, type FileResult, type RepositoryFrame } from '../core/repository/frames.js';
import { ManifestCheck } from '../core/repository/names.js';
import { planSync, type Plan } from '../core/repository/plan.js';
import type { Clock } from '../ports/clock.js';
import type { Hashing } from '../ports/hashing.js';
import type { Applier, CommitOutcome, KeptVersion, RepositoryStore, Slices } from '../ports/repository.js';
import { Checking } from './checking.js';
import { leftDiffering } from './differences.js';
import { damaged, Fetching } from './fetching.js';
import type { SyncDifference, SyncProgress, SyncRequest } from './session.js';
import { treeDigest, treeDigestIfKnown } from './tree-digest.js';

export type RoundOutcome =
  | { readonly kind: 'same' }
  | { readonly kind: 'differs'; readonly plan: Plan }
  /** `fresh`: folders that were made file by file, and whose contents are to be fetched in a round of their own. */
  | { readonly kind: 'changed'; readonly kept: KeptVersion | null; readonly fresh: readonly string[]; /** What an operator is to hear of it besides. */ readonly said: string | null }
  /** The sender's folder is not any more what its manifest says. */
  | { readonly kind: 'outdated'; readonly path: string };

export interface RoundParts {
  readonly sync: number;
  readonly request: SyncRequest;
  readonly scope: Scope | null;
  readonly store: RepositoryStore;
  readonly hashing: Hashing;
  readonly clock: Clock;
  readonly send: (bytes: Uint8Array) => void;
  /** We may still receive, and change the live folder. */
  readonly mayChange: () => boolean;
  /** Nothing more may be taken until this has ended. */
  readonly hold: (work: Promise<void>) => void;
  readonly ended: (outcome: RoundOutcome) => void;
  readonly failed: (error: unknown) => void;
}

type Phase = 'scanning' | 'listing' | 'checking' | 'fetching' | 'awaiting-end' | 'committing' | 'over';
type PlannedStep = Plan['steps'][number];

/**
 * One round of a sync on the receiver's side: from asking to the exchange. A machine that is given frames and turns; `step` does one small
 * piece of work. A manifest that turns out to be outdated ends the round, and what was staged serves the next.
 */
export class Receiving {
  readonly counts = { filesDone: 0, filesTotal: 0, bytesDone: 0, bytesTotal: 0 };
  leftOut: readonly LeftOut[] = [];
  /** What differs and stays so, because PARTIAL leaves it. */
  left: readonly SyncDifference[] = [];
  private phase: Phase = 'scanning';
  private scan: Slices<Manifest> | null;
  private own: Manifest = { entries: [], leftOut: [] };
  private ownTree: Digest | null = null;
  private sent: { readonly tree: Digest | null; readonly term: Term } | null = null;
  private readonly source: Entry[] = [];
  private readonly check: ManifestCheck;
  private plan: Plan | null = null;
  private checking: Checking | null = null;
  private fetching: Fetching | null = null;
  private applier: Applier | null = null;
  /** What is still to be found out before anything is fetched: whether there is room. */
  private fitting: Slices<true> | null = null;
  private cursor = 0;
  private outdated: string | null = null;

  constructor(private readonly parts: RoundParts) {
    const { sync, request, scope, store } = parts;
    this.check = new ManifestCheck(store.naming, scope);
    this.send({ kind: 'ask', sync, repository: request.repository, checksum: request.checksum, scope });
    this.scan = store.scan({ scope, mayBeAbsent: scope === null, checksum: request.checksum, ...(request.patterns === undefined ? {} : { patterns: request.patterns }) });
  }

  get progressPhase(): SyncProgress['phase'] {
    const phases = { scanning: 'scanning', listing: 'comparing', checking: 'comparing', fetching: 'copying', 'awaiting-end': 'verifying', committing: 'exchanging', over: 'exchanging' } as const;
    return phases[this.phase];
  }

  /** The live folder may be changing: nobody else may begin with the repository before this has ended. */
  get isCommitting(): boolean {
    return this.phase === 'committing';
  }

  /** One small piece of work. False: nothing can be done before a frame comes, or before what is held has ended. */
  step(): boolean {
    if (this.scan !== null) return this.scanOn(this.scan);
    if (this.phase === 'checking') return this.checkOn();
    if (this.fitting !== null) return this.fitOn(this.fitting);
    return this.phase === 'fetching' && this.fetchOn();
  }

  take(frame: RepositoryFrame): void {
    switch (frame.kind) {
      case 'tree':
        this.sent = { tree: frame.tree, term: frame.term };
        this.leftOut = frame.leftOut;
        return this.compareTrees();
      case 'entries':
        this.expect('listing');
        for (const entry of frame.entries) {
          this.check.check(entry);
          this.source.push(entry);
        }
        return;
      case 'manifest':
        this.expect('listing');
        if (frame.count !== this.source.length || frame.tree !== treeDigest(this.source, this.parts.hashing)) throw damaged('a manifest that is not the sender\'s');
        return this.begin();
      case 'files':
      case 'begin':
      case 'data':
      case 'copy':
      case 'finish':
        if (this.checking !== null) return this.checking.take(frame);
        if (this.fetching === null) throw damaged('a content came before it was asked for');
        return this.fetching.take(frame);
      case 'end':
        this.expect('awaiting-end');
        return this.conclude(frame.tree);
      default:
        throw damaged(`a frame ${frame.kind} in the middle of a sync`);
    }
  }

  /** Gives up; the live folder stays as it is. Not while it is committing: then `mayChange` is what stops it. */
  close(): void {
    this.scan?.close();
    this.checking?.close();
    this.fitting?.close();
    this.fitting = null;
    this.fetching?.close();
    if (this.phase !== 'over') this.giveUp();
    this.phase = 'over';
  }

  /** What was made ready goes. A disk that does not even let it go has failed the sync already, and fails nothing else. */
  private giveUp(): void {
    try {
      this.applier?.abandon();
    } catch {
      // The next sync of the whole clears what it finds.
    }
  }

  private scanOn(scan: Slices<Manifest>): boolean {
    const manifest = scan.step();
    if (manifest === null) return true;
    this.scan = null;
    this.own = manifest;
    this.ownTree = treeDigestIfKnown(manifest.entries, this.parts.hashing);
    this.compareTrees();
    return true;
  }

  private compareTrees(): void {
    if (this.scan !== null || this.sent === null || this.phase !== 'scanning') return;
    if (this.sent.tree !== null && this.sent.tree === this.ownTree && this.own.isAbsent !== true) return this.over({ kind: 'same' });
    this.phase = 'listing';
    this.send({ kind: 'list', sync: this.parts.sync });
  }

  private begin(): void {
    // What an operator asks about is compared as a whole, whatever a sync would make of it.
    this.plan = this.planAs(this.parts.request.purpose === 'sync' ? this.parts.request.type : 'FULL', this.own.entries);
    this.phase = 'checking';
    const compared = this.plan.steps.filter((step): step is Extract<PlannedStep, { do: 'compare' }> => step.do === 'compare');
    const { sync, store, hashing } = this.parts;
    this.checking = new Checking({ sync, store, hashing, send: this.parts.send, vanished: (entry) => (this.outdated ??= entry.path) }, compared);
  }

  private checkOn(): boolean {
    const { checking } = this;
    if (checking === null) return false;
    if (checking.step()) return true;
    if (!checking.ended) return false;
    this.checking = null;
    if (this.outdated !== null) this.over({ kind: 'outdated', path: this.outdated });
    else this.apply(checking);
    return true;
  }

  private apply(checked: Checking): void {
    for (const result of checked.theirs.values()) this.note(result);
    const own = this.own.entries.map((entry) => (entry.digest === null && checked.ours.has(entry.path) ? { ...entry, digest: checked.ours.get(entry.path) ?? null } : entry));
    const { request, store, sync, hashing, send, hold } = this.parts;
    const plan = this.planAs(request.purpose === 'verify' ? 'FULL' : request.type, own);
    this.plan = plan;
    if (request.type === 'PARTIAL' && request.purpose !== 'verify') this.left = leftDiffering(this.planAs('FULL', own), plan);
    const isCompared = request.purpose !== 'sync' || request.type === 'NO';
    if (plan.changes === 0 && (isCompared || this.own.isAbsent !== true)) return this.over({ kind: 'same' });
    if (isCompared) return this.over({ kind: 'differs', plan });
    const fetched = plan.steps.filter((step) => step.do === 'fetch' || step.do === 'compare');
    this.counts.filesTotal = fetched.length;
    this.counts.bytesTotal = fetched.reduce((sum, step) => sum + step.entry.size, 0);
    const applier = store.apply(this.parts.scope === null ? 'staged' : 'live', { term: this.sent?.term ?? (0 as Term), mayChange: this.parts.mayChange, reason: request.reason, at: this.parts.clock.wall(), type: request.type });
    this.applier = applier;
    this.fitting = applier.roomFor({ fetched: fetched.map(({ entry }) => entry), kept: entriesOf(plan, 'keep'), touched: entriesOf(plan, 'touch') });
    for (const entry of plan.clear) applier.remove(entry);
    this.fetching = new Fetching({
      sync,
      applier,
      hashing,
      send,
      hold,
      fetched: (index, entry) => {
        this.source[index] = entry;
        this.counts.filesDone += 1;
      },
      received: (bytes) => (this.counts.bytesDone += bytes),
      vanished: (entry) => (this.outdated ??= entry.path),
    });
    this.phase = 'fetching';
  }

  private planAs(type: SyncType, own: readonly Entry[]): Plan {
    return planSync(this.source, own, type, this.own.foreign);
  }

  /** The sender's manifest follows what it read. */
  private note({ index, size, mtimeUs, mode, digest }: FileResult): void {
    const entry = this.source[index];
    if (entry !== undefined) this.source[index] = { ...entry, size, mtimeUs, mode, digest };
  }

  private fitOn(fitting: Slices<true>): boolean {
    if (fitting.step() === true) this.fitting = null;
    return true;
  }

  private fetchOn(): boolean {
    const { fetching, plan } = this;
    if (fetching === null || plan === null) return false;
    if (fetching.step()) return true;
    const step = fetching.hasRoom ? plan.steps[this.cursor] : undefined;
    if (step !== undefined) {
      this.cursor += 1;
      this.run(step, fetching);
      return true;
    }
    fetching.flush();
    if (this.cursor < plan.steps.length || !fetching.idle) return false;
    if (fetching.unfinished !== null) this.parts.hold(fetching.unfinished);
    else if (this.outdated !== null) this.over({ kind: 'outdated', path: this.outdated });
    else {
      this.phase = 'awaiting-end';
      this.send({ kind: 'wantsEnd', sync: this.parts.sync });
    }
    return false;
  }

  private run(step: PlannedStep, fetching: Fetching): void {
    const { applier } = this;
    if (applier === null) return;
    switch (step.do) {
      case 'folder':
        return applier.folder(step.entry);
      case 'link':
        return applier.link(step.entry);
      case 'keep':
      case 'touch':
        if (!(step.do === 'keep' ? applier.keep(step.entry) : applier.touch(step.entry))) this.outdated ??= step.entry.path; // Changed under our hands: looked at anew.
        return;
      case 'compare':
      case 'fetch':
        return fetching.fetch(step.entry, step.index);
    }
  }

  private conclude(tree: Digest): void {
    if (tree !== treeDigest(this.source, this.parts.hashing)) throw damaged('the trees do not agree in the end');
    const { applier, plan } = this;
    if (applier === null || plan === null) return;
    const fold = (path: string): string => path.normalize('NFC').toLowerCase();
    const standing = this.parts.store.naming.caseless ? new Set(this.source.map(({ path }) => fold(path))) : null;
    // Where two cases are one name, the new one stands in the place of the old one by then.
    for (const entry of plan.remove) if (standing?.has(fold(entry.path)) !== true) applier.remove(entry);
    this.phase = 'committing';
    const fresh = this.parts.scope === null ? [] : plan.steps.flatMap((step) => (step.do === 'folder' && step.fresh && !this.isCovered(step.entry.path) ? [step.entry.path] : []));
    // In a function of its own: what it throws before its first wait fails the sync, too.
    const committing = async (): Promise<CommitOutcome> => applier.commit();
    committing().then(
      (outcome) => {
        if (outcome.kind === 'done') return this.over({ kind: 'changed', kept: outcome.kept, fresh, said: outcome.said ?? null });
        this.phase = 'over';
        this.giveUp();
        this.parts.failed(new LockstepError('LOCKSTEP_REPOSITORY_NOT_ALLOWED', 'this server does not receive any more', 'Nothing needs to be done: the server that serves has the repository that counts.'));
      },
      (error: unknown) => {
        this.phase = 'over';
        this.giveUp();
        this.parts.failed(error);
      },
    );
  }

  /** What it holds is in this round's manifest. */
  private isCovered(path: string): boolean {
    const { scope } = this.parts;
    return (scope?.folders.includes(path) ?? false) || this.isDeep(path);
  }

  private isDeep(path: string): boolean {
    return this.parts.scope?.deep.some((deep) => deep === '' || path === deep || path.startsWith(`${deep}/`)) ?? false;
  }

  private over(outcome: RoundOutcome): void {
    this.phase = 'over';
    if (outcome.kind !== 'changed') this.giveUp();
    this.parts.ended(outcome);
  }

  private expect(phase: Phase): void {
    if (this.phase !== phase) throw damaged(`a frame of another phase came while ${this.phase}`);
  }

  private send(frame: RepositoryFrame): void {
    this.parts.send(encodeRepositoryFrame(frame));
  }
}

function entriesOf({ steps }: Plan, what: PlannedStep['do']): Entry[] {
  return steps.flatMap((step) => (step.do === what ? [step.entry] : []));
}
