import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createClock } from '../adapters/clock.js';
import { makeFolders, PRIVATE_FOLDER } from '../adapters/folders.js';
import { createGatewayProbe } from '../adapters/gateway.js';
import { createLocalState } from '../adapters/local-state.js';
import { showEndpoint } from '../adapters/network-errors.js';
import { createRandom } from '../adapters/random.js';
import { createSpawner } from '../adapters/child-process.js';
import { poolFor } from '../adapters/thread-pool.js';
import { readTlsFiles } from '../adapters/tls-files.js';
import { readUsers } from '../adapters/user-file.js';
import { createAdmin, type AdminServer } from '../admin/server.js';
import type { Command, CommandResult } from '../admin/commands.js';
import type { BrokerToManager, ManagerToBroker } from '../core/control/broker.js';
import { LockstepError } from '../core/errors.js';
import type { KeeperToManager, ManagerToKeeper } from '../core/control/keeper.js';
import type { RunId } from '../core/identity.js';
import { readBrokerToManager } from '../core/wire/broker-messages.js';
import { readKeeperToManager } from '../core/wire/keeper-messages.js';
import { readRepositoryKeeperToManager } from '../core/wire/repository-messages.js';
import { createLog, type ProcessLog } from '../log/log.js';
import { logFolderRefused } from '../log/rotating-file.js';
import { Backchannel } from '../manager/backchannel.js';
import { HaManager } from '../manager/ha-manager.js';
import type { RepositorySpawner } from '../manager/repositories.js';
import type { Network } from '../ports/stream.js';
import { loadProfile } from '../profile/load.js';
import { readToken } from '../profile/private-file.js';
import { repositoriesInUse } from '../profile/repositories.js';
import type { Profile } from '../profile/profile.js';
import { backchannelOptions, brokerConfig, clientEndpoints, gatewayEndpoint, keeperConfig, logOptions, managerConfig, nextServer, repositoryKeeperConfig } from './configs.js';
import { ThrottledLog } from '../server/clients/throttled-log.js';
import { serverStatus, type Standing } from './server-status.js';
import { ConsoleFoot } from './console-foot.js';
import { watchedGateway } from './gateway-watch.js';
import { leaveLastWords } from './last-words.js';
import { pairNetwork } from './pair-network.js';
import { packageVersion } from './package-version.js';
import { PidFile } from './pid-file.js';

/*
 * The HA manager process: the one place where a server is put together from its profile.
 */

/** A stop that takes longer than this is cut short. Milliseconds. */
const STOP_MS_MAX = 30_000;
/** The last lines of the log are waited for no longer: its disk may hang. Milliseconds. */
const FLUSH_MS_MAX = 2_000;
const WORDS = { promote: 'promotion', switchover: 'switchover' } as const;

/**
 * Runs the server of a profile until it is told to stop (SIGINT, SIGTERM, POST /stop); resolves when it has stopped.
 * @throws LockstepError for whatever keeps it from starting (rejects); nothing is left running then
 */
export async function startServer(profilePath: string): Promise<void> {
  const profile = loadProfile(profilePath);
  await tryCertificate(profile);
  await tryUsers(profile);
  const pidFile = await takeDataFolder(profile.data.folder);
  try {
    const foot = new ConsoleFoot(process.stdout);
    makeLogFolder(profile.log.folder);
    const log = createLog({ ...logOptions(profile), output: foot });
    const takeBack = leaveLastWords(log);
    try {
      await new RunningServer(profile, log, foot).run();
    } finally {
      foot.end();
      takeBack();
      await Promise.race([log.flush(), sleep(FLUSH_MS_MAX, undefined, { ref: false })]);
    }
  } finally {
    for (const name of [join('broker', 'broker.pid'), join('repositories', 'keeper.pid')]) PidFile.removeEnded(join(profile.data.folder, name));
    pidFile.remove();
  }
}

