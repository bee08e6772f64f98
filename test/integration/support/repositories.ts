import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfiguredRole } from '../../../src/core/identity.js';
import { Pair } from './pair.js';
import { freePorts } from './ports.js';
import type { Sections } from './profiles.js';
import { COMMAND, type TestServer } from './server.js';
import { until } from './until.js';

/** Above the sum of the waits of any one test that passes. */
export const TEST_MS_MAX = 400_000;

/** Roles shall change when a test says so, and not because a busy machine keeps a server from speaking. */
const PATIENT = { pingInterval: '500ms', pingMissLimit: 20, activeLockReacquisitionInterval: '1s', passiveLockAcquisitionInterval: '10s', stallLimit: '10s', peerWait: '5s' } as const;

export interface Case {
  readonly pair: Pair;
  /** Of everything of this pair. */
  readonly base: string;
  /** Of the repository links. */
  readonly ports: Readonly<Record<ConfiguredRole, number>>;
  /** A server's folder of a repository. */
  readonly at: (server: TestServer, name: string) => string;
}

/** Makes something in the folder of the pair, before it starts. What it gives is laid over the section `ha` and the folders of a server. */
export type Prepare = (base: string) => Promise<Partial<Record<ConfiguredRole, { readonly ha?: Record<string, unknown>; readonly peer?: Record<string, unknown>; readonly folders?: Record<string, Record<string, unknown>> }>>>;

/** A pair with these repositories, in a folder of its own for each server. */
export async function onPair(folders: Record<string, Record<string, unknown>>, body: (given: Case) => Promise<void>, more: Record<string, unknown> = {}, prepare: Prepare = async () => ({})): Promise<void> {
  const base = await mkdtemp(join(tmpdir(), 'lockstep-repositories-'));
  const [one, two] = (await freePorts(2)) as [number, number];
  for (const role of ['primary', 'secondary']) await mkdir(join(base, role));
  const prepared = await prepare(base);
  const sections = (role: ConfiguredRole, own: number, other: number): Sections => ({
    ha: { repositoryPort: own, repositoryWait: '5m', ...PATIENT, ...more, ...prepared[role]?.ha },
    peer: { backupRepositoryPort: other, ...prepared[role]?.peer },
    repositories: { folders: Object.fromEntries(Object.entries(folders).map(([name, values]) => [name, { path: join(base, role, name), ...values, ...prepared[role]?.folders?.[name] }])) },
  });
  const pair = await Pair.make({ primary: sections('primary', one, two), secondary: sections('secondary', two, one) });
  try {
    await body({ pair, base, ports: { primary: one, secondary: two }, at: (server, name) => String(prepared[server.role]?.folders?.[name]?.['path'] ?? join(base, server.role, name)) });
  } catch (error) {
    if (error instanceof Error) error.message += `\n${pair.account()}`;
    throw error;
  } finally {
    await pair.clear();
    await rm(base, { recursive: true, force: true });
  }
}

interface Found {
  /** Kind, mode and content. */
  readonly what: string;
  /** Of a file. */
  readonly timeUs: number;
}

async function look(folder: string, below = ''): Promise<Map<string, Found>> {
  const found = new Map<string, Found>();
  for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
    const path = join(below, entry.name);
    const { mode, mtimeNs } = await stat(join(folder, path), { bigint: true }).catch(() => ({ mode: 0n, mtimeNs: 0n }));
    const rights = Number(mode) & 0o777;
    if (entry.isSymbolicLink()) found.set(path, { what: 'link', timeUs: 0 });
    else if (entry.isDirectory()) {
      found.set(path, { what: `folder ${rights}`, timeUs: 0 });
      for (const [inner, one] of await look(folder, path)) found.set(inner, one);
    } else found.set(path, { what: `${rights} ${await readFile(join(folder, path), 'utf8')}`, timeUs: Number(mtimeNs / 1_000n) });
  }
  return found;
}

/** What a folder holds, to be compared with itself at another time: paths with kind, mode, time and content. */
export async function treeOf(folder: string): Promise<Record<string, string>> {
  return Object.fromEntries([...(await look(folder))].map(([path, { what, timeUs }]) => [path, `${what} ${timeUs}`]));
}

/** A time is carried to the nearest microsecond, as near as a double tells. */
const TIME_TOLERANCE_US = 1;

/** In what two folders differ; `null` when they are equal. */
export async function differenceOf(one: string, other: string): Promise<string | null> {
  const a = await look(one);
  const b = await look(other).catch(() => new Map<string, Found>());
  for (const path of [...new Set([...a.keys(), ...b.keys()])].sort()) {
    const [here, there] = [a.get(path), b.get(path)];
    const isSame = here !== undefined && here.what === there?.what && Math.abs(here.timeUs - there.timeUs) <= TIME_TOLERANCE_US;
    if (!isSame) return `${path}: ${JSON.stringify(here)} and ${JSON.stringify(there)}`;
  }
  return null;
}

export async function becomesEqual(what: string, one: string, other: string): Promise<void> {
  let difference: string | null = null;
  try {
    await until(`${what} is equal`, async () => {
      difference = await differenceOf(one, other);
      return difference === null;
    });
  } catch (error) {
    if (error instanceof Error) error.message += ` (${String(difference)})`;
    throw error;
  }
}

export async function inSync(server: TestServer, name: string): Promise<void> {
  await server.reaches(`repository ${name} in sync`, ({ repositories }) => repositories.here.some((one) => one.name === name && one.condition === 'in-sync'));
}

export function lockstep(...args: string[]): Promise<{ readonly code: number; readonly out: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [COMMAND, ...args], { timeout: 60_000 }, (error, stdout, stderr) => resolve({ code: error === null ? 0 : Number(error.code ?? 1), out: stdout + stderr }));
  });
}

export async function fill(folder: string, files: Record<string, string>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), content);
  }
}

export function repositoryTest(name: string, folders: Record<string, Record<string, unknown>>, body: (given: Case) => Promise<void>, more: Record<string, unknown> = {}, prepare?: Prepare): void {
  test(name, () => onPair(folders, body, more, prepare), TEST_MS_MAX);
}
