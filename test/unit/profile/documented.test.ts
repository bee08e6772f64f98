import { readFileSync } from 'node:fs';
import { SECTIONS } from '../../../src/profile/keys.js';
import { renderFolderTable, renderKeyTables, renderReferenceTable } from '../../../src/profile/key-table.js';
import { loadProfile } from '../../../src/profile/load.js';
import { bundledPair, renderProfile } from '../../../src/profile/template.js';

describe('the bundled profiles', () => {
  for (const cluster of ['haprofile1', 'haprofile2'] as const) {
    for (const role of ['primary', 'secondary'] as const) {
      const file = `profiles/${cluster}/${role}/lockstep.yaml`;
      it(`${file} is what the template makes`, () => expect(readFileSync(file, 'utf8')).toBe(renderProfile(bundledPair(cluster), role)));
      it(`${file} names every key, at its default where it is commented out`, () => {
        const text = readFileSync(file, 'utf8');
        for (const [section, keys] of Object.entries(SECTIONS)) {
          for (const [key, { fallback }] of Object.entries(keys)) {
            const line = new RegExp(`^  (# )?${key}: ?(.*)$`, 'm').exec(text);
            expect(`${section}.${key} ${line === null ? 'absent' : 'there'}`).toBe(`${section}.${key} there`);
            if (line?.[1] !== undefined && fallback !== null) expect(`${key}: ${line[2] ?? ''}`).toBe(`${key}: ${String(fallback)}`);
          }
        }
      });
    }
  }

  it('share no port and no folder', () => {
    const profiles = (['haprofile1', 'haprofile2'] as const).flatMap((cluster) => ['primary', 'secondary'].map((role) => loadProfile(`profiles/${cluster}/${role}`)));
    const ports = profiles.flatMap(({ mqtt, ha, admin }) => [mqtt.port, ha.port, ha.replicationPort, ha.repositoryPort, admin.port]);
    expect(new Set(ports).size).toBe(20);
    expect(new Set(profiles.map(({ data }) => data.folder)).size).toBe(4);
    expect(new Set(profiles.map(({ ha }) => ha.lockFile)).size).toBe(2);
  });

  it('point at each other', () => {
    const [primary, secondary] = ['primary', 'secondary'].map((role) => loadProfile(`profiles/haprofile1/${role}`));
    for (const [one, other] of [[primary, secondary], [secondary, primary]]) {
      expect(one?.peer).toEqual({
        backupServerIp: other?.mqtt.host, backupServerPort: other?.mqtt.port, backupHaIpAddress: other?.ha.host,
        backupHaPort: other?.ha.port, backupReplicationPort: other?.ha.replicationPort, backupRepositoryPort: other?.ha.repositoryPort, backupAdminPort: other?.admin.port,
      });
    }
    expect([primary?.mqtt.port, primary?.ha.port, primary?.ha.replicationPort, primary?.admin.port]).toEqual([1883, 2101, 2102, 8081]);
    expect([secondary?.mqtt.port, secondary?.ha.port, secondary?.ha.replicationPort, secondary?.admin.port]).toEqual([1884, 2201, 2202, 8082]);
  });
});

describe('the documents', () => {
  it('docs/profile.md holds the tables of the keys', () => expect(readFileSync('docs/profile.md', 'utf8')).toContain(renderKeyTables()));
  it('docs/profile.md holds the table of what a repository may have', () => expect(readFileSync('docs/profile.md', 'utf8')).toContain(renderFolderTable()));
  it("docs/operations.md holds the table of the reference's names", () => expect(readFileSync('docs/operations.md', 'utf8')).toContain(renderReferenceTable()));
  it('every parameter of the reference has a counterpart', () => {
    const table = renderReferenceTable();
    for (const name of [
      'BackupServerIp', 'BackUpServerPort', 'BackupHAIPAddress', 'BackupHAPort', 'Port', 'RMIServerPort', 'BackupRMIServerPort', 'LockFile',
      'GatewayServerIPAddress', 'GatewayServerPort', 'PingInterval', 'ActiveLockReAcquistionInterval', 'PassiveLockAcquistionInterval',
      'AppRepositoryPath', 'ComponentRepositoryPath', 'FPSRepositoryPath', 'ApplicationSyncType', 'ComponentSyncType', 'PrimaryURL', 'BackupURL(s)',
    ]) {
      expect(table).toContain(`| ${name} |`);
    }
  });
});
