import type { ServeRole } from '../core/control/broker.js';
import type { Effect } from '../core/broker/effects.js';
import { encodeOperation, type RecordDraft } from '../core/broker/records.js';
import { RecordOrigin } from '../core/journal/envelope.js';
import type { Position, Term } from '../core/identity.js';
import { LOG_MARK_VERSION, LogMark } from '../core/replication/log-marks.js';
import { TERM_MAX } from '../core/terms/names.js';
import type { Log } from '../ports/log.js';
import type { BrokerConfig } from './config.js';
import type { Copy } from './copy.js';
import type { Leading } from './leading.js';

/*
 * The term that this server serves in, and which copies count in it.
 *
 * Invariants
 * - A term is served in by one run of one server; never one that is fenced, or that does not name this copy (R1, R3, R4).
 * - Within a term the set of copies that count never shrinks: what a term's record names counts to the end of that term.
 * - The first record of a term is written before any client's, and the link is told of the term before that record.
 */
export interface ServedTermTools {
  readonly copy: Copy;
  readonly leading: Leading;
  readonly config: BrokerConfig;
  readonly log: Log;
  readonly fencedThrough: () => Term;
}

export interface ServedTermListener {
  /** Its first record comes next. `anew`: what was admitted before says nothing of it. */
  entered(anew: boolean): void;
  /** What that record brings. */
  hold(position: Position, effect: Effect): void;
  /** That record is written, and this server did not serve before it. */
  begun(): void;
}

export class ServedTerm {
  /** The term; `null` while this server serves in none. */
  current: Term | null = null;
  /** The order, as long as it says serve. */
  role: ServeRole | null = null;
  /** The peer's copy that counts; `null` while only this one does. */
  member: { readonly journal: string } | null = null;
  /** From this record on the peer is needed; `null`: it is not. */
  requiredFrom: Position | null = null;
  private last: Term | null = null;

  constructor(
    private readonly tools: ServedTermTools,
    private readonly listener: ServedTermListener,
  ) {}

  /**
   * Goes into the role's term, unless we are in it already.
   * @returns why not, or not yet; `null` when we are in it
   */
  enter(role: ServeRole): string | null {
    return this.refusal(role) ?? this.take(role);
  }

  /** The order is what this server serves by from now on. */
  adopt(role: ServeRole): void {
    const { copy, config, log } = this.tools;
    const peer = role.inSync.find((one) => one.server !== config.server) ?? null;
    if (peer === null && this.member !== null) log.write('error', `The order leaves out a copy that counts in term ${role.term}; it goes on counting`, { code: 'LOCKSTEP_ORDER_NARROWS' });
    else this.member = peer;
    const wants = role.requirePeer || this.member !== null;
    if (!wants) this.requiredFrom = null;
    else this.requiredFrom ??= (copy.head.position + 1) as Position;
    this.role = role;
  }

  /** Nothing is said in it until it is adopted again. */
  suspend(): void {
    this.role = null;
  }

  /** It is left, for good or until it is begun anew. */
  leave(): void {
    this.current = null;
    this.role = null;
    this.member = null;
  }

  private refusal(role: ServeRole): string | null {
    const { copy, config } = this.tools;
    if (role.term > TERM_MAX) return `term ${role.term} cannot be: no record of the log can name one above ${TERM_MAX}`;
    if (role.term <= this.tools.fencedThrough()) return `term ${role.term} is fenced`;
    if (copy.damage !== null) return 'this copy is damaged';
    if (!copy.ready) return 'the state is being built';
    const me = role.inSync.find((one) => one.server === config.server);
    if (me === undefined || me.journal !== copy.id) return `term ${role.term} does not name this copy (journal ${copy.id})`;
    return null;
  }

  private take(role: ServeRole): string | null {
    const { copy } = this.tools;
    if (this.current === role.term) {
      this.tools.leading.allow(role.term, role.peer);
      return null;
    }
    if (this.current !== null) return role.term > this.current ? this.goOn(role) : `term ${role.term} is older than term ${this.current}, which this server serves in`;
    const head = copy.head.term;
    if (head > role.term || (head === role.term && this.last !== role.term)) return `the log has records of term ${head} already, which this run did not serve in`;
    // R10: the claim may be under way, and names the position at which this log ended.
    if (role.drain) return `term ${role.term} is being handed over, and this server has stopped serving in it`;
    return this.begin(role);
  }

  private begin(role: ServeRole): string | null {
    const { copy, leading, config, log } = this.tools;
    const draft = encodeOperation({ kind: 'term-start', server: config.server, limits: config.limits });
    if (!copy.journal.canAppend(draft.payload.length)) return 'the disk takes no record now';
    leading.forget();
    leading.allow(role.term, role.peer);
    this.current = role.term;
    // Begun anew, the same term needs the peer from where it needed it before: the claim that names it may have been sent.
    if (this.last !== role.term) this.requiredFrom = null;
    this.last = role.term;
    const position = this.writeFirst(role.term, draft, true);
    log.write('info', `Serves in term ${role.term} from record ${position} on`, { term: role.term, position });
    this.listener.begun();
    return null;
  }

  /** The same server goes on in a higher term: its clients stay. */
  private goOn(role: ServeRole): string | null {
    const { copy, leading, log } = this.tools;
    if (!copy.journal.canAppend(0)) return 'the disk takes no record now';
    const first = (copy.head.position + 1) as Position;
    leading.switchTerm(role.term, first);
    leading.allow(role.term, role.peer);
    this.current = role.term;
    this.last = role.term;
    this.member = null;
    this.writeFirst(role.term, { type: LogMark.termContinued, version: LOG_MARK_VERSION, payload: NO_BYTES }, false);
    log.write('debug', `Goes on in term ${role.term} from record ${first} on`, { term: role.term, position: first });
    return null;
  }

  private writeFirst(term: Term, draft: RecordDraft, anew: boolean): Position {
    const { copy } = this.tools;
    this.listener.entered(anew);
    const record = copy.journal.append(draft.type, draft.version, RecordOrigin.lockstep, term, draft.payload);
    copy.replica.apply(record, (effect) => this.listener.hold(record.position, effect));
    return record.position;
  }
}

const NO_BYTES = new Uint8Array(0);
