/** Jest runs the TypeScript sources as ES modules; the compiler's checks are a step of their own in the gate. */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  // The machine may be busy; a test that hangs is still ended.
  testTimeout: 30_000,
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': ['@swc/jest', { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' } }],
  },
};
