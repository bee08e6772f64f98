import { cp, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestServer } from './server.js';

const PROBED_BYTES = 4_096;

function brokerFolder(server: TestServer): string {
  return join(server.data, 'broker');
}

function journalFolder(server: TestServer): string {
  return join(brokerFolder(server), 'journal');
}

/** What a new disk looks like. The server must be down. */
export async function wipeBroker(server: TestServer): Promise<void> {
  await rm(brokerFolder(server), { recursive: true });
}

/** The data folder as it is now, to be put back later: what a snapshot of the disk has, or a disk that does not keep what it has confirmed. */
export async function copyData(server: TestServer): Promise<{ putBack(): Promise<void> }> {
  const copy = `${server.data}.copy`;
  await cp(server.data, copy, { recursive: true });
  return {
    putBack: async () => {
      await rm(server.data, { recursive: true });
      await rename(copy, server.data);
    },
  };
}

/** Turns one byte that lies well before the end of what was written. The server must be down. */
export async function corruptJournal(server: TestServer): Promise<{ readonly segment: string; readonly offset: number }> {
  const [segment] = (await readdir(journalFolder(server))).filter((name) => name.endsWith('.segment')).sort();
  if (segment === undefined) throw new Error(`no segment in ${journalFolder(server)}`);
  const file = await open(join(journalFolder(server), segment), 'r+');
  try {
    const offset = PROBED_BYTES;
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, offset);
    byte[0] = (byte[0] ?? 0) ^ 0x40;
    await file.write(byte, 0, 1, offset);
    return { segment, offset };
  } finally {
    await file.close();
  }
}

/** The newest folder of records that this server put aside. */
export async function newestQuarantine(server: TestServer): Promise<string> {
  const folder = join(journalFolder(server), 'quarantine');
  const names = (await readdir(folder)).sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  const newest = names.at(-1);
  if (newest === undefined) throw new Error(`nothing is in ${folder}`);
  return join(folder, newest);
}
