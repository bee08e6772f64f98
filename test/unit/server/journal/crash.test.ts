import type { Position, Term } from '../../../../src/core/identity.js';
import { EMPTY_LOG, type LogPoint } from '../../../../src/core/journal/envelope.js';
import type { Journal } from '../../../../src/server/journal/api.js';
import { readSegments } from '../../../../src/server/journal/inspect.js';
import { append, at, checksum, FOLDER, labelOf, labels, range, Rig } from './rig.js';

/*
 * Lives of a journal on a disk that loses power again and again, at any moment: within a commit, a roll, a truncation, a
 * restart, a compaction, an opening. After each, what was reported durable is there, in order, and nothing that was not appended.
 */
const SEEDS = 40;
const LIVES = 12;

/** A log as it may stand on the disk. */
interface Expected {
  readonly base: Position;
  /** Labels behind the base. */
  readonly records: readonly string[];
  /** Of these, as many as were reported durable. */
  readonly durable: number;
}

class Lives {
  readonly rig: Rig;
  /** What the disk may hold: after a change that a crash interrupted, the old log or the new one. */
  private may: Expected[] = [{ base: at(0), records: [], durable: 0 }];
  private records: string[] = [];
  private base = at(0);
  /** A compaction that may still be under way has been asked to come so far. */
  private compacted = at(0);
  private reported = 0;
  private serial = 0;
  private term = 1;
  private changing = false;

  constructor(private readonly seed: number) {
    this.rig = new Rig(undefined, seed);
  }

  async run(): Promise<void> {
    for (let life = 0; life < LIVES; life++) {
      const opening = this.rig.open({ preallocate: this.rig.prng.chance(0.5) });
      if (this.rig.prng.chance(0.3)) {
        // The power may also fail while the journal is being opened.
        opening.catch(() => undefined);
        await this.rig.pass(this.rig.prng.between(0, 12));
        this.fall();
        continue;
      }
      const journal = await opening;
      await this.check(journal, `seed ${this.seed}, life ${life}`);
      this.term++;
      this.changing = false;
      journal.handle({
        durable: (position) => {
          if (!this.changing) this.reported = Math.max(this.reported, position - this.base);
        },
        records: () => undefined,
        failed: (reason) => {
          throw new Error(`seed ${this.seed}: ${reason}`);
        },
        room: () => undefined,
      });
      await this.live(journal);
      this.may = [...this.may, { base: this.base, records: [...this.records], durable: this.reported }];
      this.fall();
    }
  }

  private fall(): void {
    if (this.rig.prng.chance(0.7)) this.rig.crash();
    else this.rig.kill();
  }

  private async live(journal: Journal): Promise<void> {
    const { prng } = this.rig;
    this.may = [];
    for (let step = prng.below(25); step > 0; step--) {
      const what = prng.fraction();
      if (what < 0.8) this.burst(journal, 1 + prng.below(6));
      else if (what < 0.9) await this.rig.pass(prng.between(1, 60));
      else if (what < 0.94) await this.compact(journal);
      else if (!(await this.change(journal))) return;
      await this.rig.pass(prng.between(0, 4));
    }
  }

  private burst(journal: Journal, count: number): void {
    for (let more = count; more > 0; more--) {
      const label = `s${this.serial++}`;
      append(journal, label, this.rig.prng.below(150), this.term as Term);
      this.records.push(label);
    }
  }

  /** A compaction may be cut short as well; the records that are left are the same either way. */
  private async compact(journal: Journal): Promise<void> {
    const position = at(this.base + this.rig.prng.below(this.reported + 1));
    this.compacted = at(Math.max(this.compacted, position));
    const compacted = journal.compactBefore(position);
    if (this.rig.prng.chance(0.5)) await this.rig.pass(this.rig.prng.between(0, 3));
    else await this.rig.run(compacted);
    compacted.catch(() => undefined);
  }

  /** @returns false when the power must fail before the change has ended */
  private async change(journal: Journal): Promise<boolean> {
    const { prng } = this.rig;
    const position = at(Math.max(journal.base.position, this.compacted, this.base + prng.below(this.records.length + 1)));
    const fresh: LogPoint = { term: this.term as Term, position: at(5000 + prng.below(100)), chain: prng.u32() };
    const cut = prng.chance(0.6);
    this.changing = true;
    const changed = cut ? journal.truncateAfter(position) : journal.restart(fresh, prng.chance(0.5));
    const old: Expected = { base: this.base, records: [...this.records], durable: this.reported };
    if (cut) this.records = this.records.slice(0, position - this.base);
    else this.records = [];
    this.reported = this.records.length;
    if (!cut) this.base = this.compacted = fresh.position;
    if (prng.chance(0.5)) {
      this.may = [old];
      changed.catch(() => undefined);
      await this.rig.pass(prng.between(0, 15));
      return false;
    }
    await this.rig.run(changed);
    this.changing = false;
    return true;
  }

