import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { HELP } from '../../lab/options.js';

let folder: string;
beforeEach(() => void (folder = realpathSync(mkdtempSync(join(tmpdir(), 'lockstep-scripts-')))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const onUnix = process.platform === 'win32' ? it.skip : it;

onUnix.each(['primary', 'secondary', 'pair'])('scripts/%s.sh takes the path of a group from where it is called', (script) => {
  const told = (group: string): string => {
    const { status, stderr } = spawnSync('bash', [resolve('scripts', `${script}.sh`), group], { cwd: folder, encoding: 'utf8' });
    expect(status).toBe(2);
    return /^No profiles in (.*?)\. /.exec(stderr)?.[1] ?? stderr;
  };
  expect(told('sub/pair/')).toBe(join(folder, 'sub/pair'));
  expect(told('./pair')).toBe(join(folder, 'pair'));
  expect(told('/nosuch/pair')).toBe('/nosuch/pair');
  expect(told('nosuch')).toBe('profiles/nosuch');
});

onUnix('scripts/lab.sh says what it does without a build', () => {
  for (const program of ['node', 'npm']) writeFileSync(join(folder, program), '#!/bin/sh\nexit 9\n', { mode: 0o755 });
  const { status, stdout } = spawnSync('bash', [resolve('scripts/lab.sh'), '--help'], { env: { ...process.env, PATH: `${folder}:${process.env['PATH'] ?? ''}` }, encoding: 'utf8' });
  expect({ status, stdout }).toEqual({ status: 0, stdout: `${HELP}\n` });
});

/** Runs a function of scripts/lib.sh in a project without packages, as a script does, with programs of its own. */
function inProject(call: string, npm: string): { readonly status: number | null; readonly stdout: string } {
  const programs = join(folder, 'bin');
  mkdirSync(programs);
  writeFileSync(join(programs, 'npm'), `#!/bin/sh\n${npm}\n`, { mode: 0o755 });
  writeFileSync(join(programs, 'node'), '#!/bin/sh\n', { mode: 0o755 });
  for (const file of ['package.json', 'package-lock.json', 'tsconfig.json']) writeFileSync(join(folder, file), '');
  mkdirSync(join(folder, 'src'));
  return spawnSync('bash', ['-c', `set -uo pipefail; . ${resolve('scripts/lib.sh')}; ${call}`], { cwd: folder, env: { ...process.env, PATH: `${programs}:${process.env['PATH'] ?? ''}` }, encoding: 'utf8' });
}

onUnix('packages that could not be installed are not taken for installed', () => {
  expect(inProject('install_packages', 'mkdir -p node_modules; exit 7').status).not.toBe(0);
  expect(existsSync(join(folder, 'node_modules/.package-lock.json'))).toBe(false);
});

onUnix('nor is a build that failed taken for one', () => {
  expect(inProject('build_if_needed', 'exit 7').status).not.toBe(0);
  expect(existsSync(join(folder, 'dist/.stamp'))).toBe(false);
});

(spawnSync('flock', ['--version']).error === undefined ? it : it.skip)('of two scripts that are called at once only one installs and builds', () => {
  const { status, stdout } = inProject('prepare', 'mkdir -p node_modules; flock --nonblock package.json true; echo "$1: $?"');
  expect(stdout.split('\n').filter((line) => /: \d/.test(line))).toEqual(['ci: 1', 'run: 1']);
  expect(status).toBe(0);
});
