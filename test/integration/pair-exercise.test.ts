import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockstep } from './support/cli.js';
import { pairTest } from './support/pair.js';

describe('lockstep exercise', () => {
  let folder = '';
  beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'lockstep-exercise-'))));
  afterEach(() => rm(folder, { recursive: true, force: true }));

  pairTest('writes a history that holds although the serving broker is killed, and that is refused when a line is taken out', async (pair) => {
    const { active, passive } = await pair.start();
    const history = join(folder, 'history.jsonl');
    const addresses = pair.servers.map(({ address }) => `${address.host}:${address.port}`);
    const run = lockstep('exercise', history, '--to', ...addresses, '--for', '4s', '--publishers', '2', '--consumers', '1');
    await active.reaches('clients', ({ clients }) => clients >= 3);
    active.send('broker', 'SIGKILL');
    const { code, out, err } = await run;
    expect({ code, out, err }).toMatchObject({ code: 0, out: expect.stringContaining('verdict:      holds') });
    expect(out).toContain('0 of them lost');
    await passive.reachesState('ACTIVE', 'STANDALONE', 'ACTIVE_SYNC');

    const lines = (await readFile(history, 'utf8')).split('\n');
    const victim = lines.findIndex((line) => line.includes('"received"') && line.includes('"qos":2') && line.includes('"retain":false'));
    await writeFile(history, lines.filter((_, index) => index !== victim).join('\n'));
    expect(await lockstep('verify', history)).toMatchObject({ code: 1, err: expect.stringContaining('what was promised: lost 1') });

    // Nothing of it stays on the servers.
    const { active: now } = await pair.inStep();
    await now.reaches('no session', ({ sessions }) => sessions === 0);
  });
});
