import { repositoryProgressView } from '../admin/status.js';
import type { RepositoryView } from '../core/control/repository.js';
import type { ConsoleOutput } from '../log/log.js';
import { CLEAR_LINE, ProgressBar } from '../log/progress-bar.js';

const LOOK_MS = 500;

/** A bar of the present sync, as `ProgressBar` is. */
type Bar = Pick<ProgressBar, 'show' | 'end'>;

/**
 * The foot of a server's console: while a repository is being synced into this server, and the console is a terminal, its bar. Lines of the
 * log stand above it. Elsewhere there are lines of progress only, which the log has in any case.
 */
export class ConsoleFoot implements ConsoleOutput {
  private shown: { readonly name: string; readonly bar: Bar } | null = null;
  private timer: NodeJS.Timeout | null = null;

  constructor(
    private readonly output: ConsoleOutput,
    private readonly makeBar: (name: string) => Bar = (name) => new ProgressBar(name),
  ) {}

  get isTTY(): boolean {
    return this.output.isTTY === true;
  }

  get fd(): number | undefined {
    return this.output.fd;
  }

  get writableLength(): number {
    return this.output.writableLength ?? 0;
  }

  /** Node's own, of the terminal below. */
  get _handle(): unknown {
    return (this.output as { readonly _handle?: unknown })._handle;
  }

  write(text: string): unknown {
    return this.output.write(text);
  }

  on(event: 'error', listener: () => void): unknown {
    return this.output.on?.(event, listener);
  }

  clear(): string {
    return this.shown === null ? '' : CLEAR_LINE;
  }

  /** Looks at the repositories from now on, twice a second, until `end`. */
  watch(repositories: () => readonly RepositoryView[]): void {
    if (!this.isTTY) return;
    this.timer = setInterval(() => this.show(repositories()), LOOK_MS);
    this.timer.unref();
  }

  /** One at a time: repositories are synced one after the other. */
  show(repositories: readonly RepositoryView[]): void {
    const one = repositories.find(({ progress }) => progress !== null);
    if (this.shown !== null && this.shown.name !== one?.name) this.drop();
    if (one?.progress == null) return;
    this.shown ??= { name: one.name, bar: this.makeBar(`Repository ${one.name}:`) };
    this.shown.bar.show(repositoryProgressView(one.progress));
  }

  end(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    this.drop();
  }

  private drop(): void {
    this.shown?.bar.end();
    this.shown = null;
  }
}
