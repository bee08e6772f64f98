import { counted, sizeText } from '../core/counted.js';
import { printable } from '../core/printable.js';
import type { RepositoryResult } from '../admin/commands.js';
import type { RepositoriesStatus, RepositoryStatusView } from '../admin/status.js';
import { formatDuration } from '../profile/values.js';

/** Differences shown to people; all are in --json. */
const SHOWN_MAX = 50;

/** The repositories in a server's status: one line each. */
export function repositoryLines(repositories: RepositoriesStatus): string[] {
  const { trouble, here, peer, admissionWaitLeftMs: left } = repositories;
  const lines = here.map((one) => `${one.name} ${conditionText(one)}`);
  const others = peer.map((copy) => `${copy.name} at the peer: ${copyText(copy, here.find(({ name }) => name === copy.name)?.syncType ?? null)}`);
  const all = [
    ...(trouble === null ? [] : [`TROUBLE: ${trouble}`]),
    ...lines,
    ...others,
    ...(left === null ? [] : [`the admission of the peer waits for them, for ${formatDuration(Math.ceil(left / 1000) * 1000)} at most`]),
  ];
  return all.map((text, index) => `${(index === 0 ? 'repositories:' : '').padEnd(14)}${text}`);
}

/** All that is known of one. */
export function repositoryDetails(one: RepositoryStatusView): string[] {
  return [
    `${one.name}: ${conditionText(one)}`,
    `  folder:    ${one.path}`,
    `  sync:      ${one.syncType}, ${one.when}${one.exchange === null ? '' : `, exchanged ${one.exchange === 'atomic' ? 'in one step' : 'by two renames'}`}`,
    `  last good: ${one.syncedAt ?? 'never'}`,
    `  kept:      ${one.kept.length === 0 ? 'nothing' : one.kept.join(', ')}`,
  ].map(printable);
}

/** What an operator's task waits for of which nothing is seen here. */
export function waitingText({ here, peer }: RepositoriesStatus, name: string): string {
  const one = here.find((view) => view.name === name);
  const copy = peer.find((theirs) => theirs.name === name);
  if (one === undefined || one.condition !== 'idle') return `${name}: waits; it ${one === undefined ? 'is not known here any more' : `is ${printable(conditionText(one)).replace(/^is /, '')}`}`;
  return `${name}: waits for the other server, ${copy === undefined ? 'of which nothing is heard' : `whose copy is ${copyText(copy, one.syncType)}`}`;
}

/** A copy at the other server; `syncType`: as this server has it. */
export function copyText(copy: RepositoriesStatus['peer'][number], syncType: RepositoryStatusView['syncType'] | null): string {
  return printable(copyWords(copy, syncType));
}

function copyWords({ condition, detail }: RepositoriesStatus['peer'][number], syncType: RepositoryStatusView['syncType'] | null): string {
  if (condition !== 'in-sync') return `not in sync: ${detail ?? condition}`;
  if (syncType === 'NO') return comparedText(detail, '');
  return `in sync${detail === null ? '' : ` (${detail})`}`;
}

/** NO: it is never made equal, so that it is not called in sync. */
function comparedText(detail: string | null, when: string): string {
  return `only compared${when}: ${detail ?? 'equal'}`;
}

export function conditionText({ condition, detail, since, progress, syncType }: RepositoryStatusView): string {
  if (progress !== null) return `${condition === 'failed' ? 'not in sync, tried again: ' : ''}${progressText(progress)}`;
  switch (condition) {
    case 'in-sync':
      if (syncType === 'NO') return comparedText(detail, ` since ${since}`);
      return `in sync since ${since}${detail === null ? '' : ` (${detail})`}`;
    case 'failed':
      return `NOT IN SYNC since ${since}: ${detail ?? 'no reason given'}`;
    case 'waiting':
      return `not in sync since ${since}: ${detail ?? 'the serving server is not reached yet'}`;
    case 'syncing':
      return `is being synced since ${since}`;
    case 'idle':
      return 'as it is here: nothing is received';
    case 'unused':
      return 'not in use';
  }
}

export function progressText({ phase, percent, filesDone, filesTotal, bytesDone, bytesTotal, bytesPerSecond, leftMs }: NonNullable<RepositoryStatusView['progress']>): string {
  const left = leftMs === null ? 'unknown' : formatDuration(Math.ceil(leftMs / 1000) * 1000);
  return `${phase}, ${percent} %, ${filesDone} of ${filesTotal} files, ${sizeText(bytesDone)} of ${sizeText(bytesTotal)}, ${sizeText(bytesPerSecond)}/s, time left ${left}`;
}

/** What came of a command on one repository: names of files are as their owners like them. */
export function resultLines(name: string, ask: string, result: RepositoryResult): string[] {
  return resultWords(name, ask, result).map(printable);
}

function resultWords(name: string, ask: string, result: RepositoryResult): string[] {
  const { outcome, files, bytes, wireBytes, elapsedMs, kept, differences, differencesTotal } = result;
  const took = `${(elapsedMs / 1000).toFixed(1)} s`;
  if (outcome === 'failed') return [`${name}: ${ask} FAILED: ${result.detail ?? 'no reason given'}`];
  const notes = result.detail === null ? [] : [`  ${result.detail}`];
  if (outcome === 'same') return [`${name}: ${result.detail === null ? 'both are equal' : ask === 'verify' ? 'all that is carried is equal' : 'nothing to do'} (${took})`, ...notes];
  if (outcome === 'changed') {
    const what = ask === 'restore' ? `${files} brought back` : `${counted(files, 'file')}, ${sizeText(bytes)} copied, ${sizeText(wireBytes)} over the link`;
    return [`${name}: ${what} (${took})${kept === null ? '' : `; what was replaced is kept as ${kept}`}`, ...notes];
  }
  const more = differencesTotal - Math.min(SHOWN_MAX, differences.length);
  return [
    `${name}: ${counted(differencesTotal, 'difference')}, as the server has them that does not serve (${took})`,
    ...differences.slice(0, SHOWN_MAX).map(({ path, what }) => `  ${(WORDS[what] ?? what).padEnd(12)} ${path}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
    ...notes,
  ];
}

/** As the receiving server has it. */
const WORDS: Readonly<Record<string, string>> = { missing: 'missing', extra: 'extra', content: 'content', meta: 'mode or time', kind: 'other kind' };
