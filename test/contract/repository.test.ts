import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createHashing } from '../../src/adapters/repository/hashing.js';
import { NODE_FILES } from '../../src/adapters/repository/file-system.js';
import { SETTLED_MS } from '../../src/adapters/repository/stamps.js';
import { NodeRepository } from '../../src/adapters/repository/store.js';
import { FileTree } from '../simulation/file-tree.js';
import { SimulatedFiles } from '../simulation/files.js';
import { simulatedRepository } from '../simulation/repository.js';
import { folderAt, plant } from '../simulation/repository-trees.js';
import { repositoryContract, type RepositoryFixture } from './repository.contract.js';

const hashing = await createHashing();
const EXCHANGES = ['atomic', 'two-renames'] as const;

const described = (content: Uint8Array, mode: number, mtimeUs: number): string => `file ${JSON.stringify(Buffer.from(content).toString())} ${(mode & 0o7777).toString(8)} ${mtimeUs}`;

function real(exchange: (typeof EXCHANGES)[number]): RepositoryFixture {
  const base = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'lockstep-repository-')));
  const live = join(base, 'apps');
  fs.mkdirSync(live);
  const at = (path: string): string => {
    fs.mkdirSync(dirname(join(live, path)), { recursive: true });
    return join(live, path);
  };
  return {
    async open({ exclude = [], keep = 5, room } = {}) {
      const on = room === undefined ? {} : { fs: { ...NODE_FILES, roomOf: () => room } };
      const store = NodeRepository.open({ name: 'apps', path: live, recordFile: join(base, 'digests'), include: [], exclude, keep, hashing, ...(exchange === 'atomic' ? {} : { exchange: null }), ...on });
      await store.recover();
      return store;
    },
    write(path, content, { mode = 0o644, seconds } = {}) {
      fs.writeFileSync(at(path), content);
      fs.chmodSync(at(path), mode);
      if (seconds !== undefined) fs.utimesSync(at(path), seconds, seconds);
    },
    folder: (path, mode = 0o755) => void fs.mkdirSync(at(path), { mode }),
    link: (path, target) => fs.symlinkSync(target, at(path)),
    remove: (path) => fs.rmSync(join(live, path), { recursive: true }),
    rest: () => new Promise((resolve) => setTimeout(resolve, 2 * SETTLED_MS)),
    tree() {
      const seen: Record<string, string> = {};
      const walk = (below: string): void => {
        for (const name of fs.readdirSync(join(live, below)).sort()) {
          const path = join(below, name);
          const stats = fs.lstatSync(join(live, path));
          const mtimeUs = Math.round(stats.mtimeMs * 1000);
          if (stats.isSymbolicLink()) seen[path] = `link ${fs.readlinkSync(join(live, path))}`;
          else if (stats.isFile()) seen[path] = described(fs.readFileSync(join(live, path)), stats.mode, mtimeUs);
          else {
            seen[path] = `folder ${(stats.mode & 0o7777).toString(8)} ${mtimeUs}`;
            walk(path);
          }
        }
      };
      walk('');
      return seen;
    },
    openFiles: () => (process.platform === 'linux' ? fs.readdirSync('/proc/self/fd').length : 0),
    close: () => fs.rmSync(base, { recursive: true, force: true }),
  };
}

function simulated(exchange: (typeof EXCHANGES)[number]): RepositoryFixture {
  let now = Date.UTC(2026, 0, 1);
  const tree = new FileTree('loose', () => (now += 1));
  const files = new SimulatedFiles({ tree, schedule: (_, action) => void setImmediate(action), calling: () => undefined });
  const live = '/srv/apps';
  plant(tree, '/var', {});
  folderAt(tree, '/var');
  folderAt(tree, live);
  return {
    async open({ exclude = [], keep = 5, room = null } = {}) {
      files.room = room;
      const store = simulatedRepository({ files, path: live, recordFile: '/var/digests', exclude, keep, hashing, exchange });
      await store.recover();
      return store;
    },
    write(path, content, { mode = 0o644, seconds } = {}) {
      let there = null;
      try {
        there = tree.find(`${live}/${path}`).node;
      } catch {
        there = null;
      }
      if (there === null) plant(tree, live, { [path]: { kind: 'file', says: content, mode } });
      else {
        there.content.truncate(0);
        tree.write(there, 0, Buffer.from(content));
      }
      const { node } = tree.find(`${live}/${path}`);
      if (node !== null) tree.dress(node, { mode, mtimeUs: (seconds ?? now / 1000) * 1_000_000 });
    },
    folder: (path, mode = 0o755) => plant(tree, live, { [path]: { kind: 'folder', mode } }),
    link: (path, target) => plant(tree, live, { [path]: { kind: 'link', says: target } }),
    remove: (path) => files.files.rmSync(path === '' ? live : `${live}/${path}`, { recursive: true }),
    async rest() {
      now += 2 * SETTLED_MS;
    },
    tree() {
      const seen: Record<string, string> = {};
      const walk = (folder: string, below: string): void => {
        for (const name of files.files.readdirSync(folder).sort()) {
          const { node } = tree.find(`${folder}/${name}`);
          if (node === null) continue;
          const { mode, mtimeUs } = node.attributes;
          if (node.kind === 'link') seen[below + name] = `link ${node.target}`;
          else if (node.kind === 'file') seen[below + name] = described(node.content.read(0, node.content.size), mode, mtimeUs);
          else {
            seen[below + name] = `folder ${mode.toString(8)} ${mtimeUs}`;
            walk(`${folder}/${name}`, `${below}${name}/`);
          }
        }
      };
      walk(live, '');
      return seen;
    },
    openFiles: () => files.openFiles,
    close: () => undefined,
  };
}

for (const exchange of EXCHANGES) {
  repositoryContract(`of a real machine, ${exchange}`, async () => real(exchange));
  repositoryContract(`simulated, ${exchange}`, async () => simulated(exchange));
}
