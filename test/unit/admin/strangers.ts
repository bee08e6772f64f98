import type { AdminOptions } from '../../../src/admin/server.js';

/** Of an admin server whose refusals wait for nothing and are not logged. */
export const STRANGERS: Pick<AdminOptions, 'clock' | 'sparingLog'> = {
  clock: {
    after: (_, action) => {
      action();
      return () => undefined;
    },
  },
  sparingLog: { write: () => undefined },
};
