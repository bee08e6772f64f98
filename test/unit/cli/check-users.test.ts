import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { renderFinding } from '../../../src/cli/check/finding.js';
import { userFindings } from '../../../src/cli/check/users.js';
import { parseProfile } from '../../../src/profile/load.js';
import { bundledPair, renderProfile } from '../../../src/profile/template.js';

const HASH = 'scrypt$16$1$1$YWFh$YWFhYWFhYWFhYWFhYWFhYWFh';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'lockstep-check-users-'))));
afterEach(() => rmSync(folder, { recursive: true }));

async function look(usersFile: string | null): Promise<string[]> {
  const { profile } = parseProfile(renderProfile(bundledPair('haprofile1'), 'primary'), '/p/lockstep.yaml');
  return (await userFindings({ ...profile, mqtt: { ...profile.mqtt, usersFile } })).map(renderFinding);
}

describe('the user file', () => {
  const written = (text: string): string => {
    const file = join(folder, 'users');
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };

  it('that the profile does not name is not spoken of', async () => expect(await look(null)).toEqual([]));

  it.each([[`ann:${HASH}\n`, '1 user'], [`# ours\nann:${HASH}\nbob:${HASH}\n`, '2 users']])('lets its users in', async (text, words) => {
    const file = written(text);
    expect(await look(file)).toEqual([`ok       users     mqtt.usersFile ${file} holds ${words}`]);
  });

  it.each(['', '# nobody yet\n\n'])('without a user is a warning: %j', async (text) => {
    const file = written(text);
    expect(await look(file)).toEqual([`WARNING  users     mqtt.usersFile ${file} holds no user: no client gets in. Add each with \`lockstep passwd ${file} NAME\`, and copy the file to the other server`]);
  });

  it('with a wrong line fails, with file, line and what to do', async () => {
    const file = written(`ann:${HASH}\nalice:geheim\n`);
    expect(await look(file)).toEqual([
      `FAILS    users     mqtt.usersFile: the user file ${file} is wrong: line 2: the password must have the form scrypt$N$r$p$salt$hash, as \`lockstep passwd\` writes it. Mend or remove those lines; \`lockstep passwd\` writes them rightly.`,
    ]);
  });

  it('that cannot be read fails', async () => {
    const [finding] = await look(join(folder, 'none'));
    expect(finding).toMatch(/^FAILS {4}users {5}mqtt\.usersFile: cannot read the user file .*none: .*ENOENT.*\. Check the path in the profile/);
  });
});
