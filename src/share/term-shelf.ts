import { decodeTermRecord } from '../core/terms/codec.js';
import { higherOf, sameRecord } from '../core/terms/compare.js';
import { TERM_MAX, termFileName, termOfName } from '../core/terms/names.js';
import { decodeWatermark, type Watermark } from '../core/terms/watermark.js';
import type { PublishMethod, TermRecord } from '../core/terms/record.js';
import { LockstepError } from '../core/errors.js';
import { NO_TERM, type Term } from '../core/identity.js';
import { sameBytes } from '../core/wire/bytes.js';
import type { ShareFiles } from '../ports/share.js';
import { codeOf, isNoRecord } from './failure.js';
import type { SharePaths } from './paths.js';

/** What a whole look at the term records showed. */
export interface Look {
  /** The highest record that can be read; `null` when there is none. */
  readonly highest: TermRecord | null;
  /** Every number up to this one is used, by a record that can be read or by one that cannot. */
  readonly usedThrough: Term;
  /** An unreadable record above `highest`, with its file's name; else `null`. */
  readonly damaged: string | null;
  /** Why this is not the share that our kept record stood on; else `null`. */
  readonly lost: string | null;
}

const READ_ONLY: ReadonlySet<string> = new Set(['EROFS', 'EACCES', 'EPERM']);

/** Reads the term records. Names are looked up one by one, since a listing may be older than a lookup; the listing finds where to begin. */
export class TermShelf {
  method: PublishMethod = 'link';
  private last: Look | null = null;
  /** The record that was read last: at every look it is the same one, byte for byte. */
  private decoded: { readonly path: string; readonly bytes: Uint8Array; readonly record: TermRecord } | null = null;

  constructor(
    private readonly files: ShareFiles,
    private readonly paths: SharePaths,
  ) {}

  /** The last complete look; `null` before the first one. */
  get seen(): Look | null {
    return this.last;
  }

  /** Another share stands in the place of this one: nothing that was seen counts. */
  forget(): void {
    this.last = null;
  }

  /** The record of that term; `null` when none is seen. @throws LOCKSTEP_TERM_RECORD_DAMAGED, or what the share says */
  async at(term: Term): Promise<TermRecord | null> {
    const path = this.paths.record(term, this.method);
    let bytes: Uint8Array;
    try {
      bytes = await this.files.read(path);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return null;
      throw this.unreadable(error, path);
    }
    const known = this.decoded;
    const record = known !== null && known.path === path && sameBytes(known.bytes, bytes) ? known.record : decodeTermRecord(bytes, path);
    this.decoded = { path, bytes, record };
    if (record.term !== term) throw this.damaged(path, `it holds the record of term ${record.term}`);
    return record;
  }

  /**
   * A whole look. `listing`: find the numbers by listing too, not only upward from the highest one known.
   * Rejects when the share failed under way; then the last look stays what it was.
   */
  async look(kept: TermRecord | null, listing: boolean): Promise<Look> {
    const lost = kept === null ? null : await this.missing(kept);
    const floor = lost === null ? kept : null;
    const known = lost === null ? (Math.max(kept?.term ?? 0, this.last?.usedThrough ?? 0) as Term) : NO_TERM;
    const listed = listing || this.last === null || lost !== null ? await this.listedAbove(known) : [];
    let look = await this.climb([...listed, known], floor);
    // What was seen before is not seen now: begin from what the folder shows.
    if (look.usedThrough < known) {
      const from = floor?.term ?? NO_TERM;
      look = await this.climb([...(await this.listedAbove(from)), from], floor);
    }
    if (look.highest !== null && look.highest.nonce !== kept?.nonce && look.highest.nonce !== this.last?.highest?.nonce) {
      await this.settle(look.highest);
      // Replaced or put back since it was asked for our own: the new one would be learned as a record of the share that was known.
      if (kept !== null && lost === null && (await this.missing(kept)) !== null) throw new Error('the term records changed while they were looked at');
    }
    this.last = { ...look, lost };
    return this.last;
  }

