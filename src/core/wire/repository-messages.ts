import {
  KEPT_SHOWN_MAX, type ManagerToRepositoryKeeper, type NumberedWish, type RepositoryDifference, type RepositoryKeeperToManager,
  type RepositoryOrder, type RepositoryProgress, type RepositoryRole, type RepositoryStatus, type RepositoryView, type WishAnswer,
} from '../control/repository.js'; // prettier-ignore
import type { Monotonic, RunId, ServerId, Term } from '../identity.js';
import { PATH_BYTES_MAX } from '../repository/names.js';
import { readEndpoint } from './broker-messages.js';
import { CONTROL_TEXT_CHARS_MAX, readFromChild, readToChild, words } from './child-messages.js';
import { Fields, textElement } from './fields.js';
import { CONDITIONS, REPOSITORIES_MAX } from './peer-status.js';
import { NAME_CHARS_MAX } from './term-record.js';

/** Wishes that wait, answers to them, and what one of them names: far more than operators ask for. */
export const WISHES_MAX = 1_000;
export const NAMED_MAX = 10_000;

/** @throws MessageRefused that names the field */
export function readManagerToRepositoryKeeper(value: unknown): ManagerToRepositoryKeeper {
  return readToChild(value, readOrder);
}

/** @throws MessageRefused that names the field */
export function readRepositoryKeeperToManager(value: unknown): RepositoryKeeperToManager {
  return readFromChild(value, readStatus);
}

function readOrder(order: Fields): RepositoryOrder {
  return {
    seq: order.whole('seq'),
    pulseAt: order.measure('pulseAt') as Monotonic,
    fenceThrough: order.whole('fenceThrough') as Term,
    role: readRole(order.object('role')),
    wishes: order.list('wishes', 0, WISHES_MAX, readWish),
    messagesFlow: order.flag('messagesFlow'),
    shutdown: order.flag('shutdown'),
  };
}

function readRole(role: Fields): RepositoryRole {
  const kind = role.oneOf('kind', ['idle', 'send', 'receive']);
  switch (kind) {
    case 'idle':
      return { kind };
    case 'send':
      return { kind, term: role.whole('term', 1) as Term, to: readRun(role.object('to')) };
    case 'receive': {
      const from = role.object('from');
      const names = from.list('names', 0, REPOSITORIES_MAX, textElement(NAME_CHARS_MAX));
      return { kind, term: role.whole('term', 1) as Term, from: { ...readRun(from), endpoint: readEndpoint(from.object('endpoint')), names } };
    }
  }
}

function readRun(fields: Fields): { server: ServerId; run: RunId } {
  return { server: fields.name('server', NAME_CHARS_MAX) as ServerId, run: fields.name('run', NAME_CHARS_MAX) as RunId };
}

function readWish(value: unknown, path: string): NumberedWish {
  const wish = Fields.of(path, value);
  const ask = wish.oneOf('ask', ['sync', 'diff', 'verify', 'restore']);
  const common = { id: wish.whole('id'), repository: wish.name('repository', NAME_CHARS_MAX) };
  if (ask !== 'restore') return { ...common, ask, checksum: wish.flag('checksum') };
  const paths = wish.nullable('paths', (at, name) => at.list(name, 0, NAMED_MAX, textElement(CONTROL_TEXT_CHARS_MAX)));
  return { ...common, ask, version: wish.name('version', CONTROL_TEXT_CHARS_MAX), paths };
}

function readStatus(status: Fields): RepositoryStatus {
  return {
    run: status.name('run', NAME_CHARS_MAX) as RunId,
    orderSeq: status.whole('orderSeq'),
    listening: status.flag('listening'),
    trouble: status.nullable('trouble', words),
    from: status.nullable('from', (at, name) => at.name(name, NAME_CHARS_MAX) as RunId),
    repositories: status.list('repositories', 0, REPOSITORIES_MAX, readView),
    answers: status.list('answers', 0, WISHES_MAX, readAnswer),
  };
}

function readView(value: unknown, path: string): RepositoryView {
  const view = Fields.of(path, value);
  return {
    name: view.name('name', NAME_CHARS_MAX),
    path: words(view, 'path'),
    syncType: view.oneOf('syncType', ['FULL', 'PARTIAL', 'NO']),
    when: view.oneOf('when', ['join', 'continuous', 'schedule']),
    condition: view.oneOf('condition', CONDITIONS),
    detail: view.nullable('detail', words),
    since: view.measure('since'),
    syncedAt: view.nullable('syncedAt', (at, name) => at.measure(name)),
    progress: view.nullable('progress', (at, name) => readProgress(at.object(name))),
    exchange: view.nullable('exchange', (at, name) => at.oneOf(name, ['atomic', 'two-renames'])),
    kept: view.list('kept', 0, KEPT_SHOWN_MAX, textElement(NAME_CHARS_MAX)),
  };
}

function readProgress(progress: Fields): RepositoryProgress {
  return {
    phase: progress.oneOf('phase', ['scanning', 'comparing', 'copying', 'verifying', 'exchanging']),
    filesDone: progress.measure('filesDone'),
    filesTotal: progress.measure('filesTotal'),
    bytesDone: progress.measure('bytesDone'),
    bytesTotal: progress.measure('bytesTotal'),
    wireBytes: progress.measure('wireBytes'),
    elapsedMs: progress.measure('elapsedMs'),
  };
}

function readAnswer(value: unknown, path: string): WishAnswer {
  const answer = Fields.of(path, value);
  return {
    id: answer.whole('id'),
    outcome: answer.oneOf('outcome', ['same', 'changed', 'differs', 'failed']),
    detail: answer.nullable('detail', words),
    files: answer.measure('files'),
    bytes: answer.measure('bytes'),
    wireBytes: answer.measure('wireBytes'),
    elapsedMs: answer.measure('elapsedMs'),
    kept: answer.nullable('kept', (at, name) => at.text(name, NAME_CHARS_MAX)),
    differences: answer.list('differences', 0, NAMED_MAX, readDifference),
    differencesTotal: answer.measure('differencesTotal'),
  };
}

function readDifference(value: unknown, path: string): RepositoryDifference {
  const difference = Fields.of(path, value);
  return { path: difference.text('path', 2 * PATH_BYTES_MAX), what: difference.oneOf('what', ['missing', 'extra', 'content', 'meta', 'kind']) };
}
