import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { watchFolder } from '../../../src/adapters/folder-watch.js';

const onLinux = process.platform === 'linux' ? it : it.skip;
let root: string;
let end: () => void = () => undefined;
let changes: (readonly string[] | null)[] = [];
let failures: string[] = [];

beforeEach(() => {
  root = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'lockstep-watch-')));
  fs.mkdirSync(join(root, 'apps'));
  [changes, failures] = [[], []];
});
afterEach(() => {
  end();
  fs.rmSync(root, { recursive: true, force: true });
});

function watch(exclude: readonly string[] = []): void {
  end = watchFolder(join(root, 'apps'), exclude, { changed: (folders) => changes.push(folders), failed: (reason) => failures.push(reason) });
}

/** Of this process, as the system counts them. */
function watches(): number {
  return fs.readdirSync('/proc/self/fdinfo').reduce((sum, fd) => {
    try {
      return sum + (fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').match(/^inotify /gm) ?? []).length;
    } catch {
      return sum; // Closed by now.
    }
  }, 0);
}

async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; tries < 500 && !isSo(); tries += 1) await pause(20);
  expect(isSo()).toBe(true);
}

it('a folder that cannot be asked for any more ends nothing, and is watched again when it can', async () => {
  watch();
  await pause(100);
  fs.renameSync(join(root, 'apps'), join(root, 'aside'));
  fs.symlinkSync('apps', join(root, 'apps')); // A link to itself: ELOOP, as EIO or ESTALE of a mount that is dead.
  await until(() => changes.includes(null));
  fs.rmSync(join(root, 'apps'));
  fs.renameSync(join(root, 'aside'), join(root, 'apps'));
  await until(() => changes.filter((folders) => folders === null).length === 2);
  await pause(100);
  fs.writeFileSync(join(root, 'apps', 'file'), '');
  await until(() => changes.some((folders) => folders?.includes('') ?? false));
}, 20_000);

onLinux('what is moved away is not watched any more, with all that it holds; what comes in its place is', async () => {
  const before = watches();
  fs.mkdirSync(join(root, 'apps/one/a/b/c'), { recursive: true });
  watch();
  await until(() => watches() === before + 5);
  fs.renameSync(join(root, 'apps/one'), join(root, 'two'));
  await until(() => watches() === before + 1);
  fs.mkdirSync(join(root, 'apps/one/a/b'), { recursive: true });
  await until(() => watches() === before + 4);
  await pause(300);
  changes = [];
  fs.writeFileSync(join(root, 'apps/one/a/b/file'), '');
  await until(() => changes.some((folders) => folders?.includes('one/a/b') ?? false));
  expect(failures).toEqual([]);
});

onLinux('what is excluded is not watched, with all below it', async () => {
  const before = watches();
  for (const folder of ['one/log/a', 'two']) fs.mkdirSync(join(root, 'apps', folder), { recursive: true });
  watch(['log']);
  await until(() => watches() === before + 3);
  fs.mkdirSync(join(root, 'apps/one/log/b'));
  fs.mkdirSync(join(root, 'apps/two/b'));
  await until(() => watches() === before + 4);
});

onLinux('files that are made and written to have no folder listed; a folder that is made is listed alone', async () => {
  const listed: string[] = [];
  const list = (path: string): fs.Dirent[] => {
    listed.push(path.slice(join(root, 'apps').length));
    return fs.readdirSync(path, { withFileTypes: true });
  };
  end = watchFolder(join(root, 'apps'), [], { changed: (folders) => changes.push(folders), failed: (reason) => failures.push(reason) }, list);
  await until(() => listed.length === 1);
  for (let round = 0; round < 3; round += 1) for (let file = 0; file < 50; file += 1) fs.writeFileSync(join(root, 'apps', String(file)), String(round));
  await until(() => changes.some((folders) => folders?.includes('') ?? false));
  fs.mkdirSync(join(root, 'apps/new'));
  await until(() => changes.some((folders) => folders?.includes('new') ?? false));
  expect(listed).toEqual(['', '/new']);
});

onLinux('a folder that takes the place of another is told of, with all that it holds', async () => {
  const before = watches();
  for (const folder of ['app/conf', 'app.new/conf', 'other/conf']) fs.mkdirSync(join(root, 'apps', folder), { recursive: true });
  watch();
  await until(() => watches() === before + 7);
  expect(changes).toEqual([]);
  fs.renameSync(join(root, 'apps/app'), join(root, 'apps/app.old'));
  fs.renameSync(join(root, 'apps/app.new'), join(root, 'apps/app'));
  const told = (): readonly string[] => changes.flatMap((folders) => folders ?? []);
  await until(() => ['', 'app', 'app/conf'].every((folder) => told().includes(folder)));
  expect(told()).not.toContain('other/conf');
});
