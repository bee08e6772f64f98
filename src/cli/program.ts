import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { check } from './check.js';
import type { Console } from './console.js';
import { ExitCode } from './exit-codes.js';
import { exercise } from './exercise.js';
import type { ExerciseOptions } from './exercise.js';
import { describeFailure } from './failure.js';
import { init } from './init.js';
import type { InitOptions } from './init.js';
import { exportRecords, inspect } from './journal.js';
import { passwd } from './passwd.js';
import { askRepositories, repositoryStatus } from './repo.js';
import { promote, status, stop, switchover } from './running.js';
import { start } from './start.js';
import { verify } from './verify.js';

const PROFILE = 'a profile, or the folder of its lockstep.yaml';
const EXIT_CODES = `
Exit codes:
  0  done (check: nothing stands in the way; verify, exercise: the history holds)
  1  failed (check: something stands in the way; verify, exercise: a promise was broken)
  2  the command line, the profile or the history is wrong, and nothing was done; verify, exercise: the history proves nothing
  3  no server answers on the profile's admin port
  4  the server refused; nothing was changed`;

/** The lockstep command. Speaks through `console` only. */
export function buildProgram(console: Console): Command {
  const program = new Command('lockstep')
    .description('A message broker pair that survives the loss of either server without losing one acknowledged message.')
    .version(version(), '-V, --version')
    .showHelpAfterError('(lockstep --help lists the commands)')
    .exitOverride()
    .configureOutput({ writeOut: (text) => console.out(text.trimEnd()), writeErr: (text) => console.err(text.trimEnd()) })
    .addHelpText('after', EXIT_CODES);
  addServerCommands(program, console);
  addSetupCommands(program, console);
  addJournalCommands(program, console);
  addRepositoryCommands(program, console);
  addProofCommands(program, console);
  return program;
}

/** Runs one command line. Never rejects. */
export async function run(program: Command, args: readonly string[], console: Console, debug: boolean): Promise<ExitCode> {
  try {
    await program.parseAsync([...args], { from: 'user' });
    return ExitCode.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
    const { lines, exitCode } = describeFailure(error, debug);
    for (const line of lines) console.err(line);
    return exitCode;
  }
}

function addServerCommands(program: Command, console: Console): void {
  program.command('start').description('run the server of a profile in the foreground until it is stopped').argument('<profile>', PROFILE).action((path: string) => start(console, path));
  program
    .command('stop')
    .description('stop a running server; an ACTIVE one hands over first when a PASSIVE one is there')
    .argument('<profile>', PROFILE)
    .option('--no-wait', 'return as soon as the server has begun to stop')
    .action((path: string, options: { wait: boolean }) => stop(console, path, options));
  program
    .command('status')
    .description('show what a running server knows of itself and of the other')
    .argument('<profile>', PROFILE)
    .option('--json', 'as JSON (docs/status.md)')
    .option('--watch', 'again every second, until interrupted')
    .action((path: string, options: { json?: boolean; watch?: boolean }) => status(console, path, options));
  program.command('switchover').description('let the PASSIVE server serve; ask the ACTIVE one').argument('<profile>', PROFILE).action((path: string) => switchover(console, path));
  program
    .command('promote')
    .description('make this server serve though the other may have newer data; what only the other has is lost')
    .argument('<profile>', PROFILE)
    .option('--accept-data-loss', 'needed: says that the loss is accepted')
    .action((path: string, options: { acceptDataLoss?: boolean }) => promote(console, path, options));
}

function addSetupCommands(program: Command, console: Console): void {
  program
    .command('check')
    .description('validate a profile and try the share, the gateway, the ports and the way to the other server')
    .argument('<profile>', PROFILE)
    .option('--json', 'the findings as JSON')
    .action((path: string, options: { json?: boolean }) => check(console, path, options));
  program
    .command('init')
    .description('write a commented pair of profiles for two hosts, with a fresh secret')
    .argument('<folder>', 'where to write them; gets the folders primary and secondary')
    .requiredOption('--primary <host>', 'address of the primary server: on it that server listens, and at it the other one and clients reach it')
    .requiredOption('--secondary <host>', 'the same of the secondary server')
    .requiredOption('--gateway <host>', 'address of the machine that hosts the share')
    .requiredOption('--lock-file <path>', 'the lockfile, as both hosts see it on the mounted share; an absolute path')
    .option('--cluster <name>', 'name of the pair', 'lockstep')
    .option('--smb', 'the share is an SMB share (the gateway is asked on port 445)')
    .action((folder: string, options: InitOptions) => init(console, folder, options));
  program
    .command('passwd')
    .description('add a user to a user file, or change its password; asks for it, or reads one line of standard input')
    .argument('<file>', 'the user file (mqtt.usersFile); made when it is not there')
    .argument('<user>', 'user name')
    .option('--delete', 'remove the user instead')
    .action((file: string, user: string, options: { delete?: boolean }) => passwd(console, file, user, options));
}

