import type { RepositoryFrame } from '../core/repository/frames.js';
import type { Monotonic, Term } from '../core/identity.js';
import { damaged } from './fetching.js';
import { RepositoryLink } from './link.js';
import { reasonOf } from './messages.js';
import { SyncRefused, SyncSending } from './sending.js';
import type { SenderParts, SenderSession, SyncHint, SyncReport } from './session.js';
import { readReport } from './report.js';

type Hello = Extract<RepositoryFrame, { kind: 'hello' }>;
type Ask = Extract<RepositoryFrame, { kind: 'ask' }>;

/** Of one hint; the receiver makes everything of more. In characters, of which one can be six bytes of JSON. */
const HINTED_FOLDERS_MAX = 256;
const HINTED_CHARS_MAX = 64 * 1024;

/** The serving server's end of one repository link. */
export function createSender(parts: SenderParts): SenderSession {
  return new Sender(parts);
}

class Sender implements SenderSession {
  private readonly link: RepositoryLink;
  private isWelcome = false;
  /** What an operator asked for before the receiver was welcome: said to it then. One for each repository and purpose. */
  private readonly early = new Map<string, SyncHint>();
  /** When the whole tree was last asked for, of what the next report is about. */
  private wholeSince: Monotonic | null = null;
  /** Something was asked for that the next report is about. */
  private isAsked = false;
  /** What was asked for of a folder that is still being opened. */
  private waiting: Ask | null = null;
  private sending: { readonly sync: number; readonly repository: string; readonly half: SyncSending } | null = null;

  constructor(private readonly parts: SenderParts) {
    this.link = new RepositoryLink({
      stream: parts.stream,
      clock: parts.clock,
      take: (frame) => this.take(frame),
      work: () => this.work(),
      failed: (error) => this.failed(error),
      closed: (reason) => this.closed(reason),
    });
  }

  hint(hint: SyncHint): void {
    // A receiver that comes syncs the whole by itself.
    if (!this.isWelcome && hint.purpose !== 'sync') this.early.set(`${hint.purpose} ${hint.repository}`, hint);
    if (this.isWelcome) this.link.say({ kind: 'hint', json: JSON.stringify(fits(hint.folders) ? hint : { ...hint, folders: null }) });
  }

  wake(): void {
    if (this.waiting !== null && !this.parts.isOpening(this.waiting.repository)) this.begin(this.waiting);
    this.link.turn();
  }

  refuse(reason: string): void {
    this.link.close(reason, reason);
  }

  private take(frame: RepositoryFrame): void {
    if (frame.kind === 'ping') return;
    if (frame.kind === 'refused') return this.link.close(`the receiver refused: ${frame.reason}`);
    if (!this.isWelcome) {
      if (frame.kind !== 'hello') throw damaged(`a frame ${frame.kind} before the hello`);
      return this.greet(frame);
    }
    switch (frame.kind) {
      case 'ask':
        return this.begin(frame);
      case 'drop':
        if ((this.sending ?? this.waiting)?.sync === frame.sync) this.drop();
        return;
      case 'list':
      case 'wants':
      case 'sums':
      case 'wantsEnd':
        // What the receiver said before it heard that its sync had failed here.
        if (this.sending?.sync === frame.sync) this.sending.half.take(frame);
        return;
      case 'report':
        return this.reported(readReport(frame.json));
      default:
        throw damaged(`a frame ${frame.kind} from the receiver`);
    }
  }

  private reported(report: SyncReport): void {
    const isOfNow = !this.isAsked && report.outcome === 'failed';
    this.parts.reported(report, isOfNow ? this.parts.clock.monotonic() : this.wholeSince);
    this.wholeSince = null;
    this.isAsked = false;
  }

  private greet(hello: Hello): void {
    const { identity } = this.parts;
    const authority = this.parts.authority();
    const refusal = refusalOf(hello, identity, authority);
    if (refusal !== null || authority === null) return this.refuse(refusal ?? 'this server does not serve');
    this.isWelcome = true;
    this.link.say({ kind: 'settings', json: JSON.stringify({ repositories: this.parts.settings }) });
    this.link.say({ kind: 'welcome', server: identity.server, run: identity.run, term: authority.term });
    for (const hint of this.early.values()) this.hint(hint);
    this.early.clear();
  }

  private begin(ask: Ask): void {
    this.drop();
    const { sync, repository } = ask;
    this.isAsked = true;
    if (ask.scope === null) this.wholeSince = this.parts.clock.monotonic();
    if (this.parts.isOpening(repository)) {
      this.waiting = ask;
      return;
    }
    const folder = this.parts.folders.get(repository);
    if (folder === undefined) return this.link.say({ kind: 'failed', sync, reason: `this server has no repository ${JSON.stringify(repository)}: name it in both profiles` });
    const half = new SyncSending({
      sync,
      scope: ask.scope,
      checksum: ask.checksum,
      folder,
      hashing: this.parts.hashing,
      term: () => this.term(),
      send: (bytes) => {
        this.parts.sent(repository, bytes.length);
        this.link.send(bytes);
      },
    });
    this.sending = { sync, repository, half };
    this.link.turn();
  }

  private work(): boolean {
    const { sending } = this;
    if (sending === null || this.parts.allowance(sending.repository) <= 0) return false;
    if (this.term() === null) throw new SyncRefused('this server does not serve any more');
    try {
      return sending.half.step();
    } catch (error) {
      if (error instanceof SyncRefused) throw error;
      // The folder cannot be read: the receiver tries again later, over this same link.
      this.drop();
      this.link.say({ kind: 'failed', sync: sending.sync, reason: reasonOf(error) });
      return false;
    }
  }

  private term(): Term | null {
    return this.parts.authority()?.term ?? null;
  }

  private drop(): void {
    this.sending?.half.close();
    this.sending = null;
    this.waiting = null;
  }

  private failed(error: unknown): void {
    this.link.breakOff(error);
  }

  private closed(reason: string): void {
    this.drop();
    this.parts.closed(reason);
  }
}

/** Why this receiver is not served; `null` when it is. */
function refusalOf(hello: Hello, identity: SenderParts['identity'], authority: ReturnType<SenderParts['authority']>): string | null {
  if (hello.cluster !== identity.cluster) return `this server belongs to the cluster ${identity.cluster}`;
  if (hello.senderRun !== identity.run) return 'this is not the run that the receiver looks for';
  if (authority === null) return 'this server does not serve';
  if (hello.server !== authority.peer.server || hello.run !== authority.peer.run) return 'this server sends to another run of the peer';
  return hello.term > authority.term ? `this server serves in term ${authority.term}, and the receiver is in ${hello.term}` : null;
}

/** More than the receiver takes in one hint: it looks at everything. */
function fits(folders: readonly string[] | null): boolean {
  if (folders === null) return true;
  return folders.length <= HINTED_FOLDERS_MAX && folders.reduce((chars, path) => chars + path.length, 0) <= HINTED_CHARS_MAX;
}
