/** Asks the gateway machine for a sign of life. */
export interface GatewayProbe {
  /** True when it answered within `timeoutMs` by ICMP or TCP; a refused connection is an answer. Never rejects. */
  probe(timeoutMs: number): Promise<boolean>;
}
