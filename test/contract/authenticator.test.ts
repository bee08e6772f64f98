import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashPassword } from '../../src/adapters/password.js';
import { USER_FILE_LIMITS, UserFileAuthenticator } from '../../src/adapters/user-file-authenticator.js';
import type { Authenticator, Credentials, Verdict } from '../../src/ports/authenticator.js';
import { AnonymousAuthenticator } from '../../src/protocols/mqtt/anonymous.js';
import { FakeAuthenticator } from '../unit/support/fake-authenticator.js';
import { FakeClock } from '../unit/support/fake-clock.js';
import { FakeLog } from '../unit/support/fake-log.js';

const CHEAP = { N: 16, r: 1, p: 1 };
const USERS: Readonly<Record<string, string>> = { ann: 'the password of ann', bob: 'the password of bob' };
/** So many logins may be under way where it is pressed; one more is too many. */
const ROOM = 3;

interface Ground {
  readonly judge: Authenticator;
  /** What the log was told. */
  readonly log: FakeLog;
  /** Judges those who wait. */
  goOn(): void;
  end(): void;
}

interface Side {
  readonly name: string;
  /** Else it lets everybody in. */
  readonly knowsUsers: boolean;
  /** Logins wait, and `ROOM` of them at most are under way. */
  readonly hasWaiting: boolean;
  make(): Ground | Promise<Ground>;
}

const nothing = (): void => undefined;
const plain = (judge: Authenticator): Ground => ({ judge, log: new FakeLog(), goOn: nothing, end: nothing });

async function byFile(): Promise<Ground> {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-authenticator-'));
  const file = join(folder, 'users');
  const lines = await Promise.all(Object.entries(USERS).map(async ([name, password]) => `${name}:${await hashPassword(password, CHEAP)}`));
  writeFileSync(file, lines.join('\n'), { mode: 0o600 });
  const log = new FakeLog();
  const judge = await UserFileAuthenticator.open(file, { clock: new FakeClock(), log, limits: { ...USER_FILE_LIMITS, verifyingMax: 1, waitingMax: ROOM - 1 } });
  return { judge, log, goOn: nothing, end: () => rmSync(folder, { recursive: true }) };
}

function byHand(): Ground {
  const judge = new FakeAuthenticator({ users: USERS, byHand: true, waitingMax: ROOM });
  return { ...plain(judge), goOn: () => judge.asked.forEach(() => judge.answer()) };
}

const SIDES: readonly Side[] = [
  { name: 'by a user file', knowsUsers: true, hasWaiting: true, make: byFile },
  { name: 'that lets everybody in', knowsUsers: false, hasWaiting: false, make: () => plain(new AnonymousAuthenticator()) },
  { name: 'of a unit test, at once', knowsUsers: true, hasWaiting: false, make: () => plain(new FakeAuthenticator({ users: USERS })) },
  { name: 'of a unit test, by hand', knowsUsers: true, hasWaiting: true, make: byHand },
  { name: 'of a unit test, that lets everybody in', knowsUsers: false, hasWaiting: false, make: () => plain(new FakeAuthenticator()) },
];

const REFUSED: Verdict = { kind: 'refused', reason: 'bad-credentials' };
const NOT_AUTHORIZED: Verdict = { kind: 'refused', reason: 'not-authorized' };
const accepted = (user: string | null): Verdict => ({ kind: 'accepted', user });
const says = (user: string | null, password: string | Uint8Array | null, clientId = 'c'): Credentials => ({ clientId, user, password: password === null ? null : Buffer.from(password), remote: '192.0.2.1:40000' });

let ground: Ground;
afterEach(() => ground.end());

async function judged(credentials: Credentials): Promise<Verdict> {
  const verdict = ground.judge.authenticate(credentials);
  ground.goOn();
  return await verdict;
}

/** All that hangs on an object, down to texts and bytes. */
function held(root: unknown, seen = new Set<unknown>()): string[] {
  if (typeof root === 'string') return [root];
  if (typeof root !== 'object' || root === null || seen.has(root)) return [];
  seen.add(root);
  if (ArrayBuffer.isView(root)) return [Buffer.from(root.buffer, root.byteOffset, root.byteLength).toString('latin1')];
  const inner: unknown[] = root instanceof Map || root instanceof Set ? [...root].flat() : [];
  return [...inner, ...Object.values(root)].flatMap((value) => held(value, seen));
}

