import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClock } from '../../../src/adapters/clock.js';
import { createLocalState, STATE_FILE } from '../../../src/adapters/local-state.js';
import { createRandom } from '../../../src/adapters/random.js';
import type { KeptState } from '../../../src/ports/local-state.js';
import { STATUS } from '../../unit/core/wire/samples.js';

describe('clock', () => {
  it('never runs a timer early by its own measure', async () => {
    const clock = createClock();
    for (let i = 0; i < 20; i += 1) {
      const due = clock.monotonic() + 2.5;
      await new Promise<void>((resolve) => clock.after(2.5, resolve));
      expect(clock.monotonic()).toBeGreaterThanOrEqual(due);
    }
  });

  it('takes a timer back, also one longer than a timer of Node.js can be', async () => {
    const clock = createClock();
    let ran = 0;
    const cancel = clock.after(1, () => (ran += 1));
    cancel();
    cancel();
    const far = clock.after(2 ** 33, () => (ran += 1));
    await new Promise<void>((resolve) => clock.after(20, resolve));
    far();
    expect(ran).toBe(0);
  });

  it('counts from the host’s boot, as every process of it does', () => {
    const clock = createClock();
    expect(Math.abs(clock.monotonic() - Number(process.hrtime.bigint() / 1_000_000n))).toBeLessThan(100);
    expect(clock.sinceBoot()).toBeGreaterThan(0);
    expect(Math.abs(clock.wall() - Date.now())).toBeLessThan(100);
  });
});

describe('random', () => {
  it('gives ids of 32 digits that differ and fractions below 1', () => {
    const random = createRandom();
    const ids = Array.from({ length: 100 }, () => random.id());
    expect(new Set(ids).size).toBe(100);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
    for (let i = 0; i < 100; i += 1) expect(random.fraction()).toBeLessThan(1);
  });
});

describe('local state', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lockstep-state-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const state: KeptState = { schema: 1, record: STATUS.record, shareId: 'share' };

  it('is empty at the first start, and what was kept afterwards', async () => {
    expect(await createLocalState(folder).load()).toEqual({ schema: 1, record: null, shareId: null });
    await createLocalState(folder).keep(state);
    expect(await createLocalState(folder).load()).toEqual(state);
    expect(readdirSync(folder)).toEqual([STATE_FILE]);
  });

  it('keeps the last of several that were kept at once', async () => {
    const local = createLocalState(folder);
    await Promise.all(['a', 'b', 'c'].map((shareId) => local.keep({ ...state, shareId })));
    expect((await local.load()).shareId).toBe('c');
  });

  it.each([
    ['cut off', (text: string) => text.slice(0, 50)],
    ['empty', () => ''],
    ['with another digit', (text: string) => text.replace('"term": 9', '"term": 8')],
    ['without its sum', (text: string) => text.replace('"sum"', '"some"')],
  ])('is not believed when it is %s', async (_, damage) => {
    await createLocalState(folder).keep(state);
    const file = join(folder, STATE_FILE);
    writeFileSync(file, damage(readFileSync(file, 'utf8')));
    await expect(createLocalState(folder).load()).rejects.toMatchObject({ code: 'LOCKSTEP_STATE_DAMAGED', message: expect.stringContaining(file) as unknown });
  });

  it('tells its caller when it cannot be kept, and works again when it can', async () => {
    const local = createLocalState(join(folder, 'later'));
    await expect(local.keep(state)).rejects.toMatchObject({ code: 'ENOENT' });
    const { mkdirSync } = await import('node:fs');
    mkdirSync(join(folder, 'later'));
    await local.keep(state);
    expect(await local.load()).toEqual(state);
  });
});
