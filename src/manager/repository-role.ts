import type { RepositoryRole } from '../core/control/repository.js';
import type { Situation } from '../core/ha/situation.js';
import type { HaState } from '../core/ha/state.js';
import { isServing } from '../core/identity.js';
import type { ManagerConfig } from './config.js';

/** What the keeper shall do, as it follows from what the server is. */
export function repositoryRole(ha: HaState, s: Situation, config: ManagerConfig): RepositoryRole {
  const peer = s.peer;
  const run = peer?.repositories?.run ?? null;
  if (peer === null || run === null || s.peerSilent || ha.term <= ha.fence || ha.task?.kind === 'accept') return { kind: 'idle' };
  const server = s.peerServer;
  if ((ha.state === 'ACTIVE' || ha.state === 'ACTIVE_SYNC') && ha.task?.kind !== 'alone') return { kind: 'send', term: ha.term, to: { server, run } };
  const names = peer.repositories?.names ?? [];
  if (!follows(ha) || !isServing(peer.state) || names.length === 0) return { kind: 'idle' };
  return { kind: 'receive', term: ha.term, from: { server, run, endpoint: config.repositories.peer, names } };
}

/** Its data, and its folders, follow those of the peer. */
export function follows({ state }: HaState): boolean {
  return state === 'PASSIVE' || state === 'PASSIVE_SYNC';
}
