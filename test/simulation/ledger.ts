import type { LogPoint } from '../../src/core/journal/envelope.js';

/** One record as it was ever appended by a serving server, and the record before it. */
export interface LogNode {
  readonly term: number;
  readonly position: number;
  readonly chain: number;
  readonly before: LogNode | null;
  /** The message that the record brought, if it is a publish. */
  readonly operation: string | null;
  /** Digest of the broker's state after this record, and whose it was; the first one found. */
  digest: { readonly server: string; readonly value: string } | null;
}

/**
 * Every log that any server ever had, as one tree of records, kept outside the servers. Acknowledged records must all lie on one
 * path, the *trunk*; a server holds everything acknowledged exactly when the trunk's end is at or before its own head.
 */
export class Ledger {
  /** How many records of each type were appended. */
  readonly types = new Map<number, number>();
  private readonly byPosition = new Map<number, LogNode[]>();
  private readonly byOperation = new Map<string, LogNode[]>();
  private trunkEnd: LogNode | null = null;
  private backward: LogNode | null = null;

  /** The first record that was appended behind one of a higher term; `null` while there is none. */
  get wentBack(): LogNode | null {
    return this.backward;
  }

  /** The last acknowledged record. */
  get trunk(): LogNode | null {
    return this.trunkEnd;
  }

  /** Notes that a record was appended after `before`. Gives the node that stands for it, whoever appended it first. */
  appended(before: LogPoint, record: LogPoint, operation: string | null, type = 0): LogNode {
    const known = this.find(record);
    if (known !== null) return known;
    this.types.set(type, (this.types.get(type) ?? 0) + 1);
    const node: LogNode = { term: record.term, position: record.position, chain: record.chain, before: this.find(before), operation, digest: null };
    if (node.before !== null && node.term < node.before.term) this.backward ??= node;
    const there = this.byPosition.get(record.position);
    if (there === undefined) this.byPosition.set(record.position, [node]);
    else there.push(node);
    if (operation !== null) {
      const nodes = this.byOperation.get(operation);
      if (nodes === undefined) this.byOperation.set(operation, [node]);
      else nodes.push(node);
    }
    return node;
  }

  /** The node of a log's head; `null` for the empty log and for a record that nobody appended. */
  find(point: LogPoint): LogNode | null {
    const there = this.byPosition.get(point.position);
    if (there === undefined) return null;
    for (const node of there) if (node.chain === point.chain && node.term === point.term) return node;
    return null;
  }

  /** Every record that brought the operation: a publisher that repeats itself has several. */
  ofOperation(operation: string): readonly LogNode[] {
    return this.byOperation.get(operation) ?? [];
  }

  /** Notes that a record was acknowledged. False when it is not on one path with those before: one of the two is lost. */
  acknowledge(node: LogNode): boolean {
    if (!this.isOnOnePath(node)) return false;
    if (this.trunkEnd === null || node.position > this.trunkEnd.position) this.trunkEnd = node;
    return true;
  }

  /** With all that was acknowledged. */
  isOnOnePath(node: LogNode): boolean {
    const { trunkEnd } = this;
    return trunkEnd === null || reaches(node, trunkEnd) || reaches(trunkEnd, node);
  }

  /** Whether a log that ends at `head` holds everything acknowledged. */
  holdsAll(head: LogPoint): boolean {
    if (this.trunkEnd === null) return true;
    const node = this.find(head);
    return node !== null && reaches(node, this.trunkEnd);
  }
}

/** Whether `earlier` is `later` or comes before it in the same log. */
export function reaches(later: LogNode, earlier: LogNode): boolean {
  let node: LogNode | null = later;
  while (node !== null && node.position > earlier.position) node = node.before;
  return node === earlier;
}
