import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMountInspector } from '../../src/adapters/mount-options.js';
import type { MountInspector, MountReport } from '../../src/ports/mount.js';
import { SimHost } from '../simulation/host.js';
import type { Moments } from '../simulation/moments.js';
import { SimProcess } from '../simulation/process.js';
import { Storage } from '../simulation/storage.js';
import { World } from '../simulation/world.js';

interface Ground {
  readonly mount: MountInspector;
  end(): void;
}

function realGround(): Ground {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-mount-'));
  return { mount: createMountInspector(folder), end: () => rmSync(folder, { recursive: true }) };
}

/** In some seeds the simulator's hosts are of a system that does not tell how it has mounted the share. */
function simulatedGround(): Ground {
  const world = new World(1);
  const host = (name: string): SimHost => new SimHost(world, name, { rate: 1, wallOffsetMs: 0 });
  const hosts = { primary: host('primary'), secondary: host('secondary') };
  const storage = new Storage(world, hosts, { tell: () => undefined } as unknown as Moments, 2_500);
  const { mount } = storage.shareFor(new SimProcess(hosts.primary, 'keeper', 1, world.random.fork('keeper')));
  return { mount, end: () => undefined };
}

function isWhole({ fsType, source, mountPoint, verdict, findings }: MountReport): boolean {
  return [fsType, source, mountPoint].every((text) => text.length > 0) && ['good', 'warn', 'refuse'].includes(verdict) && (verdict === 'good') === (findings.length === 0);
}

describe.each([
  ['of a real machine', realGround],
  ['simulated', simulatedGround],
])('MountInspector %s', (_, make) => {
  it('says how a share that is there is mounted, or that the system does not tell', async () => {
    const { mount, end } = make();
    for (let i = 0; i < 2; i += 1) {
      const report = await mount.inspect();
      expect(report === null || isWhole(report)).toBe(true);
    }
    end();
  });
});

it('a folder that is not there is no share', async () => {
  await expect(createMountInspector('/no/such/folder').inspect()).rejects.toMatchObject({ code: 'ENOENT' });
});
