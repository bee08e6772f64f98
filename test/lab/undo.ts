/**
 * What a run must take back, whatever becomes of it: guests, taps, mounts, folders. The last thing made is the first taken back;
 * one that fails does not keep the others.
 */
export class Undo {
  private readonly actions: { readonly what: string; readonly action: () => void | Promise<void> }[] = [];
  private ended: Promise<string[]> | null = null;

  /** Before the thing is made. @throws Error once everything is being taken back: nothing more is to be made then */
  push(what: string, action: () => void | Promise<void>): void {
    if (this.ended !== null) throw new Error(`${what} is not made: the run is being taken back`);
    this.actions.push({ what, action });
  }

  /** What could not be taken back, in words. Everything is tried once, however often this is called. */
  all(): Promise<string[]> {
    this.ended ??= this.takeBack();
    return this.ended;
  }

  private async takeBack(): Promise<string[]> {
    const failures: string[] = [];
    for (let next = this.actions.pop(); next !== undefined; next = this.actions.pop()) {
      try {
        await next.action();
      } catch (error) {
        failures.push(`${next.what}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    return failures;
  }
}
