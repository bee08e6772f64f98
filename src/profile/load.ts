import { readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { LockstepError } from '../core/errors.js';
import type { ServerId } from '../core/identity.js';
import { privateFileTrouble, readToken, secretFileTrouble, systemText, usersFileTrouble } from './private-file.js';
import type { ProfileValues } from './keys.js';
import type { Profile } from './profile.js';
import { PROBLEMS_MAX, ProfileError } from './problem.js';
import type { Problem } from './problem.js';
import { readYaml } from './read-yaml.js';
import { repositoriesOf } from './repositories.js';
import type { Locate } from './read-yaml.js';
import { applyRules } from './rules.js';
import { validate } from './validate.js';

export const PROFILE_FILE_NAME = 'lockstep.yaml';
const PROFILE_BYTES_MAX = 1024 * 1024;
const REMEDY = 'Correct the profile; docs/profile.md lists every key, and `lockstep check` tries it without starting anything.';

/**
 * Reads and checks a profile. `path` may be its folder, when it is named `lockstep.yaml`.
 *
 * `checkFiles` (default true): also look at the files it names. Commands to a running server do not need them.
 * @throws ProfileError LOCKSTEP_PROFILE_MISSING, LOCKSTEP_PROFILE_YAML, LOCKSTEP_PROFILE_INVALID with every problem found
 */
export function loadProfile(path: string, options: { readonly checkFiles?: boolean } = {}): Profile {
  const file = profileFile(path);
  const { profile, locate } = parseProfile(readProfileText(file), file);
  if (options.checkFiles === false) return profile;
  const problems = fileProblems(profile, locate);
  if (problems.length > 0) throw new ProfileError('LOCKSTEP_PROFILE_INVALID', file, problems, REMEDY);
  return profile;
}

/**
 * The same from text, without looking at any file.
 * @throws ProfileError as `loadProfile`
 */
export function parseProfile(text: string, file: string): { readonly profile: Profile; readonly locate: Locate } {
  const yaml = readYaml(text);
  if (yaml.problems.length > 0) throw new ProfileError('LOCKSTEP_PROFILE_YAML', file, yaml.problems, 'Correct the YAML: two spaces for each level, no tabs, no key twice.');
  const validated = validate(yaml.value);
  const values = validated.kind === 'valid' ? validated.values : validated.rest;
  const complaints = validated.kind === 'valid' ? [] : validated.complaints;
  const profile = values === null ? null : resolveProfile(values, file);
  // Rules that rest on a key complained of already would only confuse.
  const bad = new Set(complaints.map(({ key }) => key));
  const ruled = (profile === null ? [] : applyRules(profile)).filter(({ keys }) => !keys.some((key) => bad.has(key) || bad.has(key.split('.')[0] ?? '')));
  const refused = ruled.filter(({ severity }) => severity === 'refused').map(({ keys, text: said }) => ({ key: keys[0], text: said }));
  // Each is looked for in the whole file: not more of them than will be told.
  const problems = [...complaints, ...refused].slice(0, PROBLEMS_MAX + 1).map((complaint) => located(complaint, yaml.locate));
  if (profile === null || problems.length > 0) throw new ProfileError('LOCKSTEP_PROFILE_INVALID', file, problems.sort(byLine), REMEDY);
  const warnings = ruled.filter(({ severity }) => severity === 'warning').map(({ keys, text: said }) => located({ key: keys[0], text: said }, yaml.locate));
  return { profile: { ...profile, warnings }, locate: yaml.locate };
}

function located({ key, text }: { readonly key: string; readonly text: string }, locate: Locate): Problem {
  const at = key === '' ? null : locate(key);
  return { key, line: at?.line ?? null, column: at?.column ?? null, text };
}

function byLine(a: Problem, b: Problem): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}

function profileFile(path: string): string {
  const absolute = resolve(path);
  try {
    return statSync(absolute).isDirectory() ? join(absolute, PROFILE_FILE_NAME) : absolute;
  } catch (error) {
    throw missing(absolute, error);
  }
}

