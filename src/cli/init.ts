import { randomBytes } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve, win32 } from 'node:path';
import { makeFolders } from '../adapters/folders.js';
import { plainReason } from '../adapters/network-errors.js';
import type { ConfiguredRole } from '../core/identity.js';
import { host, name, path as pathKind } from '../profile/key.js';
import { parseProfile, PROFILE_FILE_NAME } from '../profile/load.js';
import type { Profile } from '../profile/profile.js';
import { ProfileError } from '../profile/problem.js';
import { renderProfile } from '../profile/template.js';
import type { TemplatePair } from '../profile/template.js';
import { isLoopback, isWildcard } from '../profile/values.js';
import type { Console } from './console.js';
import { ExitCode } from './exit-codes.js';
import { CommandFailure } from './failure.js';

export interface InitOptions {
  readonly cluster: string;
  readonly primary: string;
  readonly secondary: string;
  readonly gateway: string;
  readonly lockFile: string;
  readonly smb?: boolean;
}

const SECRET_BYTES = 32;

/** Writes a commented pair of profiles for two hosts, with a fresh secret and an empty user file for each. Overwrites nothing. */
export function init(console: Console, folder: string, options: InitOptions): void {
  checkOptions(options);
  const target = resolve(folder);
  const pair = pairOf(options);
  const secret = randomBytes(SECRET_BYTES).toString('hex');
  const files = (['primary', 'secondary'] as const).flatMap((role) => [
    { file: join(target, role, PROFILE_FILE_NAME), text: profileText(pair, role, join(target, role, PROFILE_FILE_NAME)), mode: 0o644 },
    { file: join(target, role, 'secret'), text: `${secret}\n`, mode: 0o600 },
    { file: join(target, role, 'users'), text: '', mode: 0o600 },
  ]);
  const there = files.find(({ file }) => existsSync(file));
  if (there) throw new CommandFailure(ExitCode.usage, 'LOCKSTEP_INIT_EXISTS', `${there.file} is there already`, 'Name another folder, or move that one away: init overwrites nothing.');
  try {
    for (const role of ['primary', 'secondary']) makeFolders(join(target, role));
    for (const { file, text, mode } of files) writeFileSync(file, text, { flag: 'wx', mode });
  } catch (error) {
    throw new CommandFailure(ExitCode.failed, 'LOCKSTEP_INIT_FAILED', `the profiles cannot be written to ${target}: ${plainReason(error)}`, 'Name a folder that this user may write to, on a disk with room; remove what was written before you try again.', { cause: error });
  }
  for (const text of nextSteps(target, options)) console.out(text);
}

function checkOptions(options: InitOptions): void {
  const fields = [
    ['--cluster', options.cluster, name], ['--primary', options.primary, host], ['--secondary', options.secondary, host],
    ['--gateway', options.gateway, host], ['--lock-file', options.lockFile, pathKind],
  ] as const;
  for (const [option, value, kind] of fields) {
    if (kind.parse(value) === null) throw new CommandFailure(ExitCode.usage, 'LOCKSTEP_INIT_OPTION', `${option} must be ${kind.allowed}; found "${value}"`, 'See lockstep init --help.');
  }
  if (!isAbsolute(options.lockFile) && !win32.isAbsolute(options.lockFile)) {
    throw new CommandFailure(ExitCode.usage, 'LOCKSTEP_INIT_OPTION', `--lock-file must be an absolute path; found "${options.lockFile}"`, 'Give it as both hosts see it on the mounted share: a relative one would count from each profile, and name two files.');
  }
  for (const [option, value] of [['--primary', options.primary], ['--secondary', options.secondary], ['--gateway', options.gateway]] as const) {
    if (!isWildcard(value)) continue;
    throw new CommandFailure(ExitCode.usage, 'LOCKSTEP_INIT_OPTION', `${option} must be the address of one machine; ${value} stands for every address of whoever listens on it`, 'Give the address at which the others reach it.');
  }
  if (options.primary === options.secondary || [options.primary, options.secondary].some(isLoopback)) {
    throw new CommandFailure(ExitCode.usage, 'LOCKSTEP_INIT_OPTION', 'init writes profiles for two hosts', 'Give two addresses that both hosts can reach. For one machine, use the bundled profiles (scripts/pair.sh).');
  }
}

function pairOf(options: InitOptions): TemplatePair {
  const server = { mqttPort: 1883, haPort: 2101, replicationPort: 2102, repositoryPort: 2103, adminPort: 8081 };
  return {
    cluster: options.cluster,
    primary: { host: options.primary, ...server },
    secondary: { host: options.secondary, ...server },
    lockFile: options.lockFile,
    gateway: options.gateway,
    gatewayPort: options.smb === true ? 445 : 2049,
    dataFolder: { primary: 'data', secondary: 'data' },
    secretFile: 'secret',
    usersFile: 'users',
  };
}

/** As the servers will read it: what an option says is in it, and nothing else. */
function profileText(pair: TemplatePair, role: ConfiguredRole, file: string): string {
  const text = renderProfile(pair, role);
  const [own, other] = role === 'primary' ? [pair.primary, pair.secondary] : [pair.secondary, pair.primary];
  const { server, mqtt, ha, peer } = read(text, file);
  const pairs = [
    [server.cluster, pair.cluster], [mqtt.host, own.host], [ha.host, own.host], [peer.backupHaIpAddress, other.host],
    [ha.gatewayServerIpAddress, pair.gateway], [ha.lockFile, resolve(dirname(file), pair.lockFile)],
  ] as const;
  for (const [found, wanted] of pairs) {
    if (found !== wanted) throw unusable(`"${wanted}" would be read as "${found}"`);
  }
  return text;
}

function read(text: string, file: string): Profile {
  try {
    return parseProfile(text, file).profile;
  } catch (error) {
    throw error instanceof ProfileError ? unusable(error.problems.map((problem) => `${problem.key} ${problem.text}`.trim()).join('; ')) : error;
  }
}

function unusable(why: string): CommandFailure {
  return new CommandFailure(ExitCode.usage, 'LOCKSTEP_INIT_OPTION', `a profile with these options could not be used: ${why}`, 'Nothing was written. Give other names, paths or addresses.');
}

function nextSteps(target: string, options: InitOptions): string[] {
  return [
    `Wrote ${join(target, 'primary')} and ${join(target, 'secondary')}: a profile, the pair's secret and a user file each.`,
    '',
    'Next:',
    `  1. Mount the share on both hosts, so that ${options.lockFile} is in it (mount options: docs/operations.md).`,
    `  2. Add the clients' users, then copy the file, so that both are the same:`,
    `       lockstep passwd ${join(target, 'primary', 'users')} NAME`,
    `       cp -p ${join(target, 'primary', 'users')} ${join(target, 'secondary', 'users')}`,
    `  3. Copy ${join(target, 'primary')} to ${options.primary} and ${join(target, 'secondary')} to ${options.secondary},`,
    '     to the same place there and keeping the modes (scp -pr); the secret must reach nobody else.',
    `  4. On ${options.primary}: lockstep check ${join(target, 'primary')}, then lockstep start ${join(target, 'primary')}`,
    `     On ${options.secondary}: lockstep check ${join(target, 'secondary')}, then lockstep start ${join(target, 'secondary')}`,
  ];
}
