import type { PeerStatus } from '../core/control/peer.js';
import { sameBytes } from '../core/wire/bytes.js';
import { decodePeerStatus } from '../core/wire/peer-status.js';

/** Reads statuses. Each comes over every connection, so that all but the first are known already, byte for byte. */
export class StatusReader {
  private last: { readonly payload: Uint8Array; readonly status: PeerStatus } | null = null;

  /** @throws MessageRefused as `decodePeerStatus` */
  read(payload: Uint8Array): PeerStatus {
    if (this.last !== null && sameBytes(this.last.payload, payload)) return this.last.status;
    const status = decodePeerStatus(payload);
    // A copy: the view is good for this frame only.
    this.last = { payload: payload.slice(), status };
    return status;
  }
}
