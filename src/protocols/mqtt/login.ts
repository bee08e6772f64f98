import type { Monotonic } from '../../core/identity.js';
import type { Verdict } from '../../ports/authenticator.js';
import type { LogLevel } from '../../ports/log.js';
import { decodeConnect } from './decoder.js';
import { ProtocolFault } from './fault.js';
import { PacketType, packetName } from './framer.js';
import type { PacketFramer } from './framer.js';
import { ConnackCode } from './packets.js';
import type { ConnectPacket } from './packets.js';
import type { MqttShared } from './protocol.js';

export interface LoginWorld {
  readonly remote: string;
  /** The client's id is known: lines of the log may name it. */
  named(clientId: string): void;
  /** `who` gave a name, at this address: lines about one do not hide those about another. */
  report(key: string, level: LogLevel, what: string, fields: Readonly<Record<string, unknown>>, who: string): void;
  /** The client may be connected under this id. */
  admitted(connect: ConnectPacket, clientId: string, user: string | null): void;
  /** The client is to be told, and the connection to be ended. */
  refused(code: ConnackCode): void;
  /** The connection is to be closed unanswered. */
  broken(fault: ProtocolFault): void;
}

/** Of a user's name in a line of the log: anybody may try any name, of 65,535 bytes, and the older lines make room for the newer ones. */
const USER_CHARS_LOGGED = 256;

const REFUSALS = { 'bad-credentials': ConnackCode.badCredentials, 'not-authorized': ConnackCode.notAuthorized } as const;

/**
 * From a new connection to a client that is known: exactly one packet, a CONNECT, in time; its judgement, in time; and a delay
 * before the answer when a login failed, so that guessing is slow.
 */
export class Login {
  private stage: 'connect' | 'judging' | 'refusing' | 'over' = 'connect';
  private deadline: number;
  private refusal: ConnackCode = ConnackCode.notAuthorized;
  /** As which user, or else as which client, it wants to log in. */
  private name = '';

  constructor(
    private readonly shared: MqttShared,
    private readonly world: LoginWorld,
  ) {
    this.deadline = shared.clock.monotonic() + shared.limits.connectTimeoutMs;
  }

  /** True until CONNECT has come. */
  get mayTake(): boolean {
    return this.stage === 'connect';
  }

  /** The connection is gone; a judgement that comes later is of no use. */
  abandon(): void {
    this.stage = 'over';
  }

  /** Takes the first packet. @throws ProtocolFault */
  take(packet: PacketFramer): void {
    const { shared, world } = this;
    if (packet.header >> 4 !== PacketType.connect) {
      throw new ProtocolFault(`${packetName(packet.header)} as its first packet, where CONNECT must be`, 'MQTT-3.1.0-1');
    }
    const connect = decodeConnect(packet, shared.limits.clientIdBytesMax);
    if ('code' in connect) {
      this.refuse(connect.code, connect.why);
      return;
    }
    const clientId = connect.clientId === '' ? `auto-${shared.random.id()}` : connect.clientId;
    world.named(clientId);
    this.stage = 'judging';
    this.deadline = shared.clock.monotonic() + shared.limits.connectTimeoutMs;
    const { user, password } = connect;
    this.name = user ?? connect.clientId;
    shared.authenticator.authenticate({ clientId, user, password, remote: world.remote }).then(
      (verdict) => this.judged(connect, clientId, verdict),
      (error: unknown) => {
        // Nobody is let in by an error of the judge's.
        shared.log.write('mqtt-authenticator', 'error', `a login could not be judged: ${String(error)}`);
        this.judged(connect, clientId, { kind: 'busy' });
      },
    );
  }

  check(now: Monotonic, stoodStillMs: number): void {
    this.deadline += stoodStillMs;
    if (now < this.deadline) return;
    const limit = `within ${this.shared.limits.connectTimeoutMs} ms (connectTimeoutMs)`;
    if (this.stage === 'connect') this.world.broken(new ProtocolFault(`no whole CONNECT ${limit}`, '§3.1'));
    else if (this.stage === 'judging') this.refuse(ConnackCode.unavailable, `its login was not judged ${limit}`);
    else if (this.stage === 'refusing') this.answer(this.refusal);
  }

  private judged(connect: ConnectPacket, clientId: string, verdict: Verdict): void {
    if (this.stage !== 'judging') return;
    if (verdict.kind === 'accepted') {
      this.stage = 'over';
      this.world.admitted(connect, clientId, verdict.user);
    } else if (verdict.kind === 'busy') {
      this.refuse(ConnackCode.unavailable, 'too many logins wait to be judged');
    } else {
      const user = connect.user === null ? 'without a user name' : `as user ${quoted(connect.user)}`;
      this.world.report('login', 'warn', `failed to log in ${user}: ${verdict.reason}`, { user: connect.user?.slice(0, USER_CHARS_LOGGED) ?? null }, this.name);
      this.stage = 'refusing';
      this.refusal = REFUSALS[verdict.reason];
      this.deadline = this.shared.clock.monotonic() + this.shared.limits.failedLoginDelayMs;
    }
  }

  private refuse(code: ConnackCode, why: string): void {
    this.world.report(`connack-${code}`, 'warn', `is refused (CONNACK ${code}): ${why}`, {}, this.name);
    this.answer(code);
  }

  private answer(code: ConnackCode): void {
    this.stage = 'over';
    this.world.refused(code);
  }
}

/** The first byte of a TLS connection: a record of the handshake. As MQTT it would be a CONNECT with flags. */
const TLS_HANDSHAKE = 0x16;

/** What cannot become a CONNECT, by the first byte of a connection; `null` where it can. */
export function openingFault(first: number | undefined): ProtocolFault | null {
  if (first !== TLS_HANDSHAKE) return null;
  return new ProtocolFault('a TLS client hello on a plain MQTT listener; the client must dial mqtt.tlsPort, where the profile sets it, or do without TLS', '§4.2');
}

/** What a client chose, safe for a line of the log: short, and without control characters. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
