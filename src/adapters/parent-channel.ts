import { assert } from '../core/errors.js';
import { misunderstood } from '../core/wire/misunderstood.js';
import type { Channel } from '../ports/process.js';

/** Messages that the parent has not taken. Above it they are dropped: what is said to the parent is whole states, said again soon. */
const UNSENT_MAX = 256;
/** Messages that came before `handle`. */
const EARLY_MAX = 256;

const PARENT = process.ppid;

/** Whether the parent is gone, asked of the system: a process that was held up has not come to hear `disconnect` yet. */
export function isOrphaned(): boolean {
  return !process.connected || process.ppid !== PARENT;
}

/**
 * The parent as this forked process sees it. `closed` comes once, when the parent is gone or has hung up; a process that was
 * not forked has no parent to hear from, and `closed` comes at once.
 *
 * `read` makes a message of what came. What it throws at is an uncaught error of this process, and ends it as one: an order that is not understood
 * must not be followed in part.
 */
export function parentChannel<Out, In>(read: (value: unknown) => In): Channel<Out, In> {
  let handlers: { message(message: In): void; closed(reason: string): void } | null = null;
  const early: In[] = [];
  let ready = false;
  let gone: string | null = null;
  let unsent = 0;

  const close = (reason: string): void => {
    if (gone !== null) return;
    gone = reason;
    if (ready) handlers?.closed(reason);
  };
  process.on('message', (value: unknown) => {
    const message = understood(value, read);
    if (ready) handlers?.message(message);
    else if (early.length < EARLY_MAX) early.push(message);
  });
  process.on('disconnect', () => close('the parent process is gone'));
  if (process.send === undefined || !process.connected) close('there is no parent process');

  return {
    send(message): void {
      if (gone !== null || process.send === undefined || !process.connected || unsent >= UNSENT_MAX) return;
      unsent += 1;
      process.send(message, undefined, undefined, () => {
        unsent -= 1; // An error here means that the parent is going; `disconnect` says so.
      });
    },
    handle(given): void {
      assert(handlers === null, 'handlers of the parent are set once');
      handlers = given;
      setImmediate(() => {
        ready = true;
        for (const message of early.splice(0)) given.message(message);
        if (gone !== null) given.closed(gone);
      });
    },
  };
}

function understood<In>(value: unknown, read: (value: unknown) => In): In {
  try {
    return read(value);
  } catch (error) {
    throw misunderstood('HA manager', error);
  }
}
