import type { PeerStatus } from '../../../../src/core/control/peer.js';
import { decide } from '../../../../src/core/ha/decide.js';
import type { Situation } from '../../../../src/core/ha/situation.js';
import type { Term } from '../../../../src/core/identity.js';
import { settle } from './settle.js';
import { active, ALONE, broker, MINE, passive, peer, peerBroker, record, situation, THEIRS, waiting } from './situations.js';

/** The peer is connected in both directions, WAITING, and without a broker; this copy alone counts. */
function beside(ofPeer: Partial<PeerStatus>, changes: Partial<Situation> = {}): Situation {
  return situation({ kept: record(2, { inSync: [MINE] }), peer: peer({ record: record(2, { inSync: [MINE] }), ...ofPeer }), peerHadItsWait: true, ...changes });
}

const WITHOUT_BROKER = { brokerDown: true, broker: null } as const;
const BOTH = record(2);

describe('a peer that is there and cannot take part', () => {
  test.each<[string, Situation]>([
    ['has no broker', beside(WITHOUT_BROKER)],
    ['has no broker, and its copy counts as well', beside({ ...WITHOUT_BROKER, record: BOTH }, { kept: BOTH })],
    ['lacks the records of the share, since it has not mounted it', beside({ shareReplaced: true, shareBare: true })],
    ['made a share of its own below its mount, and knows of no record', beside({ shareId: 'below', shareEmpty: true, record: null })],
    ['sees another share, and knows of an earlier record only', beside({ shareId: 'other', record: record(1) })],
    ['has not seen a share yet', beside({ shareId: null })],
  ])('does not keep this server from serving alone after the wait: it %s', (_name, s) => {
    const begun = decide(waiting(), s);
    expect(begun).toMatchObject({ state: 'WAITING', task: { kind: 'alone', to: 'STANDALONE', cause: 'alone', forced: false } });
    expect(begun.reason).toMatch(/^without the peer \(.+\), and this server has the newest data$/);
    // The task goes on while it is there.
    expect(decide(begun, s).task).not.toBeNull();
    expect(decide(waiting(), { ...s, peerHadItsWait: false }).task).toBeNull();
  });

  test.each<[string, Situation]>([
    ['knows of a newer record', beside({ shareId: 'other', record: record(3) })],
    ['knows of a newer record, and has no broker: that record may stand on another share', beside({ ...WITHOUT_BROKER, shareId: 'other', record: record(3, { inSync: [THEIRS] }) }, { kept: BOTH })],
    ['has no broker, and has kept another record of the same number', beside({ ...WITHOUT_BROKER, record: record(2, { nonce: 'another' }) }, { kept: BOTH })],
    ['has no broker, and a claim of its own has no answer yet', beside({ ...WITHOUT_BROKER, inDoubt: 3 as Term })],
    ['has kept another record of the same number', beside({ shareReplaced: true, record: record(2, { nonce: 'another' }) })],
    ['counts as well, and looks at another share: both could claim there', beside({ shareId: 'other', record: BOTH }, { kept: BOTH })],
    ['waits for the answer to a claim of its own', beside({ shareId: 'other', inDoubt: 3 as Term })],
    ['is about to take over', beside({ shareId: 'other', state: 'PASSIVE' })],
    ['sees another share, and this server has none', beside({ shareId: 'other' }, { share: { ...situation().share, usable: false } })],
  ])('is waited for where it %s', (_name, s) => {
    expect(decide(waiting(), s).task).toBeNull();
  });

  test('gives no right that is missing: the record, the share, the gateway', () => {
    const theirs = record(2, { inSync: [THEIRS] });
    for (const s of [beside({ ...WITHOUT_BROKER, record: theirs }, { kept: theirs }), beside(WITHOUT_BROKER, { share: { ...situation().share, usable: false } }), beside(WITHOUT_BROKER, { gatewayAnswers: false })]) {
      expect(decide(waiting(), s)).toMatchObject({ state: 'WAITING', task: null });
    }
  });

  test('ends the attempt when it comes, as long as nothing was claimed', () => {
    const begun = decide(waiting(), beside(WITHOUT_BROKER));
    expect(decide(begun, beside({}, { lock: { held: false, until: null, detail: null } }))).toMatchObject({ task: null, reason: 'the peer has come' });
  });

  test('is followed where it serves, whatever it sees', () => {
    expect(decide(waiting(), beside({ state: 'STANDALONE', term: 3 as Term, record: record(3, { server: THEIRS.server, inSync: [THEIRS] }) }))).toMatchObject({ state: 'PASSIVE_SYNC' });
  });
});

describe('a disk that has not taken a term record since the task began', () => {
  const FENCED = broker({ fencedThrough: 2 as Term, clientPort: 'bound' });
  const lost = (changes: Partial<Situation> = {}): Situation => situation({ ...ALONE, broker: FENCED, takesRecords: false, ...changes });
  const claimed = { task: { kind: 'alone', claim: { term: 3 } } };

  test.each([
    ['takes over', passive(2)],
    ['goes on alone', active(2)],
    ['serves alone after its wait', waiting()],
  ])('lets no claim be sent by a server that %s', (_name, ha) => {
    const held = settle(ha, lost());
    expect(held).toMatchObject({ task: { kind: 'alone', claim: null } });
    // Said where there is something in the way, and not of every takeover.
    expect(settle(held, lost({ unfit: true })).reason).toBe("waiting until this server's disk takes a term record");
    expect(held.reason).not.toContain('disk');
    expect(settle(held, lost({ takesRecords: true }))).toMatchObject(claimed);
  });

  test('is not waited for beyond the limit of the task while the peer is there', () => {
    const restarted = lost({ peerSilent: false, peerHearsUs: true, peer: peer({ state: 'WAITING', broker: peerBroker({ run: 'another' as never }) }) });
    const held = settle(active(2), restarted);
    expect(held.state).toBe('ACTIVE');
    // It comes second then, and follows the one whose disk is well.
    expect(settle(held, { ...restarted, taskOverdue: true, unfit: true })).toMatchObject({ state: 'PASSIVE_SYNC', task: null });
  });
});

test('of two that wait, the one comes first whose client port can be opened, also as the secondary with the shorter log', () => {
  const longer = broker({ clientPortError: 'EADDRINUSE', journal: { ...broker().journal, position: 12 as never } });
  expect(decide(waiting(), situation({ unfit: true, broker: longer }))).toMatchObject({ state: 'PASSIVE_SYNC' });
  // It had begun when it found that.
  const begun = decide(waiting(), situation());
  expect(decide(begun, situation({ unfit: true, broker: { ...longer, clientPort: 'failed' } }))).toMatchObject({ state: 'WAITING', task: null, reason: 'the peer comes first' });
});
