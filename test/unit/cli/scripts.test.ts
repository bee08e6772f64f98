import { spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
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
