import { parseProfile } from '../../../src/profile/load.js';
import { ProfileError } from '../../../src/profile/problem.js';
import type { RepositorySettings } from '../../../src/profile/repositories.js';

const BASE = { server: { cluster: 'c', role: 'primary' }, peer: { backupHaIpAddress: '127.0.0.1', backupServerPort: 1884, backupHaPort: 2201, backupReplicationPort: 2202 }, ha: { lockFile: 'share/lck', gatewayServerIpAddress: '127.0.0.1' }, data: { folder: 'data' } };

function all(repositories: unknown): readonly RepositorySettings[] {
  return parseProfile(JSON.stringify({ ...BASE, repositories }), '/etc/lockstep/lockstep.yaml').profile.repositories.all;
}

function problems(repositories: unknown): string[] {
  try {
    all(repositories);
  } catch (error) {
    if (error instanceof ProfileError) return error.problems.map(({ key, text }) => `${key}: ${text}`);
    throw error;
  }
  return [];
}

test('the three of the reference are there by default, not written, at their default places', () => {
  expect(all({}).map(({ name, path, syncType, written, when, keptVersions }) => [name, path, syncType, written, when, keptVersions])).toEqual([
    ['applications', '/etc/lockstep/repository/applications', 'FULL', false, 'continuous', 5],
    ['components', '/etc/lockstep/repository/components', 'FULL', false, 'continuous', 5],
    ['peers', '/etc/lockstep/repository/peers', 'FULL', false, 'continuous', 5],
  ]);
});

test.each([[0, 'FULL'], [1, 'PARTIAL'], [2, 'NO'], ['0', 'FULL'], ['FULL', 'FULL'], ['PARTIAL', 'PARTIAL'], ['NO', 'NO']])("the reference's code %p is %s", (code, word) => {
  expect(all({ applicationSyncType: code })[0]?.syncType).toBe(word);
  expect(all({ folders: { x: { path: 'x', syncType: code } } })[3]?.syncType).toBe(word);
});

test("the reference's keys set path and type; folders add to them and go before them", () => {
  expect(all({ applicationRepositoryPath: '/a', componentRepositoryPath: 'parts', componentSyncType: 1, folders: { applications: { exclude: ['*.tmp'], keptVersions: 9 }, peers: { path: '/p', syncType: 'NO' }, components: null } })).toEqual([
    expect.objectContaining({ name: 'applications', path: '/a', written: true, exclude: ['*.tmp'], keptVersions: 9, syncType: 'FULL' }),
    expect.objectContaining({ name: 'components', path: '/etc/lockstep/parts', written: true, syncType: 'PARTIAL', keptVersions: 5 }),
    expect.objectContaining({ name: 'peers', path: '/p', written: true, syncType: 'NO' }),
  ]);
});

test.each([['15m', { kind: 'interval', ms: 900_000 }], [1500, { kind: 'interval', ms: 1500 }], ['30 2 * * *', { kind: 'cron', expression: '30 2 * * *' }]])('schedule %p', (schedule, read) => {
  expect(all({ folders: { x: { path: 'x', when: 'schedule', schedule } } })[3]?.schedule).toEqual(read);
});

test.each<[string, unknown, string]>([
  ['a repository without a path', { folders: { x: { syncType: 'NO' } } }, 'repositories.folders.x: has no path'],
  ['an unknown key', { folders: { x: { path: 'x', synctype: 'NO' } } }, 'repositories.folders.x.synctype: is not a known key; did you mean syncType?'],
  ['a name that is a path', { folders: { '../x': { path: 'x' } } }, 'repositories.folders.../x: is no name of a repository'],
  ['a name that is hidden', { folders: { '.x': { path: 'x' } } }, 'is no name of a repository'],
  ['a wrong type', { folders: { x: { path: 'x', syncType: 3 } } }, 'repositories.folders.x.syncType: must be one of FULL, PARTIAL, NO'],
  ['a cron expression of nonsense', { folders: { x: { path: 'x', when: 'schedule', schedule: '61 2 * * *' } } }, 'repositories.folders.x.schedule: must be an interval'],
  ['a cron expression with seconds', { folders: { x: { path: 'x', when: 'schedule', schedule: '1 1 2 * * *' } } }, 'repositories.folders.x.schedule: must be an interval'],
  ['a schedule that never counts', { folders: { x: { path: 'x', schedule: '15m' } } }, 'repositories.folders.x.schedule: counts only with `when: schedule`'],
  ['no schedule', { folders: { x: { path: 'x', when: 'schedule' } } }, 'repositories.folders.x.when: is schedule, and there is no schedule'],
  ['an absolute pattern', { folders: { x: { path: 'x', exclude: ['/etc'] } } }, 'repositories.folders.x.exclude: must be a list'],
  ['no map', { folders: { x: 'somewhere' } }, 'repositories.folders.x: must be a map'],
  ['a list', { folders: ['x'] }, 'repositories.folders: must be a map'],
  ['too many', { folders: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`r${i}`, { path: `r${i}` }])) }, 'at most 64'],
  ['the data folder within', { folders: { x: { path: '.' } } }, 'a repository needs a folder of its own'],
  ['within the data folder', { applicationRepositoryPath: 'data/apps' }, 'repositories.applicationRepositoryPath: /etc/lockstep/data/apps holds, or lies in'],
  ['one in another', { folders: { x: { path: '/r' }, y: { path: '/r/y' } } }, 'a repository needs a folder of its own'],
  ['the folder of the lockfile', { folders: { x: { path: 'share' } } }, 'a repository needs a folder of its own'],
])('%s is refused by name', (_what, repositories, said) => expect(problems(repositories).join('\n')).toContain(said));

test('a folder whose name only begins like another is its own', () => expect(problems({ folders: { x: { path: '/r' }, y: { path: '/r2' }, z: { path: '/..r' } } })).toEqual([]));

test('the repository ports follow those of replication, and clash only where there are repositories', () => {
  const of = (repositories: unknown, ha: object): string[] => {
    try {
      const { profile } = parseProfile(JSON.stringify({ ...BASE, ha: { ...BASE.ha, ...ha }, repositories }), '/etc/lockstep/lockstep.yaml');
      return [String(profile.ha.repositoryPort), String(profile.peer.backupRepositoryPort)];
    } catch (error) {
      if (error instanceof ProfileError) return error.problems.map(({ key }) => key);
      throw error;
    }
  };
  expect(of({}, {})).toEqual(['2103', '2203']);
  expect(of({}, { repositoryPort: 1883 })).toEqual(['1883', '2203']);
  expect(of({ applicationRepositoryPath: 'a' }, { repositoryPort: 1883 })).toEqual(['ha.repositoryPort']);
  expect(of({ applicationRepositoryPath: 'a' }, { repositoryPort: 2203 })).toEqual(['peer.backupRepositoryPort']);
});

test('more patterns than fit into one argument of a process are refused, with how many bytes there are', () => {
  const exclude = Array.from({ length: 100 }, (_, i) => `cache/part-${i}/**`);
  const folders = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`r${i}`, { path: `/srv/r${i}`, exclude }]));
  expect(problems({ folders })).toEqual([expect.stringMatching(/^repositories\.folders: names, paths and patterns take \d+ bytes together, of 98304 at most/)]);
});
