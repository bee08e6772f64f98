import { counted } from '../core/counted.js';
import { clip } from '../core/wire/fields.js';
import { NAMED_MAX } from './report.js';
import type { KeeperTools } from './tools.js';
import type { SyncReport } from './session.js';

/** Of one thing's name in a line. */
const NAME_CHARS = 150;
const IN_WARNING = 10;
const IN_STATUS = 3;
/** A list that changes all the time is worth a line so often. */
const WARN_MS = 60_000;

/** What a repository does not carry of the serving server's folder, as the syncs found it. Said when it changes, once a minute at most. */
export class LeftOutNotice {
  private named: readonly string[] = [];
  private warned = '';
  private warnedAt: number | null = null;

  /** `whose`: folder, as this server calls it. */
  constructor(
    private readonly tools: Pick<KeeperTools, 'clock' | 'log'>,
    private readonly repository: string,
    private readonly whose: string,
  ) {}

  /** `isWhole`: the report is about the whole tree. One about single folders adds to the list; what is not there any more, the next whole one says. */
  note({ outcome, leftOut }: SyncReport, isWhole: boolean): void {
    if (outcome === 'failed') return;
    this.named = isWhole ? leftOut : [...new Set([...this.named, ...leftOut])].slice(0, NAMED_MAX);
    this.warn();
  }

  /** For a status; `null`: everything is carried. */
  get text(): string | null {
    return this.named.length === 0 ? null : leftOutText(this.named);
  }

  private warn(): void {
    const { clock, log } = this.tools;
    const list = [...this.named].sort().join('\n');
    const now = clock.monotonic();
    if (list === this.warned || (this.warnedAt !== null && now - this.warnedAt < WARN_MS)) return;
    this.warned = list;
    this.warnedAt = now;
    const { repository, named } = this;
    const fields = { event: 'repository-left-out', repository, leftOut: named.length };
    if (named.length === 0) log.write('info', `Repository ${repository}: everything in ${this.whose} folder is carried again`, fields);
    else log.write('warn', `Repository ${repository} does not carry ${countText(named)} of ${this.whose} folder: ${namesText(named, IN_WARNING)}. A copy lacks what is named here: link to what lies in the repository, by a relative path, or exclude it`, fields);
  }
}

/** What is said of it beside a result, short. */
export function leftOutText(named: readonly string[]): string {
  return `not carried: ${namesText(named, IN_STATUS)}`;
}

function namesText(named: readonly string[], most: number): string {
  return `${named.slice(0, most).map((one) => clip(one, NAME_CHARS)).join(', ')}${named.length > most ? ` and ${named.length - most} more` : ''}`;
}

function countText(named: readonly string[]): string {
  return named.length < NAMED_MAX ? counted(named.length, 'thing') : `${NAMED_MAX} things or more`;
}
