import type { Stats } from 'node:fs';
import { sameStamp, stampOf, type Stamp } from './stamps.js';

const MINUTE_MS = 60_000;

/** What a kept version holds, as it is described with it. */
export interface KeptCount {
  readonly name: string;
  readonly at: number;
  readonly counted: { files: number; bytes: number; readonly paths: string[] };
}

/**
 * The continuous changes of one minute, as far as this process made them: they share a kept version, and what the minute itself brought is not kept when the
 * same minute replaces or removes it. So a minute keeps what the folder held before it, however often a file is written, and what this server's own users
 * put there.
 */
export class Burst {
  /** The version that the changes of this minute share. */
  version: KeptCount | null = null;
  private minute: number | null = null;
  private readonly brought = new Map<string, Stamp | 'folder'>();

  /** Changes of this time follow; wall time. */
  begin(at: number): void {
    const minute = Math.floor(at / MINUTE_MS);
    if (minute === this.minute) return;
    this.minute = minute;
    this.version = null;
    this.brought.clear();
  }

  bring(path: string, stats: Stats): void {
    this.brought.set(path, stats.isDirectory() ? 'folder' : stampOf(stats));
  }

  /** It got other permissions or times, and is what it was. */
  dress(path: string, before: Stats, after: Stats): void {
    if (this.isOwn(path, before)) this.bring(path, after);
  }

  /** What stands there came in this minute, and nobody else has touched it since. */
  isOwn(path: string, there: Stats): boolean {
    const brought = this.brought.get(path);
    if (brought === undefined || brought === 'folder') return brought === 'folder' && there.isDirectory();
    return !there.isDirectory() && sameStamp(brought, stampOf(there));
  }
}
