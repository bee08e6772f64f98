import type { Position, Term } from '../../../src/core/identity.js';
import type { HaState } from '../../../src/core/ha/state.js';
import type { Situation } from '../../../src/core/ha/situation.js';
import { adviceFor } from '../../../src/manager/advice.js';
import { active, ALONE, broker, MINE, passive, record, situation, standalone, THEIRS, waiting } from '../core/ha/situations.js';

const NO_SHARE = { ...situation().share, usable: false, detail: '/mnt/s is not there' };
const DAMAGED = broker({ journal: { ...broker().journal, damage: 'a record' } });

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
      'a share that was replaced, and this copy was the last',
      waiting(),
      { ...ALONE, share: { ...situation().share, replaced: true }, kept: record(3, { inSync: [MINE] }) },
      'the share was replaced; start the secondary server, or run "lockstep promote --accept-data-loss": nothing is lost by it, this server was the last to serve alone',
    ],
    [
      'the last copy, whose disk has lost what it had confirmed',
      waiting(),
      { ...ALONE, share: { ...situation().share, watermark: { term: 3 as Term, nonce: 'n3', position: 12 as Position } }, kept: record(3, { inSync: [MINE] }) },
      'the log ends at 9, but was durable up to 12: its disk has lost what it had confirmed, or was put back from a backup; no other copy has it; "lockstep promote --accept-data-loss" makes this copy serve, and what it lacks is lost',
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
    ['a share that is away when the other server is lost: nobody is served until the reason says so', passive(2), { ...ALONE, share: NO_SHARE }, null],
    ['a share that is away while this server serves alone', standalone(3), { ...ALONE, share: NO_SHARE }, 'only this server holds the data now: start the secondary server'],
    ['a share that is away while this server waits', waiting(), { share: NO_SHARE }, null],
  ])('%s', (_what, ha, changes, advice) => {
    expect(adviceFor(ha, situation(changes), null)).toBe(advice);
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

  test('does not say of a peer that it runs when only a stranger, or this server itself, was refused', () => {
    expect(adviceFor(standalone(3), situation(ALONE), 'server "primary" reached itself')).not.toContain('runs');
  });
});
