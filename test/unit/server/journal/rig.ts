import { crc32 } from 'node:zlib';
import type { Monotonic, Position, Term } from '../../../../src/core/identity.js';
import type { LogRecord } from '../../../../src/core/journal/envelope.js';
import type { Clock } from '../../../../src/ports/clock.js';
import type { Disk } from '../../../../src/ports/disk.js';
import type { Journal, JournalHandlers, RecordRun } from '../../../../src/server/journal/api.js';
import { openJournal } from '../../../../src/server/journal/open.js';
import type { JournalOptions } from '../../../../src/server/journal/options.js';
import { DiskImage } from '../../../simulation/disk-image.js';
import { SimulatedDisk } from '../../../simulation/disk.js';
import { Prng } from '../../../simulation/prng.js';
import { EventQueue } from '../../../simulation/queue.js';

export const checksum = (bytes: Uint8Array, seed: number): number => crc32(bytes, seed);
export const FOLDER = 'journal';
export const TERM = 1 as Term;
export const at = (position: number): Position => position as Position;

/** Small enough that a few records fill a segment. */
export const TINY: Partial<JournalOptions> & { cluster: string } = { cluster: 'test', segmentBytes: 1024, groupBytes: 512, indexEveryBytes: 128, idleMarkMs: 20 };

interface Due {
  readonly at: number;
  readonly sequence: number;
  readonly action: () => void;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Virtual time, one disk image, and journals opened on it one after the other. */
export class Rig {
  readonly prng: Prng;
  now = 1000;
  disk: SimulatedDisk;
  /** What the last journal opened has said. */
  readonly heard = { durable: [] as number[], runs: [] as RecordRun[], failed: [] as string[], room: [] as boolean[] };
  private sequence = 0;
  private readonly queue = new EventQueue<Due>();

  constructor(
    readonly image = new DiskImage(),
    seed = 1,
    /** Disk operations take no time and no turn of the event loop: for tests that open thousands of journals. */
    private readonly instant = false,
  ) {
    this.prng = new Prng(seed);
    this.disk = this.plug();
  }

  readonly clock: Clock = {
    monotonic: () => this.now as Monotonic,
    sinceBoot: () => this.now,
    wall: () => 1_700_000_000_000 + this.now,
    after: (delayMs, action) => {
      let live = true;
      this.schedule(delayMs, () => live && action());
      return () => {
        live = false;
      };
    },
    soon: (action) => (this.instant ? queueMicrotask(action) : this.schedule(0, action)),
    next: (action) => (this.instant ? queueMicrotask(action) : this.schedule(0, action)),
  };

  open(options: Partial<JournalOptions> = {}): Promise<Journal> {
    return this.openOn(this.disk, options);
  }

  /** @param disk by way of which this rig's own is used */
  async openOn(disk: Disk, options: Partial<JournalOptions>): Promise<Journal> {
    const { clock, prng } = this;
    const journal = await this.run(openJournal({ disk, folder: FOLDER, checksum, random: prng, clock, options: { ...TINY, ...options } }));
    Object.assign(this.heard, { durable: [], runs: [], failed: [], room: [] });
    const handlers: JournalHandlers = {
      durable: (position) => this.heard.durable.push(position),
      records: (run) => this.heard.runs.push(run),
      failed: (reason) => this.heard.failed.push(reason),
      room: (full) => this.heard.room.push(full),
    };
    journal.handle(handlers);
    return journal;
  }

  /** The power fails; the next journal is opened by another process. */
  crash(): void {
    this.disk.crash();
    this.disk = this.plug();
  }

  /** The process is killed; what it wrote stays in the system's cache. */
  kill(): void {
    this.disk.kill();
    this.disk = this.plug();
  }

  /** Lets the world go on until the promise is settled. */
  async run<T>(promise: Promise<T>): Promise<T> {
    if (this.instant) return promise;
    let settled = false;
    promise.then(
      () => (settled = true),
      () => (settled = true),
    );
    for (;;) {
      await turn();
      if (settled) return promise;
      if (!this.step()) throw new Error('nothing will ever settle this promise');
    }
  }

  async until(condition: () => boolean, limitMs = 60_000): Promise<void> {
    const end = this.now + limitMs;
    for (let quick = 0; this.instant && quick < 200; quick++) {
      await Promise.resolve();
      if (condition()) return;
    }
    for (;;) {
      await turn();
      if (condition()) return;
      if (this.now > end || !this.step()) throw new Error('it never happened');
    }
  }

  /** Lets so much time go by. */
  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    for (await turn(); (this.queue.peek()?.at ?? Infinity) <= end; await turn()) this.step();
    this.now = end;
  }

  private step(): boolean {
    const due = this.queue.pop();
    if (due === undefined) return false;
    this.now = Math.max(this.now, due.at);
    due.action();
    return true;
  }

  private schedule(delayMs: number, action: () => void): void {
    this.queue.push({ at: this.now + Math.max(0, delayMs), sequence: this.sequence++, action });
  }

  private plug(): SimulatedDisk {
    return new SimulatedDisk({ image: this.image, schedule: (delayMs, action) => (this.instant ? queueMicrotask(action) : this.schedule(delayMs, action)), random: () => this.prng.fraction() });
  }
}

/** A payload that says which record it is of, of some length. */
export function payloadOf(label: string, bytes: number): Uint8Array {
  const payload = new Uint8Array(Math.max(bytes, label.length)).fill(0x2e);
  payload.set(new TextEncoder().encode(label));
  return payload;
}

export function append(journal: Journal, label: string, bytes = 60, term: Term = TERM): LogRecord {
  return journal.append(5, 1, 1, term, payloadOf(label, bytes));
}

export function labelOf(payload: Uint8Array): string {
  return new TextDecoder().decode(payload).replace(/\.+$/, '');
}

/** Labels of all durable records kept, read back. */
export async function labels(rig: Rig, journal: Journal): Promise<string[]> {
  const found: string[] = [];
  for (let position = journal.base.position + 1; position <= journal.durable; ) {
    const run = await rig.run(journal.read(at(position), 300));
    if (run === null) throw new Error(`position ${position} cannot be read`);
    found.push(...labelsIn(run.bytes));
    position = run.last + 1;
  }
  return found;
}

export function labelsIn(bytes: Uint8Array): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: string[] = [];
  for (let offset = 0; offset < bytes.length; offset += 24 + view.getUint32(offset)) {
    found.push(labelOf(bytes.subarray(offset + 24, offset + 24 + view.getUint32(offset))));
  }
  return found;
}

export const range = (first: number, last: number): string[] => Array.from({ length: last - first + 1 }, (_, index) => `r${first + index}`);

/** Appends r<first> to r<last>, each committed by itself. */
export async function fill(rig: Rig, journal: Journal, first: number, last: number, bytes = 60, term: Term = TERM): Promise<void> {
  for (const label of range(first, last)) {
    const record = append(journal, label, bytes, term);
    await rig.until(() => journal.durable >= record.position);
  }
}
