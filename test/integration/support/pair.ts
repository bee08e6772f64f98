import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfiguredRole } from '../../../src/core/identity.js';
import { layOut, writeProfile, type ProfilePair, type Sections } from './profiles.js';
import { describe as describeStatus, TestServer } from './server.js';
import { Traffic } from './traffic.js';
import { until } from './until.js';

/** Lines of each console in the message of a failed test. */
const TAIL_LINES = 80;
/** Above the sum of the waits of any one test that passes. */
const TEST_MS_MAX = 400_000;

/** Two servers in a folder of their own, and clients that know both. */
export class Pair {
  readonly primary: TestServer;
  readonly secondary: TestServer;
  private readonly traffics: Traffic[] = [];

  private constructor(readonly layout: ProfilePair) {
    this.primary = new TestServer(layout, 'primary');
    this.secondary = new TestServer(layout, 'secondary');
  }

  static async make(changes: Partial<Record<ConfiguredRole, Sections>> = {}): Promise<Pair> {
    const layout = await layOut(await mkdtemp(join(tmpdir(), 'lockstep-pair-')));
    for (const role of ['primary', 'secondary'] as const) await writeProfile(layout, role, changes[role]);
    return new Pair(layout);
  }

  get servers(): readonly [TestServer, TestServer] {
    return [this.primary, this.secondary];
  }

  other(server: TestServer): TestServer {
    return server === this.primary ? this.secondary : this.primary;
  }

  /** Starts both; resolves when one is ACTIVE and the other PASSIVE. */
  async start(): Promise<{ active: TestServer; passive: TestServer }> {
    for (const server of this.servers) server.start();
    return this.inStep();
  }

  /** Waits until one is ACTIVE and the other PASSIVE, and clients are let in. */
  async inStep(): Promise<{ active: TestServer; passive: TestServer }> {
    let seen = '';
    try {
      return await until('', async () => {
        const [first, second] = await Promise.all([this.primary.status(), this.secondary.status()]);
        seen = `primary ${describeStatus(first)}\nsecondary ${describeStatus(second)}`;
        for (const [one, other, active, passive] of [[first, second, this.primary, this.secondary], [second, first, this.secondary, this.primary]] as const) {
          if (one?.state === 'ACTIVE' && other?.state === 'PASSIVE' && one.broker?.clientPort === 'accepting') return { active, passive };
        }
        return null;
      });
    } catch {
      throw new Error(`the pair did not come to ACTIVE and PASSIVE; last seen:\n${seen}`);
    }
  }

  /** The same in a term above this one. */
  async inNewTerm(above: number): Promise<{ active: TestServer; passive: TestServer }> {
    for (const server of this.servers) await server.reaches(`a term above ${above}`, ({ term }) => term > above);
    return this.inStep();
  }

  /** Lets the other one serve. */
  async switchOver(active: TestServer): Promise<void> {
    const answer = await fetch(`http://127.0.0.1:${active.ports.admin}/switchover`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
    if (!answer.ok) throw new Error(`switchover refused: ${await answer.text()}`);
    await this.other(active).reachesState('ACTIVE');
    await active.reachesState('PASSIVE');
  }

  /** Another pair of its own beside this one, for as long as `body` runs. */
  async beside(body: (second: Pair) => Promise<void>): Promise<void> {
    await onPair({}, body);
  }

  /** Clients that know both servers. Messages flow when it resolves. */
  async traffic(): Promise<Traffic> {
    const traffic = this.idleTraffic();
    return traffic.start();
  }

  /** `name` is part of topics and client ids: two of them on one pair need two names. */
  idleTraffic(name = 'tested'): Traffic {
    const traffic = new Traffic([this.primary.address, this.secondary.address], name);
    this.traffics.push(traffic);
    return traffic;
  }

  /** Both consoles, for the message of a failed test. */
  account(): string {
    return this.servers.map(({ role, console }) => `\n== console of the ${role} server ==\n${console.slice(-TAIL_LINES).join('\n')}`).join('\n');
  }

  async clear(): Promise<void> {
    await Promise.all(this.traffics.map((traffic) => traffic.close()));
    await Promise.all(this.servers.map((server) => server.clear()));
    await rm(this.layout.folder, { recursive: true, force: true });
  }
}

type Changes = Partial<Record<ConfiguredRole, Sections>>;

/**
 * A test on a pair of its own. Whatever happens, every process that was started is ended and the folder removed; what the servers said
 * is in the message of a failure.
 */
export function pairTest(name: string, body: (pair: Pair) => Promise<void>, changes: Changes = {}): void {
  test(name, () => onPair(changes, body), TEST_MS_MAX);
}

async function onPair(changes: Changes, body: (pair: Pair) => Promise<void>): Promise<void> {
  const pair = await Pair.make(changes);
  try {
    await body(pair);
  } catch (error) {
    if (error instanceof Error) error.message += `\n${pair.account()}`;
    throw error;
  } finally {
    await pair.clear();
  }
}
