import type { ClaimOutcome } from '../core/control/keeper.js';
import type { RunId, ServerId, Term } from '../core/identity.js';
import { encodeTermRecord } from '../core/terms/codec.js';
import { sameRecord } from '../core/terms/compare.js';
import type { TermRecord } from '../core/terms/record.js';
import type { Log } from '../ports/log.js';
import type { ShareFiles } from '../ports/share.js';
import { codeOf, textOf } from './failure.js';
import type { SharePaths } from './paths.js';
import type { TermShelf } from './term-shelf.js';

/*
 * Claims terms (arbitration.md, section 2). Invariants:
 * - `won` and `lost` are said only of the share that was looked at: its identity is read again before.
 * - `won` is said only after a record equal to ours in every field was read under its number, and the folder was synced since.
 * - `lost` is said only with another record in hand, of that number or a higher one.
 * - `failed` is said only when nothing was sent that could still create the record, by this process or by one before it.
 * - Whatever is neither is `in-doubt`, and stays so until some record bears the number.
 */

const OTHER_SHARE = 'another share stands in the place of the one that was looked at';

interface Attempt {
  readonly record: TermRecord;
  /**
   * `waiting`: not begun. `preparing`: only its temporary file exists. `sent`: the publishing step may take effect at any time
   * from now on. `settled`: won, lost or failed, for good.
   */
  stage: 'waiting' | 'preparing' | 'sent' | 'settled';
  /** An earlier keeper may have sent it: we were started with it. */
  readonly inherited: boolean;
  /** Numbers used when it was asked for, as far as was seen; what is used since then, the manager may not have known. `null`: nothing was seen. */
  readonly usedThrough: Term | null;
  /** Its temporary exists, as far as we know. */
  prepared: boolean;
  outcome: ClaimOutcome;
}

export interface ClaimParts {
  readonly server: ServerId;
  /** Makes the names of temporaries this process's own: an earlier one's may still be on their way to a term's name. */
  readonly run: RunId;
  readonly files: ShareFiles;
  readonly paths: SharePaths;
  readonly shelf: TermShelf;
  readonly log: Log;
  /** Why no claim may be made now; `null` when it may. Asked again right before the record is published. */
  readonly refusal: () => string | null;
  /** The share that was looked at is still the one that stands there, and was not found to be another than the manager knows. Asked before the record is published, and before `won` or `lost` is said. */
  readonly shareStands: () => Promise<boolean>;
  /** The outcome changed. */
  readonly changed: () => void;
}

export class Claimer {
  private attempt: Attempt | null = null;

  constructor(private readonly parts: ClaimParts) {}

  get outcome(): ClaimOutcome | null {
    return this.attempt?.outcome ?? null;
  }

  /** Something is left to do. */
  get open(): boolean {
    return this.attempt !== null && this.attempt.stage !== 'settled';
  }

  /** `open`, and not yet tried once: worth doing at once. */
  get fresh(): boolean {
    return this.attempt?.outcome.kind === 'pending';
  }

  /** What the manager orders. `inherited`: in the first order of this process. `kept`: the highest term that the manager keeps. */
  order(record: TermRecord | null, inherited: boolean, kept: Term): void {
    if (record === null) this.attempt = null;
    else if (this.attempt === null || this.attempt.record.nonce !== record.nonce) {
      const { nonce } = record;
      this.attempt = { record, stage: 'waiting', inherited, usedThrough: this.reckoned(kept), prepared: false, outcome: { kind: 'pending', nonce } };
    }
  }

  /** What the manager reckoned with: what it was told of, and what it keeps. A term that was won a moment ago has not been looked at yet. */
  private reckoned(kept: Term): Term | null {
    const { seen } = this.parts.shelf;
    return seen === null ? null : (Math.max(seen.usedThrough, kept) as Term);
  }

  /** The share does not answer. What was sent may land; what was not sent waits. */
  late(): void {
    const { attempt } = this;
    if (attempt?.stage === 'sent') this.doubt(attempt, 'the share does not answer');
  }

  /** One try: publish, or, where that was done, look what became of it. Never rejects. */
  async step(): Promise<void> {
    const { attempt } = this;
    if (attempt === null || attempt.stage === 'settled') return;
    if (attempt.stage === 'sent') await this.resolve(attempt, 'no record bears its number yet');
    else await this.publish(attempt);
    if (attempt.prepared && this.isSettled(attempt)) await this.tidy(attempt);
  }

  private async publish(attempt: Attempt): Promise<void> {
    attempt.stage = 'preparing';
    const { files, paths, shelf } = this.parts;
    const { term } = attempt.record;
    try {
      if (await this.isTaken(attempt)) return;
      const refusal = this.parts.refusal();
      if (refusal !== null) return this.fail(attempt, refusal);
      paths.term(term, shelf.method); // Throws for a term that cannot be.
      await this.prepare(attempt);
      if (!(await this.parts.shareStands())) return this.fail(attempt, OTHER_SHARE);
      // Preparing may have taken long: the lock and the pulse must hold when the step is sent, not when we began.
      const refusalNow = this.parts.refusal();
      if (refusalNow !== null) return this.fail(attempt, refusalNow);
    } catch (error) {
      return this.fail(attempt, textOf(error)); // Nothing was sent: no right can come of this attempt.
    }
    attempt.stage = 'sent';
    const prepared = this.temporary(attempt);
    let answer = 'no record bears its number';
    try {
      if (shelf.method === 'link') await files.link(prepared, paths.term(term, 'link'));
      else await files.rename(prepared, paths.term(term, 'rename'));
    } catch (error) {
      answer = textOf(error); // Says nothing for sure, not even EEXIST: a repeated request meets its own success.
    }
    await this.resolve(attempt, answer);
  }

