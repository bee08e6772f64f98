import type { HaManager } from '../manager/ha-manager.js';
import type { PeerLinkState } from '../manager/peer-link.js';
import { progressView, repositoryProgressView, type JournalView, type ReplicationView, type ServerStatus } from '../admin/status.js';
import { isServing } from '../core/identity.js';
import type { RunId } from '../core/identity.js';
import type { BrokerStatus } from '../core/control/broker.js';
import type { Profile } from '../profile/profile.js';
import { worstCaseFailover } from '../profile/failover.js';
import { clientEndpoints, gatewayEndpoint, nextServer } from './configs.js';

/** What does not change while the server runs. */
export interface Standing {
  readonly profile: Profile;
  readonly version: string;
  readonly run: RunId;
  readonly startedAtWall: number;
}

/** The status page of this moment. */
export function serverStatus(standing: Standing, manager: HaManager, link: PeerLinkState, wallNow: number): ServerStatus {
  const { profile } = standing;
  const view = manager.view;
  const { ha, situation, broker } = view;
  const at = new Date(wallNow).toISOString();
  const started = new Date(standing.startedAtWall).toISOString();
  const bounds = worstCaseFailover(profile);
  return {
    schema: 1,
    at,
    versions: { lockstep: standing.version, node: process.version },
    cluster: profile.server.cluster,
    server: profile.server.id,
    configuredRole: profile.server.role,
    profile: profile.path,
    manager: { pid: process.pid, run: standing.run, uptimeMs: Math.round(wallNow - standing.startedAtWall) },
    state: ha.state,
    previous: ha.previous,
    reason: ha.reason,
    since: view.history.at(-1)?.at ?? started,
    serving: isServing(ha.state),
    advice: manager.advice(link.refused),
    stopping: situation?.wishes.stop ?? false,
    term: ha.term,
    inSync: view.kept?.record?.inSync ?? [],
    record: view.kept?.record ?? null,
    inDoubt: view.inDoubt,
    peer: peerView(profile, manager),
    unlike: link.unlike === null ? view.unlike : [link.unlike, ...view.unlike],
    lock: lockView(profile, manager),
    backchannel: {
      connected: link.connected,
      secured: profile.ha.secretFile !== null,
      listen: { host: profile.ha.host, port: profile.ha.port },
      peer: { host: profile.peer.backupHaIpAddress, port: profile.peer.backupHaPort },
      heardMs: view.peerHeardMs,
      refused: link.refused,
    },
    gateway: {
      endpoint: gatewayEndpoint(profile),
      answers: situation?.gatewayAnswers ?? false,
      answeredMs: view.gatewayAnsweredMs,
    },
    broker: brokerView(manager),
    journal: broker === null ? null : journalView(broker),
    replication: broker === null ? null : replicationView(broker),
    repositories: repositoriesView(manager),
    clients: broker?.clients ?? 0,
    sessions: broker?.sessions ?? 0,
    queued: broker?.queued ?? 0,
    clientEndpoints: clientEndpoints(profile),
    backupServer: nextServer(profile),
    worstCaseFailoverMs: { crashedProcess: bounds.crashedProcess.ms, deadHost: bounds.deadHost.ms, hungDisk: bounds.hungDisk.ms, cutLink: bounds.cutLink.ms },
    history: view.history,
  };
}

function repositoriesView(manager: HaManager): ServerStatus['repositories'] {
  const { repositories, situation } = manager.view;
  const { status, pid, crashes, waitLeftMs } = repositories;
  const iso = (at: number): string => new Date(at).toISOString();
  const heard = situation !== null && !situation.peerSilent ? (situation.peer?.repositories ?? null) : null;
  const shown = status?.repositories.filter(({ condition }) => condition !== 'unused') ?? [];
  return {
    pid: status === null ? null : pid,
    crashes,
    trouble: status?.trouble ?? null,
    admissionWaitLeftMs: waitLeftMs,
    here: shown.map(({ since, syncedAt, progress, ...view }) => ({
      ...view,
      since: iso(since),
      syncedAt: syncedAt === null ? null : iso(syncedAt),
      progress: progress === null ? null : repositoryProgressView(progress),
    })),
    peer: heard !== null && heard.from === status?.run ? heard.copies : [],
  };
}

function peerView(profile: Profile, manager: HaManager): ServerStatus['peer'] {
  const { situation, peerState } = manager.view;
  const peer = situation?.peer ?? null;
  const heard = peer !== null && situation?.peerSilent === false;
  return {
    server: profile.server.peerId,
    state: peerState,
    previous: peer === null ? 'DEAD' : heard ? peer.previous : peer.state,
    reason: heard ? peer.reason : null,
    term: heard ? peer.term : (0 as ServerStatus['term']),
    brokerDown: heard ? peer.brokerDown : true,
    position: heard ? (peer.broker?.position ?? null) : null,
    holdsLock: heard ? peer.holdsLock : null,
    gatewayAnswers: heard ? peer.gatewayAnswers : null,
    clientEndpoints: peer?.clientEndpoints ?? [],
  };
}

function lockView(profile: Profile, manager: HaManager): ServerStatus['lock'] {
  const { situation, keeper, leaseLeftMs } = manager.view;
  return {
    file: profile.ha.lockFile,
    held: situation?.lock.held ?? false,
    leftMs: leaseLeftMs,
    holder: situation?.lock.held === true ? profile.server.id : (keeper?.lock.holder ?? null),
    holderSilentMs: keeper?.lock.holderSilentMs ?? null,
    share: keeper?.condition ?? 'unknown',
    shareId: keeper?.shareId ?? null,
    detail: keeper?.detail ?? keeper?.lock.detail ?? null,
  };
}

function brokerView(manager: HaManager): ServerStatus['broker'] {
  const { broker, brokerPid, brokerCrashes } = manager.view;
  if (broker === null || brokerPid === null) return null;
  return {
    pid: brokerPid,
    run: broker.run,
    role: broker.role,
    clientPort: broker.clientPort,
    clientPortError: broker.clientPortError,
    certificateUntil: broker.certificateUntil === null ? null : new Date(broker.certificateUntil).toISOString(),
    trouble: broker.trouble,
    notice: broker.notice,
    crashes: brokerCrashes,
  };
}

function journalView(broker: BrokerStatus): JournalView {
  const { id, term, position, durable, damage } = broker.journal;
  return { id, term, position, durable, damage };
}

function replicationView(broker: BrokerStatus): ReplicationView | null {
  const link = broker.replication;
  if (link === null) return null;
  return {
    phase: link.phase,
    peerDurable: link.peerDurable,
    lagRecords: link.lagRecords,
    lagBytes: link.lagBytes,
    stalledMs: Math.round(link.stalledMs),
    progress: link.progress === null ? null : progressView(link.progress),
  };
}
