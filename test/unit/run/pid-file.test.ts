import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identityOf, identityText } from '../../../src/adapters/process-identity.js';
import { PidFile } from '../../../src/run/pid-file.js';

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

  test.each([['none', null], ['one that names nobody', 'garbage'], ['one of a process that has ended', '999999999 boot/1\n'], ['one of this very number, from before', `${process.pid} boot/1\n`]])('is taken where there is %s', (_, before) => {
    if (before !== null) writeFileSync(taken(), before);
    const file = PidFile.take(taken());
    expect(text()).toBe(identityText(identityOf(process.pid)));
    expect(readdirSync(folder)).toEqual(['manager.pid']);
    file.remove();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('is refused where another one runs', () => {
    writeFileSync(taken(), living);
    expect(() => PidFile.take(taken())).toThrow(expect.objectContaining({ code: 'LOCKSTEP_ALREADY_RUNNING' }));
    expect(text()).toBe(living);
  });

  test.each([['none', false], ['an old one', true]])('also where that one was quicker, and there was %s', (_, old) => {
    if (old) writeFileSync(taken(), '999999999 boot/1\n');
    const look = (): null => {
      writeFileSync(taken(), living);
      return null;
    };
    expect(() => PidFile.take(taken(), look)).toThrow(expect.objectContaining({ code: 'LOCKSTEP_ALREADY_RUNNING' }));
    expect(text()).toBe(living);
    expect(readdirSync(folder)).toEqual(['manager.pid']);
  });
});
