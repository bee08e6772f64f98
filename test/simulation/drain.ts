type Drain = () => void;

/**
 * Runs every promise callback that is ready, before it returns: the virtual world must not go on to the next event while
 * production code still has steps of this one to do. Works only when called from a plain callback (a macrotask).
 *
 * Node.js has this as `process._tickCallback`, which is not documented; `drainWorks` proves it at start, and the world falls
 * back to a turn of the event loop for each event (forty times slower) where it is gone.
 */
export const drainMicrotasks: Drain = (process as unknown as { _tickCallback?: Drain })._tickCallback ?? (() => undefined);

/** Call from a macrotask. */
export function drainWorks(): boolean {
  let done = false;
  void Promise.resolve()
    .then(() => undefined)
    .then(() => {
      done = true;
    });
  drainMicrotasks();
  return done;
}

/** A turn of the event loop; all promise callbacks have run when it resolves. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
