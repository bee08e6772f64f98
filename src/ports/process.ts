/** A child process as its parent sees it, or the parent as a child sees it: whole messages, both ways, in order. */
export interface Channel<Out, In> {
  send(message: Out): void;
  /** Set once. */
  handle(handlers: { message(message: In): void; closed(reason: string): void }): void;
}

export interface Child<Out, In> extends Channel<Out, In> {
  /** Process id; for the status page. */
  readonly pid: number;
  /** SIGKILL. The only fence that works on a process with a hung file system. `closed` follows when it is gone. */
  kill(): void;
}

/** Starts a process of this server. */
export interface Spawner<Out, In> {
  start(): Child<Out, In>;
}
