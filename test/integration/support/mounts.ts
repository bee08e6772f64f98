import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Real mounts for tests that need a file system in trouble. Only for root on Linux; `MAY_MOUNT` says whether it works here. */
export const MAY_MOUNT = mayMount();

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function mayMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-mount-'));
  try {
    run('mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder);
    run('umount', folder);
    return true;
  } catch {
    return false; // a container without the right to mount
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface Mount {
  /** `ro`, `rw`, `size=2m` … */
  remount(options: string): void;
}

/** A tmpfs of this size on `folder` while `body` runs. Unmounted whatever happens, also under processes that still use it. */
export async function onTmpfs(folder: string, size: string, body: (mount: Mount) => Promise<void>): Promise<void> {
  mkdirSync(folder, { recursive: true });
  run('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder);
  try {
    await body({ remount: (options) => run('mount', '-o', `remount,${options}`, folder) });
  } finally {
    run('umount', '--lazy', folder);
  }
}

export interface Freezer {
  /** From now on every write to it waits, in the kernel, where no signal reaches it. */
  freeze(): void;
  thaw(): void;
}

/** A small ext4 on `folder` that can be frozen. Thawed and unmounted whatever happens. */
export async function onFreezable(folder: string, body: (freezer: Freezer) => Promise<void>): Promise<void> {
  const image = join(dirname(folder), 'image.ext4');
  mkdirSync(folder, { recursive: true });
  writeFileSync(image, '');
  run('truncate', '--size=32M', image);
  run('mkfs.ext4', '-q', '-F', image);
  run('mount', '-o', 'loop', image, folder);
  let frozen = false;
  const thaw = (): void => {
    if (frozen) run('fsfreeze', '--unfreeze', folder);
    frozen = false;
  };
  try {
    await body({
      freeze: () => {
        run('fsfreeze', '--freeze', folder);
        frozen = true;
      },
      thaw,
    });
  } finally {
    thaw();
    run('umount', '--lazy', folder);
  }
}

/** Takes the room that is left on a file system. @returns the way to give it back */
export function fillUp(folder: string): () => void {
  const file = join(folder, 'ballast');
  try {
    run('dd', 'if=/dev/zero', `of=${file}`, 'bs=64k');
  } catch {
    // that it ends with "no space left" is the purpose
  }
  return () => rmSync(file, { force: true });
}
