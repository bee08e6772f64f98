import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashPassword } from '../../../src/adapters/password.js';
import { LOOK_MS, UserFileAuthenticator } from '../../../src/adapters/user-file-authenticator.js';
import type { UserFileLimits } from '../../../src/adapters/user-file-authenticator.js';
import { parseUsers, readUsers, userFileVersion, userNameProblem, USER_FILE_BYTES_MAX, withUser, withoutUser } from '../../../src/adapters/user-file.js';
import type { UserList } from '../../../src/core/control/broker.js';
import { usersFileTrouble } from '../../../src/profile/private-file.js';
import type { Verdict } from '../../../src/ports/authenticator.js';
import { FakeClock, settle } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';

const CHEAP = { N: 16, r: 1, p: 1 };
const HASH = 'scrypt$16$1$1$YWFh$YWFhYWFhYWFhYWFhYWFhYWFh';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-users-'));
  file = join(folder, 'users');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('the text of a user file', () => {
  test('users, comments, empty lines, either line ending', () => {
    expect([...parseUsers(`# ours\n\nann:${HASH}\r\n  bob smith:${HASH}\n`, 'f').keys()]).toEqual(['ann', 'bob smith']);
  });

  test('every wrong line is named, with its number', () => {
    const text = ['ann', `:${HASH}`, `bob:${HASH}`, '# fine', `bob:${HASH}`, 'eve:plain'].join('\n');
    expect(() => parseUsers(text, '/etc/users')).toThrow(
      expect.objectContaining({
        code: 'LOCKSTEP_USERS_MALFORMED',
        message: expect.stringMatching(/\/etc\/users .*line 1: .*colon.*line 2: .*empty.*line 5: .*bob is there twice; line 6: .*form scrypt/) as string,
      }) as Error,
    );
    expect(() => parseUsers('x\n'.repeat(50), 'f')).toThrow(/and 40 more/);
  });

  test('setting and removing a user leaves the rest as it is', () => {
    const text = `# ours\nann:${HASH}\nbob:${HASH}\n`;
    expect(withUser(text, 'ann', 'new')).toBe(`# ours\nann:new\nbob:${HASH}\n`);
    expect(withUser(text, 'eve', 'new')).toBe(`${text}eve:new\n`);
    expect(withUser('', 'eve', 'new')).toBe('eve:new\n');
    expect(withoutUser(text, 'ann')).toBe(`# ours\nbob:${HASH}\n`);
    expect(withoutUser(text, 'an')).toBeNull();
  });

  test.each(['', 'a:b', ' a', '#a', 'a\nb', 'x'.repeat(257)])('%j is not a user name', (name) => {
    expect(userNameProblem(name)).not.toBeNull();
  });
});

describe('the file', () => {
  test('that is not there', async () => {
    await expect(readUsers(file)).rejects.toMatchObject({ code: 'LOCKSTEP_USERS_UNREADABLE' });
  });

  test.each([
    [0o600, true], [0o400, true], [0o640, false], [0o644, false], [0o660, false], [0o602, false],
  ])('of mode %o: the profile, which is looked at by a start, and a later reading say the same', async (mode, mayBeUsed) => {
    writeFileSync(file, `ann:${HASH}\n`);
    chmodSync(file, mode);
    const read = readUsers(file).then(() => null, (error: unknown) => error);
    if (mayBeUsed) expect(await read).toBeNull();
    else expect(await read).toMatchObject({ code: 'LOCKSTEP_USERS_EXPOSED', message: `the user file ${file} can be used by others (mode ${mode.toString(8)})`, remedy: expect.stringContaining(`chmod 600 ${file}`) as string });
    expect(usersFileTrouble(file) === null).toBe(mayBeUsed);
  });

  test('of any size that one of them takes, the other takes', async () => {
    const line = `# ${'x'.repeat(1022)}\n`;
    writeFileSync(file, line.repeat(USER_FILE_BYTES_MAX / line.length | 0), { mode: 0o600 });
    expect(usersFileTrouble(file)).toBeNull();
    await expect(readUsers(file)).resolves.toEqual(new Map());
    writeFileSync(file, 'x'.repeat(USER_FILE_BYTES_MAX + 1));
    expect(usersFileTrouble(file)).toContain('are allowed');
    await expect(readUsers(file)).rejects.toMatchObject({ code: 'LOCKSTEP_USERS_UNREADABLE' });
  });

  test('that is a folder', async () => {
    await expect(readUsers(folder)).rejects.toMatchObject({ code: 'LOCKSTEP_USERS_UNREADABLE', message: expect.stringContaining('is not a file') as string });
  });
});

