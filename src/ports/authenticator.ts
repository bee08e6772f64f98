/** What a client says about itself when it connects. The password is never logged and never kept. */
export interface Credentials {
  readonly clientId: string;
  /** `null`: none was given. */
  readonly user: string | null;
  readonly password: Uint8Array | null;
  /** Address of the client, for the log. */
  readonly remote: string;
}

/**
 * `accepted`: `user` is the name that was proved, `null` for an anonymous client.
 * `bad-credentials`: a name or password that is wrong. `not-authorized`: none was given, and one is needed.
 * `busy`: more logins wait than the limit allows; nothing was judged, the client may try again.
 */
export type Verdict =
  | { readonly kind: 'accepted'; readonly user: string | null }
  | { readonly kind: 'refused'; readonly reason: 'bad-credentials' | 'not-authorized' }
  | { readonly kind: 'busy' };

/** Judges who may connect. Called once a connection, never for a message. */
export interface Authenticator {
  /** Never rejects. */
  authenticate(credentials: Credentials): Promise<Verdict>;
}
