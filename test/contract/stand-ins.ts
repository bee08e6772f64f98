import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';

/* Finds in the text of the tests what is written over a port, and which of it a suite makes. */

export const PORTS = 'src/ports';
/** Here stands what others build upon: what gives out a port counts as well, and not only what says that it implements one. */
const TWINS = ['test/simulation/', 'test/unit/support/'];
const SUITES = 'test/contract/';

export interface StandIn {
  readonly port: string;
  readonly name: string;
  readonly path: string;
}

interface Declared {
  readonly path: string;
  readonly name: string;
  readonly node: ts.Node;
}

interface Source {
  readonly tree: ts.SourceFile;
  /** Classes and functions of the file itself. */
  readonly declared: ReadonlyMap<string, Declared>;
  /** Names that it takes from elsewhere, and where that is. */
  readonly imported: ReadonlyMap<string, string>;
}

const sources = new Map<string, Source>();

export function sourceOf(path: string): Source {
  const known = sources.get(path);
  if (known !== undefined) return known;
  const tree = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
  const declared = new Map<string, Declared>();
  const imported = new Map<string, string>();
  for (const node of tree.statements) {
    if ((ts.isClassDeclaration(node) || ts.isFunctionDeclaration(node)) && node.name !== undefined) declared.set(node.name.text, { path, name: node.name.text, node });
    if (!ts.isImportDeclaration(node) || !ts.isStringLiteral(node.moduleSpecifier) || !node.moduleSpecifier.text.startsWith('.')) continue;
    const from = normalize(join(dirname(path), node.moduleSpecifier.text)).replace(/\.js$/, '.ts');
    const names = node.importClause?.namedBindings;
    if (names !== undefined && ts.isNamedImports(names)) for (const { name } of names.elements) imported.set(name.text, from);
  }
  const source = { tree, declared, imported };
  sources.set(path, source);
  return source;
}

/** Every file of the tests that can matter here. */
const paths = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join('test', name));
const mayStandIn = paths.filter((path) => !path.startsWith(SUITES) && /\/src\/ports\/|\bextends\b/.test(readFileSync(path, 'utf8')));

export const ports = readdirSync(PORTS)
  .filter((name) => name.endsWith('.ts'))
  .map((name) => name.replace(/\.ts$/, ''));

/** Interfaces of a port that somebody can stand in for: they have methods. */
const offered = new Set(
  ports.flatMap((port) =>
    sourceOf(join(PORTS, `${port}.ts`))
      .tree.statements.filter(ts.isInterfaceDeclaration)
      .filter(({ members }) => members.some(ts.isMethodSignature))
      .map(({ name }) => `${port}.${name.text}`),
  ),
);

function portOf(path: string, name: string): string | null {
  const from = sourceOf(path).imported.get(name) ?? '';
  const port = dirname(from) === PORTS ? from.slice(PORTS.length + 1, -'.ts'.length) : null;
  return port !== null && offered.has(`${port}.${name}`) ? port : null;
}

function portGiven(path: string, type: ts.TypeNode | undefined): string | null {
  if (type === undefined || !ts.isTypeReferenceNode(type)) return null;
  const name = type.typeName.getText();
  return name === 'Promise' ? portGiven(path, type.typeArguments?.[0]) : portOf(path, name);
}

const isMade = (node: ts.Node): node is ts.PropertyDeclaration | ts.MethodDeclaration | ts.GetAccessorDeclaration | ts.FunctionDeclaration =>
  ts.isPropertyDeclaration(node) || ts.isMethodDeclaration(node) || ts.isGetAccessorDeclaration(node) || ts.isFunctionDeclaration(node);

function heritage(node: ts.Node, token: ts.SyntaxKind): string[] {
  if (!ts.isClassDeclaration(node)) return [];
  return (node.heritageClauses ?? []).filter((clause) => clause.token === token).flatMap(({ types }) => types.map(({ expression }) => expression.getText()));
}

/** Ports that it implements, or gives out where twins stand. */
function portsOver({ path, node }: Declared): Set<string> {
  const found = heritage(node, ts.SyntaxKind.ImplementsKeyword).map((name) => portOf(path, name));
  if (TWINS.some((folder) => path.startsWith(folder))) {
    for (const part of [node, ...(ts.isClassDeclaration(node) ? node.members : [])]) if (isMade(part)) found.push(portGiven(path, part.type));
  }
  return new Set(found.filter((port) => port !== null));
}

const overrides = (node: ts.Node): boolean => ts.isClassDeclaration(node) && node.members.some((member) => ts.canHaveModifiers(member) && ts.getModifiers(member)?.some(({ kind }) => kind === ts.SyntaxKind.OverrideKeyword));

function resolved(path: string, name: string): Declared | null {
  const { declared, imported } = sourceOf(path);
  const from = imported.get(name);
  return declared.get(name) ?? (from?.startsWith('test/') === true ? (sourceOf(from).declared.get(name) ?? null) : null);
}

/** What is written over a port, and what changes by `override` how such a thing works. */
export const standIns: readonly StandIn[] = mayStandIn.flatMap((path) =>
  [...sourceOf(path).declared.values()].flatMap((declared) => {
    const found = portsOver(declared);
    const changed = overrides(declared.node) ? heritage(declared.node, ts.SyntaxKind.ExtendsKeyword).map((name) => resolved(path, name)) : [];
    for (const base of changed) if (base !== null) for (const port of portsOver(base)) found.add(port);
    return [...found].map((port) => ({ port, name: declared.name, path }));
  }),
);

/** Adds what `text`, which stands in `path`, calls or makes, and what that calls or makes. */
function follow(path: string, text: string, into: Set<Declared>): void {
  for (const [, name] of text.matchAll(/\b(\w+)(?:<[^()]*>)?\(/g)) {
    const called = resolved(path, name ?? '');
    if (called === null || into.has(called)) continue;
    into.add(called);
    follow(called.path, called.node.getText(), into);
  }
}

/** Whether the suite makes it, be it by the hand of another stand-in. */
export function isRunBy(standIn: StandIn, suite: readonly string[]): boolean {
  const made = new Set<Declared>();
  for (const path of suite) follow(path, sourceOf(path).tree.text, made);
  return [...made].some(({ path, name }) => path === standIn.path && name === standIn.name);
}

/** Each test file here, with those of its neighbours that are part of it. */
export const suites: readonly (readonly string[])[] = paths
  .filter((path) => path.startsWith(SUITES) && path.endsWith('.test.ts'))
  .map((path) => [path, ...new Set([...sourceOf(path).imported.values()].filter((from) => from.startsWith(SUITES)))]);