describe('UserFileAuthenticator', () => {
  const LIMITS: UserFileLimits = { recheckMs: 1_000, lookMs: 500, verifyingMax: 2, waitingMax: 3, rememberedMax: 2 };

  async function rig(users: Record<string, string>) {
    let written = 0;
    const write = async (changed: Record<string, string>): Promise<void> => {
      const lines = await Promise.all(Object.entries(changed).map(async ([name, password]) => `${name}:${await hashPassword(password, CHEAP)}`));
      replace(lines.join('\n'));
    };
    const replace = (text: string): void => {
      writeFileSync(`${file}.new`, text, { mode: 0o600 });
      utimesSync(`${file}.new`, 1_000 + ++written, 1_000 + written);
      renameSync(`${file}.new`, file);
    };
    await write(users);
    const clock = new FakeClock();
    const log = new FakeLog();
    const hung: (() => void)[] = [];
    const disk = { hangs: false, looks: 0, goOn: () => hung.forEach((resolve) => resolve()) };
    const version = async (path: string): Promise<string> => {
      disk.looks += 1;
      if (disk.hangs) await new Promise<void>((resolve) => hung.push(resolve));
      return await userFileVersion(path);
    };
    const judge = await UserFileAuthenticator.open(file, { clock, log, limits: LIMITS, look: { version, users: readUsers } });
    const ask = (user: string | null, password: string | null): Promise<Verdict> =>
      judge.authenticate({ clientId: 'c', remote: 'r', user, password: password === null ? null : Buffer.from(password) });
    return { judge, clock, log, ask, write, replace, disk };
  }

  const accepted = (user: string): Verdict => ({ kind: 'accepted', user });
  const wrong: Verdict = { kind: 'refused', reason: 'bad-credentials' };

  test('judges', async () => {
    const { ask } = await rig({ ann: 'a', bob: 'b' });
    expect(await ask('ann', 'a')).toEqual(accepted('ann'));
    expect(await ask('ann', 'a')).toEqual(accepted('ann'));
    expect(await ask('ann', 'b')).toEqual(wrong);
    expect(await ask('bob', 'a')).toEqual(wrong);
    expect(await ask('eve', 'a')).toEqual(wrong);
    expect(await ask(null, null)).toEqual({ kind: 'refused', reason: 'not-authorized' });
    expect(await ask('ann', null)).toEqual({ kind: 'refused', reason: 'not-authorized' });
  });

  test('zero bytes behind the right password make it a wrong one, before it was judged and after', async () => {
    const { ask } = await rig({ ann: 'secret' });
    for (let i = 0; i < 2; i++) {
      expect(await ask('ann', 'secret\0')).toEqual(wrong);
      expect(await ask('ann', 'secret')).toEqual(accepted('ann'));
    }
  });

  test('a changed file is read again after recheckMs: a proved password does not outlive its user', async () => {
    const { clock, log, ask, write } = await rig({ ann: 'a', bob: 'b' });
    expect(await ask('ann', 'a')).toEqual(accepted('ann'));
    expect(await ask('bob', 'b')).toEqual(accepted('bob'));
    await write({ ann: 'new' });
    expect(await ask('ann', 'a')).toEqual(accepted('ann'));
    clock.advance(1_000);
    expect(await ask('ann', 'a')).toEqual(wrong);
    expect(await ask('bob', 'b')).toEqual(wrong);
    expect(await ask('ann', 'new')).toEqual(accepted('ann'));
    expect(log.from('info')).toEqual([expect.stringMatching(/has changed: 1 users/)]);
  });

  test('what the servers compare: equal for the same users in any order, another with every change, also where nobody logs in', async () => {
    const { judge, clock, log, write, replace } = await rig({ ann: 'a', bob: 'b' });
    const { count, digest } = judge.list;
    expect([count, digest.length]).toEqual([2, 43]);
    const changed = async (): Promise<UserList> => {
      const said = new Promise<void>((resolve) => (log.write = (): void => resolve()));
      clock.advance(LOOK_MS);
      await said;
      // The next look is due once this one has ended.
      await settle();
      return judge.list;
    };
    const [ann, bob] = readFileSync(file, 'utf8').split('\n');
    replace(`# again\n${bob ?? ''}\n${ann ?? ''}\n`);
    expect(await changed()).toEqual({ count, digest });
    await write({ ann: 'a', bob: 'b' });
    const anew = await changed();
    expect([anew.count, anew.digest === digest]).toEqual([2, false]);
    await write({ ann: 'a' });
    expect((await changed()).count).toBe(1);
  });

  test('a file that was spoilt or removed changes nobody, and is told once', async () => {
    const { judge, clock, log, ask, replace, write } = await rig({ ann: 'a' });
    expect(judge.problem).toBeNull();
    replace('rubbish');
    for (let i = 0; i < 3; i++) {
      clock.advance(1_000);
      expect(await ask('ann', 'a')).toEqual(accepted('ann'));
    }
    expect(log.from('error')).toEqual([expect.stringMatching(/line 1: .*the 1 users read before stay valid/)]);
    expect(judge.problem).toMatch(/line 1: .*; the 1 users read before stay valid until the broker is started anew$/);
    rmSync(file);
    clock.advance(1_000);
    expect(await ask('ann', 'a')).toEqual(accepted('ann'));
    expect(judge.problem).toMatch(/^cannot read the user file /);
    clock.advance(1_000);
    expect(await ask('ann', 'x')).toEqual(wrong);
    expect(log.from('error')).toHaveLength(2);
    await write({ ann: 'b' });
    clock.advance(1_000);
    expect(await ask('ann', 'b')).toEqual(accepted('ann'));
    expect(judge.problem).toBeNull();
  });

  test('a changed file that others can read is refused as a start would, until it is private again', async () => {
    const { clock, log, ask, write } = await rig({ ann: 'a' });
    await write({ ann: 'new' });
    chmodSync(file, 0o644);
    clock.advance(1_000);
    expect(await ask('ann', 'new')).toEqual(wrong);
    expect(await ask('ann', 'a')).toEqual(accepted('ann'));
    clock.advance(1_000);
    expect(await ask('ann', 'a')).toEqual(accepted('ann'));
    expect(log.from('error')).toEqual([`the user file ${file} can be used by others (mode 644); the 1 users read before stay valid. Run \`chmod 600 ${file}\`, and change the passwords if others may have read it.`]);
    chmodSync(file, 0o600);
    clock.advance(1_000);
    expect(await ask('ann', 'new')).toEqual(accepted('ann'));
  });

  test('a file system that hangs holds up logins for lookMs, once, and the users read before count', async () => {
    const { judge, clock, log, ask, write, disk } = await rig({ ann: 'a' });
    await write({ ann: 'new' });
    disk.hangs = true;
    disk.looks = 0;
    clock.advance(1_000);
    const first = ask('ann', 'a');
    await settle();
    clock.advance(LIMITS.lookMs);
    expect(await first).toEqual(accepted('ann'));
    expect(await ask('ann', 'x')).toEqual(wrong);
    clock.advance(LOOK_MS);
    expect(await ask('ann', 'a')).toEqual(accepted('ann'));
    expect(disk.looks).toBe(1);
    expect(log.from('warn')).toEqual([expect.stringMatching(/gives no answer; the 1 users read before stay valid/)]);
    expect(judge.problem).toMatch(/gives no answer/);
    disk.hangs = false;
    const goesOn = new Promise<void>((resolve) => (log.write = (_, message): void => (message.includes('again') ? resolve() : undefined)));
    disk.goOn();
    await goesOn;
    expect(judge.problem).toBeNull();
    expect(await ask('ann', 'new')).toEqual(accepted('ann'));
  });

  test('more logins at once than may wait are answered busy; the same login many times is one', async () => {
    const { ask, judge, clock } = await rig({ ann: 'a' });
    expect(judge.isPressed).toBe(false);
    const different = await Promise.all(['1', '2', '3', '4', '5', '6', '7', '8'].map((password) => ask('ann', password)));
    expect(different.filter(({ kind }) => kind === 'busy')).toHaveLength(3);
    expect(different.filter(({ kind }) => kind === 'refused')).toHaveLength(5);
    // Who was told to come again may be about to.
    expect(judge.isPressed).toBe(true);
    clock.advance(10_000);
    expect(judge.isPressed).toBe(false);
    const same = await Promise.all(Array.from({ length: 50 }, () => ask('ann', 'a')));
    expect(same).toEqual(Array.from({ length: 50 }, () => accepted('ann')));
  });
});