function readProfileText(file: string): string {
  try {
    const { size } = statSync(file);
    if (size > PROFILE_BYTES_MAX) throw new Error(`it has ${size} bytes; ${PROFILE_BYTES_MAX} are allowed`);
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw missing(file, error);
  }
}

function missing(file: string, error: unknown): ProfileError {
  const text = `the profile cannot be read: ${systemText(error)}`;
  return new ProfileError('LOCKSTEP_PROFILE_MISSING', file, [{ key: '', line: null, column: null, text }], 'Give the path of a profile, or of the folder of a lockstep.yaml; `lockstep init` writes a pair of them.');
}

function resolveProfile(values: ProfileValues, file: string): Profile {
  const folder = dirname(file);
  const at = (path: string): string => resolve(folder, path);
  const maybe = (path: string | null): string | null => (path === null ? null : at(path));
  const { server, mqtt, peer, ha, data, limits, admin, log, repositories } = values;
  const peerRole = server.role === 'primary' ? 'secondary' : 'primary';
  const dataFolder = at(data.folder);
  const half = ha.pingInterval / 2;
  return {
    path: file,
    server: { cluster: server.cluster, role: server.role, id: server.role as string as ServerId, peerRole, peerId: peerRole as string as ServerId },
    mqtt: {
      ...mqtt,
      advertisedHost: mqtt.advertisedHost ?? mqtt.host,
      usersFile: maybe(mqtt.usersFile),
      tlsCertificateFile: maybe(mqtt.tlsCertificateFile),
      tlsKeyFile: maybe(mqtt.tlsKeyFile),
    },
    peer: { ...peer, backupServerIp: peer.backupServerIp ?? peer.backupHaIpAddress, backupRepositoryPort: peer.backupRepositoryPort ?? portAfter(peer.backupReplicationPort) },
    ha: {
      ...ha,
      repositoryPort: ha.repositoryPort ?? portAfter(ha.replicationPort),
      secretFile: maybe(ha.secretFile),
      lockFile: at(ha.lockFile),
      effectiveActiveLockInterval: Math.ceil(ha.activeLockReacquisitionInterval / half) * half,
      silenceLimit: ha.pingMissLimit * ha.pingInterval,
    },
    data: { ...data, folder: dataFolder },
    limits,
    admin: { ...admin, tokenFile: maybe(admin.tokenFile) },
    log: { ...log, folder: log.folder === null ? join(dataFolder, 'log') : at(log.folder) },
    repositories: { applicationSyncType: repositories.applicationSyncType, componentSyncType: repositories.componentSyncType, all: repositoriesOf(repositories, folder) },
    warnings: [],
  };
}

function portAfter(port: number): number {
  return port < 65_535 ? port + 1 : port - 1;
}

/** The files that a profile names must be there, be private where they are secret, and hold enough. */
function fileProblems(profile: Profile, locate: Locate): Problem[] {
  const problems: Problem[] = [];
  const look = (key: string, path: string | null, trouble: (path: string) => string | null): void => {
    const text = path === null ? null : trouble(path);
    if (text !== null) problems.push(located({ key, text }, locate));
  };
  look('ha.secretFile', profile.ha.secretFile, secretFileTrouble);
  look('admin.tokenFile', profile.admin.tokenFile, (path) => thrownBy(() => readToken(path)));
  look('mqtt.usersFile', profile.mqtt.usersFile, usersFileTrouble);
  look('mqtt.tlsKeyFile', profile.mqtt.tlsKeyFile, privateFileTrouble);
  look('mqtt.tlsCertificateFile', profile.mqtt.tlsCertificateFile, certificateTrouble);
  return problems.sort(byLine);
}

/** Only whether it can be read; what it holds is tried with its key. */
function certificateTrouble(path: string): string | null {
  const trouble = thrownBy(() => readFileSync(path));
  return trouble === null ? null : `${path} cannot be read: ${trouble}`;
}

function thrownBy(action: () => unknown): string | null {
  try {
    action();
    return null;
  } catch (error) {
    return error instanceof LockstepError ? error.message : systemText(error);
  }
}
