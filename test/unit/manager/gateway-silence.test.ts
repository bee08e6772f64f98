import { INITIAL_STATE } from '../../../src/core/ha/state.js';
import type { PeerStatus } from '../../../src/core/control/peer.js';
import type { Monotonic, ServerId } from '../../../src/core/identity.js';
import type { ManagerConfig } from '../../../src/manager/config.js';
import { situate, type Knowledge } from '../../../src/manager/situate.js';

const config = {
  server: 'primary' as ServerId,
  role: 'primary',
  peerServer: 'secondary' as ServerId,
  pingIntervalMs: 500,
  pingMissLimit: 3,
  passiveLockIntervalMs: 2_500,
  keeperAnswerLimitMs: 3_000,
  stallLimitMs: 2_000,
  taskLimitMs: 5_000,
  patienceMs: 7_000,
  peerWaitMs: 10_000,
} as unknown as ManagerConfig;

function gatewayAnswers(times: { now: number; peerHeardAt: number | null; gatewayAnsweredAt: number | null }): boolean {
  const knowledge = {
    ...times,
    startedAt: 0,
    broker: null,
    brokerRoleSeq: 0,
    keeper: null,
    peer: times.peerHeardAt === null ? null : ({} as PeerStatus),
    peerHeardOurs: null,
    peerTookPartAt: null,
    kept: { schema: 1, record: null, shareId: null },
    movedAt: 0 as Monotonic,
    taskSince: null,
    aloneSince: null,
    recordTakenAt: null,
    recordTrouble: null,
    heldUpSince: null,
    repositoriesSettled: true,
    wishes: { switchover: false, stop: false, promote: false },
    fresh: { nonce: 'n', at: '' },
  } as unknown as Knowledge;
  return situate(config, INITIAL_STATE, knowledge).gatewayAnswers;
}

test.each([
  ['while the peer is heard, an answer within the limit counts', { now: 10_000, peerHeardAt: 9_900, gatewayAnsweredAt: 8_100 }, true],
  ['an answer beyond the limit does not', { now: 10_000, peerHeardAt: 9_900, gatewayAnsweredAt: 7_900 }, false],
  ['the peer silent: an answer asked for after the first missing heartbeat counts', { now: 10_000, peerHeardAt: 8_400, gatewayAnsweredAt: 8_900 }, true],
  ['the peer silent: an answer from before it, within the limit, does not', { now: 10_000, peerHeardAt: 8_400, gatewayAnsweredAt: 8_800 }, false],
  ['a peer that was never heard: the limit alone', { now: 10_000, peerHeardAt: null, gatewayAnsweredAt: 8_100 }, true],
  ['a gateway that never answered', { now: 10_000, peerHeardAt: null, gatewayAnsweredAt: null }, false],
])('gateway: %s', (_name, times, expected) => {
  expect(gatewayAnswers(times)).toBe(expected);
});