class RunningServer {
  private readonly clock = createClock();
  private readonly random = createRandom();
  private readonly run_ = this.random.id() as RunId;
  private readonly version = packageVersion();
  private end: () => void = () => undefined;
  private readonly ended = new Promise<void>((resolve) => (this.end = resolve));
  private stopping = false;
  private manager: HaManager | null = null;
  private admin: AdminServer | null = null;

  constructor(
    private readonly profile: Profile,
    private readonly log: ProcessLog,
    private readonly foot: ConsoleFoot,
  ) {}

  async run(): Promise<void> {
    const { profile, log } = this;
    this.announce();
    const network = await pairNetwork(profile, log);
    const link = this.backchannel(network);
    const used = repositoriesInUse(profile);
    const gateway = createGatewayProbe({ gateway: gatewayEndpoint(profile), log });
    const manager = new HaManager(managerConfig(profile, this.version, used), {
      clock: this.clock,
      random: this.random,
      log,
      peerLink: link,
      gateway: watchedGateway(gateway, showGateway(profile), profile.ha.pingMissLimit, log),
      localState: createLocalState(profile.data.folder),
      keeper: createSpawner<ManagerToKeeper, KeeperToManager>({ name: 'share keeper', module: moduleAt('../share/main.js'), args: [JSON.stringify(keeperConfig(profile))], output: 'log', log, read: readKeeperToManager }),
      broker: createSpawner<ManagerToBroker, BrokerToManager>({ name: 'broker', module: moduleAt('../server/main.js'), args: [JSON.stringify(brokerConfig(profile))], nodeOptions: brokerNodeOptions(), env: poolFor(availableParallelism(), process.env), output: 'log', log, read: readBrokerToManager }),
      repositories: this.repositoryKeeper(used),
      run: this.run_,
    });
    this.manager = manager;
    this.foot.watch(() => manager.repositories.view.status?.repositories ?? []);
    const standing: Standing = { profile, version: this.version, run: this.run_, startedAtWall: this.clock.wall() };
    this.admin = await createAdmin({
      host: profile.admin.host,
      port: profile.admin.port,
      token: profile.admin.tokenFile === null ? null : readToken(profile.admin.tokenFile),
      status: () => serverStatus(standing, manager, link, this.clock.wall()),
      command: (command) => Promise.resolve(this.obey(command)),
      repositories: { ask: (name, wish) => manager.repositories.ask(name, wish), task: (id) => manager.repositories.wishState(id) },
      log,
      sparingLog: new ThrottledLog(log, this.clock),
      clock: this.clock,
    });
    const onSignal = (signal: NodeJS.Signals): void => void this.stop(signal);
    process.on('SIGINT', onSignal).on('SIGTERM', onSignal).on('SIGHUP', onSignal);
    try {
      const started = manager.start().catch((error: unknown) => {
        throw namingKey('ha.port', error);
      });
      // A start that hangs (its disk does not answer) is stopped as any other.
      await Promise.race([started, this.ended]);
      await this.ended;
    } finally {
      await this.admin.close();
      gateway.close();
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal).off('SIGHUP', onSignal);
    }
  }

  /** Many small files are made durable at once, which needs threads; and nothing of it is urgent. */
  private repositoryKeeper(used: readonly string[]): RepositorySpawner {
    const { profile, log } = this;
    const args = [JSON.stringify(repositoryKeeperConfig(profile, used))];
    return createSpawner({ name: 'repository keeper', module: moduleAt('../repository/main.js'), args, env: { UV_THREADPOOL_SIZE: '64' }, output: 'log', log, read: readRepositoryKeeperToManager });
  }

  private backchannel(network: Network): Backchannel {
    const { profile, log } = this;
    const link = new Backchannel(backchannelOptions(profile, this.version, this.run_), { network, clock: this.clock, random: this.random, log });
    return link;
  }

  private get name(): string {
    return this.profile.server.role === 'primary' ? 'Primary' : 'Secondary';
  }

  private announce(): void {
    const { profile, log } = this;
    log.write('info', `${this.name} Server of ${profile.server.cluster} starts: Lockstep ${this.version}, profile ${profile.path}`, { event: 'start', pid: process.pid });
    log.write('info', `Clients connect to ${clientEndpoints(profile).join(', with TLS to ')}, and next to ${nextServer(profile)}; status at http://${showEndpoint(profile.admin)}/status`);
  }

  private obey(command: Command): CommandResult {
    if (command.name === 'stop') {
      void this.stop(null);
      return { kind: 'done', message: `the ${this.profile.server.id} server is stopping` };
    }
    const answer = this.manager?.wish(command.name) ?? { kind: 'refused' as const, why: 'the server is still starting' };
    if (answer.kind === 'accepted') return { kind: 'done', message: `the ${WORDS[command.name]} is under way; "lockstep status" shows how it goes` };
    return { kind: 'refused', code: 'LOCKSTEP_COMMAND_REFUSED', message: answer.why, remedy: 'See "lockstep status" for the state of both servers, and ask again when it fits.' };
  }

  /** @param signal `null`: an operator asked for it, which is said already */
  private async stop(signal: NodeJS.Signals | null): Promise<void> {
    if (this.stopping) return;
    this.stopping = true;
    if (signal !== null) this.log.write('info', `Asked to stop (${signal})`);
    const tooLate = setTimeout(() => {
      this.log.write('error', `The server did not stop within ${STOP_MS_MAX / 1000} s; its processes are ended now. Nothing that was acknowledged is lost.`);
      this.end();
    }, STOP_MS_MAX);
    await this.manager?.stop();
    clearTimeout(tooLate);
    this.log.write('info', `${this.name} Server has stopped`, { event: 'stop' });
    this.end();
  }
}

