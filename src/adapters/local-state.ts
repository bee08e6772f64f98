import { createHash, randomUUID } from 'node:crypto';
import { promises as files } from 'node:fs';
import path from 'node:path';
import { LockstepError } from '../core/errors.js';
import { encodeText } from '../core/wire/bytes.js';
import { decodeJson, Fields } from '../core/wire/fields.js';
import { NAME_CHARS_MAX, readTermRecord } from '../core/wire/term-record.js';
import type { KeptState, LocalState } from '../ports/local-state.js';
import { isDenied, othersInDataFolder } from './data-folder.js';
import { plainReason, systemCode } from './network-errors.js';

/** In the server's own data folder. */
export const STATE_FILE = 'manager-state.json';
const EMPTY: KeptState = { schema: 1, record: null, shareId: null };

/**
 * The HA manager's memory as one small JSON file with a checksum, replaced whole: after a crash it is the old one or the new
 * one. The folder must exist. `keep` calls are carried out one after the other.
 */
export function createLocalState(folder: string): LocalState {
  const file = path.join(folder, STATE_FILE);
  let last: Promise<void> = Promise.resolve();
  return {
    async load(): Promise<KeptState> {
      let bytes: Uint8Array;
      try {
        bytes = await files.readFile(file);
        // It may be one that a killed process had put in place and not made durable: what is believed here must not be forgotten by a loss of power.
        await syncFolder(folder);
      } catch (error) {
        if (systemCode(error) === 'ENOENT') return EMPTY; // a server's first start
        if (isDenied(error)) throw othersInDataFolder(`cannot read ${file}`, folder, error);
        throw damaged(file, plainReason(error), error);
      }
      try {
        return parseState(bytes);
      } catch (error) {
        throw damaged(file, plainReason(error), error);
      }
    },

    keep(state: KeptState): Promise<void> {
      // As it is now, whatever becomes of it while it waits for its turn.
      const bytes = showState(state);
      const kept = last.then(() => replaceDurably(file, bytes));
      last = kept.catch(() => undefined); // a failure is its caller's to judge; the next one is a try of its own
      return kept;
    },
  };
}

function showState({ schema, record, shareId }: KeptState): Uint8Array {
  const state: KeptState = { schema, record, shareId };
  return encodeText(`${JSON.stringify({ state, sum: sumOf(state) }, null, 2)}\n`);
}

function parseState(bytes: Uint8Array): KeptState {
  const fields = Fields.of('file', decodeJson('content', bytes));
  const inner = fields.object('state');
  // Over what stands there, not over what we make of it: a field of a newer version belongs to the sum.
  if (fields.text('sum', NAME_CHARS_MAX) !== sumOf(fields.raw('state'))) throw new Error('its checksum does not fit its content');
  inner.whole('schema', 1, 1);
  return {
    schema: 1,
    record: inner.nullable('record', (at, name) => readTermRecord(at.raw(name), 'state.record')),
    shareId: inner.nullable('shareId', (at, name) => at.name(name, NAME_CHARS_MAX)),
  };
}

function sumOf(state: unknown): string {
  return createHash('sha256').update(JSON.stringify(state)).digest('hex');
}

function damaged(file: string, reason: string, cause: unknown): LockstepError {
  return new LockstepError(
    'LOCKSTEP_STATE_DAMAGED',
    `cannot believe ${file}: ${reason}`,
    'Check the disk. Move the file away only when the share still has its term records and the other server serves; then start again: this server learns the terms from there and is admitted anew.',
    { cause },
  );
}

/** Temporary file, fsync, rename, fsync of the folder: without the last one a power cut could bring the old file back. */
async function replaceDurably(file: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    const handle = await files.open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await files.rename(temporary, file);
  } catch (error) {
    await files.rm(temporary, { force: true }).catch(() => undefined); // the first error is the one to tell
    throw error;
  }
  await syncFolder(path.dirname(file));
}

async function syncFolder(folder: string): Promise<void> {
  // Windows has no fsync of a folder; its file systems write the entry through with the rename.
  if (process.platform === 'win32') return;
  const handle = await files.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
