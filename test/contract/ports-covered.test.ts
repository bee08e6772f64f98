import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/*
 * Every port that has a stand-in has a suite that runs on the real adapter and on the stand-in, and that calls every method of the port. A port has a stand-in when
 * something in the simulator or in the fakes of the unit tests is written over it; a suite is a test file here that names the port, an adapter and such a stand-in.
 */

const PORTS = 'src/ports';
const STAND_INS = ['test/simulation', 'test/unit/support'];
const REAL = /from '\.\.\/\.\.\/src\/(adapters|log|protocols)\//;
const STANDING_IN = /from '\.\.\/(simulation|unit\/support)\//;

const filesIn = (folder: string): string[] => readdirSync(folder).filter((name) => name.endsWith('.ts'));
const text = (path: string): string => readFileSync(path, 'utf8');
const imports = (source: string, port: string): boolean => new RegExp(`from '(\\.\\./)+src/ports/${port}\\.js'`).test(source);

function standIns(port: string): string[] {
  return STAND_INS.flatMap((folder) => filesIn(folder).map((name) => join(folder, name))).filter((path) => !path.endsWith('.test.ts') && imports(text(path), port));
}

/** A test file, with what it takes from its neighbours. */
function whole(name: string): string {
  const own = text(join('test/contract', name));
  const neighbours = [...own.matchAll(/from '\.\/([\w.-]+)\.js'/g)].map(([, neighbour]) => text(join('test/contract', `${neighbour ?? ''}.ts`)));
  return [own, ...neighbours].join('\n');
}

/** The text of each suite. */
function suites(port: string): string[] {
  const tests = filesIn('test/contract').filter((name) => name.endsWith('.test.ts'));
  return tests.map(whole).filter((suite) => imports(suite, port) && REAL.test(suite) && STANDING_IN.test(suite));
}

const methodsOf = (port: string): string[] => [...text(join(PORTS, `${port}.ts`)).matchAll(/^ {2}(\w+)\(/gm)].map(([, method]) => method ?? '');
/** It is called, or given for the other side to call. */
const isUsed = (suite: string, method: string): boolean => new RegExp(`[.?]${method}\\(|\\b${method}: \\(`).test(suite);

const ports = filesIn(PORTS).map((name) => name.replace(/\.ts$/, ''));
const stoodInFor = ports.filter((port) => standIns(port).length > 0);

test('there are ports with stand-ins, and this test finds them', () => {
  expect(stoodInFor).toEqual(expect.arrayContaining(['clock', 'disk', 'gateway', 'local-state', 'log', 'process', 'random', 'share', 'stream']));
});

test.each(stoodInFor)('%s has a suite on both sides', (port) => {
  expect(`${port}: ${suites(port).length > 0 ? 'a suite' : `no suite, but ${standIns(port).join(', ')}`}`).toBe(`${port}: a suite`);
});

test.each(stoodInFor)('every method of %s is called in its suite', (port) => {
  const methods = methodsOf(port);
  expect(methods).not.toEqual([]);
  expect(methods.filter((method) => !suites(port).some((suite) => isUsed(suite, method)))).toEqual([]);
});
