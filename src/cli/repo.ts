import { setTimeout as pause } from 'node:timers/promises';
import type { RepositoryCommand, RepositoryResult } from '../admin/commands.js';
import type { RepositoryStatusView } from '../admin/status.js';
import { ProgressBar } from '../log/progress-bar.js';
import { loadProfile } from '../profile/load.js';
import { AdminClient } from './admin-client.js';
import type { Console } from './console.js';
import { ExitCode } from './exit-codes.js';
import { CommandFailure } from './failure.js';
import { copyText, progressText, repositoryDetails, resultLines, waitingText } from './repository-view.js';

/*
 * Commands to the repositories of a server that runs.
 */

const LOOK_MS = 250;
/** Without a terminal, or where nothing is seen of it, a line so often. */
const LINE_MS = 10_000;

export async function repositoryStatus(console: Console, path: string, name: string | null, options: { readonly json?: boolean }): Promise<void> {
  const client = new AdminClient(loadProfile(path, { checkFiles: false }));
  const { repositories } = await client.status();
  const here = repositories.here.filter((one) => name === null || one.name === name);
  const peer = repositories.peer.filter((one) => name === null || one.name === name);
  if (name !== null && here.length === 0) throw unknown(name, repositories.here);
  if (options.json === true) return console.out(JSON.stringify({ ...repositories, here, peer }, null, 2));
  if (repositories.trouble !== null) console.out(`TROUBLE: ${repositories.trouble}`);
  if (here.length === 0) console.out('no repositories: no folder is at a default place, and the profile names none');
  for (const one of here) {
    for (const text of repositoryDetails(one)) console.out(text);
    const copy = peer.find((theirs) => theirs.name === one.name);
    if (copy !== undefined) console.out(`  peer:      ${copyText(copy, one.syncType)}`);
  }
}

/** Asks for one repository, or all of them one after the other, and waits for the end of each. */
export async function askRepositories(console: Console, path: string, name: string | null, command: RepositoryCommand, json: boolean): Promise<void> {
  const client = new AdminClient(loadProfile(path, { checkFiles: false }));
  const names = name !== null ? [name] : (await client.status()).repositories.here.map((one) => one.name);
  if (names.length === 0) throw new CommandFailure(ExitCode.refused, 'LOCKSTEP_COMMAND_REFUSED', 'this server has no repositories', 'Name some in the profile (docs/profile.md).');
  const results: (RepositoryResult & { readonly name: string })[] = [];
  for (const one of names) {
    const result = await until(console, client, one, await client.askRepository(one, command), json);
    results.push({ name: one, ...result });
    if (!json) for (const text of resultLines(one, command.ask, result)) console.out(text);
  }
  if (json) console.out(JSON.stringify(results, null, 2));
  const bad = results.filter(({ outcome }) => outcome === 'failed' || (outcome === 'differs' && command.ask === 'verify'));
  const what = bad.some(({ outcome }) => outcome === 'failed') ? `${command.ask} did not go well for` : 'the two servers differ in';
  if (bad.length > 0) throw new CommandFailure(ExitCode.failed, 'LOCKSTEP_REPOSITORY_NOT_SYNCED', `${what} ${bad.map((one) => one.name).join(', ')}`, 'See above, and "lockstep repo status" on both servers.');
}

async function until(console: Console, client: AdminClient, name: string, id: number, json: boolean): Promise<RepositoryResult> {
  const show = json ? null : console.terminal ? new ProgressBar(name) : new Lines(console, name);
  let saidAt = performance.now();
  try {
    for (;;) {
      const task = await client.repositoryTask(id);
      if (task.kind === 'ended') return task.answer;
      if (task.kind === 'unknown') throw new CommandFailure(ExitCode.failed, 'LOCKSTEP_REPOSITORY_FORGOTTEN', `the server knows nothing of that ${name} task any more: it was restarted, or many others came since`, 'See "lockstep repo status" for how it stands.');
      const { repositories } = await client.status();
      const progress = repositories.here.find((view) => view.name === name)?.progress ?? null;
      if (progress !== null) show?.show(progress);
      // Its progress is seen on the server that receives.
      else if (show !== null && performance.now() - saidAt >= LINE_MS) {
        saidAt = performance.now();
        console.err(waitingText(repositories, name));
      }
      await pause(LOOK_MS);
    }
  } finally {
    show?.end();
  }
}

type Progress = NonNullable<RepositoryStatusView['progress']>;

class Lines {
  private saidAt = performance.now();

  constructor(
    private readonly console: Console,
    private readonly name: string,
  ) {}

  show(progress: Progress): void {
    if (performance.now() - this.saidAt < LINE_MS) return;
    this.saidAt = performance.now();
    this.console.err(`${this.name}: ${progressText(progress)}`);
  }

  end(): void {
    // What came of it is said by who asked.
  }
}

function unknown(name: string, known: readonly RepositoryStatusView[]): CommandFailure {
  return new CommandFailure(ExitCode.refused, 'LOCKSTEP_COMMAND_REFUSED', `there is no repository ${name}; there are ${known.map((one) => one.name).join(', ') || 'none'}`, 'Name it in the profile (docs/profile.md).');
}