  /** The watermark beside the records; `null`: none that can be read. Rejects with what the share says. */
  async watermark(): Promise<Watermark | null> {
    try {
      return decodeWatermark(await this.files.read(this.paths.watermark));
    } catch (error) {
      if (isNoRecord(error)) return null;
      throw error;
    }
  }

  /**
   * A record that is new to us may not be on the gateway's disk yet: its claimant may have ended before it synced the folder. Who keeps it must not be the
   * only one to know of it when the gateway restarts: the number would be claimed once more, and there would be two records of it.
   */
  private async settle(record: TermRecord): Promise<void> {
    try {
      await this.files.syncFolder(this.paths.terms);
    } catch (error) {
      // A share that can only be read takes no claim either.
      if (!READ_ONLY.has(codeOf(error) ?? '')) throw error;
    }
    const found = await this.at(record.term);
    if (found === null || !sameRecord(found, record)) throw new Error(`the record of term ${record.term} was there, and is not any more`);
  }

  /** From the first of `starts` (falling) at which something stands upward, until a number is free. Downward from a damaged one, for the highest that can be read. */
  private async climb(starts: readonly Term[], floor: TermRecord | null): Promise<Omit<Look, 'lost'>> {
    let highest = floor;
    let damaged: string | null = null;
    let usedThrough = (floor?.term ?? NO_TERM) as Term;
    for (const start of starts) {
      for (let term = Math.max(start, 1) as Term; term <= TERM_MAX; term = (term + 1) as Term) {
        const found = await this.glance(term);
        // The start may be a number that a stale listing, or our own memory, showed: the one above it is asked for in any case.
        if (found === null && term > start) break;
        if (found === null) continue;
        usedThrough = term;
        if (typeof found === 'string') damaged = found;
        else {
          highest = higherOf(found, highest);
          damaged = null;
        }
      }
      if (usedThrough >= start) break;
    }
    for (let term = (usedThrough - 1) as Term; damaged !== null && term > (highest?.term ?? 0); term = (term - 1) as Term) {
      const found = await this.glance(term);
      if (found === null) break;
      if (typeof found !== 'string') highest = higherOf(found, highest);
    }
    return { highest, usedThrough, damaged };
  }

  /** The record, or in words why it cannot be read, or `null` when there is none. */
  private async glance(term: Term): Promise<TermRecord | string | null> {
    try {
      return await this.at(term);
    } catch (error) {
      if (error instanceof LockstepError && error.code === 'LOCKSTEP_TERM_RECORD_DAMAGED') return error.message;
      throw error;
    }
  }

  /** Why `kept` does not stand on this share. Asked twice: a lookup that is behind must not look like a lost share. */
  private async missing(kept: TermRecord): Promise<string | null> {
    for (let attempt = 0; ; attempt += 1) {
      const found = await this.at(kept.term);
      const file = this.paths.record(kept.term, this.method);
      if (found !== null) return sameRecord(found, kept) ? null : `the share holds another record than the one that this server has kept: ${file}`;
      if (attempt > 0) return `the share lacks a record that this server has kept: ${file}`;
      await this.files.list(this.paths.terms);
    }
  }

  /** The numbers above `term` that bear a name as records have it on this share, falling. What stands under a name of the other form is nobody's record. */
  private async listedAbove(term: Term): Promise<Term[]> {
    const terms = (await this.files.list(this.paths.terms)).flatMap((name) => {
      const listed = termOfName(name);
      return listed !== null && listed > term && name === termFileName(listed, this.method) ? [listed] : [];
    });
    return terms.sort((one, other) => other - one);
  }

  /** A name that is there and cannot be read as a file is a used number all the same. */
  private unreadable(error: unknown, path: string): unknown {
    const code = codeOf(error);
    return code === 'EISDIR' || code === 'ENOTDIR' || code === 'EFBIG' ? this.damaged(path, code === 'EFBIG' ? 'it is far too large' : 'it is not a file') : error;
  }

  private damaged(path: string, what: string): LockstepError {
    return new LockstepError('LOCKSTEP_TERM_RECORD_DAMAGED', `the term record ${path} cannot be believed: ${what}`, 'Put this one file back, byte for byte, from a backup of the share. Do not delete it: its number is used.');
  }
}
