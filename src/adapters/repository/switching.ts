import { dirname, join } from 'node:path';
import { decodeJson, Fields } from '../../core/wire/fields.js';
import type { Commit, KeptVersion } from '../../ports/repository.js';
import { replaceDurably, syncFolders } from './durable.js';
import type { Exchange } from './exchange.js';
import { codeOf, unlessAbsent } from './file-errors.js';
import { putOutOfTheWay, removeAllowed, removeGone } from './gone.js';
import { describeVersion, FOUND, freshName, NAMED_PATHS_MAX, retain } from './kept.js';
import { refuseLink } from './mounts.js';
import { NOTHING, type Selection } from './patterns.js';
import type { Places } from './places.js';
import { prune } from './pruning.js';
import { FILLING_MODE } from './writing.js';

/*
 * The exchange of the live folder and the stage, and what must happen after it. `switch.json` is written durably before, and removed after everything;
 * the identities in it tell at any time whether the exchange took place:
 *
 *   live is the old one  →  it did not: the stage is left for the next sync
 *   live is the new one  →  it did: the old tree becomes a kept version
 *   live is absent       →  between two renames: the stage, whole and durable, takes its place; where it was absent before, it did not take place
 *   live is neither      →  somebody put another there: the old tree, wherever it is, is kept and never removed
 */

interface SwitchRecord {
  readonly term: number;
  readonly reason: string;
  readonly at: number;
  /** Of PARTIAL: what the old tree has and the new one has not, or older, is this server's own and goes back. */
  readonly partial: boolean;
  /** Inode numbers, as text: they can be longer than a number of JavaScript. Empty: there was none, and the stage becomes the first. */
  readonly liveInode: string;
  readonly stageInode: string;
}

export interface SwitchParts {
  readonly places: Places;
  /** `null`: two renames. */
  readonly exchange: Exchange | null;
  /** Kept versions to hold. */
  readonly keep: number;
  /** What belongs to the repository. */
  readonly selection: Selection;
}

/** What became of what stood in the place of the new tree. */
export interface Replaced {
  readonly kept: KeptVersion | null;
  /** Name of the kept version that holds what was no tree of ours; `null`: there was nothing of the kind. */
  readonly found: string | null;
}

/**
 * The stage is whole and durable. Resolves to `null` when `mayChange` said no, and nothing was changed.
 * @param isFirst there was no folder when the stage was planned: it takes the place of none, or of one that holds nothing
 */
export async function switchTrees(parts: SwitchParts, commit: Commit, isFirst: boolean): Promise<Replaced | null> {
  const { places, exchange } = parts;
  const { fs } = places;
  refuseLink(places);
  const record: SwitchRecord = { term: commit.term, reason: commit.reason, at: commit.at, partial: commit.type === 'PARTIAL', liveInode: isFirst ? '' : (inodeOf(places, places.live) ?? ''), stageInode: inodeOf(places, places.stage) ?? '' };
  await replaceDurably(fs, places.switchRecord, places.beside, JSON.stringify(record));
  if (!commit.mayChange()) {
    fs.unlinkSync(places.switchRecord);
    return null;
  }
  refuseLink(places); // It may have come meanwhile.
  if (record.liveInode === '') fs.renameSync(places.stage, places.live);
  else if (exchange === null) {
    fs.renameSync(places.live, places.old);
    fs.renameSync(places.stage, places.live);
  } else exchange(places.stage, places.live);
  await syncFolders(fs, [dirname(places.live), places.beside]);
  return finish(parts, record, false);
}

/** After the exchange: what was replaced becomes a kept version. Whatever of it is done already is not done again. */
async function finish({ places, keep, selection }: SwitchParts, record: SwitchRecord, isLate: boolean): Promise<Replaced> {
  const { fs } = places;
  if (inodeOf(places, places.stage) === record.liveInode || isNoFolder(places, places.stage)) fs.renameSync(places.stage, places.old);
  const kept = isFolder(places, places.old) ? await keepOld(places, record, { keep, selection, isLate }) : null;
  const found = kept === null ? await keepFound(places, record) : null;
  // What interrupted syncs had left for this one; gone before the record is, so that nothing of it stays for ever.
  for (const left of [places.left, places.parts]) await removeAllowed(fs, left);
  await removeGone(places, null); // What is taken over is recorded anew right after this.
  fs.rmSync(places.switchRecord, { force: true });
  await syncFolders(fs, [places.beside]);
  return { kept, found };
}

