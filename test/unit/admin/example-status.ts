import type { ServerStatus } from '../../../src/admin/status.js';
import type { JournalId, Position, RunId, ServerId, Term } from '../../../src/core/identity.js';

const primary = 'primary' as ServerId;
const secondary = 'secondary' as ServerId;

/** A primary server that serves alone while its peer catches up. */
export function exampleStatus(change: Partial<ServerStatus> = {}): ServerStatus {
  const member = { server: primary, journal: '5b0c' as JournalId };
  return {
    schema: 1,
    at: '2026-01-02T03:04:05.678Z',
    versions: { lockstep: '0.1.0', node: 'v20.11.0' },
    cluster: 'haprofile1',
    server: primary,
    configuredRole: 'primary',
    profile: '/etc/lockstep/lockstep.yaml',
    manager: { pid: 4711, run: 'a1' as RunId, uptimeMs: 61_000 },
    state: 'ACTIVE_SYNC',
    previous: 'STANDALONE',
    reason: 'the peer is WAITING and is brought up to date',
    since: '2026-01-02T03:04:00.000Z',
    serving: true,
    advice: null,
    stopping: false,
    term: 7 as Term,
    inSync: [member],
    record: { schema: 1, term: 7 as Term, server: primary, inSync: [member], position: 1200 as Position, cause: 'peer-lost', at: '2026-01-02T03:00:00.000Z', nonce: 'n' },
    inDoubt: null,
    peer: { server: secondary, state: 'PASSIVE_SYNC', previous: 'WAITING', reason: 'the peer serves', term: 7 as Term, brokerDown: false, position: 900 as Position, holdsLock: false, gatewayAnswers: true, clientEndpoints: ['127.0.0.1:1884'] },
    unlike: [],
    lock: { file: '/share/lockstep.lck', held: true, leftMs: 1800, holder: primary, holderSilentMs: null, share: 'ok', shareId: 's', detail: null },
    backchannel: { connected: true, secured: false, listen: { host: '127.0.0.1', port: 2101 }, peer: { host: '127.0.0.1', port: 2201 }, heardMs: 120, refused: null },
    gateway: { endpoint: { host: '127.0.0.1', port: 2049 }, answers: true, answeredMs: 300 },
    broker: { pid: 4713, run: 'b1' as RunId, role: 'serve', clientPort: 'accepting', clientPortError: null, certificateUntil: '2026-04-01T00:00:00.000Z', trouble: null, notice: null, crashes: 0 },
    journal: { id: '5b0c' as JournalId, term: 7 as Term, position: 1300 as Position, durable: 1300 as Position, damage: null },
    replication: {
      phase: 'catching-up', peerDurable: 900 as Position, lagRecords: 400, lagBytes: 102_400, stalledMs: 0,
      progress: { recordsDone: 100, recordsTotal: 500, bytesDone: 25_600, bytesTotal: 128_000, elapsedMs: 1000, percent: 20, leftMs: 4000 },
    },
    repositories: {
      pid: 4714, crashes: 0, trouble: null, admissionWaitLeftMs: 90_000,
      here: [
        { name: 'applications', path: '/srv/applications', syncType: 'FULL', when: 'continuous', condition: 'idle', detail: null, since: '2026-01-02T03:04:00.000Z', syncedAt: '2026-01-02T03:00:00.000Z', progress: null, exchange: 'atomic', kept: ['2026-01-02T03-00-00Z'] },
      ],
      peer: [{ name: 'applications', condition: 'failed', detail: 'the disk is full' }],
    },
    clients: 3,
    sessions: 5,
    queued: 17,
    clientEndpoints: ['127.0.0.1:1883'],
    backupServer: '127.0.0.1:1884',
    worstCaseFailoverMs: { crashedProcess: 1850, deadHost: 4350, hungDisk: 4200, cutLink: 2250 },
    history: [{ at: '2026-01-02T03:04:00.000Z', from: 'STANDALONE', to: 'ACTIVE_SYNC', term: 7 as Term, reason: 'the peer is WAITING' }],
    ...change,
  };
}
