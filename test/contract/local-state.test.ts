import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLocalState, STATE_FILE } from '../../src/adapters/local-state.js';
import type { Position, Term } from '../../src/core/identity.js';
import type { TermRecord } from '../../src/core/terms/record.js';
import type { KeptState, LocalState } from '../../src/ports/local-state.js';
import { SimHost } from '../simulation/host.js';
import { DiskImage } from '../simulation/disk-image.js';
import { SimLocalState } from '../simulation/local-state.js';
import { SimProcess } from '../simulation/process.js';
import { World } from '../simulation/world.js';
import { STATUS } from '../unit/core/wire/samples.js';

interface Ground {
  /** As the next process of the same server has it: the one before is gone. */
  next(): LocalState;
  run<T>(promise: Promise<T>): Promise<T>;
  damage(): void;
  end(): Promise<void> | void;
}

function realGround(): Ground {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-state-'));
  const underWay: Promise<void>[] = [];
  return {
    next: () => {
      const state = createLocalState(folder);
      return {
        load: () => state.load(),
        keep: (kept) => {
          const done = state.keep(kept);
          underWay.push(done);
          return done;
        },
      };
    },
    run: (promise) => promise,
    damage: () => writeFileSync(join(folder, STATE_FILE), '{"state"'),
    // What a process that is gone was at still makes files.
    end: async () => {
      await Promise.allSettled(underWay);
      rmSync(folder, { recursive: true });
    },
  };
}

function simulatedGround(): Ground {
  const world = new World(8);
  const host = new SimHost(world, 'primary', { rate: 1, wallOffsetMs: 0 });
  const state = new SimLocalState(host, new DiskImage());
  let process: SimProcess | null = null;
  let pid = 1;
  return {
    next() {
      process?.end('replaced');
      process = new SimProcess(host, 'manager', (pid += 1), world.random.fork(`manager ${pid}`));
      return state.forProcess(process);
    },
    async run(promise) {
      let settled = false;
      promise.then(
        () => (settled = true),
        () => (settled = true),
      );
      await world.run(world.now + 10_000, () => settled);
      return promise;
    },
    damage: () => state.damage(),
    end: () => undefined,
  };
}

const RECORD = STATUS.record as TermRecord;
const at = (term: number): KeptState => ({ schema: 1, record: { ...RECORD, term: term as Term, position: term as Position }, shareId: `share ${term}` });

describe.each([
  ['on a real disk', realGround],
  ['simulated', simulatedGround],
])('LocalState %s', (_, make) => {
  let ground: Ground;
  beforeEach(() => {
    ground = make();
  });
  afterEach(() => ground.end());

  it('is empty at a server’s first start', async () => {
    expect(await ground.run(ground.next().load())).toEqual({ schema: 1, record: null, shareId: null });
  });

  it('has what was kept: in this process, and in the next one', async () => {
    const state = ground.next();
    await ground.run(state.keep(at(5)));
    expect(await ground.run(state.load())).toEqual(at(5));
    expect(await ground.run(ground.next().load())).toEqual(at(5));
  });

  it('keeps one after the other: the last one asked for stands, and each is kept when it says so', async () => {
    const state = ground.next();
    const done: number[] = [];
    await ground.run(Promise.all([1, 2, 3, 4].map((term) => state.keep(at(term)).then(() => done.push(term)))));
    expect(done).toEqual([1, 2, 3, 4]);
    expect(await ground.run(ground.next().load())).toEqual(at(4));
  });

  it('keeps what it was given when it was asked, whatever becomes of that', async () => {
    const state = ground.next();
    const given = structuredClone(at(7)) as { shareId: string } & KeptState;
    const [first, second] = [state.keep(at(6)), state.keep(given)];
    given.shareId = 'changed since';
    await ground.run(Promise.all([first, second]));
    const loaded = (await ground.run(state.load())) as { shareId: string } & KeptState;
    expect(loaded).toEqual(at(7));
    loaded.shareId = 'changed by who read it';
    expect(await ground.run(state.load())).toEqual(at(7));
  });

  it('is one of those that were asked for when the process ended meanwhile, and never behind what it had said', async () => {
    const state = ground.next();
    await ground.run(state.keep(at(1)));
    void state.keep(at(2)).catch(() => undefined);
    void state.keep(at(3)).catch(() => undefined);
    const found = await ground.run(ground.next().load());
    expect([at(1), at(2), at(3)]).toContainEqual(found);
  });

  it('that cannot be believed is refused by name', async () => {
    await ground.run(ground.next().keep(at(9)));
    ground.damage();
    await expect(ground.run(ground.next().load())).rejects.toMatchObject({ code: 'LOCKSTEP_STATE_DAMAGED' });
  });
});
