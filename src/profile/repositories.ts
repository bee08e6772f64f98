import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { SyncType } from '../core/repository/entry.js';
import type { ProfileValues } from './keys.js';
import type { Profile } from './profile.js';
import { DEFAULT_PATHS, isReference, NO_VALUES, REFERENCE_REPOSITORIES, type FolderValues } from './repository-keys.js';

/** One repository of a checked profile. */
export interface RepositorySettings extends Omit<FolderValues, 'path' | 'syncType'> {
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  readonly syncType: SyncType;
  /** The path stands in the profile. One that does not takes part only where its folder is there, or the other server has one. */
  readonly written: boolean;
  /** The profile's key for its path, for messages. */
  readonly key: string;
}

/** The reference's three, and those of `folders`. Paths are resolved against `folder`, that of the profile. */
export function repositoriesOf(values: ProfileValues['repositories'], folder: string): RepositorySettings[] {
  const named = values.folders ?? new Map<string, FolderValues>();
  const three = {
    applications: { key: 'applicationRepositoryPath', path: values.applicationRepositoryPath, syncType: values.applicationSyncType },
    components: { key: 'componentRepositoryPath', path: values.componentRepositoryPath, syncType: values.componentSyncType },
    peers: { key: 'fpsRepositoryPath', path: values.fpsRepositoryPath, syncType: null },
  } as const;
  const reference = REFERENCE_REPOSITORIES.map((name): RepositorySettings => {
    const more = named.get(name) ?? NO_VALUES;
    const own = three[name];
    const path = more.path ?? own.path;
    const key = more.path === null ? `repositories.${own.key}` : `repositories.folders.${name}.path`;
    return { ...more, name, path: resolve(folder, path ?? DEFAULT_PATHS[name]), syncType: more.syncType ?? own.syncType ?? 'FULL', written: path !== null, key };
  });
  const others = [...named].filter(([name]) => !isReference(name));
  return [
    ...reference,
    ...others.map(([name, own]): RepositorySettings => ({ ...own, name, path: resolve(folder, own.path ?? name), syncType: own.syncType ?? 'FULL', written: true, key: `repositories.folders.${name}.path` })),
  ];
}

/** Names of those that this server has now: written in the profile, or at their default place and there. */
export function repositoriesInUse({ repositories }: Profile): string[] {
  return repositories.all.filter(({ written, path }) => written || existsSync(path)).map(({ name }) => name);
}
