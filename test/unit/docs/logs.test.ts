import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../..');
/** What writes lines of the log; an `event` elsewhere is one of a history. */
const FOLDERS = ['adapters', 'admin', 'log', 'manager', 'protocols', 'repository', 'run', 'server', 'share'];

test('docs/logs.md has every event of a line, and no other', () => {
  const sources = FOLDERS.flatMap((folder) => readdirSync(join(ROOT, 'src', folder), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')).map((name) => readFileSync(join(ROOT, 'src', folder, name), 'utf8')));
  const written = new Set(sources.flatMap((text) => [...text.matchAll(/(?<!\()\bevent: '([a-z-]+)'(?! \|)/g)].map(([, event]) => event)));
  const page = readFileSync(join(ROOT, 'docs/logs.md'), 'utf8');
  const table = page.slice(page.indexOf('| `event` |')).split('\n\n')[0] ?? '';
  const documented = [...table.matchAll(/^\| ((?:`[a-z-]+`(?:, )?)+) \|/gm)].flatMap(([, names = '']) => names.split(', ').map((name) => name.slice(1, -1))).filter((name) => name !== 'event');
  expect(documented.sort()).toEqual([...written].sort());
});
