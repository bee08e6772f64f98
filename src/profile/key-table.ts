import { SECTIONS } from './keys.js';
import { FOLDER_KEYS, type FolderKey } from './repository-keys.js';

/** docs/profile.md's tables, from the keys themselves: Markdown, one table a section. */
export function renderKeyTables(): string {
  return Object.entries(SECTIONS)
    .map(([section, keys]) => {
      const rows = Object.entries(keys).map(([key, { allowed, fallback, required, effect, reference }]) => {
        const standard = required ? '**required**' : fallback === null ? 'none' : `\`${String(fallback)}\``;
        return `| \`${key}\` | ${standard} | ${allowed} | ${effect} | ${reference ?? ''} |`;
      });
      return `## ${section}\n\n| key | default | must be | effect | reference's name |\n|---|---|---|---|---|\n${rows.join('\n')}\n`;
    })
    .join('\n');
}

/** The table in docs/operations.md: the reference's names, in its own spelling, and ours. */
export function renderReferenceTable(): string {
  const rows = Object.entries(SECTIONS).flatMap(([section, keys]) =>
    Object.entries(keys)
      .filter(([, { reference }]) => reference !== null)
      .map(([key, { reference, fallback, required, allowed, effect }]) => {
        const standard = required ? '**required**' : fallback === null ? 'none' : `\`${String(fallback)}\``;
        return `| ${reference ?? ''} | \`${section}.${key}\` | ${standard} | ${unit(allowed)} | ${effect} |`;
      }),
  );
  return `| reference | Lockstep | default | unit | effect |\n|---|---|---|---|---|\n${rows.join('\n')}\n`;
}

function unit(allowed: string): string {
  if (allowed.startsWith('a duration')) return 'duration, plain numbers are ms';
  if (allowed.startsWith('a port')) return 'TCP port';
  if (allowed.startsWith('an IP')) return 'address';
  if (allowed.startsWith('a path')) return 'path';
  if (allowed.startsWith('a URL')) return 'URL';
  if (allowed.startsWith('a list')) return 'list of URLs';
  return allowed;
}

/** The table of docs/profile.md for what a repository under `repositories.folders` may have. */
export function renderFolderTable(): string {
  const rows = Object.entries<FolderKey>(FOLDER_KEYS).map(([key, { kind, fallback, effect }]) => `| \`${key}\` | ${fallback === null ? 'none' : `\`${String(fallback)}\``} | ${kind.allowed} | ${effect} |`);
  return `| key | default | must be | effect |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}
