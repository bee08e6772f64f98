import type { createHashing } from '../../src/adapters/repository/hashing.js';
import { NodeRepository } from '../../src/adapters/repository/store.js';
import type { RepositoryStore } from '../../src/ports/repository.js';
import type { SimulatedFiles } from './files.js';

/** Digests are the real ones here. */
export type Hashing = Awaited<ReturnType<typeof createHashing>>;

export interface SimulatedRepositorySetup {
  readonly files: SimulatedFiles;
  readonly path: string;
  readonly recordFile: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly keep: number;
  readonly hashing: Hashing;
  readonly exchange: 'atomic' | 'two-renames';
}

/** A repository on a simulated file system: the production adapter, over another system. What is written can be lost here, and the process can end at any call. */
export function simulatedRepository({ files, exchange, include = [], exclude = [], ...rest }: SimulatedRepositorySetup): RepositoryStore {
  return NodeRepository.open({ name: 'apps', include, exclude, ...rest, fs: files.files, exchange: exchange === 'atomic' ? files.exchange : null });
}
