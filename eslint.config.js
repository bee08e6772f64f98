import tseslint from 'typescript-eslint';

/*
 * The walls of docs/architecture.md, and the habits that the compiler does not hold. `src/core` and `src/ports` are held by
 * their own project files, too.
 */

const NODE = { regex: '^node:', message: 'Rules and processes are written over ports; only adapters and main.ts touch Node.js.' };
const PACKAGES = { regex: '^[^.]', message: 'No package here: packages are wired in adapters, and in what the operator meets.' };
const outside = (folders, message) => ({ regex: `^(\\.\\./)+(${folders.join('|')})(/|$)`, message });

const CLOCK_GLOBALS = ['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'process', 'performance', 'fetch', 'Buffer'].map((name) => ({
  name,
  message: 'Time, chance and the system come through ports.',
}));
const CLOCK_PROPERTIES = [
  { object: 'Date', property: 'now', message: 'Time that decides is Clock.monotonic(); time for people is Clock.wall().' },
  { object: 'Math', property: 'random', message: 'Chance comes through the port Random.' },
];
const NO_NEW_DATE = { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'Wall time comes through Clock.wall().' };
const NO_ENUM = { selector: 'TSEnumDeclaration', message: 'String unions instead of enum.' };
const NO_BARREL = { selector: 'ExportAllDeclaration', message: 'No barrels.' };

const walls = (files, patterns, more = {}) => ({ files, rules: { 'no-restricted-imports': ['error', { patterns }], ...more } });
const timeless = {
  'no-restricted-globals': ['error', ...CLOCK_GLOBALS],
  'no-restricted-properties': ['error', ...CLOCK_PROPERTIES],
  'no-restricted-syntax': ['error', NO_ENUM, NO_BARREL, NO_NEW_DATE],
};
const PROCESSES = ['manager', 'share', 'server', 'repository', 'protocols'];
const OPERATORS = ['profile', 'admin', 'log', 'run', 'cli'];
// The core has a folder `repository` of its own: `../repository` from its other folders.
const CORE_ONLY = 'The core imports only the core.';
const others = (own) => PROCESSES.filter((name) => !own.includes(name));

export default tseslint.config(
  { ignores: ['dist/**', 'dist-test/**', 'node_modules/**', 'runtime/**', 'coverage/**', '**/*.js'] },
  {
    files: ['src/**/*.ts', 'test/**/*.ts'],
    extends: [tseslint.configs.base],
    // This project holds every source: one program, and no need of what the build writes.
    languageOptions: { parserOptions: { project: 'test/tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false, attributes: false, properties: false } }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/only-throw-error': 'error',
      'no-restricted-syntax': ['error', NO_ENUM, NO_BARREL],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-var': 'error',
      'prefer-const': 'error',
      'no-fallthrough': 'error',
      'no-console': 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'max-lines': ['error', { max: 500 }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true, IIFEs: true }],
    },
  },
  walls(['src/core/**/*.ts'], [NODE, PACKAGES, outside(['ports', 'adapters', ...others(['repository']), ...OPERATORS], CORE_ONLY), { regex: '^(\\.\\./){2,}repository(/|$)', message: CORE_ONLY }], timeless),
  walls(['src/ports/**/*.ts'], [NODE, PACKAGES, outside(['adapters', ...PROCESSES, ...OPERATORS], 'Ports import types of the core only.')], timeless),
  ...['manager', 'share', 'server', 'repository'].map((own) => ({
    ...walls([`src/${own}/**/*.ts`], [NODE, outside(['adapters', ...others([own]), ...OPERATORS], 'Processes are written over core and ports, and meet in messages only.')], timeless),
    // What wires a process: its main module, and what that is told.
    ignores: ['**/main.ts', 'src/server/process-config.ts'],
  })),
  walls(['src/protocols/**/*.ts'], [NODE, outside(['adapters', 'manager', 'share', 'repository', 'server/(?!(edge|clients/throttled-log)\\.js$).*', ...OPERATORS], 'Protocols are written over core, ports, the edge and its throttled log.')], timeless),
  walls(['src/adapters/**/*.ts'], [outside([...PROCESSES, ...OPERATORS], 'Adapters know core and ports only.')]),
  walls(['src/profile/**/*.ts', 'src/log/**/*.ts'], [outside([...PROCESSES, 'adapters', 'admin', 'run', 'cli'], 'Not from the insides of the processes.')]),
  walls(['src/cli/**/*.ts'], [{ regex: '^(\\.\\./)+(manager/(?!backchannel-handshake|backchannel-look)|repository/|protocols|server/(?!journal/inspect)|share/(?!preflight|paths))', message: 'Not from the insides of the processes; what check and journal use is listed here.' }]),
  walls(['src/run/**/*.ts'], [outside(['cli'], 'A server knows nothing of the command that starts it.')]),
  walls(['src/admin/**/*.ts'], [outside([...PROCESSES, 'adapters', 'log', 'run', 'cli'], 'The admin server knows the status and the commands, not who makes them.')]),
);
