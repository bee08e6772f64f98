import { BrokerCore } from '../../../../src/core/broker/core.js';
import type { BrokerCoreOptions } from '../../../../src/core/broker/core.js';
import type { Effect, Message, Qos } from '../../../../src/core/broker/effects.js';
import type { BrokerLimits } from '../../../../src/core/broker/limits.js';
import type { Operation } from '../../../../src/core/broker/operations.js';
import { encodeOperation } from '../../../../src/core/broker/records.js';
import { encodeMessageEntry } from '../../../../src/core/broker/snapshot.js';
import type { EncodedEntry } from '../../../../src/core/broker/snapshot.js';
import type { Position, ServerId, Term } from '../../../../src/core/identity.js';
import type { LogRecord } from '../../../../src/core/journal/envelope.js';
import { decodeText, encodeText } from '../../../../src/core/wire/bytes.js';

export const LIMITS: BrokerLimits = {
  inflightMessagesMax: 10,
  sessionsMax: 100,
  subscriptionsPerSessionMax: 100,
  queuedMessagesPerSessionMax: 1000,
  storedBytesMax: 1_000_000,
  retainedMessagesMax: 100,
};

export function recordOf(operation: Operation, position: number): LogRecord {
  return { ...encodeOperation(operation), origin: 1, term: 1 as Term, position: position as Position, chain: 0 };
}

/** One effect as one line: `2 publish t=hello q1 #5 dup retain`, led by the connection's number. */
export function line(effect: Effect): string {
  const head = `${effect.connection} `;
  switch (effect.kind) {
    case 'connack':
      return `${head}connack ${effect.sessionPresent ? 'present' : 'new'}`;
    case 'deliver': {
      const { message } = effect;
      const text = message.payload === null ? '?' : decodeText(message.payload);
      const marks = `${effect.packetId === 0 ? '' : ` #${effect.packetId}`}${effect.dup ? ' dup' : ''}${effect.retain ? ' retain' : ''}`;
      return `${head}publish ${message.topic}=${text} q${effect.qos}${marks}`;
    }
    case 'suback':
      return `${head}suback #${effect.packetId} ${effect.granted.join(',')}`;
    case 'close':
      return `${head}close ${effect.reason}`;
    default:
      return `${head}${effect.kind} #${effect.packetId}`;
  }
}

/** All pieces of a snapshot, encoded; a payload that is not in memory is asked of `load`. */
export function encodedSnapshot(core: BrokerCore, load: (message: Message) => Uint8Array = held): EncodedEntry[] {
  return [...core.snapshotEntries()].map((piece) =>
    piece.kind === 'encoded' ? piece.entry : encodeMessageEntry(piece.message, piece.message.payload ?? load(piece.message)),
  );
}

function held(message: Message): Uint8Array {
  throw new Error(`message ${message.id} has no payload`);
}

export function restoredFrom(entries: readonly EncodedEntry[], limits = LIMITS): BrokerCore {
  const core = new BrokerCore(limits);
  for (const entry of entries) core.restoreEntry(entry);
  return core;
}

interface ConnectOptions {
  clean?: boolean;
  will?: string;
  willQos?: Qos;
  willRetain?: boolean;
  user?: string;
}

/**
 * A core that is told operations by short words, and its twin that gets the same records. After every record the two must
 * agree with each other, with the digest made from scratch, and with a core restored from a snapshot.
 */
export class Rig {
  readonly core: BrokerCore;
  readonly twin: BrokerCore;
  readonly stored: number[] = [];
  readonly released: number[] = [];
  private position = 0;
  private connections = 0;
  private readonly current = new Map<string, number>();

  constructor(limits: Partial<BrokerLimits> = {}, options: BrokerCoreOptions = {}) {
    const all = { ...LIMITS, ...limits };
    const hooks = {
      stored: (message: Message) => void this.stored.push(message.id),
      released: (message: Message) => void this.released.push(message.id),
    };
    this.core = new BrokerCore(all, hooks, options);
    this.twin = new BrokerCore(all);
  }

  run(operation: Operation): string[] {
    const lines: string[] = [];
    const record = recordOf(operation, ++this.position);
    this.core.apply(record, (effect) => void lines.push(line(effect)));
    const twinLines: string[] = [];
    this.twin.apply(record, (effect) => void twinLines.push(line(effect)));
    expect(twinLines).toEqual(lines);
    expect(this.core.recomputeDigest()).toBe(this.core.digest());
    expect(this.twin.digest()).toBe(this.core.digest());
    expect(restoredFrom(encodedSnapshot(this.twin)).digest()).toBe(this.core.digest());
    return lines;
  }

  /** The number of a client's connection, as it was given by `connect`: 1, 2, … in their order. */
  connection(client: string): number {
    return this.current.get(client) ?? 999;
  }

  connect(client: string, options: ConnectOptions = {}): string[] {
    const connection = ++this.connections;
    this.current.set(client, connection);
    return this.run(this.connectOperation(client, connection, options));
  }

  connectOperation(client: string, connection: number, options: ConnectOptions = {}): Operation {
    const { clean = false, will, willQos = 1, willRetain = false, user = null } = options;
    return {
      kind: 'connect',
      connection,
      clientId: client,
      clean,
      user,
      will: will === undefined ? null : { topic: will, qos: willQos, retain: willRetain, payload: encodeText(`will of ${client}`) },
    };
  }

  disconnect(client: string, publishWill = false): string[] {
    return this.run({ kind: 'disconnect', connection: this.connection(client), publishWill });
  }

  /** `subscribe('a', 'x/#:1', 'y:2')` */
  subscribe(client: string, ...filters: string[]): string[] {
    return this.run(this.subscribeOperation(client, ...filters));
  }

  subscribeOperation(client: string, ...filters: string[]): Operation {
    const subscriptions = filters.map((text) => {
      const [filter = '', qos = '0'] = text.split(':');
      return { filter, qos: Number(qos) as Qos };
    });
    return { kind: 'subscribe', connection: this.connection(client), packetId: 77, subscriptions };
  }

  unsubscribe(client: string, ...filters: string[]): string[] {
    return this.run({ kind: 'unsubscribe', connection: this.connection(client), packetId: 78, filters });
  }

  /** `publish('a', 'x=hello', 2, 5)`; a topic that ends with `!` before the `=` is retained. */
  publish(client: string, text: string, qos: Qos = 1, packetId = qos === 0 ? 0 : 1): string[] {
    return this.run(this.publishOperation(client, text, qos, packetId));
  }

  publishOperation(client: string, text: string, qos: Qos = 1, packetId = 1): Operation {
    const [name = '', payload = ''] = text.split('=');
    const retain = name.endsWith('!');
    const topic = retain ? name.slice(0, -1) : name;
    return { kind: 'publish', connection: this.connection(client), packetId, topic, qos, retain, payload: encodeText(payload) };
  }

  answer(client: string, kind: 'acknowledge' | 'received' | 'release' | 'complete', packetId: number): string[] {
    return this.run({ kind, connection: this.connection(client), packetId });
  }

  termStart(limits: Partial<BrokerLimits> | null = null): string[] {
    return this.run({ kind: 'term-start', server: 'secondary' as ServerId, limits: limits === null ? null : { ...LIMITS, ...limits } });
  }

  orphansGone(...clientIds: string[]): string[] {
    return this.run({ kind: 'orphans-gone', clientIds });
  }
}
