import type { Position, Term } from '../../../src/core/identity.js';
import type { AloneTask, HaState } from '../../../src/core/ha/state.js';
import type { Situation } from '../../../src/core/ha/situation.js';
import { adviceFor } from '../../../src/manager/advice.js';
import { active, activeSync, ALONE, broker, MINE, passive, passiveSync, peer, PEER, peerBroker, record, situation, standalone, THEIRS, waiting } from '../core/ha/situations.js';

const NO_SHARE = { ...situation().share, usable: false, detail: '/mnt/s is not there' };
const DAMAGED = broker({ journal: { ...broker().journal, damage: 'a record' } });
const HELD_UP: AloneTask = { kind: 'alone', to: 'STANDALONE', cause: 'takeover', forced: false, fresh: false, claim: null, heldUp: true };
const NOBODY = 'nobody serves: this server cannot take over without the share (/mnt/s is not there); see to its mount here and to the machine that hosts it';
const NOT_HERE = 'this server cannot serve without the share (/mnt/s is not there); see to its mount here and to the machine that hosts it';

describe('the advice', () => {
  test.each<[string, HaState, Partial<Situation>, string | null]>([
    ['a whole pair', active(2), {}, null],
    ['alone and serving', standalone(3), ALONE, 'only this server holds the data now: start the secondary server'],
    ['a damaged copy', waiting(), { broker: DAMAGED }, "this server's copy is damaged and needs the peer's: start the secondary server"],
    ['a new pair', waiting(), { ...ALONE, kept: null }, 'a new pair starts with both servers: start the secondary server'],
    ['a new pair that has not waited yet', waiting(), { ...ALONE, kept: null, peerHadItsWait: false }, null],
    ['a silent gateway', waiting(), { ...ALONE, gatewayAnswers: false }, 'the gateway does not answer, and without it this server does not serve alone: look at that machine and at the way to it, or start the secondary server'],
    [
      'an old copy',
      waiting(),
      { ...ALONE, kept: record(3, { inSync: [THEIRS] }) },
      'the newer data is on secondary (term 3); start the secondary server. If the secondary server is gone for good, "lockstep promote --accept-data-loss" makes this copy serve, and what was acknowledged after it fell behind is lost',
    ],
    [
      'an old copy, on a server that hears nobody at all',
      waiting(),
      { ...ALONE, gatewayAnswers: false, peerHadItsWait: false, kept: record(3, { inSync: [THEIRS] }) },
      'this server hears neither the secondary server nor the gateway: look at its own network first. Otherwise: the newer data is on secondary (term 3); start the secondary server. If the secondary server is gone for good, "lockstep promote --accept-data-loss" makes this copy serve, and what was acknowledged after it fell behind is lost',
    ],
    [
      'alone, and the other server is there and not admitted',
      standalone(3),
      { peer: peer({ state: 'PASSIVE_SYNC', reason: 'the peer serves alone' }) },
      'only this server holds the data now: the secondary server is there and is not admitted yet (it is PASSIVE_SYNC: the peer serves alone)',
    ],
    [
      'the same, and that one knows what is wrong with it',
      standalone(3),
      { peer: peer({ state: 'PASSIVE_SYNC', reason: 'the peer serves alone', hindrance: 'it cannot use the share (EROFS)' }) },
      'only this server holds the data now: the secondary server is there and is not admitted yet (it is PASSIVE_SYNC: it cannot use the share (EROFS))',
    ],
    [
      'both serving, each for itself',
      standalone(3),
      { peer: peer({ state: 'STANDALONE', term: 4 as Term }) },
      'both servers serve, each for itself (term 3 here, term 4 at the secondary server), and neither has what the other acknowledges: see that both have the same share mounted, and decide whose data counts. "lockstep stop" the other server, move its data.folder away, keep it for what is only there, and start it again: it copies from this one',
    ],
    ['the same, as far as it was heard last', standalone(3), { ...ALONE, peer: peer({ state: 'STANDALONE', term: 4 as Term }) }, 'only this server holds the data now: start the secondary server'],
    [
      'an old copy, and the other server has no broker',
      waiting(),
      { peerHadItsWait: true, kept: record(3, { inSync: [THEIRS] }), peer: peer({ brokerDown: true, broker: null }) },
      'the broker of the secondary server does not run, and this server may not serve without it: see the log of that server, which says why, and mend it',
    ],
    ['the same, with the copy that counts: it serves in a moment', waiting(), { peerHadItsWait: true, kept: record(3, { inSync: [MINE] }), peer: peer({ brokerDown: true, broker: null }) }, null],
    ['an admission that the other server cannot follow', activeSync(3), { peer: peer({ state: 'PASSIVE_SYNC', hindrance: 'no replication link: refused' }) }, 'the secondary server is not admitted yet: no replication link: refused'],
    ['a second that could not take over', active(2), { peer: peer({ state: 'PASSIVE', hindrance: 'clients could not connect to it (taken)' }) }, 'the secondary server could not take over: clients could not connect to it (taken)'],
    [
      'a term of the other server beside the newest here',
      waiting(),
      { peer: peer({ state: 'STANDALONE', term: 3 as Term, record: record(3, { server: PEER, inSync: [THEIRS] }) }), kept: record(5, { inSync: [MINE], forced: true }) },
      'decide whose data counts. If that of the secondary server: "lockstep stop" this one, move its data.folder away, keep it for what is only there, and start it again: it copies from the other one. If that of this one: stop the secondary server, "lockstep promote --accept-data-loss" here, and with the secondary server move its data.folder away, keep it for what is only there, and start it again: it copies from the other one',
    ],
    [
      'a share that was replaced, and this copy was the last',
      waiting(),
      { ...ALONE, share: { ...situation().share, replaced: true }, kept: record(3, { inSync: [MINE] }) },
      'another share stands here than the one that this server knows (see first that it is mounted); start the secondary server, or run "lockstep promote --accept-data-loss": nothing is lost by it, this server was the last to serve alone',
    ],
    [
      'the last copy, whose disk has lost what it had confirmed',
      waiting(),
      { ...ALONE, share: { ...situation().share, watermark: { term: 3 as Term, nonce: 'n3', position: 12 as Position } }, kept: record(3, { inSync: [MINE] }) },
      'the log ends at 9, but was durable up to 12: its disk has lost what it had confirmed, or was put back from a backup; no other copy has it; "lockstep promote --accept-data-loss" makes this copy serve, and what it lacks is lost',
    ],
    [
      'the last copy, put back to before what the other one had',
      waiting(),
      { ...ALONE, kept: record(3, { inSync: [MINE], position: 12 as Position }) },
      'the log ends at 9, before position 12 that term 3 counts on; start the secondary server, whose log may go further: "lockstep status" of both then says which one to promote. If the secondary server is gone for good, "lockstep promote --accept-data-loss" makes this copy serve, and what it lacks is lost',
    ],
    [
      'a share that is away while this server serves and the other follows',
      active(2),
      { share: NO_SHARE },
      'the share is not usable here (/mnt/s is not there): clients are served, and both copies stay in sync, but without it this server cannot go on alone when the secondary server is lost, nor hand over to it; see to its mount here and to the machine that hosts it',
    ],
    [
      'the same of the server that follows',
      passive(2),
      { share: NO_SHARE },
      'the share is not usable here (/mnt/s is not there): clients are served, and both copies stay in sync, but without it this server cannot take over when the secondary server is lost; see to its mount here and to the machine that hosts it',
    ],
    [
      'a gateway that is silent while this server serves and the other follows',
      active(2),
      { gatewayAnswers: false },
      'the gateway does not answer: clients are served, and both copies stay in sync, but until it does this server does not go on alone when the secondary server is lost; look at that machine and at the way to it',
    ],
    [
      'the same of the server that follows',
      passive(2),
      { gatewayAnswers: false },
      'the gateway does not answer: clients are served, and both copies stay in sync, but until it does this server does not take over when the secondary server is lost; look at that machine and at the way to it',
    ],
    ['a follower whose client port cannot be bound', passive(2), { broker: broker({ clientPortError: 'port 1883 on 10.9.9.9 …' }) }, 'this server could not take over, since clients could not connect to it: port 1883 on 10.9.9.9 …'],
    ['a share that is away, and a silent gateway', active(2), { share: NO_SHARE, gatewayAnswers: false }, expect.stringMatching(/^the share is not usable here/) as unknown as string],
    ['a gateway that is silent when the other server is lost', passive(2), { ...ALONE, gatewayAnswers: false }, null],
    ['a share that is away when the other server is lost: nobody is served until the reason says so', passive(2), { ...ALONE, share: NO_SHARE }, null],
    ['a share that is away while this server serves alone', standalone(3), { ...ALONE, share: NO_SHARE }, 'only this server holds the data now: start the secondary server'],
    ['a share that is away while this server waits, and the other one too', waiting(), { share: NO_SHARE }, NOBODY],
    ['the same while the broker is started anew, and the other one holds on to its claim', waiting(), { share: NO_SHARE, broker: null, peer: peer({ state: 'PASSIVE' }) }, NOBODY],
    ['the same on the other one, whose peer lost its broker', passive(2, { task: HELD_UP }), { share: NO_SHARE, peer: peer({ brokerDown: true }) }, NOBODY],
    ['the same where nothing is heard of the peer, which may serve', passive(2, { task: HELD_UP }), { ...ALONE, share: NO_SHARE }, NOT_HERE],
    ['the same of the one that served', active(2, { task: HELD_UP }), { ...ALONE, share: NO_SHARE }, NOT_HERE],
    ['the same of one that waits alone', waiting(), { ...ALONE, share: NO_SHARE }, NOT_HERE],
    ['a share that is away while this server waits and the other serves', waiting(), { share: NO_SHARE, peer: peer({ state: 'STANDALONE' }) }, null],
    ['a share that has not been looked at yet, right after a start', waiting(), { share: NO_SHARE, settled: false }, null],
    [
      'a share that is not the one of the server that this one follows',
      passiveSync(2),
      { share: { ...NO_SHARE, replaced: true }, peer: peer({ state: 'STANDALONE' }) },
      'this server is not admitted as the second copy, since it cannot use the share (/mnt/s is not there): see that ha.lockFile names the same share on both servers, and that it is mounted here',
    ],
    [
      'the share of the other server, which serves beside a newer term of this one, in the place of the one that this one knew',
      waiting(),
      { share: { ...NO_SHARE, replaced: true, id: 'theirs' }, peer: peer({ state: 'STANDALONE', term: 3 as Term, shareId: 'theirs' }), kept: record(5, { inSync: [MINE], forced: true }) },
      expect.stringMatching(/^decide whose data counts\. If that of the secondary server: "lockstep stop" this one, move its data\.folder away/) as unknown as string,
    ],
    [
      'the same with two shares: neither is known to count',
      waiting(),
      { share: { ...NO_SHARE, replaced: true, id: 'ours' }, peer: peer({ state: 'STANDALONE', term: 3 as Term, shareId: 'theirs' }), kept: record(5, { inSync: [MINE], forced: true }) },
      null,
    ],
    ['a share that is away while this server stops', waiting(), { share: NO_SHARE, wishes: { ...situation().wishes, stop: true } }, null],
    ['a share that is away while this server has an old copy, alone', waiting(), { ...ALONE, share: NO_SHARE, kept: record(3, { inSync: [THEIRS] }) }, expect.stringContaining('start the secondary server') as unknown as string],
  ])('%s', (_what, ha, changes, advice) => {
    expect(adviceFor(ha, situation(changes), null)).toEqual(advice);
  });

  test.each<[string, HaState, Partial<Situation>]>([
    ['alone and serving', standalone(3), ALONE],
    ['a damaged copy', waiting(), { broker: DAMAGED }],
    ['a new pair, also before its wait', waiting(), { ...ALONE, kept: null, peerHadItsWait: false }],
    ['a silent gateway', waiting(), { ...ALONE, gatewayAnswers: false }],
    ['an old copy', waiting(), { ...ALONE, kept: record(3, { inSync: [THEIRS] }) }],
  ])('is not to start a peer while one is refused: %s', (_what, ha, changes) => {
    const advice = adviceFor(ha, situation(changes), 'settings differ');
    expect(advice).toContain('mend what keeps the secondary server and this one apart (settings differ)');
    expect(advice).not.toContain("start the");
  });

  describe('where neither copy may serve', () => {
    const kept = record(3, { inSync: [MINE], position: 12 as Position });
    const theirs = (changes: Parameters<typeof peerBroker>[0]): Partial<Situation> => ({ kept, peer: peer({ record: kept, broker: peerBroker(changes) }) });
    test.each<[string, Partial<Situation>, string | null]>([
      ['names the other one, whose log goes further', theirs({ durable: 11 as Position }), 'neither copy may serve: the log here ends at 9 (term 2), that of the secondary server at 11 (term 2); "lockstep promote --accept-data-loss" on the secondary server makes that copy serve; what neither has is lost'],
      ['names this one, whose log has the newer term', theirs({ durable: 11 as Position, logTerm: 1 as Term }), expect.stringMatching(/promote --accept-data-loss" here makes that copy serve/) as unknown as string],
      ['names either', theirs({}), expect.stringMatching(/" on either of them makes/) as unknown as string],
      ['names the other one where this one is damaged', { ...theirs({}), broker: DAMAGED }, expect.stringMatching(/and this one is damaged; .* on the secondary server makes its copy serve/) as unknown as string],
      ['names this one where the other one is damaged', theirs({ damage: 'a record' }), expect.stringMatching(/that of the secondary server is damaged; .* makes this one serve/) as unknown as string],
      ['is silent while the servers know of different records', { ...theirs({}), kept: record(4, { inSync: [THEIRS] }) }, null],
      ['is silent where the other copy counts', { kept: record(3, { inSync: [THEIRS] }), peer: peer({ record: record(3, { inSync: [THEIRS] }) }) }, null],
    ])('%s', (_what, changes, advice) => {
      expect(adviceFor(waiting(), situation(changes), null)).toEqual(advice);
    });
  });

  test('does not say of a peer that it runs when only a stranger, or this server itself, was refused', () => {
    expect(adviceFor(standalone(3), situation(ALONE), 'server "primary" reached itself')).not.toContain('runs');
  });
});
