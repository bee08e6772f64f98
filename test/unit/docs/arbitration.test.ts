import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FLAWS as RULES_LEFT_OUT } from '../../exploration/flaws.js';
import { FLAWS as PLANTED } from '../../simulation/flaws.js';

const ROOT = join(import.meta.dirname, '../../..');
const PAGE = readFileSync(join(ROOT, 'docs/arbitration.md'), 'utf8');
const found = (form: RegExp): string[] => [...new Set([...PAGE.matchAll(form)].map((match) => match[1] ?? ''))];

describe('docs/arbitration.md', () => {
  test('has every rule once', () => {
    const rows = PAGE.split('\n').flatMap((line) => /^\| \*\*R(\d+)\*\* \|/.exec(line)?.[1] ?? []);
    expect(rows).toEqual(Array.from({ length: 12 }, (_, i) => String(i + 1)));
  });

  test('names every rule that exploration leaves out, and no mistake that nobody plants', () => {
    const named = found(/(?<!\*)"([a-z-]+)"(?!\*)/g);
    expect(RULES_LEFT_OUT.filter((flaw) => !named.includes(flaw))).toEqual([]);
    const planted = [...RULES_LEFT_OUT, ...PLANTED.map(({ name }) => name)] as string[];
    expect(named.filter((name) => !planted.includes(name))).toEqual([]);
  });

  test('names checks that the simulation makes', () => {
    const folder = join(ROOT, 'test/simulation');
    const code = readdirSync(folder).filter((name) => name.endsWith('.ts')).map((name) => readFileSync(join(folder, name), 'utf8')).join('\n'); // prettier-ignore
    const named = found(/\*"([^"]+)"\*/g);
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((check) => !code.includes(`'${check}'`))).toEqual([]);
  });
});
