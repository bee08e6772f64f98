/** What an operator may ask of a running server. */
export type Command =
  /** Hand over if a PASSIVE server is there, then end. Answered when it is under way. */
  | { readonly name: 'stop' }
  /** Let the PASSIVE server serve. */
  | { readonly name: 'switchover' }
  /** Serve without the other's consent, though it may have newer data (arbitration R8). */
  | { readonly name: 'promote'; readonly acceptDataLoss: true };

export type CommandResult =
  | { readonly kind: 'done'; readonly message: string }
  /** Nothing was changed. `code` and `remedy` as with LockstepError. */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string; readonly remedy: string };
