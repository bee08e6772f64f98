/** A client broke the protocol. The connection is closed, unanswered; the message and the clause are for the operator's log. */
export class ProtocolFault extends Error {
  constructor(
    message: string,
    /** Number of the requirement in MQTT 3.1.1, or the section when it has none. */
    readonly clause: string,
  ) {
    super(message);
    this.name = 'ProtocolFault';
  }
}