  private async check(journal: Journal, where: string): Promise<void> {
    expect(`${where}: ${journal.damage}`).toBe(`${where}: null`);
    expect(journal.durable).toBe(journal.head.position);
    const found = await labels(this.rig, journal);
    const fits = this.may.find(({ base, records, durable }) => {
      const from = journal.base.position - base;
      const to = journal.head.position - base;
      return from >= 0 && to >= durable && to <= records.length && found.join() === records.slice(from, to).join();
    });
    if (fits === undefined) {
      const candidates = this.may.map(({ base, records, durable }) => `after ${base}, ${durable} durable: ${records.join()}`).join('\n');
      throw new Error(`${where}: found after ${journal.base.position}: ${found.join()}\nbut expected one of\n${candidates}`);
    }
    this.base = this.compacted = fits.base;
    this.records = fits.records.slice(0, journal.head.position - fits.base);
    this.reported = this.records.length;
    this.may = [{ base: this.base, records: this.records, durable: this.reported }];
    this.records = [...this.records];
  }
}

test.each(Array.from({ length: SEEDS }, (_, index) => index + 1))('seed %d', async (seed) => {
  await new Lives(seed).run();
});

test('a sync that failed unseen: what the system shows and the disk lacks is not believed', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const rig = new Rig(undefined, seed);
    const journal = await rig.open({ preallocate: false });
    append(journal, 'r1');
    await rig.until(() => journal.durable === 1);
    append(journal, 'r2');
    await rig.until(() => rig.heard.runs.length === 2);
    rig.image.failNext('sync', 'EIO');
    // The process dies of something else before it hears of the failure.
    await rig.pass(0.31);
    rig.kill();
    const again = await rig.open({ preallocate: false });
    const promised = again.durable;
    rig.crash();
    const last = await rig.open();
    expect(`seed ${seed}: ${last.damage !== null || last.durable >= promised}`).toBe(`seed ${seed}: true`);
  }
});

test('a mark that only the system holds, since the sync that would have taken it along found no room, is on the disk after the next opening', async () => {
  for (let length = 260; length <= 420; length += 4) {
    const rig = new Rig(undefined, length);
    const journal = await rig.open({ preallocate: false, segmentBytes: 8192 });
    append(journal, 'a'.repeat(length));
    await rig.until(() => journal.durable === 1);
    await rig.pass(40);
    rig.image.failNext('syncOfWrite', 'ENOSPC', 1);
    append(journal, 'b');
    await rig.until(() => rig.heard.room.length > 0);
    rig.kill();
    const again = await rig.open({ preallocate: false, segmentBytes: 8192 });
    for (const label of ['c', 'd']) {
      append(again, label);
      await rig.until(() => again.durable === again.head.position);
    }
    const promised = again.durable;
    rig.crash();
    const last = await rig.open();
    expect([length, last.damage, last.durable]).toEqual([length, null, promised]);
  }
});

async function kept(rig: Rig): Promise<Set<string>> {
  const found = new Set<string>();
  const quarantined = (await rig.run(rig.disk.list(`${FOLDER}/quarantine`))).map((name) => `${FOLDER}/quarantine/${name}`);
  const collect = async (folder: string): Promise<void> => {
    for await (const piece of readSegments(rig.disk, folder, checksum)) {
      if (piece.kind === 'records') for (const { payload } of piece.records) found.add(labelOf(payload));
    }
  };
  for (const folder of [FOLDER, ...quarantined]) await rig.run(collect(folder));
  return found;
}

test.each([
  ['restart at the same base', (journal: Journal) => journal.restart(EMPTY_LOG, true)],
  ['restart elsewhere', (journal: Journal) => journal.restart({ term: 3 as Term, position: at(500), chain: 5 }, false)],
  ['truncateAfter', (journal: Journal) => journal.truncateAfter(at(3))],
])('%s: whenever the power fails, each record is in the log or in quarantine', async (_, change) => {
  for (let moment = 0; moment < 300; moment++) {
    const rig = new Rig(undefined, moment + 1);
    const journal = await rig.open({ preallocate: false });
    for (const label of range(1, 20)) append(journal, label);
    await rig.until(() => journal.durable === 20);
    change(journal).catch(() => undefined);
    await rig.pass(moment / 20);
    rig.crash();
    const again = await rig.open({ preallocate: false });
    // And once more while that opening's own work is fresh.
    rig.crash();
    expect([moment, again.damage]).toEqual([moment, null]);
    const found = await kept(rig);
    expect([moment, range(1, 20).filter((label) => !found.has(label))]).toEqual([moment, []]);
  }
});
