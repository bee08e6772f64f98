import { showEndpoint } from '../adapters/network-errors.js';
import type { RepositoryCommand, RepositoryTask } from '../admin/commands.js';
import { MEANT_HEADER, meantFor } from '../admin/meant.js';
import type { ServerStatus } from '../admin/status.js';
import { LockstepError } from '../core/errors.js';
import { readToken } from '../profile/private-file.js';
import type { Profile } from '../profile/profile.js';
import { adminAddress, isWildcard } from '../profile/values.js';
import { PidFile } from '../run/pid-file.js';
import { askHttp, NoAnswer } from './ask-http.js';
import { unresolved } from './check/names.js';
import { ExitCode } from './exit-codes.js';
import { CommandFailure } from './failure.js';

const ANSWER_TIMEOUT_MS = 5_000;
/** A command is answered when the HA manager has decided; a drain can take a while. */
const COMMAND_TIMEOUT_MS = 60_000;

const OLD_TOKEN = 'A server reads its token when it starts: use the profile and the token file with which it was started, or put that token back.';

/** Fields that an older server of the same schema does not tell: in an upgrade this command is often newer than the server that it asks. */
const ADDED_SINCE: Pick<ServerStatus, 'unlike'> = { unlike: [] };

/** The running server of a profile, over its admin HTTP. Everything rejects with CommandFailure (exit codes 3, 4, 1; 2 for a token file that cannot be used). */
export class AdminClient {
  private readonly base: string;
  private readonly host: string;

  constructor(private readonly profile: Profile) {
    const { host, port } = profile.admin;
    this.host = isWildcard(host) ? '127.0.0.1' : adminAddress(host);
    this.base = `http://${showEndpoint({ host: this.host, port })}`;
  }

  async status(): Promise<ServerStatus> {
    const status = (await this.ask('GET', '/status', null, ANSWER_TIMEOUT_MS)) as Partial<ServerStatus> | null;
    if (status?.schema !== 1) throw this.notOurs('/status');
    return { ...ADDED_SINCE, ...status } as ServerStatus;
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
    const { admin, server } = this.profile;
    const token = this.token();
    const headers: Record<string, string> = {
      // A command is for the server of this profile, whoever listens there.
      ...(body === null ? {} : { 'content-type': 'application/json', [MEANT_HEADER]: meantFor({ cluster: server.cluster, server: server.id }) }),
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    };
    const { status, text } = await askHttp({ host: this.host, port: admin.port, method, path, headers, body, timeoutMs }).catch((error: unknown) => {
      throw error instanceof NoAnswer && error.kind === 'foreign' ? this.notOurs(path) : this.silence(error, timeoutMs);
    });
    const answer = parse(text);
    if (status >= 200 && status < 300) return answer;
    const refused = refusal(status, answer, this.base);
    throw refused.code === 'LOCKSTEP_ADMIN_TOKEN' ? this.wrongToken(refused) : refused;
  }

  private token(): string | null {
    const { tokenFile } = this.profile.admin;
    if (tokenFile === null) return null;
    try {
      return readToken(tokenFile);
    } catch (error) {
      if (!(error instanceof LockstepError)) throw error;
      const otherToken = this.otherToken();
      throw new CommandFailure(ExitCode.usage, error.code, `${error.message} (admin.tokenFile of ${this.profile.path})`, otherToken === null ? error.remedy : `${OLD_TOKEN}${otherToken}`, { cause: error });
    }
  }

  /** What to do where the token of a server that runs here is lost; `null`: none is known to run. */
  private otherToken(): string | null {
    const pid = PidFile.holder(PidFile.at(this.profile.data.folder));
    return pid === null ? null : ` Where that one is lost: process ${pid} runs with the data folder of this profile, and ${howToStop(pid)}; then start it anew, with the token that the profile names.`;
  }

  /** In terms of the profile: the server's own words are for who asks it without this command. */
  private wrongToken({ exitCode, code }: CommandFailure): CommandFailure {
    const { path, admin } = this.profile;
    const message = admin.tokenFile === null
      ? `the server on ${this.base} was started with a token, and ${path} names none (admin.tokenFile)`
      : `the token in ${admin.tokenFile} (admin.tokenFile of ${path}) is not the one with which the server on ${this.base} was started`;
    return new CommandFailure(exitCode, code, message, `${OLD_TOKEN}${this.otherToken() ?? ''}`);
  }

  private silence(error: unknown, timeoutMs: number): CommandFailure {
    const { server, path } = this.profile;
    const who = `${server.role} server of ${server.cluster}`;
    const unnamed = error instanceof NoAnswer ? unresolved(this.host, error.cause) : null;
    if (unnamed !== null) return new CommandFailure(ExitCode.notRunning, 'LOCKSTEP_SERVER_NAME', `the ${who} cannot be asked: ${unnamed}`, `See admin.host in ${path}.`, { cause: error });
    const file = PidFile.at(this.profile.data.folder);
    const pid = PidFile.holder(file);
    const moved = pid === null ? '' : `admin.host or admin.port of ${this.profile.path} may have been changed since it was started: put back what they were, and ask again. Or: ${howToStop(pid)}.`;
    if (error instanceof NoAnswer && error.kind === 'late') {
      const remedy = `See its log; its HA manager may be stopped or starved.${pid === null ? '' : ` Process ${pid} runs with the data folder of this profile (so says ${file}); ${moved}`}`;
      return new CommandFailure(ExitCode.notRunning, 'LOCKSTEP_SERVER_SILENT', `the ${who} did not answer on ${this.base} within ${timeoutMs / 1000} s`, remedy, { cause: error });
    }
    if (pid !== null) {
      return new CommandFailure(ExitCode.notRunning, 'LOCKSTEP_SERVER_UNREACHED', `no ${who} answers on ${this.base}, though process ${pid} runs with the data folder of this profile (so says ${file})`, `It just starts or stops; or ${moved}`, { cause: error });
    }
    return new CommandFailure(ExitCode.notRunning, 'LOCKSTEP_SERVER_NOT_RUNNING', `no ${who} answers on ${this.base}`, `Start it with: lockstep start ${this.profile.path}`, { cause: error });
  }
}

function howToStop(pid: number): string {
  return `SIGTERM to that process (\`kill ${pid}\`) stops it properly, as \`lockstep stop\` does`;
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
