import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import type { Flaw } from './flaws.js';

/** What a copy is made of: the code under test, the simulator, and how that one prints. */
const COPIED = ['src', 'test/simulation', 'test/print.js'];

/**
 * The files that a flaw changes, with their new text.
 * @throws Error when a text that the flaw replaces does not stand in its file exactly once: the flaw must be adapted to the source
 */
export function changedBy(flaw: Flaw, repository: string): ReadonlyMap<string, string> {
  const changed = new Map<string, string>();
  for (const { file, find, put } of flaw.edits) {
    const source = changed.get(file) ?? readFileSync(join(repository, file), 'utf8');
    const parts = source.split(find);
    if (parts.length !== 2) throw new Error(`flaw ${flaw.name}: the text to replace stands ${parts.length - 1} times in ${file}, not once:\n${find}`);
    changed.set(file, parts.join(put));
  }
  return changed;
}

/**
 * Copies the compiled simulator and the code under test to `target`, and puts the flaw into the copy: the source is changed and compiled
 * anew, file by file, so that a flaw is written down in the words of the source.
 * @param repository where the sources are
 * @param build where the compiled modules are
 * @throws Error as `changedBy`, or when the changed text is no TypeScript
 */
export function plant(flaw: Flaw, repository: string, build: string, target: string): void {
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  for (const folder of COPIED) cpSync(join(build, folder), join(target, folder), { recursive: true });
  for (const [file, source] of changedBy(flaw, repository)) {
    const compiled = join(target, file.replace(/\.ts$/, '.js'));
    if (!existsSync(compiled)) throw new Error(`flaw ${flaw.name}: ${file} is not part of the build`);
    writeFileSync(compiled, compile(file, source));
  }
}

export function compile(file: string, source: string): string {
  const { outputText, diagnostics } = ts.transpileModule(source, {
    fileName: file,
    reportDiagnostics: true,
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: false },
  });
  const wrong = diagnostics?.[0];
  if (wrong !== undefined) throw new Error(`${file}, changed: ${ts.flattenDiagnosticMessageText(wrong.messageText, '\n')}`);
  return outputText;
}
