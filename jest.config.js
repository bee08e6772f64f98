import { availableParallelism } from 'node:os';

/** Jest runs the TypeScript sources as ES modules; the compiler's checks are a step of their own in the gate. */
export default {
  testEnvironment: '<rootDir>/jest.environment.js',
  roots: ['<rootDir>/test'],
  testSequencer: '<rootDir>/jest.sequencer.js',
  // Not more suites than processors: servers that are starved miss heartbeats, as they should.
  maxWorkers: availableParallelism(),
  // The machine may be busy; a test that hangs is still ended.
  testTimeout: 120_000,
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } }],
  },
};
