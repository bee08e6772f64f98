import { Handover, type HandoverParts } from '../../../src/manager/handover.js';
import { Wishes } from '../../../src/manager/wishes.js';
import { active, peer, situation } from '../core/ha/situations.js';

/** `hindrance`: of the other server, which is PASSIVE. */
function asked(hindrance: string | null): { answer: ReturnType<Handover['ask']>; deferred: boolean } {
  const wishes = new Wishes(10_000);
  const parts = {
    wishes,
    keeping: () => null,
    repositories: { syncOnceMore: () => new Promise(() => undefined) },
    standing: () => ({ ha: active(2), situation: situation({ peer: peer({ state: 'PASSIVE', hindrance }) }) }),
  };
  const answer = new Handover(parts as unknown as HandoverParts).ask();
  return { answer, deferred: wishes.deferred !== null };
}

describe('a switchover that an operator asks for', () => {
  it('begins with the repositories where the other server knows of nothing that keeps it from serving', () => {
    expect(asked(null)).toEqual({ answer: { kind: 'accepted' }, deferred: true });
  });

  it('is refused where the other server could not serve', () => {
    expect(asked('clients could not connect to it (port 1883 is taken)')).toEqual({
      answer: { kind: 'refused', why: 'a switchover needs a peer that could serve: clients could not connect to it (port 1883 is taken)' },
      deferred: false,
    });
  });
});
