/** What the lockstep command exits with. Scripts may rely on it; docs/operations.md has the same list. */
export const ExitCode = {
  /** Done; for `check`: nothing stands in the way of a start; for `verify` and `exercise`: the history holds. */
  ok: 0,
  /** Something failed while it was done; for `check`: something stands in the way; for `verify` and `exercise`: a promise was broken. */
  failed: 1,
  /** The command line, the profile or the history is wrong, and nothing was done; for `verify` and `exercise`: the history proves nothing. */
  usage: 2,
  /** No server answers on the profile's admin port. */
  notRunning: 3,
  /** The server answered and refused; nothing was changed. */
  refused: 4,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];
