/** What the clients' process is told at its start. */
export interface ClientsConfig {
  readonly name: string;
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  readonly username: string;
  readonly password: string;
  /** In the format of docs/history.md. */
  readonly historyFile: string;
}

/** What it says of itself, a JSON line on standard output each time. */
export interface ClientsProgress {
  readonly ready: boolean;
  readonly acknowledged: number;
  readonly inFlight: number;
  /** Nothing more is published, everything sent is acknowledged, and every consumer has it. */
  readonly caughtUp: boolean;
}
