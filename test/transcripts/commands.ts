import type { ServerState } from '../../src/core/identity.js';
import { FAULT_KINDS, type FaultKind, type HostName } from '../simulation/faults.js';
import { MOMENTS, type Moment } from '../simulation/moments.js';
import type { Durability } from '../simulation/pair-config.js';
import type { Operation as ShareOperation } from '../simulation/share.js';
import type { Stage } from './stage.js';

/** A transcript that waits longer for a state has found something. */
const UNTIL_LIMIT_MS = 120_000;
/** After the state has come: what each hears of the other's is there, too. */
const SETTLE_MS = 300;

/**
 * Carries out one command of a transcript.
 * - `given primary ACTIVE, secondary PASSIVE`: both are started and come there, and nothing is told of it; `forget`: nothing of what was before
 * - `start primary|secondary|both`, `stop`, `kill` (every process of the server, at once), `switchover`
 * - `durability both|bothWithoutDiskSync`: of the servers that are started from here on
 * - `fault KIND [HOST] [by AMOUNT] [at the next MOMENT]`, `mend KIND [HOST]`: the simulator's faults, of the primary where none is named, by 0 where no amount is
 * - `refuse HOST OPERATION`, `lose HOST OPERATION`: the host's next such request on the share fails, without and with an effect
 * - `publish`, `subscribe`: a publisher at QoS 1, and a persistent session at QoS 2
 * - `run N s`; `until primary STATE, secondary STATE` (DEAD: not there), and then for a moment
 *
 * @throws Error for a command that is none, or a state that does not come
 */
export async function carryOut(stage: Stage, command: string): Promise<void> {
  const [verb = '', ...words] = command.trim().split(/[\s,]+/);
  switch (verb) {
    case 'start':
      for (const name of words[0] === 'both' ? ['primary', 'secondary'] : words) stage.start(hostOf(name, command));
      return;
    case 'given':
      for (const name of ['primary', 'secondary'] as const) stage.start(name);
      await come(stage, words, command);
      stage.take();
      return;
    case 'forget':
      stage.take();
      return;
    case 'stop':
      stage.fault('server-stopped', hostOf(words[0], command), null);
      return;
    case 'kill':
      stage.fault('server-killed', hostOf(words[0], command), null);
      return;
    case 'durability':
      stage.durability(durabilityOf(words[0], command));
      return;
    case 'switchover':
      stage.fault('switchover', 'primary', null);
      return;
    case 'fault': {
      const moment = /at the next (\w+)$/.exec(command)?.[1] ?? null;
      const amount = Number(/ by (0\.\d+)/.exec(command)?.[1] ?? 0);
      const host = words[1] === 'at' || words[1] === 'by' ? undefined : words[1];
      stage.fault(kindOf(words[0], command), hostOf(host, command), moment === null ? null : momentOf(moment, command), amount);
      return;
    }
    case 'mend':
      stage.mend(kindOf(words[0], command), hostOf(words[1], command));
      return;
    case 'refuse':
    case 'lose':
      stage.failNext(hostOf(words[0], command), operationOf(words[1], command), verb === 'lose');
      return;
    case 'publish':
      stage.publish();
      return;
    case 'subscribe':
      stage.subscribe();
      return;
    case 'run':
      await stage.run(Number(words[0]) * 1000);
      return;
    case 'until':
      await come(stage, words, command);
      return;
    default:
      throw new Error(`"${command}" is no command of a transcript`);
  }
}

async function come(stage: Stage, words: readonly string[], command: string): Promise<void> {
  const came = await stage.until(statesOf(words, command), UNTIL_LIMIT_MS);
  if (!came && stage.broken === null) throw new Error(`"${command}" did not come true within ${UNTIL_LIMIT_MS / 1000} s:\n${stage.take().join('\n')}`);
  await stage.run(SETTLE_MS);
}

function hostOf(word: string | undefined, command: string): HostName {
  if (word === undefined || word === 'primary') return 'primary';
  if (word === 'secondary') return 'secondary';
  throw new Error(`"${command}": "${word}" is not a server`);
}

function kindOf(word: string | undefined, command: string): FaultKind {
  if (word !== undefined && word in FAULT_KINDS) return word as FaultKind;
  throw new Error(`"${command}": "${word ?? ''}" is no kind of fault`);
}

function momentOf(word: string, command: string): Moment {
  const found = MOMENTS.find((moment) => moment === word);
  if (found === undefined) throw new Error(`"${command}": "${word}" is no moment`);
  return found;
}

const DURABILITIES: readonly Durability[] = ['both', 'bothWithoutDiskSync'];

function durabilityOf(word: string | undefined, command: string): Durability {
  const found = DURABILITIES.find((durability) => durability === word);
  if (found === undefined) throw new Error(`"${command}": "${word ?? ''}" is no durability`);
  return found;
}

const OPERATIONS: readonly ShareOperation[] = ['read', 'list', 'identity', 'createSynced', 'rewriteInPlace', 'link', 'syncFolder', 'lock.acquire', 'lock.standing', 'lock.stillOurs'];

function operationOf(word: string | undefined, command: string): ShareOperation {
  const found = OPERATIONS.find((operation) => operation === word);
  if (found === undefined) throw new Error(`"${command}": "${word ?? ''}" is no request that a share keeper makes`);
  return found;
}

const STATES: readonly (ServerState | 'DEAD')[] = ['WAITING', 'PASSIVE_SYNC', 'ACTIVE_SYNC', 'PASSIVE', 'ACTIVE', 'STANDALONE', 'DEAD'];

function statesOf(words: readonly string[], command: string): Partial<Record<HostName, ServerState | 'DEAD'>> {
  const wanted: Partial<Record<HostName, ServerState | 'DEAD'>> = {};
  for (let i = 0; i < words.length; i += 2) {
    const state = STATES.find((known) => known === words[i + 1]);
    if (state === undefined) throw new Error(`"${command}": "${words[i + 1] ?? ''}" is no state`);
    wanted[hostOf(words[i], command)] = state;
  }
  return wanted;
}