/** Makes the data folder where it is not there yet, for this user alone, and makes sure that no other process runs in it. */
async function takeDataFolder(folder: string): Promise<PidFile> {
  try {
    makeFolders(folder, { mode: PRIVATE_FOLDER });
    return await PidFile.take(PidFile.at(folder));
  } catch (error) {
    if (error instanceof LockstepError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new LockstepError('LOCKSTEP_DATA_FOLDER_REFUSED', `the data folder ${folder} cannot be written: ${reason}`, 'Name a folder on this server\'s own disk (data.folder) that this user may write to, and that is not full.', { cause: error });
  }
}

/** The broker reads them itself, and would only be started again and again. That they have expired is its to say, and no reason not to serve. */
async function tryCertificate({ mqtt }: Profile): Promise<void> {
  if (mqtt.tlsPort === null || mqtt.tlsCertificateFile === null || mqtt.tlsKeyFile === null) return;
  await readTlsFiles({ certFile: mqtt.tlsCertificateFile, keyFile: mqtt.tlsKeyFile });
}

/** As the certificate: the broker reads it itself. A file without users is no reason not to start: one that runs takes those that are added. */
async function tryUsers({ mqtt }: Profile): Promise<void> {
  if (mqtt.usersFile !== null) await readUsers(mqtt.usersFile);
}

function makeLogFolder(folder: string): void {
  try {
    makeFolders(folder);
  } catch (error) {
    throw logFolderRefused(folder, error);
  }
}

/** For measuring: options of Node.js for the broker process alone, separated by spaces (`--cpu-prof`). */
function brokerNodeOptions(): string[] {
  return (process.env['LOCKSTEP_BROKER_NODE_OPTIONS'] ?? '').split(' ').filter((option) => option !== '');
}

function showGateway(profile: Profile): string {
  return showEndpoint(gatewayEndpoint(profile));
}

/** A port is known to the operator by its key. */
function namingKey(key: string, error: unknown): unknown {
  if (!(error instanceof LockstepError) || (error.code !== 'LOCKSTEP_PORT_TAKEN' && error.code !== 'LOCKSTEP_PORT_REFUSED')) return error;
  return new LockstepError(error.code, `${key}: ${error.message}`, error.remedy, { cause: error });
}

function moduleAt(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url));
}
