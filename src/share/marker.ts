import { encodeWatermark, type Watermark } from '../core/terms/watermark.js';
import type { Log } from '../ports/log.js';
import type { ShareFiles } from '../ports/share.js';
import { textOf } from './failure.js';
import type { SharePaths } from './paths.js';

/**
 * Writes down how far the copies reach. Best effort: what comes late, or is lost, says less than there is to say, and nothing wrong; so it needs neither a
 * confirmation nor a second look, and a share that refuses it is as good as before.
 */
export class Marker {
  /** What this process has written last, as far as it was confirmed. */
  written: Watermark | null = null;
  private trouble: string | null = null;

  constructor(
    private readonly files: ShareFiles,
    private readonly paths: SharePaths,
    private readonly log: Log,
  ) {}

  /**
   * Never rejects. Nothing is written when nothing was added, except `anew`: what was written may have gone since, with a restart of the share or under a write of the
   * server that served before, which was long on its way.
   */
  async mark(watermark: Watermark, anew: boolean): Promise<void> {
    if (!anew && this.written?.nonce === watermark.nonce && this.written.position >= watermark.position) return;
    try {
      await this.files.rewriteInPlace(this.paths.watermark, encodeWatermark(watermark));
      this.written = watermark;
      this.trouble = null;
    } catch (error) {
      const trouble = textOf(error);
      if (trouble !== this.trouble) this.log.write('warn', `The watermark beside the lockfile cannot be written, and a disk that loses what it confirmed would not be noticed: ${trouble}`);
      this.trouble = trouble;
    }
  }
}
