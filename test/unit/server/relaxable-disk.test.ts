import type { DiskFile } from '../../../src/ports/disk.js';
import { codeOf, sync, write } from '../../../src/server/disk-io.js';
import { LostUnsynced, RelaxableDisk } from '../../../src/server/relaxable-disk.js';
import { DiskImage, type DiskOperation } from '../../simulation/disk-image.js';
import { SimulatedDisk } from '../../simulation/disk.js';

/** A disk that takes no time, and one file on it that was written before anything was relaxed. */
class Machine {
  readonly image = new DiskImage();
  readonly disk = new RelaxableDisk(new SimulatedDisk({ image: this.image, schedule: (_, action) => queueMicrotask(action), random: () => 0.5 }));

  constructor() {
    this.image.put('old', Uint8Array.of(1));
  }

  full(operation: DiskOperation): void {
    this.image.failNext(operation, 'ENOSPC');
  }
}

function writeSynced(file: DiskFile): Promise<void> {
  return new Promise((resolve, reject) => file.writeSynced([Uint8Array.of(7)], 0, (error) => (error === null ? resolve() : reject(error))));
}

async function failureOf(work: Promise<void>): Promise<unknown> {
  return work.then(
    () => null,
    (error: unknown) => error,
  );
}

const STEPS = [
  ['a sync', sync],
  ['a write that is synced', writeSynced],
] as const;

describe('of a file that holds what counted without a sync', () => {
  /** @param how what has counted in it: what was written by this handle, or before it was opened */
  async function owed(machine: Machine, how: 'written' | 'opened'): Promise<DiskFile> {
    const { disk } = machine;
    const before = await disk.open('old', 'write');
    disk.relax();
    await writeSynced(before);
    disk.insist();
    return how === 'written' ? before : disk.open('old', 'write');
  }

  describe.each(['written', 'opened'] as const)('(%s)', (how) => {
    it.each(STEPS)('%s that finds no room says that all of it may be lost, and not that the disk is full', async (_, step) => {
      const machine = new Machine();
      const file = await owed(machine, how);
      machine.full('syncOfWrite');
      const failure = await failureOf(step(file));
      expect([failure, codeOf(failure), codeOf((failure as LostUnsynced).cause)]).toEqual([expect.any(LostUnsynced), '', 'ENOSPC']);
      expect((failure as Error).message).toBe('what counted before it was synced may be lost: ENOSPC: syncOfWrite old');
    });

    it('a write that finds no room says that: nothing was let go of', async () => {
      const machine = new Machine();
      const file = await owed(machine, how);
      machine.full('write');
      expect(await failureOf(writeSynced(file))).toMatchObject({ code: 'ENOSPC' });
      machine.full('write');
      expect(await failureOf(write(file, [Uint8Array.of(7)], 0))).toMatchObject({ code: 'ENOSPC' });
    });

    it.each(STEPS)('%s that finds no room when this file was synced again says that, whatever else is owed', async (_, step) => {
      const machine = new Machine();
      const file = await owed(machine, how);
      await sync(file);
      machine.full('sync');
      expect(await failureOf(step(file))).toMatchObject({ code: 'ENOSPC' });
      expect(machine.disk.owes).toBe(true);
    });

    it.each(STEPS)('%s that finds no room when all was synced again says that, also when the disk was relaxed for a moment since', async (_, step) => {
      const machine = new Machine();
      const file = await owed(machine, how);
      machine.disk.settle(machine.disk.insist());
      machine.disk.relax();
      machine.disk.insist();
      machine.full('sync');
      expect(await failureOf(step(file))).toMatchObject({ code: 'ENOSPC' });
    });
  });

  it('a write that counted while a sync was under way is not taken along by it', async () => {
    const machine = new Machine();
    const file = await owed(machine, 'written');
    const synced = sync(file);
    machine.disk.relax();
    await writeSynced(file);
    machine.disk.insist();
    await synced;
    machine.full('sync');
    expect(await failureOf(sync(file))).toBeInstanceOf(LostUnsynced);
  });

  it('a sync that begins before, and fails after, all was synced by another one says that all may be lost', async () => {
    const machine = new Machine();
    const file = await owed(machine, 'written');
    machine.full('sync');
    const failure = failureOf(sync(file));
    machine.disk.settle(machine.disk.insist());
    expect(await failure).toBeInstanceOf(LostUnsynced);
  });

  it('a write under way when syncing begins again, and whose sync finds no room, says that all may be lost', async () => {
    const machine = new Machine();
    const file = await owed(machine, 'written');
    machine.disk.relax();
    machine.full('sync');
    const failure = failureOf(writeSynced(file));
    machine.disk.insist();
    expect(await failure).toBeInstanceOf(LostUnsynced);
  });
});

describe('while something is owed, no room is no more than that', () => {
  const OTHERS: readonly (readonly [string, (machine: Machine) => Promise<DiskFile>])[] = [
    ['in a file that is new', (machine) => machine.disk.open('new', 'create')],
    ['in one that was synced before the past of the log is changed', (machine) => machine.disk.strictly(() => machine.disk.open('old', 'write'))],
  ];

  it.each(OTHERS)('%s', async (_, open) => {
    for (const [, step] of STEPS) {
      const machine = new Machine();
      machine.disk.relax();
      machine.disk.insist();
      const file = await open(machine);
      machine.full('sync');
      expect(await failureOf(step(file))).toMatchObject({ code: 'ENOSPC' });
    }
  });
});
