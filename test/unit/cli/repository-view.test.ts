import type { RepositoryResult } from '../../../src/admin/commands.js';
import type { RepositoryStatusView } from '../../../src/admin/status.js';
import { copyText, repositoryDetails, repositoryLines, resultLines, waitingText } from '../../../src/cli/repository-view.js';

const SINCE = '2026-01-02T03:04:00.000Z';
const SAME: RepositoryResult = { outcome: 'same', detail: null, files: 0, bytes: 0, wireBytes: 40, elapsedMs: 100, kept: null, differences: [], differencesTotal: 0 };

function view(changes: Partial<RepositoryStatusView> = {}): RepositoryStatusView {
  return { name: 'apps', path: '/apps', syncType: 'FULL', when: 'continuous', condition: 'in-sync', detail: null, since: SINCE, syncedAt: SINCE, progress: null, exchange: 'atomic', kept: [], ...changes };
}

test.each<[string, Partial<RepositoryResult>, string[]]>([
  ['verify', {}, ['apps: both are equal (0.1 s)']],
  ['verify', { detail: 'not carried: fifo: a named pipe' }, ['apps: all that is carried is equal (0.1 s)', '  not carried: fifo: a named pipe']],
  ['sync', { detail: '1 difference is left as it is (PARTIAL): both (content)' }, ['apps: nothing to do (0.1 s)', '  1 difference is left as it is (PARTIAL): both (content)']],
  ['sync', { outcome: 'changed', files: 1, detail: 'not carried: x' }, ['apps: 1 file, 0 B copied, 40 B over the link (0.1 s)', '  not carried: x']],
  ['diff', { outcome: 'differs', differences: [{ path: 'a', what: 'missing' }], differencesTotal: 1, detail: 'not carried: x' }, ['apps: 1 difference, as the server has them that does not serve (0.1 s)', '  missing      a', '  not carried: x']],
])('what came of a %s: %p', (ask, changes, lines) => {
  expect(resultLines('apps', ask, { ...SAME, ...changes })).toEqual(lines);
});

test('a repository of type NO is never called in sync, nor out of it', () => {
  const detail = 'differs from the serving server\'s in 1 place, and its type NO leaves it so: a (extra)';
  expect(repositoryDetails(view({ syncType: 'NO', detail }))[0]).toBe(`apps: only compared since ${SINCE}: ${detail}`);
  expect(repositoryDetails(view({ syncType: 'NO' }))[0]).toBe(`apps: only compared since ${SINCE}: equal`);
  expect(copyText({ name: 'apps', condition: 'in-sync', detail }, 'NO')).toBe(`only compared: ${detail}`);
});

test('what is worth knowing of the peer\'s copy stands beside it', () => {
  const here = [view({ condition: 'idle' })];
  const lines = (condition: 'in-sync' | 'failed', detail: string | null): string[] => repositoryLines({ pid: 1, crashes: 0, trouble: null, admissionWaitLeftMs: null, here, peer: [{ name: 'apps', condition, detail }] }).slice(1).map((line) => line.trim());
  expect(lines('in-sync', null)).toEqual(['apps at the peer: in sync']);
  expect(lines('in-sync', 'not carried: x')).toEqual(['apps at the peer: in sync (not carried: x)']);
  expect(lines('failed', 'the disk is full')).toEqual(['apps at the peer: not in sync: the disk is full']);
});

test('what is waited for is said where nothing is seen of it', () => {
  const waiting = (here: RepositoryStatusView[], peer: { name: string; condition: 'failed' | 'syncing'; detail: string | null }[]): string => waitingText({ pid: 1, crashes: 0, trouble: null, admissionWaitLeftMs: null, here, peer }, 'apps');
  const serving = [view({ condition: 'idle' })];
  expect(waiting(serving, [{ name: 'apps', condition: 'failed', detail: 'the disk is full' }])).toBe('apps: waits for the other server, whose copy is not in sync: the disk is full');
  expect(waiting(serving, [])).toBe('apps: waits for the other server, of which nothing is heard');
  expect(waiting([view({ condition: 'waiting', detail: 'no link' })], [])).toBe(`apps: waits; it is not in sync since ${SINCE}: no link`);
});

test('a name of a file can neither speak to the terminal nor make a line of its own', () => {
  const path = 'a\u001b]0;mine\u0007\napps: both are equal (0.1 s)';
  const shown = 'a\\u001b]0;mine\\u0007\\u000aapps: both are equal (0.1 s)';
  expect(resultLines('apps', 'diff', { ...SAME, outcome: 'differs', differences: [{ path, what: 'extra' }], differencesTotal: 1 })).toEqual(['apps: 1 difference, as the server has them that does not serve (0.1 s)', `  extra        ${shown}`]);
  expect(copyText({ name: 'apps', condition: 'failed', detail: path }, 'FULL')).toBe(`not in sync: ${shown}`);
  expect(repositoryDetails(view({ condition: 'failed', detail: path }))[0]).toContain(shown);
});
