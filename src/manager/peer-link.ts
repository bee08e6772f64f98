import type { PeerStatus } from '../core/control/peer.js';
import type { Monotonic } from '../core/identity.js';

/** The backchannel as the manager uses it. */
export interface PeerLink {
  start(): Promise<void>;
  /** The latest status is what counts; it may replace one that has not left yet. */
  send(status: PeerStatus): void;
  handle(handlers: { status(status: PeerStatus, receivedAt: Monotonic): void }): void;
  stop(): void;
}

/** What the backchannel can say of itself. */
export interface PeerLinkState {
  readonly connected: boolean;
  /** Why the two servers refuse each other now; `null` when they do not. */
  readonly refused: string | null;
  /** What is not alike on the two servers, and keeps nobody from being a pair; `null`: nothing that is known of. */
  readonly unlike: string | null;
}
