import { setTimeout as pause } from 'node:timers/promises';
import type { ServerStatus } from '../../src/admin/status.js';
import type { ServerState } from '../../src/core/identity.js';
import { until } from '../integration/support/until.js';
import type { Lab, Roles } from './lab.js';
import type { Load } from './load.js';
import type { Move } from './moves.js';
import type { ServerHost } from './server-host.js';

const MOVE_LIMIT_MS = 90_000;
const EVIDENCE_LIMIT_MS = 60_000;
/** Messages that a pair which serves acknowledges in passing. */
const FLOW = 20;

/** One scenario's view of the lab: who served when it began, and what has moved since. */
export class Stage {
  readonly serving: ServerHost;
  readonly passive: ServerHost;
  private readonly began: Readonly<Record<ServerHost['role'], number>>;

  constructor(
    readonly lab: Lab,
    readonly load: Load,
    roles: Roles,
  ) {
    this.serving = roles.serving;
    this.passive = roles.passive;
    this.began = { primary: lab.primary.moves.length, secondary: lab.secondary.moves.length };
  }

  /** All moves since the scenario began, in the order in which they were told. */
  get moves(): readonly Move[] {
    return this.lab.servers.flatMap((server) => this.movesOf(server)).sort((a, b) => a.at - b.at);
  }

  /** Waits until the server has come to these states one after the other (others may lie between), as its console tells. */
  async comes(server: ServerHost, ...states: readonly ServerState[]): Promise<void> {
    await until('', () => isAmong(states, this.movesOf(server)), MOVE_LIMIT_MS).catch(() => {
      throw new Error(`the ${server.role} server was to come to ${states.join(', then ')}; it made ${this.movesOf(server).map(({ to }) => to).join(', ') || 'no move'}`);
    });
  }

  /** For a span of time no server moves, and messages go on being acknowledged: for faults that must not be felt. */
  async calm(spanMs: number): Promise<void> {
    const before = this.moves.length;
    const end = performance.now() + spanMs;
    while (performance.now() < end) {
      await this.load.flows(FLOW);
      await pause(Math.max(0, Math.min(1_000, end - performance.now())));
    }
    const moved = this.moves.slice(before);
    if (moved.length > 0) throw new Error(`nobody was to move; ${moved.map(({ server, from, to, why }) => `${server} ${from}→${to} (${why})`).join(', ')}`);
  }

  /** That a fault was felt at all: a scenario in which nothing happened proves nothing. */
  async seen(server: ServerHost, what: string, fits: (status: ServerStatus) => boolean): Promise<void> {
    await server.reaches(what, fits, EVIDENCE_LIMIT_MS);
  }

  private movesOf(server: ServerHost): readonly Move[] {
    return server.moves.slice(this.began[server.role]);
  }
}

function isAmong(states: readonly ServerState[], moves: readonly Move[]): boolean {
  let at = 0;
  for (const { to } of moves) if (to === states[at]) at += 1;
  return at === states.length;
}
