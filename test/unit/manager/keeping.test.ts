import { Keeping } from '../../../src/manager/keeping.js';
import type { KeptState } from '../../../src/ports/local-state.js';
import { record } from '../core/ha/situations.js';
import { FakeClock } from '../support/fake-clock.js';

const HANGS_MS = 2_000;

/** A disk that is full until it is told otherwise. */
function given() {
  const lines: string[] = [];
  const clock = new FakeClock();
  const disk = { isFull: true, hangs: false, kept: null as KeptState | null };
  const local = {
    load: () => Promise.reject(new Error('not asked for')),
    keep: (state: KeptState): Promise<void> => {
      if (disk.hangs) return new Promise(() => undefined);
      if (disk.isFull) return Promise.reject(new Error('ENOSPC: no space left on device, write'));
      disk.kept = state;
      return Promise.resolve();
    },
  };
  const log = { write: (level: string, message: string) => void lines.push(`${level} ${message}`), flush: () => Promise.resolve() };
  const keeping = new Keeping({ schema: 1, record: null, shareId: null }, local, log, clock, HANGS_MS, () => undefined);
  return { keeping, disk, lines, clock };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a record that the disk does not take is said once, stands in the advice, and the end of it is said', async () => {
  const { keeping, disk, lines } = given();
  expect(keeping.advice).toBeNull();
  keeping.see(record(3), 'a-share');
  await settled();
  keeping.retry();
  await settled();
  expect(lines).toEqual(["error The newest term record cannot be kept on this server's disk, and is not acted on: ENOSPC: no space left on device, write"]);
  expect(keeping.advice).toMatch(/cannot be kept on this server's disk, and is not acted on: ENOSPC: .*make room on the disk of data\.folder/);
  expect(keeping.state.record).toBeNull();

  disk.isFull = false;
  keeping.retry();
  await settled();
  expect(keeping.advice).toBeNull();
  expect(keeping.state.record?.term).toBe(3);
  expect(disk.kept?.record?.term).toBe(3);
  expect(lines.slice(1)).toEqual(["info The newest term record is kept on this server's disk now"]);
});

describe('whether the disk takes a record is found out', () => {
  test('by writing what is kept once more', async () => {
    const { keeping, disk, lines } = given();
    expect(await keeping.probe()).toBe('ENOSPC: no space left on device, write');
    expect(keeping.advice).toMatch(/^this server's disk takes no term record: ENOSPC: .*make room/);
    disk.isFull = false;
    expect(await keeping.probe()).toBeNull();
    expect(keeping.advice).toBeNull();
    expect(disk.kept).toEqual(keeping.state);
    expect(lines).toEqual(["error This server's disk takes no term record: ENOSPC: no space left on device, write", "info This server's disk takes term records again"]);
  });

  test('and a record that comes while it takes none is told of by itself', async () => {
    const { keeping, disk, lines } = given();
    await keeping.probe();
    keeping.see(record(3), 'a-share');
    await settled();
    expect(keeping.advice).toMatch(/^the newest term record cannot be kept/);
    disk.isFull = false;
    keeping.retry();
    await settled();
    expect(lines.map((line) => line.replace(/:.*/, ''))).toEqual([
      "error This server's disk takes no term record",
      "error The newest term record cannot be kept on this server's disk, and is not acted on",
      "info The newest term record is kept on this server's disk now",
    ]);
  });

  test('once, however often it is asked while the disk hangs', async () => {
    const { keeping, disk } = given();
    disk.hangs = true;
    const asked = keeping.probe();
    for (let i = 0; i < 3; i += 1) expect(keeping.probe()).toBe(asked);
    const other = given();
    const first = other.keeping.probe();
    expect(await first).toContain('ENOSPC');
    other.disk.isFull = false;
    expect(await other.keeping.probe()).toBeNull();
  });

  test('also while a record waits to be kept, which is not overwritten', async () => {
    const { keeping, disk } = given();
    disk.isFull = false;
    keeping.see(record(3), 'a-share');
    expect(await keeping.probe()).toBeNull();
    keeping.see(record(4), 'a-share');
    await settled();
    expect(disk.kept?.record?.term).toBe(4);
    expect(keeping.state.record?.term).toBe(4);
  });
});

test('when the disk took a record last is known, and that it takes none', async () => {
  const { keeping, disk, clock, lines } = given();
  clock.advance(100);
  await keeping.probe();
  expect([keeping.takenAt, keeping.trouble]).toEqual([null, 'ENOSPC: no space left on device, write']);
  disk.isFull = false;
  await keeping.probe();
  expect([keeping.takenAt, keeping.trouble]).toEqual([clock.monotonic(), null]);
  const before = clock.monotonic();
  disk.hangs = true;
  void keeping.probe();
  clock.advance(HANGS_MS);
  expect(keeping.trouble).toBeNull();
  clock.advance(1);
  expect([keeping.takenAt, keeping.trouble]).toEqual([before, 'it does not answer']);
  expect(keeping.advice).toContain('it does not answer');
  const said = lines.length;
  keeping.retry();
  keeping.retry();
  expect(lines.slice(said)).toEqual(["error This server's disk takes no term record: it does not answer"]);
});
