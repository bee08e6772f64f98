import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ServerStatus } from '../../../src/admin/status.js';
import type { ConfiguredRole } from '../../../src/core/identity.js';
import type { ServerState } from '../../../src/core/identity.js';
import { killAll, MARK, marked, signal } from './processes.js';
import { dataOf, profileOf, type Ports, type ProfilePair } from './profiles.js';
import { stays, until } from './until.js';

export const COMMAND = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url));
const STATUS_TIMEOUT_MS = 1_000;
const LINES_MAX = 2_000;

export type Part = 'manager' | 'broker' | 'keeper' | 'repositories';

/** One server of a pair as an operator has it: started by the command, seen through its console, its status and its pids. */
export class TestServer {
  readonly profile: string;
  readonly data: string;
  readonly ports: Ports;
  /** What its console said, over all its lives, oldest first. */
  readonly console: string[] = [];
  private readonly mark: string;
  private process: ChildProcess | null = null;
  private code: number | NodeJS.Signals | null = null;

  constructor(
    pair: ProfilePair,
    readonly role: ConfiguredRole,
  ) {
    this.profile = profileOf(pair, role);
    this.data = dataOf(pair, role);
    this.ports = pair.ports[role];
    this.mark = `${pair.folder}/${role}`;
  }

  get address(): { readonly host: string; readonly port: number } {
    return { host: '127.0.0.1', port: this.ports.mqtt };
  }

  start(): this {
    if (!existsSync(COMMAND)) throw new Error(`${COMMAND} is not there: build first (npm run build)`);
    if (this.running) throw new Error(`the ${this.role} server runs already`);
    const child = spawn(process.execPath, [COMMAND, 'start', this.profile], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1', [MARK]: this.mark } });
    this.process = child;
    this.code = null;
    child.once('exit', (code, by) => {
      this.code = by ?? code ?? 0;
      this.say(`--- the manager process ended (${String(by ?? code)})`);
    });
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', (line) => this.say(line));
    return this;
  }

  /** The manager's process lives. */
  get running(): boolean {
    return this.process !== null && this.code === null;
  }

  /** What the command ended with; `null` while it runs. */
  get exit(): number | NodeJS.Signals | null {
    return this.code;
  }

  async ended(limitMs?: number): Promise<number | NodeJS.Signals> {
    return until(`the ${this.role} server's command has ended`, () => (this.code === null ? null : { code: this.code }), limitMs).then(({ code }) => code);
  }

  /** `null` while it does not answer. */
  async status(): Promise<ServerStatus | null> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.ports.admin}/status`, { signal: AbortSignal.timeout(STATUS_TIMEOUT_MS) });
      return (await answer.json()) as ServerStatus;
    } catch {
      return null;
    }
  }

  /** HTTP status of /serving; `null` while it does not answer. */
  async serving(): Promise<number | null> {
    try {
      return (await fetch(`http://127.0.0.1:${this.ports.admin}/serving`, { signal: AbortSignal.timeout(STATUS_TIMEOUT_MS) })).status;
    } catch {
      return null;
    }
  }

  /** Waits for a status that fits. */
  async reaches(what: string, fits: (status: ServerStatus) => boolean, limitMs?: number): Promise<ServerStatus> {
    let last: ServerStatus | null = null;
    try {
      return await until('', async () => ((last = await this.status()) !== null && fits(last) ? last : null), limitMs);
    } catch {
      throw new Error(`the ${this.role} server did not come to: ${what}; its last status: ${describe(last)}`);
    }
  }

  async reachesState(...states: ServerState[]): Promise<ServerStatus> {
    return this.reaches(states.join(' or '), (status) => states.includes(status.state));
  }

  /** Is in this state and makes no move for a span of time: its own account of moves tells also of one that no look has met. No answer is no move. */
  async staysIn(state: ServerState, spanMs: number): Promise<void> {
    const { history } = await this.reachesState(state);
    await stays(`the ${this.role} server is ${state}`, async () => ((await this.status())?.state ?? state) === state, spanMs);
    expect((await this.reaches('any status', () => true)).history).toEqual(history);
  }

  /** Waits until the console has said a line with this text, after the first `from` lines. */
  async says(text: string | RegExp, from = 0): Promise<string> {
    return until(`the ${this.role} server's console says "${String(text)}"`, () => this.console.slice(from).find((line) => (typeof text === 'string' ? line.includes(text) : text.test(line))) ?? null);
  }

  pid(part: Part): number | null {
    const module = { manager: ' start ', broker: 'server/main.js', keeper: 'share/main.js', repositories: 'repository/main.js' }[part];
    return marked(this.mark).find(({ command }) => command.includes(module))?.pid ?? null;
  }

  /** @throws Error when there is no such process */
  send(part: Part, name: NodeJS.Signals): number {
    const pid = this.pid(part);
    if (pid === null || !signal(pid, name)) throw new Error(`the ${this.role} server has no ${part} process to send ${name}`);
    return pid;
  }

  /** Manager, keeper and broker at once, as when the host's power goes. */
  async killWhole(): Promise<void> {
    killAll(this.mark);
    await this.gone();
  }

  /** All three processes are gone. */
  async gone(limitMs?: number): Promise<void> {
    await until(`all processes of the ${this.role} server are gone`, () => marked(this.mark).length === 0 && !this.running, limitMs);
  }

  /** A clean stop by signal, as Ctrl-C. */
  async stop(): Promise<void> {
    this.process?.kill('SIGTERM');
    await this.gone();
  }

  /** Whatever is left is ended; for the end of a test. */
  async clear(): Promise<void> {
    killAll(this.mark);
    await this.gone(10_000);
  }

  private say(line: string): void {
    this.console.push(line);
    if (this.console.length > LINES_MAX) this.console.shift();
  }
}

export function describe(status: ServerStatus | null): string {
  if (status === null) return 'no answer';
  const { state, previous, reason, term, peer, lock, broker, journal, advice } = status;
  return JSON.stringify({ state, previous, reason, term, peer: peer.state, lock: lock.held, share: lock.share, lockDetail: lock.detail, broker, journal, advice });
}
