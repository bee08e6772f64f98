import { dirname, isAbsolute, relative, sep } from 'node:path';
import type { Profile } from './profile.js';
import { formatDuration, isLoopback, isWildcard } from './values.js';

/** Something that only shows when keys are seen together. `keys`: all that it rests on, the one to change first. */
export interface RuleProblem {
  readonly keys: readonly [string, ...string[]];
  readonly text: string;
  readonly severity: 'refused' | 'warning';
}

type Rule = (profile: Profile) => RuleProblem[];

const RULES: readonly Rule[] = [intervals, exposure, tls, portsTwice, namedMachines, peerIsSomeoneElse, oneMachine, dataOnTheShare, repositoryPlaces, repositoryPatterns];

/** Every rule over the whole profile. */
export function applyRules(profile: Profile): RuleProblem[] {
  return RULES.flatMap((rule) => rule(profile));
}

function refuse(keys: readonly [string, ...string[]], text: string): RuleProblem {
  return { keys, text, severity: 'refused' };
}

function warn(keys: readonly [string, ...string[]], text: string): RuleProblem {
  return { keys, text, severity: 'warning' };
}

function intervals({ ha }: Profile): RuleProblem[] {
  const problems: RuleProblem[] = [];
  const active = ha.activeLockReacquisitionInterval;
  if (ha.passiveLockAcquisitionInterval <= 2 * active) {
    problems.push(
      refuse(
        ['ha.passiveLockAcquisitionInterval', 'ha.activeLockReacquisitionInterval'],
        `must be greater than twice activeLockReacquisitionInterval (${formatDuration(active)}), so above ${formatDuration(2 * active)}; found ${formatDuration(ha.passiveLockAcquisitionInterval)}`,
      ),
    );
  } else if (ha.passiveLockAcquisitionInterval <= 2 * ha.effectiveActiveLockInterval) {
    problems.push(
      refuse(
        ['ha.passiveLockAcquisitionInterval', 'ha.activeLockReacquisitionInterval', 'ha.pingInterval'],
        `must be greater than twice the interval that the lock goes by, ${formatDuration(ha.effectiveActiveLockInterval)} (activeLockReacquisitionInterval raised to a multiple of pingInterval/2); found ${formatDuration(ha.passiveLockAcquisitionInterval)}`,
      ),
    );
  }
  if (ha.effectiveActiveLockInterval !== active) {
    problems.push(
      warn(
        ['ha.activeLockReacquisitionInterval', 'ha.pingInterval'],
        `${formatDuration(active)} is not a multiple of pingInterval/2 (${formatDuration(ha.pingInterval / 2)}); the next multiple, ${formatDuration(ha.effectiveActiveLockInterval)}, is used`,
      ),
    );
  }
  if (ha.stallLimit < ha.pingInterval) {
    problems.push(refuse(['ha.stallLimit', 'ha.pingInterval'], `must not be below pingInterval (${formatDuration(ha.pingInterval)}); found ${formatDuration(ha.stallLimit)}`));
  }
  return problems;
}

function exposure({ mqtt, ha, peer, admin }: Profile): RuleProblem[] {
  const problems: RuleProblem[] = [];
  if (ha.secretFile === null && !isLoopback(ha.host)) {
    problems.push(refuse(['ha.secretFile', 'ha.host'], `is needed, because ha.host ${ha.host} is reached from other machines; \`lockstep init\` makes one`));
  } else if (ha.secretFile === null && !isLoopback(peer.backupHaIpAddress)) {
    problems.push(refuse(['ha.secretFile', 'peer.backupHaIpAddress'], `is needed, because the other server, ${peer.backupHaIpAddress}, is another machine; \`lockstep init\` makes one`));
  }
  if (!isLoopback(mqtt.host) && mqtt.usersFile === null) {
    if (mqtt.allowAnyoneOnTheNetworkWithoutPassword) {
      problems.push(warn(['mqtt.allowAnyoneOnTheNetworkWithoutPassword'], `every machine that reaches ${mqtt.host}:${mqtt.port} can read and write every topic`));
    } else {
      problems.push(refuse(['mqtt.usersFile', 'mqtt.host'], `is needed, because mqtt.host ${mqtt.host} is reached from other machines; \`lockstep passwd\` makes one`));
    }
  }
  if (!isLoopback(mqtt.host) && mqtt.usersFile !== null && mqtt.tlsPort === null) {
    problems.push(warn(['mqtt.tlsPort', 'mqtt.host'], 'is not set: passwords and messages of clients cross the network in clear text'));
  }
  if (!isLoopback(admin.host) && admin.tokenFile === null) {
    problems.push(refuse(['admin.tokenFile', 'admin.host'], `is needed, because admin.host ${admin.host} is reached from other machines`));
  }
  return problems;
}

