import type { Flaw } from './flaws.js';

const STAGED = 'src/adapters/repository/staged.ts';
const LIVE = 'src/adapters/repository/live.ts';
const SWITCHING = 'src/adapters/repository/switching.ts';
const FETCHING = 'src/repository/fetching.ts';
const RECEIVER = 'src/repository/receiver.ts';
const KEEPER = 'src/repository/keeper.ts';

/** `where`: in the cases that have this in their names; nothing of it is done in others. */
export interface RepositoryFlaw extends Flaw {
  readonly where: string;
}

/** Mistakes that somebody could make in a sync. The crashes at every step find each of them. */
export const REPOSITORY_FLAWS: readonly RepositoryFlaw[] = [
  {
    name: 'switch-not-atomic',
    where: 'joining',
    rule: 'one step: the folders change places at once',
    edits: [{ file: SWITCHING, find: '  } else exchange(places.stage, places.live);', put: '  } else {\n    fs.renameSync(places.live, places.old);\n    fs.renameSync(places.stage, places.live);\n  }' }],
  },
  {
    name: 'exchange-before-sync',
    where: 'joining',
    rule: 'the new tree is durable before it takes the place of the old one',
    edits: [{ file: STAGED, find: '    await syncFiles(fs, this.written.map(({ path, stamp }) => ({ path: Places.at(places.stage, path), bytes: stamp.size })));\n', put: '' }],
  },
  {
    name: 'stage-folders-not-synced',
    where: 'joining',
    rule: 'the names in the new tree are durable before it takes the place of the old one',
    edits: [{ file: STAGED, find: '    await syncFolders(fs, [places.stage, ...this.folders.map((folder) => this.staged(folder))]);\n', put: '' }],
  },
  {
    name: 'switch-not-recorded',
    where: 'joining',
    rule: 'what an exchange was is durable before it',
    edits: [{ file: SWITCHING, find: '  await replaceDurably(fs, places.switchRecord, places.beside, JSON.stringify(record));', put: '  fs.writeFileSync(places.switchRecord, JSON.stringify(record), { mode: 0o600 });' }],
  },
  {
    name: 'exchange-not-synced',
    where: 'joining',
    rule: 'what was said to be in sync is durable',
    edits: [{ file: SWITCHING, find: '  await syncFolders(fs, [dirname(places.live), places.beside]);\n  return finish', put: '  return finish' }],
  },
  {
    name: 'recovery-forgets-old',
    where: 'joining',
    rule: 'what was replaced is kept, also when the process ended after the exchange',
    // An old tree that nobody accounts for is kept as one that was found: that is forgotten as well.
    edits: [{ file: SWITCHING, find: '    if (inodeOf(places, places.live) === record.stageInode) {', put: '    if (false) {' }, { file: SWITCHING, find: '  const found = await keepFound(places, record);\n', put: '  const found = null as string | null;\n' }],
  },
  {
    name: 'renamed-before-sync',
    where: 'continuous',
    rule: 'a file takes the place of another only when it is durable',
    edits: [{ file: LIVE, find: '      await syncFiles(this.fs, this.parts_);\n', put: '' }],
  },
  {
    name: 'live-written-in-place',
    where: 'continuous',
    rule: 'a live file is never seen half',
    edits: [{ file: LIVE, find: '    fs.renameSync(part, place);\n', put: '    if (entry.kind === \'file\' && there?.isFile() === true) fs.writeFileSync(place, fs.readFileSync(part));\n    else fs.renameSync(part, place);\n' }],
  },
  {
    name: 'live-names-not-synced',
    where: 'continuous',
    rule: 'what was said to be in sync is durable',
    edits: [{ file: LIVE, find: '      await settleChanging(places);\n      const', put: '      this.fs.rmSync(places.changing);\n      const' }],
  },
  {
    name: 'changes-not-noted',
    where: 'continuous',
    rule: 'a process that ends right after its changes leaves nothing that is seen and not durable',
    edits: [{ file: 'src/adapters/repository/store.ts', find: 'if (await settleChanging(places))', put: 'if (false)' }],
  },
  {
    name: 'live-kept-late',
    where: 'continuous',
    rule: 'the kept name of what a change replaces is durable before it is replaced',
    edits: [{ file: LIVE, find: '      await this.keeping.settle();\n', put: '' }],
  },
  {
    name: 'live-forgets-old',
    where: 'continuous',
    rule: 'what a change replaces is kept before it is replaced',
    edits: [{ file: LIVE, find: '    else if (there !== undefined) this.keeping.replaces(place, entry.path, there);\n', put: '' }],
  },
  {
    name: 'resume-trusts-torn',
    where: 'going on after the host',
    rule: 'what an interrupted sync had staged is believed by its digest only',
    edits: [{ file: FETCHING, find: 'if (digest !== null && digest === entry.digest) this.takeLeft(index, entry);', put: 'if (digest !== null) this.takeLeft(index, entry);' }],
  },
  {
    name: 'deposed-term-accepted',
    where: 'joining',
    rule: 'a folder is changed only while the present order is young, and above the fence',
    edits: [{ file: KEEPER, find: "if (order === null || order.role.kind !== 'receive' || !this.isYoung || order.role.term <= order.fenceThrough) return null;", put: "if (order === null || order.role.kind !== 'receive') return null;" }, { file: RECEIVER, find: 'frame.term >= authority.term && frame.term > authority.fencedThrough', put: 'true' }],
  },
  {
    name: 'right-not-asked-anew',
    where: 'joining',
    rule: 'the right to change is asked for at the last moment',
    edits: [{ file: SWITCHING, find: '  if (!commit.mayChange()) {', put: '  if (false) {' }, { file: LIVE, find: 'if (!this.commit_.mayChange()) return false;', put: '' }],
  },
];
