import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** As whom it is looked, where the tests run as root, who may everything. */
const NOBODY = 65534;
const isRoot = process.getuid?.() === 0;

let folder: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'lockstep-data-')));
  if (isRoot) chownSync(folder, NOBODY, NOBODY);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What the expression gives, in a process of a user who is not root. */
function asUser(module: string, expression: string): unknown {
  // It becomes that user once it is loaded: where this program and the build lie may be closed to others.
  const leave = isRoot ? `process.setgroups([]); process.setgid(${NOBODY}); process.setuid(${NOBODY});` : '';
  const script = `const m = await import(${JSON.stringify(pathToFileURL(resolve('dist', module)).href)}); const folder = ${JSON.stringify(folder)}; ${leave}
    const told = await Promise.resolve().then(() => (${expression})).catch(({ code, message, remedy }) => ({ code, message, remedy })); process.stdout.write(JSON.stringify(told));`;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }));
}

/** As a server that ran as root for once, or a copy that root put back, leaves it. */
function close(path: string): void {
  chmodSync(path, 0o000);
}

const posixTest = process.platform === 'win32' ? test.skip : test;

posixTest('what is closed to this user anywhere in the data folder is named; what is not there is no trouble', () => {
  for (const name of ['broker', 'broker/journal', 'log']) {
    mkdirSync(join(folder, name));
    if (isRoot) chownSync(join(folder, name), NOBODY, NOBODY);
  }
  writeFileSync(join(folder, 'log', 'one'), '', { mode: 0o666 });
  chmodSync(join(folder, 'log', 'one'), 0o666);
  expect(asUser('adapters/data-folder.js', 'm.closedIn(folder)')).toEqual([]);
  expect(asUser('adapters/data-folder.js', "m.closedIn(folder + '/none')")).toEqual([]);
  writeFileSync(join(folder, 'broker', 'journal', 'journal.json'), '{}');
  close(join(folder, 'broker', 'journal', 'journal.json'));
  mkdirSync(join(folder, 'broker', 'snapshots'));
  close(join(folder, 'broker', 'snapshots'));
  expect((asUser('adapters/data-folder.js', 'm.closedIn(folder)') as string[]).sort()).toEqual([join(folder, 'broker', 'journal', 'journal.json'), join(folder, 'broker', 'snapshots')]);
});

posixTest('what Lockstep did not make there, or put aside, is nobody\'s trouble', () => {
  for (const name of ['lost+found', 'broker', 'broker/journal-unreadable-1', 'broker/journal', 'broker/journal/quarantine', 'broker/journal/quarantine/1-2-3']) mkdirSync(join(folder, name));
  for (const name of ['broker', 'broker/journal', 'broker/journal/quarantine']) if (isRoot) chownSync(join(folder, name), NOBODY, NOBODY);
  for (const name of ['lost+found', 'broker/journal-unreadable-1', 'broker/journal/quarantine/1-2-3']) close(join(folder, name));
  const closed = asUser('adapters/data-folder.js', 'm.closedIn(folder)');
  for (const name of ['lost+found', 'broker/journal-unreadable-1', 'broker/journal/quarantine/1-2-3']) chmodSync(join(folder, name), 0o700);
  expect(closed).toEqual([]);
});

posixTest("the HA manager's memory that belongs to another user is well: it is to be given back, and not to be moved away", () => {
  writeFileSync(join(folder, 'manager-state.json'), '{}');
  close(join(folder, 'manager-state.json'));
  expect(asUser('adapters/local-state.js', 'm.createLocalState(folder).load()')).toEqual({
    code: 'LOCKSTEP_DATA_FOLDER_REFUSED',
    message: `cannot read ${join(folder, 'manager-state.json')}: the operating system does not permit it (EACCES)`,
    remedy: expect.stringMatching(/^It belongs to another user.*chown -R \d+ .* Move nothing away/) as unknown,
  });
});

posixTest('a folder of the broker that belongs to another user is said in plain words', () => {
  mkdirSync(join(folder, 'broker'), { mode: 0o555 });
  const file = join(folder, 'broker', 'broker.pid');
  expect(asUser('adapters/sole-writer.js', `m.becomeSoleWriter(${JSON.stringify(file)}, { write: () => undefined }, () => false)`)).toEqual({
    code: 'LOCKSTEP_DATA_FOLDER_REFUSED',
    message: `${file} cannot be written: the operating system does not permit it (EACCES)`,
    remedy: expect.stringContaining(`chown -R ${isRoot ? NOBODY : (process.getuid?.() ?? 0)} '${folder}' && chmod -R u+rwX '${folder}'`) as unknown,
  });
});