async function keepOld(places: Places, record: SwitchRecord, how: { readonly keep: number; readonly selection: Selection; readonly isLate: boolean }): Promise<KeptVersion | null> {
  const { fs } = places;
  const { keep, selection, isLate } = how;
  const { files, bytes, paths } = await prune(fs, places.old, places.live, NAMED_PATHS_MAX, record.partial ? NOTHING : selection, record.partial && isLate);
  const isEmpty = files === 0 && fs.readdirSync(places.old).length === 0;
  if (isEmpty || keep === 0) {
    if (isEmpty) fs.rmdirSync(places.old);
    else putOutOfTheWay(fs, places.old);
    await retain(places, keep);
    return null;
  }
  fs.mkdirSync(places.kept, { recursive: true, mode: FILLING_MODE });
  const name = freshName(places, record.at);
  const version: KeptVersion = { name, at: record.at, term: record.term, reason: record.reason, files, bytes, paths };
  await describeVersion(places, version);
  fs.renameSync(places.old, join(places.kept, name));
  await syncFolders(fs, [places.kept]);
  await retain(places, keep, name);
  return version;
}

/** Ends what a crash interrupted. Says what it did. */
export async function recoverSwitch(parts: SwitchParts): Promise<string[]> {
  const { places } = parts;
  const { fs } = places;
  const record = readRecord(places);
  const said: string[] = [];
  if (record !== null) {
    const live = inodeOf(places, places.live);
    if (live === null && record.liveInode !== '' && inodeOf(places, places.stage) === record.stageInode) {
      fs.renameSync(places.stage, places.live);
      said.push('an exchange of the folders that was interrupted between its two renames was completed');
    } else if (live === null && isFolder(places, places.old)) {
      fs.renameSync(places.old, places.live);
      said.push('the old folder was put back: the new one is not there');
    }
    if (inodeOf(places, places.live) === record.stageInode) {
      // Whoever exchanged them may have ended right behind that.
      await syncFolders(fs, [dirname(places.live), places.beside]);
      const { kept, found } = await finish(parts, record, true);
      said.push(`the exchange of the folders had taken place${kept === null ? '' : `; what it replaced is kept as ${kept.name}`}`);
      if (found !== null) said.push(foundText(found));
    } else {
      if (inodeOf(places, places.stage) === record.liveInode) fs.renameSync(places.stage, places.old);
      fs.rmSync(places.switchRecord, { force: true });
    }
  }
  const found = await keepFound(places, record);
  if (found !== null) said.push(`an old tree of the folder was found beside it whose exchange cannot be ended; it is kept as ${found}, and stays there until somebody removes it`);
  return said;
}

/** Said of what was exchanged, and was no folder. */
export function foundText(found: string): string {
  return `what stood in the folder's place when it was exchanged was no folder; it is kept as ${found}, and stays there until somebody removes it`;
}

/** An old tree that is left may be the only one of somebody's own files. */
async function keepFound(places: Places, record: SwitchRecord | null): Promise<string | null> {
  const { fs } = places;
  if (inodeOf(places, places.old) === null || hasRemovedEmpty(places)) return null;
  fs.mkdirSync(places.kept, { recursive: true, mode: FILLING_MODE });
  const at = fs.now();
  const name = freshName(places, at);
  await describeVersion(places, { name, at, term: record?.term ?? 0, reason: FOUND, files: 0, bytes: 0, paths: [] });
  fs.renameSync(places.old, join(places.kept, name));
  await syncFolders(fs, [places.kept, places.beside]);
  return name;
}

function hasRemovedEmpty({ fs, old }: Places): boolean {
  try {
    fs.rmdirSync(old);
    return true;
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'EACCES', 'EPERM', 'ENOTDIR'].includes(codeOf(error))) return false;
    throw error;
  }
}

function readRecord(places: Places): SwitchRecord | null {
  const bytes = unlessAbsent(() => places.fs.readFileSync(places.switchRecord));
  if (bytes === null) return null;
  const fields = Fields.of('switch record', decodeJson('switch record', bytes));
  return { term: fields.whole('term'), reason: fields.text('reason', 1000), at: fields.whole('at'), partial: fields.has('partial') && fields.flag('partial'), liveInode: fields.text('liveInode', 40), stageInode: fields.name('stageInode', 40) };
}

function isFolder({ fs }: Places, place: string): boolean {
  return fs.lstatSync(place, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function isNoFolder({ fs }: Places, place: string): boolean {
  return fs.lstatSync(place, { throwIfNoEntry: false })?.isDirectory() === false;
}

/** `null` when nothing is there. */
function inodeOf({ fs }: Places, place: string): string | null {
  return fs.lstatSync(place, { bigint: true, throwIfNoEntry: false })?.ino.toString() ?? null;
}
