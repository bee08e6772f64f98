/** What the clients write down, a JSON line each. All times are monotonic milliseconds of the machine, which no guest's clock moves. */
export type ClientEvent =
  | { readonly at: number; readonly client: string; readonly op: 'publish'; readonly id: string; readonly qos: 1 | 2 }
  | { readonly at: number; readonly client: string; readonly op: 'acknowledged'; readonly id: string }
  | { readonly at: number; readonly client: string; readonly op: 'receive'; readonly id: string; readonly qos: 0 | 1 | 2; readonly dup: boolean }
  | { readonly at: number; readonly client: string; readonly op: 'subscribed' | 'connected' | 'disconnected' };

/** What the clients' process is told at its start. */
export interface ClientsConfig {
  readonly name: string;
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  readonly username: string;
  readonly password: string;
  readonly historyFile: string;
}

/** What it says of itself, a JSON line on standard output each time. */
export interface ClientsProgress {
  readonly ready: boolean;
  readonly sent: number;
  readonly acknowledged: number;
  readonly inFlight: number;
  /** Acknowledged, and not yet received by every consumer. */
  readonly awaited: number;
}
