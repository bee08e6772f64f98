import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NODE_FILES } from '../../../src/adapters/repository/file-system.js';
import { createLook, lookBy } from '../../../src/adapters/repository/looking.js';

/* The quick way to look at names sees what the ordinary one sees, to the last digit: what is recorded by one is believed by the other. */

let folder: string;
beforeEach(() => (folder = fs.mkdtempSync(join(tmpdir(), 'lockstep-look-'))));
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

test('both see the same', async () => {
  const at = (name: string): string => join(folder, name);
  for (const [name, seconds] of [['new', null], ['old', 1.5], ['ä 日本', 1_700_000_000.123456], ['before', -3.25], ['far', 4_000_000_000.999999]] as const) {
    fs.writeFileSync(at(name), name.repeat(100));
    if (seconds !== null) fs.utimesSync(at(name), seconds, seconds);
  }
  fs.chmodSync(at('old'), 0o4751);
  fs.mkdirSync(at('folder'), { mode: 0o1700 });
  fs.symlinkSync('new', at('link'));
  fs.truncateSync(at('far'), 5 * 2 ** 32 + 7);
  const socket = createServer().listen(at('socket'));
  await new Promise((resolve) => socket.once('listening', resolve));
  const quick = createLook(NODE_FILES);
  const plain = lookBy(NODE_FILES);
  try {
    const names = ['', ...fs.readdirSync(folder)];
    expect(names.map((name) => quick(at(name)))).toEqual(names.map((name) => plain(at(name))));
    expect(names.map((name) => plain(at(name))?.kind).sort()).toEqual(['file', 'file', 'file', 'file', 'file', 'folder', 'folder', 'link', 'other']);
    expect([quick(at('none')), plain(at('none'))]).toEqual([null, null]);
    for (const look of [quick, plain]) expect(() => look(at('new/below'))).toThrow(expect.objectContaining({ code: 'ENOTDIR' }));
  } finally {
    await new Promise((resolve) => socket.close(resolve));
  }
});
