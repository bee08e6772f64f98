import type { PublishMethod } from '../core/terms/record.js';
import { encodeText } from '../core/wire/bytes.js';
import type { Clock } from '../ports/clock.js';
import type { Random } from '../ports/random.js';
import type { ShareFiles } from '../ports/share.js';
import { codeOf, deniedTo, isDenied, textOf, troubleOf, WITHOUT_LINKS, type Trouble } from './failure.js';
import type { SharePaths } from './paths.js';

/** One thing that was tried on the share. */
export interface PreflightCheck {
  readonly name: string;
  readonly ok: boolean;
  /** What was seen when it failed, or what is worth saying; else `null`. */
  readonly detail: string | null;
  readonly latencyMs: number;
}

export interface PreflightReport {
  readonly checks: readonly PreflightCheck[];
  /** Both ways of publishing a record were tried; which of them are exclusive here. */
  readonly methods: readonly PublishMethod[];
  /** `null` when everything that the share must do, it does. */
  readonly trouble: Trouble | null;
  /** What does not keep it from being relied on, and is to be mended all the same. */
  readonly warnings: readonly string[];
  /** The slowest single check. */
  readonly slowestMs: number;
}

interface Tools {
  readonly clock: Clock;
  readonly random: Random;
  /** Who writes there, for messages: `uid 1000`. */
  readonly user: string;
}

/**
 * Tries, in a folder of its own that it removes again, everything that the keeper relies on; and whether what stands there already can be written, which it leaves as
 * it is. Never rejects.
 */
export async function preflight(files: ShareFiles, paths: SharePaths, tools: Tools): Promise<PreflightReport> {
  const trial = new Trial(files, paths, paths.temporary('preflight', tools.random.id()), tools);
  await trial.run();
  await trial.cleanUp();
  return trial.report();
}

/**
 * The least that tells a share which cannot be written now: one small file is made, and removed. Rejects with what the share says.
 * @param path a name that nobody else uses
 */
export async function writeTrial(files: ShareFiles, path: string): Promise<void> {
  try {
    await unless('EEXIST', files.createSynced(path, CONTENT));
  } catch (error) {
    // What did not fit may have left its name.
    await files.removeFile(path).catch(() => undefined);
    throw error;
  }
  await unless('ENOENT', files.removeFile(path));
}

/** An answer that was lost is asked for again by the system, and meets what the first request did. */
async function unless(code: string, doing: Promise<void>): Promise<void> {
  await doing.catch((error: unknown) => {
    if (codeOf(error) !== code) throw error;
  });
}

const CONTENT = encodeText('lockstep preflight 1\n');
const REWRITTEN = encodeText('lockstep preflight 2\n');

class Trial {
  private readonly checks: PreflightCheck[] = [];
  private readonly methods: PublishMethod[] = [];
  private readonly warnings: string[] = [];
  private trouble: Trouble | null = null;

  constructor(
    private readonly files: ShareFiles,
    private readonly paths: SharePaths,
    private readonly folder: string,
    private readonly tools: Tools,
  ) {}

  async run(): Promise<void> {
    const { files, folder } = this;
    const file = `${folder}/file`;
    await this.check('make folder', () => files.makeFolder(folder));
    await this.check('make folder exclusively', () => refused(() => files.makeFolder(folder), 'a folder that is there was made again'));
    await this.check('create and fsync', () => files.createSynced(file, CONTENT));
    await this.check('create exclusively', () => refused(() => files.createSynced(file, CONTENT), 'a file that is there was created again'));
    await this.check('rewrite in place', () => this.rewrite(file));
    await this.check('rename', () => this.moveAndBack(file));
    await this.check('fsync folder', () => files.syncFolder(folder));
    await this.writeWhatStands();
    if (this.trouble !== null) return;
    await this.exclusiveLink();
    await this.exclusiveRename();
    if (this.methods.length === 0 && this.trouble === null) {
      this.trouble = { condition: 'refused', detail: 'the share can create a name with its whole content neither by link nor by rename of a folder: no term can be claimed safely there' };
    }
  }

  async cleanUp(): Promise<void> {
    await this.empty(this.folder, 2);
  }

  report(): PreflightReport {
    const slowestMs = Math.max(0, ...this.checks.map((check) => check.latencyMs));
    return { checks: this.checks, methods: this.methods, trouble: this.trouble, warnings: this.warnings, slowestMs };
  }

  /**
   * A server that ran as another user before has left files of that user: a share in which everything can be made says nothing of them. They are not made
   * when they are absent. Without the watermark only a guard is weaker; without the others no lock is taken, and no term claimed.
   */
  private async writeWhatStands(): Promise<void> {
    const { heartbeat, terms, watermark } = this.paths;
    const { user } = this.tools;
    const heartbeatError = await this.openWhatStands('heartbeat', heartbeat);
    if (heartbeatError !== null) this.blame(heartbeatError, '; or remove it while both servers are stopped, and it is made anew');
    const termsError = await this.openWhatStands('folder of term records', terms);
    if (termsError !== null) this.blame(termsError, ', with all that is in it (chown -R)');
    const watermarkError = await this.openWhatStands('watermark', watermark);
    if (watermarkError !== null) this.warnings.push(`The watermark beside the lockfile cannot be written: ${isDenied(watermarkError) ? deniedTo(user, watermarkError, '') : textOf(watermarkError)}`);
  }

