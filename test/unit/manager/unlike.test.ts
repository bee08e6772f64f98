import type { UserList } from '../../../src/core/control/broker.js';
import type { Situation } from '../../../src/core/ha/situation.js';
import type { Monotonic, RunId } from '../../../src/core/identity.js';
import type { ManagerConfig } from '../../../src/manager/config.js';
import { PeerView } from '../../../src/manager/peer-view.js';
import { CLOCKS_APART_MS, Unlike, UNLIKE_MS } from '../../../src/manager/unlike.js';
import { ALONE, broker, peer, peerBroker, PEER, situation } from '../core/ha/situations.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';

const list = (count: number, digest = `${count}`): UserList => ({ count, digest });
const withUsers = (ours: UserList | null, theirs: UserList | null, changes: Partial<Situation> = {}): Situation => situation({ broker: broker({ users: ours }), peer: peer({ broker: peerBroker({ users: theirs }) }), ...changes });

function rig() {
  const [clock, log] = [new FakeClock(), new FakeLog()];
  const unlike = new Unlike(log, () => clock.monotonic());
  /** @returns all that was said until then */
  const look = (s: Situation, offsetMs: number | null = 0): string[] => {
    unlike.look(s, offsetMs);
    return log.lines.map(({ level, message }) => `${level} ${message}`);
  };
  return { clock, log, unlike, look };
}

const USERS = 'user files of the two servers differ (2 users here, 1 on the secondary server): who is let in by one can be refused by the other after a change of roles. Copy the file of one server to the other; a password that was set on each of them counts as two';

test('user files that differ are said once that has lasted, shown meanwhile, and said when they are equal again', () => {
  const { clock, log, unlike, look } = rig();
  expect(look(withUsers(list(2), list(1)))).toEqual([]);
  clock.advance(UNLIKE_MS - 1);
  expect([look(withUsers(list(2), list(1))), unlike.texts]).toEqual([[], []]);
  clock.advance(1);
  expect([look(withUsers(list(2), list(1))), unlike.texts]).toEqual([[`warn The ${USERS}`], [`the ${USERS}`]]);
  expect(log.lines[0]?.fields).toEqual({ event: 'unlike', code: 'LOCKSTEP_SERVERS_UNLIKE' });
  // What is not known is no change, and more of the same is no news.
  const unknown = [withUsers(list(2), list(1), ALONE), situation({ broker: null }), situation({ peer: peer({ broker: null }) }), withUsers(list(2), list(1))];
  for (const s of unknown) expect(look(s)).toHaveLength(1);
  expect(unlike.texts).toHaveLength(1);
  expect([look(withUsers(list(1), list(1))).slice(1), unlike.texts]).toEqual([['info The user files of the two servers are the same again'], []]);
});

test.each([
  ['one asks for no passwords, which is a setting', withUsers(null, list(1))],
  ['neither asks for passwords', withUsers(null, null)],
  ['they are the same', withUsers(list(3), list(3))],
])('nothing is said of user files where %s', (_, s) => {
  const { clock, look } = rig();
  look(s);
  clock.advance(UNLIKE_MS);
  expect(look(s)).toEqual([]);
});

test('a change of both files, one after the other, is none', () => {
  const { clock, look } = rig();
  for (const [ours, theirs] of [[1, 1], [2, 1], [2, 2], [2, 3], [3, 3]] as const) {
    look(withUsers(list(ours), list(theirs)));
    clock.advance(UNLIKE_MS - 1);
  }
  expect(look(withUsers(list(3), list(3)))).toEqual([]);
});

test.each([
  [CLOCKS_APART_MS, []],
  [-CLOCKS_APART_MS, []],
  [3_600_000, ["warn The clock of the secondary server is 3600 seconds ahead of this one's: who serves does not rest on clocks, but the times in their logs do, and whether a certificate counts. Let both ask the same time server"]],
  [-12_345, [expect.stringContaining("is 12 seconds behind this one's: ")]],
])('clocks of which the other one is %d ms ahead', (offsetMs, said) => {
  const { clock, look } = rig();
  look(situation(), null);
  clock.advance(UNLIKE_MS);
  look(situation(), offsetMs);
  clock.advance(UNLIKE_MS);
  expect(look(situation(), offsetMs)).toEqual(said);
  if (said.length > 0) expect(look(situation(), 0).at(-1)).toBe("info The two servers' clocks agree again");
});

describe('the clocks are compared', () => {
  const OFFSET_MS = 5_000;

  function compared() {
    const clock = new FakeClock();
    const view = new PeerView({ peerServer: PEER } as ManagerConfig, 'manager-p' as RunId, clock);
    let seq = 0;
    /** A status of the peer, whose clock is ahead, that takes so long on its way. */
    const hear = (delayMs: number, offsetMs = OFFSET_MS, run = 's1'): number | null => {
      const wallTime = clock.wall() + offsetMs;
      clock.advance(delayMs);
      view.hear(peer({ run: run as RunId, seq: (seq += 1), wallTime }), clock.monotonic());
      return view.clockOffsetMs;
    };
    return { hear, view };
  }

  it('by the status that was the quickest of the last eight', () => {
    const { hear } = compared();
    const found = [900, 30, 2_000, 800, 700, 600, 500, 400].map((delayMs) => hear(delayMs));
    expect(found.slice(0, 7)).toEqual([null, null, null, null, null, null, null]);
    expect(found[7]).toBe(OFFSET_MS - 30);
    expect(hear(1_000)).toBe(OFFSET_MS - 30);
    expect(hear(1_000)).toBe(OFFSET_MS - 400);
  });

  it('not with a server of an older version, which does not say its time', () => {
    const { view } = compared();
    for (let seq = 1; seq <= 9; seq += 1) view.hear(peer({ seq, wallTime: null }), 1 as Monotonic);
    expect(view.clockOffsetMs).toBeNull();
  });

  it('anew after a step, and for another run', () => {
    const { hear } = compared();
    for (let i = 0; i < 8; i += 1) hear(10);
    for (let i = 0; i < 7; i += 1) hear(10, 0);
    expect(hear(10, 0)).toBe(-10);
    expect(hear(10, 0, 's2')).toBeNull();
  });
});
