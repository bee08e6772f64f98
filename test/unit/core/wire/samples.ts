import type { Hello, PeerStatus } from '../../../../src/core/control/peer.js';
import type { JournalId, Position, RunId, ServerId, Term } from '../../../../src/core/identity.js';

export const HELLO: Hello = {
  cluster: 'orders',
  server: 'primary' as ServerId,
  role: 'primary',
  run: 'run-1' as RunId,
  version: '0.1.0',
  settings: { 'ha.pingInterval': '500ms', 'limits.sessionsMax': '100' },
};

const MEMBER = { server: 'primary' as ServerId, journal: 'j1' as JournalId };

export const STATUS: PeerStatus = {
  server: 'primary' as ServerId,
  run: 'run-1' as RunId,
  seq: 7,
  heard: { run: 'run-2' as RunId, seq: 3 },
  state: 'ACTIVE',
  previous: 'ACTIVE_SYNC',
  moves: 4,
  reason: 'the peer is in sync',
  term: 9 as Term,
  record: {
    schema: 1,
    term: 9 as Term,
    server: 'primary' as ServerId,
    inSync: [MEMBER, { server: 'secondary' as ServerId, journal: 'j2' as JournalId }],
    position: 12 as Position,
    cause: 'admission',
    forced: true,
    at: '2026-01-01T00:00:00.000Z',
    nonce: 'n',
  },
  inDoubt: null,
  shareId: 'share-1',
  shareEmpty: false,
  shareReplaced: false,
  shareBare: false,
  shareGivenUp: false,
  brokerDown: false,
  broker: {
    run: 'run-b' as RunId,
    journal: 'j1' as JournalId,
    logTerm: 9 as Term,
    position: 40 as Position,
    durable: 39 as Position,
    damage: null,
    diverged: null,
    fencedThrough: 8 as Term,
    replicationPhase: 'in-step',
  },
  holdsLock: true,
  releasedLock: false,
  gatewayAnswers: true,
  wantsSwitchover: false,
  stopping: false,
  hindrance: 'it cannot use the share (EROFS)',
  clientEndpoints: ['mqtt://127.0.0.1:1883'],
  repositories: { run: 'keeper-1' as RunId, names: ['applications'], from: null, copies: [{ name: 'applications', condition: 'failed', detail: 'the disk is full' }] },
};