describe.each(SIDES)('Authenticator $name', ({ knowsUsers, make }) => {
  beforeEach(async () => {
    ground = await make();
  });

  it('never rejects, whatever a client says of itself, and accepts no name that was not said', async () => {
    const names = [null, '', '\0', 'ann\n', ':', '__proto__', 'constructor', '\ud800', 'ä'.repeat(40_000)];
    const passwords = [null, '', new Uint8Array(65_535).fill(0xff), '\0'];
    for (const user of names) {
      for (const password of user === names[3] ? passwords : passwords.slice(0, 2)) {
        const expected = knowsUsers ? (user === null || password === null ? NOT_AUTHORIZED : REFUSED) : accepted(null);
        expect(await judged(says(user, password, 'x'.repeat(65_535)))).toEqual(expected);
      }
    }
  });

  it('keeps no password, tells the log of none, and leaves the bytes as they are', async () => {
    const told = ['the password of ann', 'mistyped'];
    for (const password of told) {
      const credentials = says('ann', password);
      await judged(credentials);
      expect(credentials).toEqual(says('ann', password));
    }
    const kept = [...held(ground.judge), JSON.stringify(ground.log.lines)];
    for (const password of told) expect(kept.filter((text) => text.includes(password))).toEqual([]);
  });

  it('does not look at the bytes after it has judged: they may be used again', async () => {
    const credentials = says('ann', 'the password of ann');
    const first = await judged(credentials);
    credentials.password?.fill(0);
    expect(await judged(says('ann', 'the password of ann'))).toEqual(first);
  });
});

describe.each(SIDES.filter(({ knowsUsers }) => knowsUsers))('Authenticator $name', ({ make }) => {
  beforeEach(async () => {
    ground = await make();
  });

  it('accepts who proves his name, time and again, from anywhere: as the name that was proved', async () => {
    for (const clientId of ['one', 'two', 'two', 'bob']) expect(await judged(says('ann', 'the password of ann', clientId))).toEqual(accepted('ann'));
    expect(await judged(says('bob', 'the password of bob', 'ann'))).toEqual(accepted('bob'));
  });

  it.each([
    ['of another user', 'ann', 'the password of bob'],
    ['that is empty', 'ann', ''],
    ['of which a part is missing', 'ann', 'the password of an'],
    ['that goes on', 'ann', 'the password of ann.'],
    ['in other letters', 'ann', 'The password of ann'],
    ['of a name in other letters', 'Ann', 'the password of ann'],
    ['of nobody that it knows', 'eve', 'the password of ann'],
  ])('refuses a password %s, also after the right one was said', async (_what, user, password) => {
    expect(await judged(says(user, password))).toEqual(REFUSED);
    expect(await judged(says('ann', 'the password of ann'))).toEqual(accepted('ann'));
    expect(await judged(says(user, password))).toEqual(REFUSED);
  });

  it('tells who gave no name or no password from who gave a wrong one', async () => {
    for (const [user, password] of [[null, null], ['ann', null], [null, 'the password of ann'], ['eve', null]] as const) expect(await judged(says(user, password))).toEqual(NOT_AUTHORIZED);
  });

  it('gives each of those who come at once his own verdict', async () => {
    const [ann, wrong, bob] = [says('ann', 'the password of ann'), says('ann', 'mistyped'), says('bob', 'the password of bob')].map((credentials) => ground.judge.authenticate(credentials));
    ground.goOn();
    expect(await Promise.all([ann, wrong, bob])).toEqual([accepted('ann'), REFUSED, accepted('bob')]);
  });
});

describe.each(SIDES.filter(({ hasWaiting }) => hasWaiting))('Authenticator $name', ({ make }) => {
  beforeEach(async () => {
    ground = await make();
  });

  it('is busy for more than may wait, whoever it is, judges nothing of him, and lets him in when he comes again', async () => {
    const underWay = Array.from({ length: ROOM }, (_, i) => ground.judge.authenticate(says('bob', `mistyped ${i}`)));
    for (const password of ['the password of ann', 'mistyped']) expect(await ground.judge.authenticate(says('ann', password))).toEqual({ kind: 'busy' });
    ground.goOn();
    expect(await Promise.all(underWay)).toEqual(underWay.map(() => REFUSED));
    expect(await judged(says('ann', 'the password of ann'))).toEqual(accepted('ann'));
    expect(await judged(says('ann', 'mistyped'))).toEqual(REFUSED);
  });
});
