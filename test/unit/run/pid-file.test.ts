import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identityOf, identityText } from '../../../src/adapters/process-identity.js';
import { PidFile } from '../../../src/run/pid-file.js';
import { orders, STEPS, takers, toTheEnd, type OneTaker } from './takers.js';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'lockstep-pid-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test.each([
  ['a process that has ended', '999999999 boot/1\n', false],
  ['a process whose number another program has', `${process.pid} ${identityOf(process.pid).begun}0\n`, false],
  ['a process that is there', identityText(identityOf(process.pid)), true],
  ['nobody', 'garbage', true],
])('of a child of the server, that names %s', (_what, text, stays) => {
  const file = join(folder, 'broker.pid');
  writeFileSync(file, text);
  PidFile.removeEnded(file);
  expect(existsSync(file)).toBe(stays);
});

test('of a child of the server, that is not there', () => {
  expect(() => PidFile.removeEnded(join(folder, 'none', 'keeper.pid'))).not.toThrow();
});

describe('that of the server', () => {
  const living = identityText(identityOf(process.ppid));
  const taken = (): string => join(folder, 'manager.pid');
  const text = (): string => readFileSync(taken(), 'utf8');

  test.each([['none', null], ['one that names nobody', 'garbage'], ['one of a process that has ended', '999999999 boot/1\n'], ['one of this very number, from before', `${process.pid} boot/1\n`]])('is taken where there is %s', async (_, before) => {
    if (before !== null) writeFileSync(taken(), before);
    const file = await PidFile.take(taken());
    expect(text()).toBe(identityText(identityOf(process.pid)));
    expect(readdirSync(folder)).toEqual(['manager.pid']);
    file.remove();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('is refused where another one runs', async () => {
    writeFileSync(taken(), living);
    await expect(PidFile.take(taken())).rejects.toMatchObject({ code: 'LOCKSTEP_ALREADY_RUNNING', message: expect.stringContaining(`process ${process.ppid} (so says ${taken()})`) });
    expect(text()).toBe(living);
    expect(readdirSync(folder)).toEqual(['manager.pid']);
  });

  test('notes of starts that were killed go, other files stay', async () => {
    for (const name of ['manager.pid.999999999.0123456789abcdef', 'manager.pid.bak', 'manager.pid.12']) writeFileSync(join(folder, name), '');
    await PidFile.take(taken());
    expect(readdirSync(folder).sort()).toEqual(['manager.pid', 'manager.pid.12', 'manager.pid.bak']);
  });
});

describe('several that take it at once, where one of an ended process is', () => {
  const taken = (): string => join(folder, 'manager.pid');

  async function oneTakes(all: readonly OneTaker[], order: readonly number[]): Promise<void> {
    writeFileSync(taken(), '10 boot/1\n');
    for (const at of order) await all[at]?.step();
    await toTheEnd(all);
    const [one, ...more] = all.filter(({ outcome }) => outcome === 'taken');
    expect({ order, more, refused: all.filter(({ outcome }) => outcome === 'refused').length, says: readFileSync(taken(), 'utf8'), files: readdirSync(folder) }).toEqual({
      order,
      more: [],
      refused: all.length - 1,
      says: one === undefined ? 'one took it' : identityText(one.self),
      files: ['manager.pid'],
    });
  }

  test('of two one does, in whatever order they go', async () => {
    for (const order of orders([STEPS, STEPS])) await oneTakes(takers(taken(), 2), order);
  });

  test('of three one does, each of which stands still once between its steps', async () => {
    for (const before of [1, 2, 3]) {
      for (const turns of orders([2, 2, 2])) {
        const order = turns.flatMap((at, index) => Array.from({ length: turns.indexOf(at) === index ? before : STEPS - before }, () => at));
        await oneTakes(takers(taken(), 3), order);
      }
    }
  });

  test('one that is killed on the way keeps nobody from it, and lets no second one in', async () => {
    for (const killedAfter of [0, 1, 2, 3, 4]) {
      for (const order of orders([killedAfter + 1, STEPS])) {
        writeFileSync(taken(), '10 boot/1\n');
        const [killed, ...others] = takers(taken(), 3);
        let left = killedAfter;
        for (const at of order) {
          if (at === 1) await others[0]?.step();
          else if (killed !== undefined && left === 0) killed.alive = false;
          else await killed?.step();
          if (at === 0) left -= 1;
        }
        for (const one of others) await toTheEnd([one]);
        const ran = others.filter(({ outcome }) => outcome === 'taken').map(({ self }) => identityText(self));
        expect({ killedAfter, order, ran: ran.length, says: readFileSync(taken(), 'utf8'), files: readdirSync(folder) }).toEqual({ killedAfter, order, ran: 1, says: ran[0], files: ['manager.pid'] });
      }
    }
  });

  test('one that stands still on its way is waited for by a lower number, for a while, and by a higher one not at all', async () => {
    const [lower, still, higher] = takers(taken(), 3);
    await still?.step();
    await toTheEnd([higher, lower].filter((one) => one !== undefined));
    expect([lower, higher].map((one) => [one?.outcome, one?.waitedMs])).toEqual([['refused', 2_000], ['refused', 0]]);
    await toTheEnd([still].filter((one) => one !== undefined));
    expect(still?.outcome).toBe('taken');
  });
});
