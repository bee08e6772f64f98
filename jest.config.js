import { availableParallelism } from 'node:os';

/** Jest runs the TypeScript sources as ES modules; the compiler's checks are a step of their own in the gate. */
export default {
  testEnvironment: '<rootDir>/jest.environment.js',
  roots: ['<rootDir>/test'],
  testSequencer: '<rootDir>/jest.sequencer.js',
  // Suites of whole servers wait more than they compute: one more runs than there are processors.
  maxWorkers: 1 + availableParallelism(),
  // The machine may be busy; a test that hangs is still ended.
  testTimeout: 120_000,
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } }],
  },
};
