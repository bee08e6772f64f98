import { basename, dirname, join } from 'node:path';
import { LockstepError } from '../../core/errors.js';
import { parentOf } from '../../core/repository/entry.js';
import { shown, type Naming } from '../../core/repository/names.js';
import type { Hashing } from '../../ports/hashing.js';
import type { Applier, Commit, ContentFile, KeptVersion, RepositoryStore, ScanOptions, Slices } from '../../ports/repository.js';
import { makeFolders, missingFolders } from '../folders.js';
import { Burst } from './burst.js';
import { settleChanging } from './changing.js';
import { openContent } from './content.js';
import { DigestRecord } from './digest-record.js';
import { canExchange, loadExchange, type Exchange } from './exchange.js';
import { NODE_FILES, type FileSystem } from './file-system.js';
import { watchedFiles, type HangParts } from './hanging.js';
import { FolderHolder } from './held-folder.js';
import { putOutOfTheWay, removeGone } from './gone.js';
import { listKept } from './kept.js';
import { LiveApplier, removeReady } from './live.js';
import { createLook, lookBy, type Look } from './looking.js';
import { createSelection, type Selection } from './patterns.js';
import { Places } from './places.js';
import { restoreVersion } from './restoring.js';
import { FolderScan, type Scanned } from './scan.js';
import { refuseLink, refuseMounts } from './mounts.js';
import { setAsideStage, StagedApplier } from './staged.js';
import { recoverSwitch } from './switching.js';
import { FILLING_MODE, type InTurn } from './writing.js';

export interface StoreOptions {
  /** For messages. */
  readonly name: string;
  /** Absolute path of the folder. A link to a folder is followed once, here. */
  readonly path: string;
  /** File for the recorded digests, on this server's own disk. */
  readonly recordFile: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Kept versions to hold; 0: what is replaced is gone. */
  readonly keep: number;
  readonly hashing: Hashing;
  /** `undefined`: what this system has; `null`: two renames even if it has more. */
  readonly exchange?: Exchange | null;
  /** `undefined`: this machine's. */
  readonly fs?: FileSystem;
  /** Who hears of calls that hang; `undefined`: nobody. */
  readonly hanging?: HangParts;
}

/** One repository on this machine's file system. */
export class NodeRepository implements RepositoryStore {
  readonly exchange: 'atomic' | 'two-renames';
  readonly naming: Naming;
  private readonly record: DigestRecord;
  private readonly selection: Selection;
  private readonly look: Look;
  private readonly burst = new Burst();
  /** Ends with what was last begun of all that changes the folder, or what stands beside it. */
  private changing: Promise<unknown> = Promise.resolve();
  /** Of the last look at the whole folder. */
  private lastWhole: Pick<Scanned, 'foreign' | 'isAbsent'> = { foreign: [], isAbsent: false };
  /** Of the last look at any of it. */
  private selected: Selection;

  private constructor(
    private readonly options: StoreOptions,
    private readonly places: Places,
    private readonly exchange_: Exchange | null,
  ) {
    this.exchange = exchange_ === null ? 'two-renames' : 'atomic';
    this.record = DigestRecord.load(places.fs, options.recordFile);
    this.look = options.fs === undefined ? createLook(places.fs) : lookBy(places.fs);
    this.selection = createSelection(options.include, options.exclude);
    this.selected = this.selection;
    this.naming = { windows: process.platform === 'win32', caseless: isCaseless(places.fs, places.beside) };
  }