function tls({ mqtt }: Profile): RuleProblem[] {
  const set = { tlsPort: mqtt.tlsPort, tlsCertificateFile: mqtt.tlsCertificateFile, tlsKeyFile: mqtt.tlsKeyFile };
  const missing = Object.entries(set).filter(([, value]) => value === null).map(([key]) => key);
  if (missing.length === 0 || missing.length === 3) return [];
  return missing.map((key) => refuse([`mqtt.${key}`], 'is missing; TLS needs tlsPort, tlsCertificateFile and tlsKeyFile together'));
}

interface Bound {
  readonly key: string;
  readonly host: string;
  readonly port: number;
}

function portsTwice(profile: Profile): RuleProblem[] {
  const { mqtt, ha, admin, peer } = profile;
  const own: Bound[] = [
    { key: 'mqtt.port', host: mqtt.host, port: mqtt.port },
    ...(mqtt.tlsPort === null ? [] : [{ key: 'mqtt.tlsPort', host: mqtt.host, port: mqtt.tlsPort }]),
    { key: 'ha.port', host: ha.host, port: ha.port },
    { key: 'ha.replicationPort', host: ha.host, port: ha.replicationPort },
    { key: 'admin.port', host: admin.host, port: admin.port },
    ...(usesRepositories(profile) ? [{ key: 'ha.repositoryPort', host: ha.host, port: ha.repositoryPort }] : []),
  ];
  const others: Bound[] = [
    { key: 'peer.backupHaPort', host: peer.backupHaIpAddress, port: peer.backupHaPort },
    { key: 'peer.backupReplicationPort', host: peer.backupHaIpAddress, port: peer.backupReplicationPort },
    ...(usesRepositories(profile) ? [{ key: 'peer.backupRepositoryPort', host: peer.backupHaIpAddress, port: peer.backupRepositoryPort }] : []),
  ];
  return [...clashes(own), ...clashes(others)];
}

function clashes(bounds: readonly Bound[]): RuleProblem[] {
  return bounds.flatMap((later, index) => {
    const earlier = bounds.slice(0, index).find((bound) => bound.port === later.port && overlap(bound.host, later.host));
    return earlier === undefined ? [] : [refuse([later.key, earlier.key], `port ${later.port} is already that of ${earlier.key}`)];
  });
}

function overlap(a: string, b: string): boolean {
  return a === b || isWildcard(a) || isWildcard(b) || (isLoopback(a) && isLoopback(b));
}

/** An address to listen on may stand for every interface; one to call is a machine's, or whoever calls it reaches itself. */
function namedMachines({ ha, peer }: Profile): RuleProblem[] {
  const called = [
    ['ha.gatewayServerIpAddress', ha.gatewayServerIpAddress, 'the gateway'],
    ['peer.backupHaIpAddress', peer.backupHaIpAddress, 'the other server'],
    ...(peer.backupServerIp === peer.backupHaIpAddress ? [] : [['peer.backupServerIp', peer.backupServerIp, 'the other server'] as const]),
  ] as const;
  return called.filter(([, host]) => isWildcard(host)).map(([key, host, who]) => refuse([key], `${host} stands for every address of this machine; name that of ${who}`));
}

function peerIsSomeoneElse(profile: Profile): RuleProblem[] {
  const { mqtt, ha, peer } = profile;
  const problems: RuleProblem[] = [];
  const repositories = usesRepositories(profile);
  const same = (a: string, b: string): boolean => a === b || (isLoopback(a) && isLoopback(b));
  if (same(ha.host, peer.backupHaIpAddress)) {
    const theirPorts = [['backupHaPort', peer.backupHaPort], ['backupReplicationPort', peer.backupReplicationPort], ['backupRepositoryPort', repositories ? peer.backupRepositoryPort : 0]] as const;
    const ours = [['ha.port', ha.port], ['ha.replicationPort', ha.replicationPort], ['ha.repositoryPort', repositories ? ha.repositoryPort : -1]] as const;
    for (const [theirs, port] of theirPorts) {
      const clash = ours.find(([, own]) => own === port);
      if (clash) problems.push(refuse([`peer.${theirs}`, clash[0]], `${peer.backupHaIpAddress}:${port} is this server's own ${clash[0]}; it must be the other server's`));
    }
  }
  if (same(mqtt.advertisedHost, peer.backupServerIp) && mqtt.port === peer.backupServerPort) {
    problems.push(refuse(['peer.backupServerPort', 'mqtt.port'], `${peer.backupServerIp}:${peer.backupServerPort} is where clients reach this server; it must be the other server's`));
  }
  return problems;
}

