import type { ServerId, Term } from '../core/identity.js';
import { termFileName } from '../core/terms/names.js';
import type { PublishMethod } from '../core/terms/record.js';

/** The names of everything that Lockstep keeps on the share, relative to the lockfile's folder. */
export class SharePaths {
  /** The lockfile itself: the share's identity. */
  readonly identity: string;
  readonly heartbeat: string;
  readonly watermark: string;
  readonly terms: string;

  constructor(private readonly lockFileName: string) {
    this.identity = lockFileName;
    this.heartbeat = `${lockFileName}.heartbeat`;
    this.watermark = `${lockFileName}.watermark`;
    this.terms = `${lockFileName}.terms`;
  }

  /** The name that a claim is published under. */
  term(term: Term, method: PublishMethod): string {
    return `${this.terms}/${termFileName(term, method)}`;
  }

  /** Where that record's content is. */
  record(term: Term, method: PublishMethod): string {
    return method === 'link' ? this.term(term, method) : `${this.term(term, method)}/record.json`;
  }

  /** What one attempt prepares before it is published. */
  prepared(server: ServerId, attempt: string): string {
    return `${this.terms}/claim.${encodeURIComponent(server)}.${encodeURIComponent(attempt)}.tmp`;
  }

  /** Whether `name`, in the folder of terms, was prepared by a run of this server. */
  isPreparedBy(server: ServerId, name: string): boolean {
    return name.startsWith(`claim.${encodeURIComponent(server)}.`);
  }

  /** A name beside the lockfile that nobody else uses. */
  temporary(what: string, id: string): string {
    return `${this.lockFileName}.${what}.${id}.tmp`;
  }
}
