import { termOfName } from '../../src/core/terms/names.js';
import type { TermRecord } from '../../src/core/terms/record.js';
import { sameBytes } from '../../src/core/wire/bytes.js';
import type { HostName } from './faults.js';
import type { ShareProbe, TakeOver } from './probe.js';
import type { SimShare } from './share.js';

const decoder = new TextDecoder();

/** The share's term records as they really stand there. Looked up again only after something that can change them. */
export class ShareView implements ShareProbe {
  version = 0;
  replacements = 0;
  /** An empty share stands in the place of the one before, and no record on it yet: the pair starts anew on it, which goes through one copy. */
  isBare = false;
  private robbed: TakeOver[] = [];
  private readAt = -1;
  private before: ReadonlyMap<number, TermRecord> = new Map();
  private known: ReadonlyMap<number, TermRecord> = new Map();
  /** What was read of each file last, since most stay as they are. */
  private readonly parsed = new Map<string, { readonly bytes: Uint8Array; readonly record: TermRecord }>();

  constructor(
    private readonly share: SimShare,
    private readonly termsFolder: string,
    private readonly appeared: () => void = () => undefined,
    /** When a keeper wrote a heartbeat somewhere else, since the share's mount went in that moment. */
    private readonly beatElsewhere: (keeper: string) => number | null = () => null,
  ) {
    const { tree } = share;
    share.onTakeOver = (from, askedAt, number) => {
      this.robbed.push({ from: from.split('/')[0] as HostName, askedAt, stands: () => !share.lockBroken && share.lock?.number === number });
    };
    for (const step of ['link', 'rename'] as const) {
      const original = tree[step].bind(tree);
      tree[step] = (from: string, to: string): void => {
        original(from, to);
        this.changed();
        if (!to.startsWith(this.termsFolder) || termOfName(to.slice(this.termsFolder.length + 1)) === null) return;
        this.isBare = false;
        this.appeared();
      };
    }
  }

  /** Something else than a claim may have changed the records. */
  changed(): void {
    this.version += 1;
  }

  /** An empty share stands in the place of this one. What was claimed on the old one still says who serves, until a record stands on the new one. */
  replaced(): void {
    this.before = new Map(this.records());
    this.replacements += 1;
    this.isBare = true;
    this.changed();
  }

  beatAt(keeper: string): number | null {
    const at = this.share.beatAt.get(keeper) ?? null;
    return at === null ? null : Math.max(at, this.beatElsewhere(keeper) ?? at);
  }

  takenOver(): readonly TakeOver[] {
    const { robbed } = this;
    if (robbed.length > 0) this.robbed = [];
    return robbed;
  }

  records(): ReadonlyMap<number, TermRecord> {
    if (this.readAt === this.version) return this.known;
    this.readAt = this.version;
    this.known = this.read();
    return this.known;
  }

  private read(): Map<number, TermRecord> {
    const { tree } = this.share;
    const found = new Map<number, TermRecord>(this.before);
    if (!tree.has(this.termsFolder)) return found;
    for (const name of tree.list(this.termsFolder).sort()) {
      const term = termOfName(name);
      if (term === null) continue;
      const path = `${this.termsFolder}/${name}`;
      const bytes = tree.read(name.endsWith('.json') ? path : `${path}/record.json`);
      const parsed = this.parsed.get(name);
      const record = parsed !== undefined && sameBytes(parsed.bytes, bytes) ? parsed.record : (JSON.parse(decoder.decode(bytes)) as TermRecord);
      this.parsed.set(name, { bytes, record });
      found.set(term, record);
    }
    return found;
  }
}