function oneMachine({ ha, peer }: Profile): RuleProblem[] {
  if (isLoopback(peer.backupHaIpAddress)) {
    return [warn(['peer.backupHaIpAddress'], 'both servers and the share are on this one machine: good for trying out, but its loss is the loss of both')];
  }
  if (isLoopback(ha.gatewayServerIpAddress) || ha.gatewayServerIpAddress === ha.host || ha.gatewayServerIpAddress === peer.backupHaIpAddress) {
    return [warn(['ha.gatewayServerIpAddress'], 'the share is on one of the two servers: when that machine is lost, the other cannot take over; use a third machine')];
  }
  return [];
}

function dataOnTheShare(profile: Profile): RuleProblem[] {
  const { data, ha, log } = profile;
  const share = dirname(ha.lockFile);
  const onTheShare = (path: string): string => `${path} lies on the share (${share}, the lockfile's folder)`;
  const files = filesOf(profile)
    .filter(({ path }) => path !== null && isWithin(path, share))
    .map(({ key, path }) => warn([key, 'ha.lockFile'], `${onTheShare(path ?? '')}: it belongs on a disk of this server, which cannot read it while the share is away or hangs`));
  if (isWithin(data.folder, share)) {
    return [warn(['data.folder', 'ha.lockFile'], `${onTheShare(data.folder)}: the journal belongs on a disk of this server, or the loss of the share is the loss of this copy`), ...files];
  }
  if (!isWithin(log.folder, share)) return files;
  return [warn(['log.folder', 'ha.lockFile'], `${onTheShare(log.folder)}: the log belongs on a disk of this server; its last words, too, go when the share hangs`), ...files];
}

/** What a server reads besides its profile. */
function filesOf({ mqtt, ha, admin }: Profile): { readonly key: string; readonly path: string | null }[] {
  return [
    { key: 'mqtt.usersFile', path: mqtt.usersFile },
    { key: 'mqtt.tlsCertificateFile', path: mqtt.tlsCertificateFile },
    { key: 'mqtt.tlsKeyFile', path: mqtt.tlsKeyFile },
    { key: 'ha.secretFile', path: ha.secretFile },
    { key: 'admin.tokenFile', path: admin.tokenFile },
  ];
}

/** A repository of the reference at its default place may not be there at all: then its port is never bound, and is nobody's. */
function usesRepositories({ repositories }: Profile): boolean {
  return repositories.all.some(({ written }) => written);
}

/** No repository may hold another, the journal or the lockfile, nor lie within one of them: what one of them writes would be another's change. */
function repositoryPlaces({ repositories, data, ha, log }: Profile): RuleProblem[] {
  const places = [
    { key: 'data.folder', path: data.folder },
    { key: 'log.folder', path: log.folder },
    { key: 'ha.lockFile', path: dirname(ha.lockFile) },
    ...repositories.all,
  ];
  return repositories.all
    .filter(({ written }) => written)
    .flatMap((own) => {
      const other = places.find((place) => place !== own && (isWithin(own.path, place.path) || isWithin(place.path, own.path)));
      return other === undefined ? [] : [refuse([own.key, other.key], `${own.path} holds, or lies in, ${other.path} (${other.key}): a repository needs a folder of its own`)];
    });
}

function isWithin(path: string, folder: string): boolean {
  const between = relative(folder, path);
  return between === '' || (between !== '..' && !between.startsWith(`..${sep}`) && !isAbsolute(between));
}

/** All settings of the repositories together go to their process as one argument, for which Linux has 128 KiB. */
const REPOSITORY_SETTINGS_BYTES_MAX = 96 * 1024;

function repositoryPatterns({ repositories }: Profile): RuleProblem[] {
  const bytes = Buffer.byteLength(JSON.stringify(repositories.all));
  if (bytes <= REPOSITORY_SETTINGS_BYTES_MAX) return [];
  return [refuse(['repositories.folders'], `names, paths and patterns take ${bytes} bytes together, of ${REPOSITORY_SETTINGS_BYTES_MAX} at most; use fewer or shorter patterns (** stands for any folders)`)];
}