  private blame(error: NonNullable<unknown>, remedy: string): void {
    const found = troubleOf(error, 'trying the share: opening for writing', this.tools.user);
    this.trouble = isDenied(error) ? { condition: 'denied', detail: deniedTo(this.tools.user, error, remedy) } : found;
  }

  /** Why it cannot be opened for writing; `null` when it can, when it is not there, and when an earlier check failed. */
  private async openWhatStands(what: string, path: string): Promise<NonNullable<unknown> | null> {
    if (this.trouble !== null) return null;
    return await this.attempt(`open the ${what} for writing`, () =>
      this.files.checkWritable(path).catch((error: unknown) => {
        if (codeOf(error) !== 'ENOENT') throw error;
      }),
    );
  }

  /** Runs one check unless an earlier one failed. */
  private async check(name: string, run: () => Promise<void>): Promise<void> {
    if (this.trouble !== null) return;
    const error = await this.attempt(name, run);
    if (error === null) return;
    const found = error instanceof NotExclusive ? { condition: 'refused' as const, detail: error.message } : troubleOf(error, `trying the share: ${name}`, this.tools.user);
    this.trouble = codeOf(error) === 'ENOENT' ? { condition: 'absent', detail: found.detail } : found;
  }

  /** What went wrong; `null` when nothing did. */
  private async attempt(name: string, run: () => Promise<void>): Promise<NonNullable<unknown> | null> {
    const began = this.tools.clock.monotonic();
    let failure: NonNullable<unknown> | null = null;
    try {
      await run();
    } catch (error) {
      failure = error ?? 'no reason given'; // Becomes a line of the report, which bars claims.
    }
    this.checks.push({ name, ok: failure === null, detail: failure === null ? null : textOf(failure), latencyMs: this.tools.clock.monotonic() - began });
    return failure;
  }

  private async exclusiveLink(): Promise<void> {
    const [file, linked] = [`${this.folder}/claim`, `${this.folder}/linked`];
    const error = await this.attempt('link exclusively', async () => {
      // As a claim does it, at once: a file just written, linked, and read under its new name.
      await this.files.createSynced(file, CONTENT);
      await this.files.link(file, linked);
      await this.readBack(linked);
      await refused(() => this.files.link(file, linked), 'a name that is there was linked again');
    });
    if (error === null) this.methods.push('link');
    else if (!WITHOUT_LINKS.includes(codeOf(error)) && !(error instanceof NotExclusive)) this.trouble = troubleOf(error, 'trying the share: link', this.tools.user);
  }

  private async exclusiveRename(): Promise<void> {
    const { files, folder } = this;
    const error = await this.attempt('rename a folder exclusively', async () => {
      for (const name of ['one', 'two']) {
        await files.makeFolder(`${folder}/${name}`);
        await files.createSynced(`${folder}/${name}/file`, CONTENT);
      }
      await files.rename(`${folder}/one`, `${folder}/term`);
      await this.readBack(`${folder}/term/file`);
      await refused(() => files.rename(`${folder}/two`, `${folder}/term`), 'a folder was renamed onto one that is not empty');
    });
    if (error === null) this.methods.push('rename');
    // An answer that was lost says nothing of the share: it is tried again, and not taken for one where nothing can be claimed.
    else if (this.methods.length === 0 && this.trouble === null && !(error instanceof NotExclusive) && !WITHOUT_LINKS.includes(codeOf(error))) this.trouble = troubleOf(error, 'trying the share: rename of a folder', this.tools.user);
  }

  /**
   * An SMB client that keeps leases asks for a file's second name with the lease of the first one, and is refused (EINVAL, MS-SMB2 3.3.5.9.8):
   * no claim could ever be read back. Any other error is one of the moment: the way of publishing is chosen once for the share's whole life, and
   * a lost answer must not choose it (simulator seed 5017).
   */
  private async readBack(path: string): Promise<void> {
    const read = await this.files.read(path).catch((error: unknown) => {
      if (codeOf(error) !== 'EINVAL') throw error;
      throw new NotExclusive(`what got a new name a moment ago cannot be read under it (${textOf(error)}); mount an SMB share with nolease`);
    });
    if (!equal(read, CONTENT)) throw new NotExclusive('what got a new name a moment ago reads differently under it');
  }

  private async rewrite(file: string): Promise<void> {
    await this.files.rewriteInPlace(file, REWRITTEN);
    const read = await this.files.read(file);
    if (!equal(read, REWRITTEN)) throw new NotExclusive('what was rewritten in place reads differently');
  }

  private async moveAndBack(file: string): Promise<void> {
    await this.files.rename(file, `${file}.moved`);
    await this.files.rename(`${file}.moved`, file);
  }

  private async empty(folder: string, depth: number): Promise<void> {
    try {
      for (const name of await this.files.list(folder)) {
        const path = `${folder}/${name}`;
        try {
          await this.files.removeFile(path);
        } catch {
          if (depth > 0) await this.empty(path, depth - 1); // A folder, or gone: either way nothing rests on it.
        }
      }
      await this.files.removeFolder(folder);
    } catch {
      // A leftover of the trial is harmless: no rule reads it.
    }
  }
}

function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

/** The share did what it must not do. */
class NotExclusive extends Error {}

/** Resolves when `run` is refused because the name is there. */
async function refused(run: () => Promise<void>, otherwise: string): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (['EEXIST', 'ENOTEMPTY', 'EACCES', 'EPERM'].includes(codeOf(error))) return;
    throw error;
  }
  throw new NotExclusive(otherwise);
}
