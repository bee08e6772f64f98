import { counted } from '../core/counted.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { KeptVersion } from '../ports/repository.js';

const NAMED_PATHS = 20;
/** Continuous changes are named at once, and then together so often. */
const TOGETHER_MS = 60_000;

/** The lines on what one repository's syncs replaced or removed, and where it is kept. */
export class KeptLines {
  private unsaid: KeptVersion[] = [];
  private repository = '';
  private waiting: Cancel | null = null;
  private isClosed = false;

  constructor(
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /** `isChange`: of a continuous change, of which there can be several a second. */
  say(repository: string, kept: KeptVersion, isChange: boolean): void {
    this.repository = repository;
    // The changes of one minute share a version, which grows.
    this.unsaid = [...this.unsaid.filter(({ name }) => name !== kept.name), kept];
    if (this.isClosed || !isChange) return this.write();
    if (this.waiting !== null) return;
    this.write();
    this.wait();
  }

  /** Says what was not said yet, and from now on everything at once. */
  close(): void {
    this.isClosed = true;
    this.waiting?.();
    this.waiting = null;
    this.write();
  }

  private wait(): void {
    this.waiting = this.clock.after(TOGETHER_MS, () => {
      this.waiting = null;
      if (this.unsaid.length === 0) return;
      this.write();
      this.wait();
    });
  }

  private write(): void {
    const { repository, unsaid: kept } = this;
    this.unsaid = [];
    if (kept.length === 0) return;
    const files = kept.reduce((sum, one) => sum + one.files, 0);
    const names = kept.map(({ name }) => name);
    const paths = kept.flatMap((one) => one.paths).slice(0, NAMED_PATHS);
    this.log.write('info', `Repository ${repository}: kept as ${names.join(' and ')}, since what differed here was replaced or removed, ${counted(files, 'file')}: ${paths.join(', ')}${files > paths.length ? ', …' : ''}`, { event: 'repository-kept', repository, kept: names.at(-1), files });
  }
}
