import type { Digest, Entry } from '../core/repository/entry.js';
import { encodeRepositoryFrame, type FileResult, type RepositoryFrame, type Want } from '../core/repository/frames.js';
import type { Step } from '../core/repository/plan.js';
import type { Hashing } from '../ports/hashing.js';
import type { RepositoryStore } from '../ports/repository.js';
import { damaged, WANTS_IN_FLIGHT_MAX } from './fetching.js';
import { readDigestOf, type OwnReading } from './reading.js';

const WANTS_PER_FRAME = 256;

export interface CheckingParts {
  readonly sync: number;
  readonly store: RepositoryStore;
  readonly hashing: Hashing;
  readonly send: (bytes: Uint8Array) => void;
  readonly vanished: (entry: Entry) => void;
}

/** Finds the digests that a plan lacks, on both sides. No content travels. */
export class Checking {
  /** The sender's files as it read them, by their index in the manifest. */
  readonly theirs = new Map<number, FileResult>();
  /** Of this server's files, by path. */
  readonly ours = new Map<string, Digest>();
  private next = 0;
  private reading: OwnReading | null = null;
  private readonly asked = new Map<number, Entry>();
  private readonly wants: Want[] = [];

  constructor(
    private readonly parts: CheckingParts,
    private readonly steps: readonly Extract<Step, { do: 'compare' }>[],
  ) {}

  get ended(): boolean {
    return this.next === this.steps.length && this.reading === null && this.asked.size === 0;
  }

  step(): boolean {
    if (this.reading !== null) {
      const { reading } = this;
      if (reading.step() && this.reading === reading) this.reading = null;
      return true;
    }
    const step = this.asked.size < WANTS_IN_FLIGHT_MAX ? this.steps[this.next] : undefined;
    if (step === undefined) {
      this.flush();
      return false;
    }
    this.next += 1;
    if (step.here.digest !== null) this.ask(step, step.here.digest);
    else this.read(step);
    return true;
  }

  take(frame: RepositoryFrame): void {
    if (frame.kind === 'finish') this.result(frame.result);
    else if (frame.kind === 'files') for (const { result } of frame.files) this.result(result);
    else throw damaged('a content came where only digests are compared');
  }

  close(): void {
    this.reading?.close();
    this.reading = null;
  }

  private read(step: Extract<Step, { do: 'compare' }>): void {
    const file = this.parts.store.open(step.here.path);
    this.reading = readDigestOf(file, this.parts.hashing, (digest) => {
      this.reading = null;
      if (digest === null) return this.parts.vanished(step.here);
      this.ours.set(step.here.path, digest);
      this.ask(step, digest);
    });
  }

  private ask(step: Extract<Step, { do: 'compare' }>, digest: Digest): void {
    if (step.entry.digest !== null) return; // Both are known now.
    this.asked.set(step.index, step.entry);
    this.wants.push({ how: 'check', index: step.index, digest });
    if (this.wants.length >= WANTS_PER_FRAME) this.flush();
  }

  private flush(): void {
    if (this.wants.length > 0) this.parts.send(encodeRepositoryFrame({ kind: 'wants', sync: this.parts.sync, wants: this.wants.splice(0) }));
  }

  private result(result: FileResult): void {
    const entry = this.asked.get(result.index);
    if (entry === undefined) throw damaged('a file was compared that was not asked for');
    this.asked.delete(result.index);
    // Unreadable or unstable: fetching it would say so; here it counts as different.
    if (result.outcome === 'vanished') this.parts.vanished(entry);
    else if (result.digest !== '') this.theirs.set(result.index, result);
  }
}
