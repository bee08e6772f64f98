/** Bytes of each payload that say which message it is: the publisher's index and the message's number. */
export const STAMP_BYTES = 6;

/** Which of one publisher's messages came, and how often. */
class Received {
  different = 0;
  duplicates = 0;
  private seen = new Uint8Array(1024);

  note(sequence: number): boolean {
    if (sequence >= this.seen.length) {
      const grown = new Uint8Array(Math.max(this.seen.length * 2, sequence + 1));
      grown.set(this.seen);
      this.seen = grown;
    }
    const fresh = this.seen[sequence] !== 1;
    if (fresh) this.different += 1;
    else this.duplicates += 1;
    this.seen[sequence] = 1;
    return fresh;
  }

  has(sequence: number): boolean {
    return this.seen[sequence] === 1;
  }
}

/** What came of all publishers' messages at one place where each must come once. */
export class Ledger {
  /** Messages that came for the first time. */
  count = 0;
  private readonly of: Received[] = [];

  constructor(publishers: number) {
    for (let at = 0; at < publishers; at++) this.of.push(new Received());
  }

  get duplicates(): number {
    return this.of.reduce((sum, one) => sum + one.duplicates, 0);
  }

  /** Notes the message whose payload begins at `at`; what is no message of these publishers is left out. */
  note(bytes: Buffer, at: number): void {
    if (this.of[bytes.readUInt16BE(at)]?.note(bytes.readUInt32BE(at + 2)) === true) this.count += 1;
  }

  /** Messages of a publisher below `acknowledged` that never came. */
  missing(publisher: number, acknowledged: number): number {
    let missing = 0;
    for (let sequence = 0; sequence < acknowledged; sequence++) if (this.of[publisher]?.has(sequence) !== true) missing += 1;
    return missing;
  }
}

/** Writes the stamp of a message at the beginning of its payload. */
export function stamp(bytes: Buffer, at: number, publisher: number, sequence: number): void {
  bytes.writeUInt16BE(publisher, at);
  bytes.writeUInt32BE(sequence, at + 2);
}
