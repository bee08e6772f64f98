import { createHash } from 'node:crypto';
import { open, unlink, type FileHandle } from 'node:fs/promises';
import { HISTORY_VERSION, type HistoryEvent } from '../../core/history/events.js';

/** Characters that wait for the disk. Beyond them `full` says so, and whoever makes events waits. */
const WAITING_CHARS_MAX = 4 * 1024 * 1024;

/** What happens without its time: the recorder knows that. */
export type Happening = HistoryEvent extends infer One ? (One extends HistoryEvent ? Omit<One, 'at'> : never) : never;

/** Writes a history to a file, in the order in which it is told. */
export class Recorder {
  private waiting: string[] = [];
  private chars = 0;
  private writing: Promise<void> = Promise.resolve();
  private failure: Error | null = null;
  private readonly began = performance.now();

  private told = 0;

  private constructor(
    private readonly file: FileHandle,
    private readonly path: string,
  ) {}

  /** Makes the file; one that is there is not overwritten (rejects with EEXIST). */
  static async create(path: string, clock: string): Promise<Recorder> {
    const recorder = new Recorder(await open(path, 'wx'), path);
    recorder.line({ lockstep: 'history', version: HISTORY_VERSION, clock, uncertaintyMs: 0 });
    return recorder;
  }

  /** More waits for the disk than may. */
  get full(): boolean {
    return this.chars > WAITING_CHARS_MAX;
  }

  /** Nothing was told yet. */
  get isEmpty(): boolean {
    return this.told === 0;
  }

  tell(happening: Happening): void {
    this.told += 1;
    this.line({ at: Number((performance.now() - this.began).toFixed(3)), ...happening });
  }

  /** Writes the end and closes. Rejects when anything could not be written: the history is of no use then. */
  async end(): Promise<void> {
    this.tell({ event: 'end' });
    await this.writing;
    await this.file.close();
    if (this.failure !== null) throw this.failure;
  }

  /** Closes, and removes the file. Rejects when it cannot. */
  async discard(): Promise<void> {
    await this.writing;
    await this.file.close();
    await unlink(this.path);
  }

  private line(value: object): void {
    const text = `${JSON.stringify(value)}\n`;
    this.waiting.push(text);
    this.chars += text.length;
    if (this.waiting.length > 1) return;
    this.writing = this.writing.then(() => this.flush());
  }

  private async flush(): Promise<void> {
    const text = this.waiting.join('');
    this.waiting = [];
    try {
      await this.file.writeFile(text);
    } catch (error) {
      // Told at the end; a half history must not be taken for one.
      this.failure ??= error instanceof Error ? error : new Error(String(error));
    }
    this.chars -= text.length;
  }
}

/** As it stands in histories; empty for an empty payload. */
export function digestOf(payload: Uint8Array): string {
  return payload.length === 0 ? '' : createHash('sha256').update(payload).digest('hex').slice(0, 16);
}