  /** True when the number or a higher one is used, or one that nobody reckoned with: then the outcome is set. */
  private async isTaken(attempt: Attempt): Promise<boolean> {
    const { term } = attempt.record;
    const look = await this.parts.shelf.look(null, true);
    if (look.usedThrough < term) {
      // A fresh claim leaves numbers out (R9). Another that was made meanwhile, below it, is not overtaken: who serves by it may have acknowledged.
      const isOvertaking = attempt.usedThrough !== null && look.usedThrough > attempt.usedThrough;
      if (isOvertaking) this.fail(attempt, `term ${look.usedThrough} was claimed meanwhile`);
      return isOvertaking;
    }
    // Nothing was sent yet: what another share holds decides nothing.
    if (!(await this.parts.shareStands())) this.fail(attempt, OTHER_SHARE);
    else if (look.highest !== null && look.highest.term >= term) await this.resolve(attempt, 'a higher term stands');
    else this.fail(attempt, look.damaged ?? `term ${term} is used`);
    return true;
  }

  private async prepare(attempt: Attempt): Promise<void> {
    const { files, shelf } = this.parts;
    const prepared = this.temporary(attempt);
    const bytes = encodeTermRecord(attempt.record);
    if (attempt.prepared) await this.tidy(attempt);
    attempt.prepared = true;
    if (shelf.method === 'link') return files.createSynced(prepared, bytes);
    await files.makeFolder(prepared);
    await files.createSynced(`${prepared}/record.json`, bytes);
    await files.syncFolder(prepared);
  }

  /** Reads what stands under the number. `answer`: what to say when nothing does. */
  private async resolve(attempt: Attempt, answer: string): Promise<void> {
    const { files, paths, shelf } = this.parts;
    const { record } = attempt;
    const { nonce } = record;
    try {
      const above = shelf.seen?.highest ?? null;
      if (above !== null && above.term > record.term) {
        return (await this.parts.shareStands()) ? this.settle(attempt, { kind: 'lost', nonce, record: above }) : this.doubt(attempt, OTHER_SHARE);
      }
      let found = await shelf.at(record.term);
      if (found !== null && sameRecord(found, record)) {
        // Durable before spoken: a record that a restart of the gateway forgets would let its number be used twice.
        await files.syncFolder(paths.terms);
        found = await shelf.at(record.term);
      }
      if (found === null) return this.doubt(attempt, answer);
      // A share put in the other's place since our look has other numbers in use: a victory there proves nothing.
      if (!(await this.parts.shareStands())) return this.doubt(attempt, OTHER_SHARE);
      this.settle(attempt, sameRecord(found, record) ? { kind: 'won', nonce, record } : { kind: 'lost', nonce, record: found });
    } catch (error) {
      this.doubt(attempt, textOf(error)); // Unknown is not lost: the peer must be taken to have the stronger right.
    }
  }

  private settle(attempt: Attempt, outcome: ClaimOutcome): void {
    attempt.stage = 'settled';
    attempt.outcome = outcome;
    this.parts.changed();
  }

  private fail(attempt: Attempt, detail: string): void {
    if (attempt.inherited) {
      attempt.stage = 'waiting'; // This process sent nothing, but the one before it may have.
      this.doubt(attempt, `an earlier share keeper may have sent it; ${detail}`);
    } else this.settle(attempt, { kind: 'failed', nonce: attempt.record.nonce, detail });
  }

  private doubt(attempt: Attempt, detail: string): void {
    if (attempt.stage === 'settled') return;
    if (attempt.stage === 'preparing') attempt.stage = 'sent'; // Only after a look that found the number used: reading again is all that is left.
    attempt.outcome = { kind: 'in-doubt', nonce: attempt.record.nonce, detail };
    this.parts.changed();
  }

  private isSettled(attempt: Attempt): boolean {
    return attempt.stage === 'settled';
  }

  private temporary(attempt: Attempt): string {
    return this.parts.paths.prepared(this.parts.server, `${attempt.record.nonce}.${this.parts.run}`);
  }

  /** Never while the claim is in doubt: then its temporary is what may still be published. */
  private async tidy(attempt: Attempt): Promise<void> {
    attempt.prepared = false;
    await this.remove(this.temporary(attempt));
  }

  /** Removes what earlier runs of this server prepared and did not publish. Rejects when the folder of records cannot be listed. */
  async tidyEarlier(): Promise<void> {
    const { server, files, paths } = this.parts;
    for (const name of await files.list(paths.terms)) {
      if (paths.isPreparedBy(server, name)) await this.remove(`${paths.terms}/${name}`);
    }
  }

  /** Removes a temporary, file or folder, if it is there. A folder is moved away first: emptied in its place, it could still become a term. */
  private async remove(prepared: string): Promise<void> {
    const { files, shelf, log } = this.parts;
    try {
      if (shelf.method === 'link') return await files.removeFile(prepared);
      const aside = `${prepared}.old`;
      if (!prepared.endsWith('.old')) await files.rename(prepared, aside);
      await files.removeFile(`${aside}/record.json`);
      await files.removeFolder(aside);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') log.write('debug', `temporary ${prepared} not removed: ${textOf(error)}`); // No rule reads it.
    }
  }
}
