import type { NumberedWish } from '../core/control/repository.js';
import { SyncReason } from '../core/repository/entry.js';

/** More folders than that are all of them. */
const FOLDERS_MAX = 256;

export interface NextSync {
  readonly wish: NumberedWish | null;
  readonly folders: readonly string[] | null;
  readonly reason: string;
}

/** What is to be done next for one repository. Changes that came meanwhile become one. */
export class Wanted {
  readonly wishes: NumberedWish[] = [];
  /** The whole, because this server joins or tries again. */
  join = false;
  /** That has gone well before. */
  hasJoined = false;
  /** `null`: everything. */
  private folders: Set<string> | null = new Set();

  change(folders: readonly string[] | null): void {
    if (folders === null || this.folders === null) this.folders = null;
    else for (const folder of folders) this.folders.add(folder);
    if (this.folders !== null && this.folders.size > FOLDERS_MAX) this.folders = null;
  }

  hasNext(rested: boolean): boolean {
    return this.wishes.length > 0 || (rested && (this.join || this.folders === null || this.folders.size > 0));
  }

  /** @param rested false: only what an operator asked for, because what failed is not tried again yet */
  next(rested: boolean): NextSync | null {
    const wish = this.wishes.shift();
    if (wish !== undefined) return { wish, folders: null, reason: 'asked for by an operator' };
    if (!rested) return null;
    const { folders } = this;
    if (this.join) {
      this.join = false;
      this.folders = new Set();
      return { wish: null, folders: null, reason: this.hasJoined ? SyncReason.again : SyncReason.joining };
    }
    if (folders !== null && folders.size === 0) return null;
    this.folders = new Set();
    return { wish: null, folders: folders === null ? null : [...folders], reason: folders === null ? SyncReason.look : SyncReason.change };
  }
}
