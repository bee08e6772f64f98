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

/** What an operator may ask of one repository. `checksum`: read every file. */
export type RepositoryCommand =
  | { readonly ask: 'sync' | 'diff' | 'verify'; readonly checksum: boolean }
  /** Bring back a kept version, or some paths of it. */
  | { readonly ask: 'restore'; readonly version: string; readonly paths: readonly string[] | null };

/** `accepted`: it is under way; how it ends is asked for by `id`. */
export type RepositoryCommandResult = { readonly kind: 'accepted'; readonly id: number } | { readonly kind: 'refused'; readonly why: string };

export interface RepositoryResult {
  readonly outcome: 'same' | 'changed' | 'differs' | 'failed';
  readonly detail: string | null;
  readonly files: number;
  readonly bytes: number;
  readonly wireBytes: number;
  readonly elapsedMs: number;
  readonly kept: string | null;
  /** The first 1,000, and how many there are in all. */
  readonly differences: readonly { readonly path: string; readonly what: string }[];
  readonly differencesTotal: number;
}

/** Of a command on a repository that was accepted. `unknown`: nothing is known of it, or not any more. */
export type RepositoryTask = { readonly kind: 'under-way' } | { readonly kind: 'ended'; readonly answer: RepositoryResult } | { readonly kind: 'unknown' };

/** How the admin server reaches the repositories. */
export interface RepositoryDesk {
  ask(name: string, command: RepositoryCommand): RepositoryCommandResult;
  task(id: number): RepositoryTask;
}
