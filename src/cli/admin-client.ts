import type { RepositoryCommand, RepositoryTask } from '../admin/commands.js';
import type { ServerStatus } from '../admin/status.js';
import { readToken } from '../profile/private-file.js';
import type { Profile } from '../profile/profile.js';
import { isWildcard } from '../profile/values.js';
import { ExitCode } from './exit-codes.js';
import { CommandFailure } from './failure.js';

const ANSWER_TIMEOUT_MS = 5_000;
/** A command is answered when the HA manager has decided; a drain can take a while. */
const COMMAND_TIMEOUT_MS = 60_000;

/** The running server of a profile, over its admin HTTP. Everything rejects with CommandFailure (exit codes 3, 4, 1). */
export class AdminClient {
  private readonly base: string;

  constructor(private readonly profile: Profile) {
    const { host, port } = profile.admin;
    const reachable = isWildcard(host) ? '127.0.0.1' : host;
    this.base = `http://${reachable.includes(':') && !reachable.startsWith('[') ? `[${reachable}]` : reachable}:${port}`;
  }

  async status(): Promise<ServerStatus> {
    const status = (await this.ask('GET', '/status', null, ANSWER_TIMEOUT_MS)) as Partial<ServerStatus> | null;
    if (status?.schema !== 1) throw this.notOurs('/status');
    return status as ServerStatus;
  }

  /** What the server says it does now. */
  async command(name: 'stop' | 'switchover' | 'promote', body: Readonly<Record<string, unknown>>): Promise<string> {
    const answer = await this.ask('POST', `/${name}`, JSON.stringify(body), COMMAND_TIMEOUT_MS);
    return typeof answer === 'object' && answer !== null && 'message' in answer ? String(answer.message) : 'done';
  }

  /** Asks for something to be done to a repository. @returns the number under which its end is asked for */
  async askRepository(name: string, command: RepositoryCommand): Promise<number> {
    const { ask, ...body } = command;
    const answer = await this.ask('POST', `/repositories/${encodeURIComponent(name)}/${ask}`, JSON.stringify(body), ANSWER_TIMEOUT_MS);
    if (typeof answer === 'object' && answer !== null && 'id' in answer && typeof answer.id === 'number') return answer.id;
    throw this.notOurs(`/repositories/${name}/${ask}`);
  }

  async repositoryTask(id: number): Promise<RepositoryTask> {
    const answer = await this.ask('GET', `/repositories/tasks/${id}`, null, ANSWER_TIMEOUT_MS);
    if (typeof answer === 'object' && answer !== null && 'kind' in answer) return answer as RepositoryTask;
    throw this.notOurs('/repositories/tasks');
  }

  private notOurs(path: string): CommandFailure {
    return new CommandFailure(ExitCode.failed, 'LOCKSTEP_ADMIN_NOT_OURS', `${this.base}${path} did not answer as a Lockstep server of this version`, 'Check admin.port in the profile, and that both are of one version.');
  }

  private async ask(method: string, path: string, body: string | null, timeoutMs: number): Promise<unknown> {
    const { tokenFile } = this.profile.admin;
    const headers: Record<string, string> = {
      ...(body === null ? {} : { 'content-type': 'application/json' }),
      ...(tokenFile === null ? {} : { authorization: `Bearer ${readToken(tokenFile)}` }),
    };
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${this.base}${path}`, { method, headers, body, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) });
      text = await response.text();
    } catch (error) {
      throw this.silence(error, timeoutMs);
    }
    const answer = parse(text);
    if (response.ok) return answer;
    throw refusal(response.status, answer, this.base);
  }

  private silence(error: unknown, timeoutMs: number): CommandFailure {
    const { server } = this.profile;
    const who = `${server.role} server of ${server.cluster}`;
    if (error instanceof Error && error.name === 'TimeoutError') {
      return new CommandFailure(ExitCode.notRunning, 'LOCKSTEP_SERVER_SILENT', `the ${who} did not answer on ${this.base} within ${timeoutMs / 1000} s`, 'See its log; its HA manager may be stopped or starved.', { cause: error });
    }
    return new CommandFailure(ExitCode.notRunning, 'LOCKSTEP_SERVER_NOT_RUNNING', `no ${who} answers on ${this.base}`, `Start it with: lockstep start ${this.profile.path}`, { cause: error });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // Not from Lockstep: the status code alone speaks.
  }
}

function refusal(status: number, answer: unknown, base: string): CommandFailure {
  const error = typeof answer === 'object' && answer !== null && 'error' in answer ? (answer.error as { code?: unknown; message?: unknown; remedy?: unknown }) : null;
  if (typeof error?.code !== 'string') return new CommandFailure(ExitCode.failed, 'LOCKSTEP_ADMIN_NOT_OURS', `${base} answered with status ${status}`, 'Check admin.port in the profile.');
  return new CommandFailure(status >= 500 ? ExitCode.failed : ExitCode.refused, error.code, String(error.message), String(error.remedy ?? ''));
}
