import type { DiskFile } from '../../ports/disk.js';
import { pathIn, type JournalContext } from './context.js';

interface Handle {
  readonly file: Promise<DiskFile>;
  uses: number;
  /** Set when it has left the cache: the last user closes it. */
  retired: boolean;
}

/** Segments open for reading. The longest unused is closed when there are too many; one in use is closed after its use. */
export class ReadHandles {
  private readonly handles = new Map<string, Handle>();

  constructor(private readonly context: JournalContext) {}

  async use<T>(name: string, action: (file: DiskFile) => Promise<T>): Promise<T> {
    const handle = this.take(name);
    handle.uses++;
    try {
      return await action(await handle.file);
    } catch (error) {
      this.retire(name, handle);
      throw error;
    } finally {
      handle.uses--;
      if (handle.retired && handle.uses === 0) await close(handle);
    }
  }

  /** The segment is about to be moved, cut or removed. */
  async forget(name: string): Promise<void> {
    const handle = this.handles.get(name);
    if (handle === undefined) return;
    this.retire(name, handle);
    if (handle.uses === 0) await close(handle);
  }

  async forgetAll(): Promise<void> {
    for (const name of [...this.handles.keys()]) await this.forget(name);
  }

  private take(name: string): Handle {
    const known = this.handles.get(name);
    if (known !== undefined) {
      this.handles.delete(name);
      this.handles.set(name, known);
      return known;
    }
    const handle: Handle = { file: this.context.disk.open(pathIn(this.context, name), 'read'), uses: 0, retired: false };
    this.handles.set(name, handle);
    if (this.handles.size > this.context.options.readHandlesMax) {
      const oldest = this.handles.keys().next().value;
      if (oldest !== undefined && oldest !== name) void this.forget(oldest);
    }
    return handle;
  }

  private retire(name: string, handle: Handle): void {
    handle.retired = true;
    if (this.handles.get(name) === handle) this.handles.delete(name);
  }
}

/** A handle that cannot be closed, or never opened, is of no further use to anybody. */
async function close(handle: Handle): Promise<void> {
  try {
    await (await handle.file).close();
  } catch {
    // Nothing was written through it, so nothing depends on its closing.
  }
}
