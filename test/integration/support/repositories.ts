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

/** What a folder holds: paths with content, mode and kind. */
export async function treeOf(folder: string, below = ''): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(join(folder, below), { withFileTypes: true })) {
    const path = join(below, entry.name);
    const { mode, mtimeMs } = await stat(join(folder, path)).catch(() => ({ mode: 0, mtimeMs: 0 }));
    if (entry.isSymbolicLink()) found[path] = 'link';
    else if (entry.isDirectory()) Object.assign(found, { [path]: `folder ${mode & 0o777}` }, await treeOf(folder, path));
    else found[path] = `${mode & 0o777} ${Math.round(mtimeMs)} ${await readFile(join(folder, path), 'utf8')}`;
  }
  return found;
}

export async function becomesEqual(what: string, one: string, other: string): Promise<void> {
  await until(`${what} is equal`, async () => {
    const [a, b] = [await treeOf(one), await treeOf(other).catch(() => ({}))];
    return JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
  });
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