function addJournalCommands(program: Command, console: Console): void {
  const journal = program.command('journal').description('look into a journal, or into quarantined data; never changes anything');
  journal
    .command('inspect')
    .description('list segments or records: positions, terms, types, sizes, and damage')
    .argument('<folder>', 'a journal folder, or a quarantine folder in it')
    .option('--records', 'one line a record')
    .action((folder: string, options: { records?: boolean }) => inspect(console, folder, options));
  journal
    .command('export')
    .description('write records as JSON lines, payloads in base64')
    .argument('<folder>', 'a journal folder, or a quarantine folder in it')
    .option('--from <position>', 'first position')
    .option('--to <position>', 'last position')
    .action((folder: string, options: { from?: string; to?: string }) => exportRecords(console, folder, options));
}

function addProofCommands(program: Command, console: Console): void {
  program
    .command('exercise')
    .description('run publishers and consumers against a pair, write what they did and met, and judge it; break something meanwhile')
    .argument('<history>', 'the file to write; must not be there yet')
    .requiredOption('--to <host:port...>', "the client ports of both servers")
    .option('--for <time>', 'publish for so long', '60s')
    .option('--rate <number>', 'messages a second, all publishers together', '100')
    .option('--publishers <number>', 'how many', '4')
    .option('--consumers <number>', 'how many; each gets everything', '2')
    .option('--bytes <size>', 'payload of a message', '256')
    .option('--patience <time>', 'give up when clients are not let in, or not served to the end, for so long', '2m')
    .option('--user <name>', 'user name of all clients')
    .option('--password-file <file>', 'its first line is the password')
    .option('--ca <file>', 'MQTT over TLS, with certificates signed by this one (PEM)')
    .action((path: string, options: ExerciseOptions) => exercise(console, path, options));
  program
    .command('verify')
    .description('judge a history of what clients did and met (docs/history.md): nothing acknowledged lost, QoS 2 once, in order')
    .argument('<history...>', 'the files that the recorders of one history wrote')
    .option('--json', 'the verdict as JSON')
    .action((paths: string[], options: { json?: boolean }) => verify(console, paths, options));
}

function addRepositoryCommands(program: Command, console: Console): void {
  const repo = program.command('repo').description('repositories: folders that the passive server holds as the serving one has them');
  const NAME = 'a repository; default: all of them';
  repo
    .command('status')
    .description('how each repository stands, here and at the other server')
    .argument('<profile>', PROFILE)
    .argument('[name]', NAME)
    .option('--json', 'as JSON (docs/status.md)')
    .action((path: string, name: string | undefined, options: { json?: boolean }) => repositoryStatus(console, path, name ?? null, options));
  for (const [ask, description] of [['sync', 'sync now'], ['diff', 'show what a sync would change; changes nothing'], ['verify', 'read every file on both servers and compare their digests; changes nothing']] as const) {
    const command = repo
      .command(ask)
      .description(description)
      .argument('<profile>', PROFILE)
      .argument('[name]', NAME)
      .option('--json', 'the results as JSON');
    // A verify reads them all in any case.
    if (ask !== 'verify') command.option('--checksum', 'read every file, whatever is recorded of it (ask the passive server)');
    command.action((path: string, name: string | undefined, options: { json?: boolean; checksum?: boolean }) => askRepositories(console, path, name ?? null, { ask, checksum: options.checksum === true }, options.json === true));
  }
  repo
    .command('restore')
    .description('bring back a kept version on the serving server, or some paths of it; what they replace is kept, too')
    .argument('<profile>', PROFILE)
    .argument('<name>', 'a repository')
    .argument('<version>', 'a kept version, as repo status lists them')
    .argument('[paths...]', 'only these, relative to the repository')
    .action((path: string, name: string, kept: string, paths: string[]) => askRepositories(console, path, name, { ask: 'restore', version: kept, paths: paths.length === 0 ? null : paths }, false));
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
