import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
