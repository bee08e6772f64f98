import type { ShareFiles } from '../../../src/ports/share.js';
import { SharePaths } from '../../../src/share/paths.js';
import { preflight } from '../../../src/share/preflight.js';
import { Prng } from '../../simulation/prng.js';
import { SimShare } from '../../simulation/share.js';
import { FakeClock } from '../support/fake-clock.js';

/** Real turns in the place of virtual time. */
const schedule = (_: number, run: () => void): unknown => setImmediate(run);

/** A share on which a file cannot be opened under a name that it got by one of these, as an SMB client with leases has it. */
function leased(...ways: readonly ('link' | 'rename')[]): ShareFiles {
  return failing('EINVAL', ways);
}

/** A share on which reading fails with a code under each name that was got by one of these. */
function failing(code: string, ways: readonly ('link' | 'rename')[]): ShareFiles {
  const random = new Prng(7);
  const { files } = new SimShare({ schedule, now: () => 0, fraction: () => random.fraction() }).client('primary', schedule);
  const names: string[] = [];
  const noted = (way: 'link' | 'rename') => async (from: string, to: string) => {
    await files[way](from, to);
    if (ways.includes(way)) names.push(to);
  };
  return {
    read: async (path) => {
      if (names.some((name) => path === name || path.startsWith(`${name}/`))) throw Object.assign(new Error(`${code}: open`), { code });
      return await files.read(path);
    },
    list: (folder) => files.list(folder),
    createSynced: (path, bytes) => files.createSynced(path, bytes),
    rewriteInPlace: (path, bytes) => files.rewriteInPlace(path, bytes),
    link: noted('link'),
    rename: noted('rename'),
    makeFolder: (path) => files.makeFolder(path),
    removeFile: (path) => files.removeFile(path),
    removeFolder: (path) => files.removeFolder(path),
    syncFolder: (path) => files.syncFolder(path),
    checkWritable: (path) => files.checkWritable(path),
    identity: (path) => files.identity(path),
  };
}

async function tried(files: ShareFiles): ReturnType<typeof preflight> {
  return await preflight(files, new SharePaths('pair.lck'), { clock: new FakeClock(), random: new Prng(3), user: 'uid 1000' });
}

describe('preflight', () => {
  it('finds both ways of publishing where both can be read back', async () => {
    expect(await tried(leased())).toMatchObject({ methods: ['link', 'rename'], trouble: null });
  });

  it('does not claim by link where a linked name cannot be read', async () => {
    const report = await tried(leased('link'));
    expect(report).toMatchObject({ methods: ['rename'], trouble: null });
    expect(report.checks.find(({ name }) => name === 'link exclusively')).toMatchObject({ ok: false, detail: expect.stringContaining('nolease') });
  });

  it('refuses a share on which no claim can be read back', async () => {
    expect(await tried(leased('link', 'rename'))).toMatchObject({ methods: [], trouble: { condition: 'refused' } });
  });

  it('chooses no way of publishing for an answer that was lost: it says that the share is in trouble, and is tried again (simulator seed 5017)', async () => {
    const lost = { condition: 'failed', detail: expect.stringContaining('EIO') };
    expect((await tried(failing('EIO', ['link']))).trouble).toMatchObject(lost);
    expect((await tried(failing('EIO', ['link', 'rename']))).trouble).toMatchObject(lost);
  });

  it('needs no folder renamed where a claim is linked', async () => {
    expect(await tried(failing('EIO', ['rename']))).toMatchObject({ methods: ['link'], trouble: null });
  });
});
