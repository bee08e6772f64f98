import { fork, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { assert } from '../core/errors.js';
import { misunderstood } from '../core/wire/misunderstood.js';
import type { Log } from '../ports/log.js';
import type { Child, Spawner } from '../ports/process.js';

/** Messages that the child has not taken. Above it the child hangs, and what is said to it is dropped: orders are whole states. */
export const UNSENT_MAX = 256;
/** Messages that came before `handle`. */
const EARLY_MAX = 256;
/** Between the end of a child's channel and the end of the child, in either order. */
const GOING_MS = 1000;
const OUTPUT_LINE_CHARS_MAX = 2000;

export interface SpawnerOptions<In> {
  /** For the log: `broker`, `share keeper`. */
  readonly name: string;
  /** Path of the child's main module. */
  readonly module: string;
  readonly args: readonly string[];
  /** Options of Node.js itself for the child; default: none of ours are passed on. */
  readonly nodeOptions?: readonly string[];
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** What the child prints: straight to our console, or line by line into the log. */
  readonly output: 'inherit' | 'log';
  readonly log: Log;
  /** Makes a message of what came. What it throws at ends the child: nothing else that it says is worth more. */
  readonly read: (value: unknown) => In;
}

/**
 * Starts processes by fork with a message channel. A child is not detached: it ends with its parent (by itself, when the
 * channel closes). Ctrl-C at a terminal reaches children too; they ignore it and wait for the order to shut down.
 */
export function createSpawner<Out, In>(options: SpawnerOptions<In>): Spawner<Out, In> {
  return { start: () => new ForkedChild<Out, In>(options) };
}

class ForkedChild<Out, In> implements Child<Out, In> {
  readonly pid: number;
  private readonly process: ChildProcess;
  private handlers: { message(message: In): void; closed(reason: string): void } | null = null;
  private readonly early: In[] = [];
  private unsent = 0;
  private dropping = false;
  private ready = false;
  private isMisunderstood = false;
  private gone: string | null = null;
  private exited: string | null = null;
  private going: NodeJS.Timeout | null = null;

  constructor(private readonly options: SpawnerOptions<In>) {
    this.process = fork(options.module, [...options.args], {
      serialization: 'advanced',
      execArgv: [...(options.nodeOptions ?? [])],
      env: { ...process.env, ...options.env },
      stdio: options.output === 'inherit' ? ['ignore', 'inherit', 'inherit', 'ipc'] : ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: false,
    });
    // No pid: it could not be started, and `error` says why.
    this.pid = this.process.pid ?? 0;
    this.process.on('message', (message) => this.received(message));
    this.process.on('error', (error) => {
      // Also of a failed kill or send; then `exit` tells when it is gone.
      if (this.process.pid === undefined) this.closed(`could not be started: ${error.message}`);
    });
    this.process.on('exit', (code, signal) => this.onExit(signal === null ? `exited with code ${String(code)}` : `was ended by ${signal}`));
    this.process.on('disconnect', () => this.onDisconnect());
    this.logLines(this.process.stdout, 'info');
    this.logLines(this.process.stderr, 'warn');
  }

  send(message: Out): void {
    if (this.gone !== null || !this.process.connected) return;
    if (this.unsent >= UNSENT_MAX) {
      if (!this.dropping) this.options.log.write('warn', `the ${this.options.name} (pid ${this.pid}) takes no messages: ${UNSENT_MAX} wait`);
      this.dropping = true;
      return;
    }
    this.unsent += 1;
    // The callback's error means that the child is going; `exit` says so.
    this.process.send(message as never, () => {
      this.unsent -= 1;
      if (this.unsent === 0) this.dropping = false;
    });
  }

  handle(handlers: { message(message: In): void; closed(reason: string): void }): void {
    assert(this.handlers === null, 'handlers of a child are set once');
    this.handlers = handlers;
    setImmediate(() => {
      this.ready = true;
      for (const message of this.early.splice(0)) handlers.message(message);
      if (this.gone !== null) handlers.closed(this.gone);
    });
  }

  kill(): void {
    if (this.gone !== null) return;
    this.process.kill('SIGKILL');
    // A mount that hangs may hold it in the kernel for as long as it likes; this process must be able to end all the same.
    this.process.unref();
    this.process.channel?.unref();
  }

  private received(value: unknown): void {
    if (this.isMisunderstood) return;
    let message: In;
    try {
      message = this.options.read(value);
    } catch (error) {
      this.isMisunderstood = true;
      const { code, message: what, remedy } = misunderstood(this.options.name, error);
      this.options.log.write('error', `${what}; it is ended. ${remedy}`, { code, pid: this.pid });
      this.kill();
      return;
    }
    if (this.ready) this.handlers?.message(message);
    else if (this.early.length < EARLY_MAX) this.early.push(message);
  }

  /** Its last messages may still be on their way: they are all here when the channel is closed too. */
  private onExit(reason: string): void {
    this.exited = reason;
    if (this.going !== null) clearTimeout(this.going);
    if (!this.process.connected) this.closed(reason);
    else this.going = setTimeout(() => this.closed(reason), GOING_MS);
  }

  /** A child that closed its channel is on its way out, or cannot be told anything any more and must go. */
  private onDisconnect(): void {
    if (this.exited !== null) this.closed(this.exited);
    else this.going = setTimeout(() => this.kill(), GOING_MS);
  }

  private closed(reason: string): void {
    if (this.gone !== null) return;
    this.gone = reason;
    if (this.going !== null) clearTimeout(this.going);
    if (this.ready) this.handlers?.closed(reason);
  }

  /** @param stream `undefined` where the process could not be started for want of files, whatever the types say */
  private logLines(stream: Readable | null | undefined, level: 'info' | 'warn'): void {
    if (stream === null || stream === undefined) return;
    createInterface({ input: stream }).on('line', (line) => this.options.log.write(level, `${this.options.name}: ${line.slice(0, OUTPUT_LINE_CHARS_MAX)}`));
  }
}