  /**
   * Looks at the folder, and makes the one beside it, with those above it that are missing. The folder itself comes with the first exchange.
   * @throws LockstepError LOCKSTEP_REPOSITORY_FOLDER when that cannot be, LOCKSTEP_REPOSITORY_PATTERN
   */
  static open(options: StoreOptions): NodeRepository {
    const files = options.fs ?? NODE_FILES;
    const fs = options.hanging === undefined ? files : watchedFiles(files, options.hanging);
    try {
      makeParent(fs, dirname(options.path));
      const live = fs.existsSync(options.path) ? fs.realpathSync(options.path) : join(fs.realpathSync(dirname(options.path)), basename(options.path));
      const places = new Places(fs, live, options.recordFile);
      if (!fs.existsSync(places.beside)) fs.mkdirSync(places.beside, { mode: FILLING_MODE });
      if (!fs.lstatSync(places.beside).isDirectory()) throw new Error(`${places.beside} is no folder`);
      const there = fs.lstatSync(live, { throwIfNoEntry: false });
      if (there !== undefined && !there.isDirectory()) throw new Error(`${live} is no folder`);
      if (there !== undefined && there.dev !== fs.lstatSync(places.beside).dev) throw new Error(`${live} is a mount point, and cannot be exchanged with the folder that is built beside it`);
      const exchange = options.exchange === undefined ? loadExchange() : options.exchange;
      return new NodeRepository(options, places, canExchange(fs, exchange, places.beside) ? exchange : null);
    } catch (error) {
      if (error instanceof LockstepError) throw error;
      throw new LockstepError(
        'LOCKSTEP_REPOSITORY_FOLDER',
        `the repository ${options.name} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
        'Its folder must lie in one that this server may write to, on the same file system; name a folder in a mount, not the mount itself.',
        { cause: error },
      );
    }
  }

  recover(): Promise<readonly string[]> {
    return this.inTurn(() => this.recoverNow());
  }

  private async recoverNow(): Promise<readonly string[]> {
    const { places } = this;
    const said = await recoverSwitch({ places, exchange: this.exchange_, keep: this.options.keep, selection: this.selected });
    if (!places.fs.existsSync(places.switchRecord)) setAsideStage(places);
    await removeGone(places, this.record);
    await removeReady(places);
    if (await settleChanging(places)) said.push('changes of single files that were interrupted were made durable');
    return said;
  }

  scan(options: ScanOptions): Slices<Scanned> {
    const { places, record, options: { hashing } } = this;
    let scan: FolderScan | null = null;
    return {
      step: () => {
        // Not before: patterns of the other server may be refused here.
        if (scan === null) {
          if (options.mayBeAbsent === true) refuseLink(places);
          refuseMounts(places);
          this.selected = options.patterns === undefined ? this.selection : createSelection(options.patterns.include, options.patterns.exclude);
          scan = new FolderScan({ fs: places.fs, look: this.look, root: places.live, record, selection: this.selected, hashing }, options);
        }
        const result = scan.step();
        if (result !== null && options.scope === null) this.lastWhole = result;
        return result;
      },
      close: () => scan?.close(),
    };
  }

  open(path: string): ContentFile {
    const { fs, live } = this.places;
    const holder = new FolderHolder(fs, live);
    try {
      return holder.naming(() => openContent({ fs, root: live, record: this.record }, path, join(holder.reach(parentOf(path)), basename(path))));
    } finally {
      holder.release();
    }
  }

  apply(mode: 'staged' | 'live', commit: Commit): Applier {
    const { places, record, lastWhole: { foreign, isAbsent: wasAbsent }, exchange_: exchange } = this;
    const { keep, hashing } = this.options;
    if (mode === 'live') return this.applyLive(commit, null, this.inTurn);
    refuseLink(places);
    return new StagedApplier({ places, inTurn: this.inTurn, record, hashing, foreign, wasAbsent, exchange, keep, selection: this.selected }, commit);
  }

  private applyLive(commit: Commit, source: string | null, inTurn: InTurn): LiveApplier {
    refuseLink(this.places);
    const { places, record, selected: selection, burst, options: { keep } } = this;
    return new LiveApplier({ places, inTurn, record, keep, selection, burst, source }, commit);
  }

  discard(): Promise<void> {
    return this.inTurn(() => this.discardNow());
  }

  private async discardNow(): Promise<void> {
    const { places } = this;
    const { fs } = places;
    if (fs.existsSync(places.switchRecord)) return;
    // So that the next sync does not meet it.
    for (const place of [places.stage, places.left, places.parts]) putOutOfTheWay(fs, place);
    await removeGone(places, this.record);
  }

  kept(): KeptVersion[] {
    return listKept(this.places);
  }

  restore(name: string, paths: readonly string[] | null, commit: Commit): Promise<number> {
    return this.inTurn(() => this.restoreNow(name, paths, commit));
  }

  /**
   * One after the other, in the order in which they were asked for: an order that changes, or a link that is lost, leaves a commit to its end, while the next role ends
   * what was interrupted; and two restores of one path would write to one part.
   */
  private readonly inTurn: InTurn = (work) => {
    const now = this.changing.then(work);
    this.changing = now.catch(() => undefined);
    return now;
  };

  private async restoreNow(name: string, paths: readonly string[] | null, commit: Commit): Promise<number> {
    const version = this.kept().find((one) => one.name === name);
    if (version === undefined) throw new LockstepError('LOCKSTEP_REPOSITORY_KEPT', `there is no kept version ${shown(name)} of ${this.options.name}`, 'See "lockstep repo status" for those that there are.');
    return await restoreVersion(this.places, version, paths, this.applyLive(commit, version.name, (work) => work()), this.options.hashing, commit.mayChange);
  }

  save(restedMs?: number): void {
    this.record.save(restedMs);
  }
}

/** Durably, since a sync makes durable only what lies in it. */
function makeParent(fs: FileSystem, parent: string): void {
  const missing = missingFolders(parent, fs);
  if (missing.length === 0) return;
  makeFolders(parent, { fs });
  if (process.platform === 'win32') return;
  for (const folder of missing) {
    const fd = fs.openSync(dirname(folder), 'r');
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }
}

/** Asks the file system: names that differ in case are one there, or not. */
function isCaseless(fs: FileSystem, folder: string): boolean {
  const probe = join(folder, 'Case-Probe');
  fs.writeFileSync(probe, '');
  try {
    return fs.existsSync(join(folder, 'cASE-pROBE'));
  } finally {
    fs.rmSync(probe, { force: true });
  }
}
