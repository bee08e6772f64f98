import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { plant } from './flawed-build.js';
import { REPOSITORY_FLAWS } from './repository-flaws.js';

/*
 * Plants one mistake after the other into a copy of the compiled code, and lets the crashes at every step of a sync find it. Exit code 1 when one was not found.
 * `--only NAME,…`: these.
 */

const build = fileURLToPath(new URL('../..', import.meta.url));
let repository = dirname(build);
while (!existsSync(join(repository, 'package.json'))) repository = dirname(repository);
const only = process.argv[2] === '--only' ? (process.argv[3] ?? '').split(',') : null;
// Inside the repository, so that packages are found.
mkdirSync(join(repository, 'runtime'), { recursive: true });
const target = mkdtempSync(join(repository, 'runtime', 'flawed-'));
let missed = 0;
try {
  for (const flaw of REPOSITORY_FLAWS.filter(({ name }) => only?.includes(name) ?? true)) {
    const begun = performance.now();
    plant(flaw, repository, build, target);
    const { stdout, stderr, status } = spawnSync(process.execPath, [join(target, 'test/simulation/repository-main.js'), '--first', '--case', flaw.where], { encoding: 'utf8' });
    const found = /^BROKEN: (.*)$/m.exec(stdout)?.[1];
    if (found === undefined) missed += 1;
    process.stdout.write(`${flaw.name} (${flaw.rule}): ${found === undefined ? `NOT FOUND, exit code ${String(status)} ${stderr.slice(0, 500)}` : `found: ${found}`}; ${((performance.now() - begun) / 1000).toFixed(1)} s\n`);
  }
} finally {
  rmSync(target, { recursive: true, force: true });
}
process.stdout.write(missed === 0 ? 'every flaw was found\n' : `${missed} flaws were not found\n`);
process.exitCode = missed === 0 ? 0 : 1;
