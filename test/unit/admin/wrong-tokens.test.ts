import { HELD_MAX, WRONG_TOKEN_DELAY_MS, WrongTokens } from '../../../src/admin/wrong-tokens.js';
import { FakeClock, settle } from '../support/fake-clock.js';

function rig(): { clock: FakeClock; refused: string[]; lines: string[]; ask: (remote: string) => void } {
  const clock = new FakeClock();
  const [refused, lines]: [string[], string[]] = [[], []];
  const tokens = new WrongTokens(clock, { write: (_key, level, message, _fields, who) => void lines.push(`${who} ${level} ${message}`) });
  return { clock, refused, lines, ask: (remote) => void tokens.refuse(remote).then(() => refused.push(remote)) };
}

test('a wrong token is answered later, and leaves a trace with the address', async () => {
  const { clock, refused, lines, ask } = rig();
  ask('10.0.0.9');
  await clock.advanceAsync(WRONG_TOKEN_DELAY_MS - 1);
  expect(refused).toEqual([]);
  await clock.advanceAsync(1);
  expect(refused).toEqual(['10.0.0.9']);
  expect(lines).toEqual(['10.0.0.9 warn Refused a request to the admin port from 10.0.0.9: it came without the right token']);
});

test('only so many are held back, and those that were make room', async () => {
  const { clock, refused, ask } = rig();
  for (let i = 0; i < HELD_MAX; i += 1) ask('a');
  ask('b');
  await settle();
  expect(refused).toEqual(['b']);
  await clock.advanceAsync(WRONG_TOKEN_DELAY_MS);
  expect(refused).toHaveLength(HELD_MAX + 1);
  ask('c');
  await settle();
  expect(refused).not.toContain('c');
});
