import type { PairShape } from './repository-pair.js';
import type { Planned } from './repository-trees.js';

/** A sync that is broken off at every step. */
export interface CrashCase {
  readonly name: string;
  readonly shape: Pick<PairShape, 'type' | 'when' | 'throttle'>;
  /** What the serving server has. */
  readonly ours: Readonly<Record<string, Planned>>;
  /** What the other has before. */
  readonly theirs: Readonly<Record<string, Planned>>;
  /** What changes in the serving server's folder when both are in sync, and in which folders it is said to; the crashes come then. */
  readonly later: { readonly things: Readonly<Record<string, Planned | null>>; readonly folders: readonly string[] | null } | null;
  /** A first crash of the receiver's process or host in the midst of the transfer; those at every step come in the next one. */
  readonly interrupted: 'process' | 'host' | null;
}

export const EXCLUDED = ['log'];

const file = (says: string, more: Partial<Planned> = {}): Planned => ({ kind: 'file', says, ...more });
const link = (says: string): Planned => ({ kind: 'link', says });
const folder = (more: Partial<Planned> = {}): Planned => ({ kind: 'folder', ...more });
/** Above the size from which changed parts travel. */
const LARGE = 300 * 1024;
const NEWER = 1_700_000_100;

const SAME = { same: file('same'), 'app/same': file('the same'), 'app/empty': file(''), 'app/none': folder() };

const OURS: CrashCase['ours'] = {
  ...SAME,
  changed: file('from the active', { time: NEWER }),
  large: file('large', { bytes: LARGE, middle: 'changed in the middle', time: NEWER }),
  whole: file('another', { bytes: 150 * 1024 }),
  'new/er/file': file('new'),
  'app/link': link('same'),
  'app/moved': link('empty'),
  'app/mode': file('mode', { mode: 0o700 }),
  'app/time': file('time', { time: NEWER }),
  'app/log/ours': file('log of the active'),
  'turned/inner': file('a folder now'),
  back: file('a file now'),
  locked: folder({ mode: 0o555 }),
};
const THEIRS: CrashCase['theirs'] = {
  ...SAME,
  changed: file('from the passive'),
  large: file('large', { bytes: LARGE }),
  'gone/deep/file': file('gone'),
  'gone/link': link('deep'),
  'app/moved': link('same'),
  'app/mode': file('mode'),
  'app/time': file('time'),
  'app/log/theirs': file('log of the passive'),
  turned: file('a file before'),
  'back/inner': file('in a folder before'),
  locked: folder({ mode: 0o755 }),
};

const FULL = { type: 'FULL', when: 'join', throttle: null } as const;
const NOTHING = { later: null, interrupted: null } as const;

export const CRASH_CASES: readonly CrashCase[] = [
  { name: 'FULL, joining', shape: FULL, ours: OURS, theirs: THEIRS, ...NOTHING },
  {
    name: 'PARTIAL, joining',
    shape: { ...FULL, type: 'PARTIAL' },
    ours: { ...OURS, 'blocked/inner': file('finds no place') },
    theirs: { ...THEIRS, blocked: file('in the way') },
    ...NOTHING,
  },
  { name: 'FULL, going on after the process had ended', shape: FULL, ours: OURS, theirs: THEIRS, later: null, interrupted: 'process' },
  { name: 'FULL, going on after the host had lost its power', shape: FULL, ours: OURS, theirs: THEIRS, later: null, interrupted: 'host' },
  {
    name: 'FULL, continuous',
    shape: { ...FULL, when: 'continuous' },
    ours: OURS,
    theirs: OURS,
    later: {
      things: {
        changed: file('changed again', { time: NEWER + 1 }),
        large: file('large', { bytes: LARGE, middle: 'again, and otherwise', time: NEWER + 1 }),
        'app/link': link('empty'),
        'app/mode': file('mode', { mode: 0o600 }),
        'app/same': null,
        'app/none': null,
        'app/fresh': file('fresh'),
        'app/fresher/and/deeper': file('deep', { bytes: 200 * 1024 }),
        'new/er/file': file('not new any more', { time: NEWER + 1 }),
        back: null,
        'back/inner': file('a folder again'),
      },
      folders: ['', 'app', 'new/er'],
    },
    interrupted: null,
  },
];
