import { join } from 'node:path';
import { isRunBy, ports, PORTS, sourceOf, standIns, suites } from './stand-ins.js';

/*
 * Every port has a suite that runs on the real adapter and calls every method of the port, and every stand-in of a port is run by that suite as well. A stand-in
 * is a class anywhere in the tests that implements an interface of the port or overrides part of one that does, and in the simulator and the fakes of the unit tests
 * whatever gives one out. (Not seen: what a single test makes up on the spot, without a class.) A suite is a test file here that names the port and an adapter, and calls all there is in the port.
 */

/** Stand-ins that no suite runs, and why. */
const NOT_RUN: Readonly<Record<string, string>> = {
  ServerWiring: 'hands on to a stand-in, and tells the checkers',
  logTo: 'hands on to the channel',
  watching: 'hands on to the spawner, and looks at what is sent',
  watchBrokers: 'as watching',
  watchKeepers: 'as watching',
  KeeperProcess: 'changes nothing of its clock',
  EvenPrng: 'is not random, so that a transcript is always the same',
  Broken: 'hands on to the real folder, of which one file cannot be read',
  Growing: 'breaks the promise that a file ends',
  SinkStream: 'only counts, in a benchmark',
  LoopClock: 'stands still against what a clock promises, as a host without processor time does',
  SlowClock: 'counts work as time',
};

const REAL = /from '\.\.\/\.\.\/src\/(adapters|log|protocols)\//;

const text = (suite: readonly string[]): string => suite.map((path) => sourceOf(path).tree.text).join('\n');
const methodsOf = (port: string): string[] => [...sourceOf(join(PORTS, `${port}.ts`)).tree.text.matchAll(/^ {2}(\w+)\(/gm)].map(([, method]) => method ?? '');
/** It is called, or given for the other side to call. */
const isUsed = (suite: string, method: string): boolean => new RegExp(`[.?]${method}\\(|\\b${method}: \\(`).test(suite);
const notCalled = (port: string, suite: readonly string[]): string[] => methodsOf(port).filter((method) => !isUsed(text(suite), method));

const about = (port: string): readonly (readonly string[])[] => suites.filter((suite) => text(suite).includes(`src/ports/${port}.js'`) && REAL.test(text(suite)));
const suitesOf = (port: string): readonly (readonly string[])[] => about(port).filter((suite) => notCalled(port, suite).length === 0);

const named = standIns.map((standIn) => ({ ...standIn, isRun: suitesOf(standIn.port).some((suite) => isRunBy(standIn, suite)) }));

test('there are stand-ins, and this test finds them', () => {
  expect(ports).toEqual(expect.arrayContaining(['authenticator', 'hashing', 'share', 'stream']));
  const found = named.map(({ port, name }) => `${port} ${name}`);
  expect(found).toEqual(expect.arrayContaining(['authenticator FakeAuthenticator', 'clock FakeClock', 'clock SimProcess', 'disk SimulatedFile', 'process ChannelEnd', 'repository Broken', 'share MountedClient', 'share SimShareClient', 'stream FakeStream', 'stream SimStream']));
});

test.each(ports)('%s has a suite on the real adapter, which calls every method', (port) => {
  expect(methodsOf(port)).not.toEqual([]);
  expect(about(port).map((suite) => notCalled(port, suite))).toContainEqual([]);
});

test.each(ports.filter((port) => standIns.some((standIn) => standIn.port === port)))('%s has stand-ins: its suite runs on both sides', (port) => {
  expect(named.filter((standIn) => standIn.port === port && standIn.isRun)).not.toEqual([]);
});

test('every stand-in is run by the suite of its port, or it is said above why not', () => {
  expect(named.filter(({ name, isRun }) => !isRun && NOT_RUN[name] === undefined).map(({ port, name, path }) => `${port}: ${name} (${path})`)).toEqual([]);
});

test('what is said above is there, and is run by no suite', () => {
  expect(Object.keys(NOT_RUN).filter((name) => !named.some((standIn) => standIn.name === name && !standIn.isRun))).toEqual([]);
});
