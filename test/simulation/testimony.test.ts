import type { PeerStatus } from '../../src/core/control/peer.js';
import type { Monotonic, RunId, ServerState } from '../../src/core/identity.js';
import type { TermCause, TermRecord } from '../../src/core/terms/record.js';
import { STATUS } from '../unit/core/wire/samples.js';
import { Testimony } from './testimony.js';

const TIMES = { pingIntervalMs: 500, pingMissLimit: 3, peerWaitMs: 10_000 };
const RUN = 'run of the secondary' as RunId;

/** What came to the secondary's manager, and which of its rights were not there. */
class Told {
  readonly failed: string[] = [];
  now = 1_000;
  private seq = 0;
  readonly testimony = new Testimony('secondary', RUN, TIMES, () => this.now as Monotonic, (check) => this.failed.push(check));

  /** The peer says that it is `state`; `hears`: and that it has heard what was told to it now. */
  hears(state: ServerState, hears = true, said: Partial<PeerStatus> = {}, told: Partial<PeerStatus> = {}): this {
    this.seq += 1;
    this.testimony.tellsPeer({ ...STATUS, ...told, seq: this.seq });
    const status: PeerStatus = { ...STATUS, ...said, seq: this.seq, state, heard: hears ? { run: RUN, seq: this.seq } : null };
    this.testimony.hearsPeer(status, this.now as Monotonic);
    return this;
  }

  gateway(): this {
    this.testimony.gatewayAnswered(this.now as Monotonic);
    return this;
  }

  passes(ms: number): this {
    this.now += ms;
    return this;
  }

  goes(from: ServerState, to: ServerState): this {
    this.testimony.moves({ from, to, reason: '' });
    return this;
  }

  claims(cause: TermCause): readonly string[] {
    this.testimony.claims({ ...(STATUS.record as TermRecord), forced: undefined, cause } as unknown as TermRecord);
    return this.failed;
  }
}

const passive = (): Told => new Told().gateway().hears('ACTIVE').goes('WAITING', 'PASSIVE_SYNC').goes('PASSIVE_SYNC', 'PASSIVE');
const waiting = (): Told => new Told().gateway().hears('WAITING');

describe('the right to a claim, by what came to the manager', () => {
  it('to take over: the peer is silent, and the gateway has answered since', () => {
    expect(passive().passes(1_600).gateway().claims('takeover')).toEqual([]);
    expect(passive().passes(1_600).claims('takeover')).toEqual(['a move has its right: the gateway answers']);
    expect(passive().passes(300).gateway().passes(1_400).claims('takeover')).toEqual(['a move has its right: the gateway answers']);
    expect(new Told().hears('ACTIVE').passes(1_600).claims('takeover')).toEqual(['a move has its right: the gateway answers']);
  });

  it('to serve alone from WAITING: the peer had its wait, also since it was connected last', () => {
    expect(waiting().passes(10_000).gateway().claims('alone')).toEqual([]);
    expect(waiting().passes(9_000).gateway().claims('alone')).toEqual(['a move has its right: peerWait']);
    expect(waiting().passes(5_000).hears('WAITING').passes(6_000).gateway().claims('alone')).toEqual(['a move has its right: peerWait']);
    // Whoever does not hear this server is not connected.
    expect(waiting().passes(5_000).hears('WAITING', false).passes(6_000).gateway().claims('alone')).toEqual([]);
    expect(passive().passes(20_000).gateway().claims('alone')).toEqual(['a move has its right: peerWait']);
  });

  it('to serve alone beside a peer that could take no part: it is waited for all the same', () => {
    const without = { broker: null, brokerDown: true };
    expect(waiting().passes(5_000).hears('WAITING', true, without).passes(5_000).gateway().claims('alone')).toEqual([]);
    expect(waiting().passes(5_000).hears('WAITING', true, without).passes(4_000).gateway().claims('alone')).toEqual(['a move has its right: peerWait']);
    expect(waiting().passes(5_000).hears('ACTIVE', true, without).passes(6_000).gateway().claims('alone')).toEqual(['a move has its right: peerWait']);
    const more = { ...without, record: { ...(STATUS.record as TermRecord), term: (STATUS.record as TermRecord).term + 1, nonce: 'newer' } } as unknown as Partial<PeerStatus>;
    expect(waiting().passes(5_000).hears('WAITING', true, more).passes(6_000).gateway().claims('alone')).toEqual(['a move has its right: peerWait']);
    const alone = { record: { ...(STATUS.record as TermRecord), inSync: [{ server: 'secondary', journal: 'j' }] } } as unknown as Partial<PeerStatus>;
    const elsewhere = (told: Partial<PeerStatus>, said: Partial<PeerStatus>): readonly string[] => waiting().passes(5_000).hears('WAITING', true, { ...told, shareId: 'another', ...said }, told).passes(6_000).gateway().claims('alone');
    expect(elsewhere(alone, {})).toEqual([]);
    expect(elsewhere({}, {})).toEqual(['a move has its right: peerWait']);
    expect(elsewhere(alone, { record: { ...(alone.record as TermRecord), term: (STATUS.record as TermRecord).term + 1, nonce: 'newer' } } as unknown as Partial<PeerStatus>)).toEqual(['a move has its right: peerWait']);
  });

  it('to begin as the first of two: the peer is there, and waits', () => {
    expect(waiting().claims('start')).toEqual([]);
    expect(waiting().passes(1_600).claims('start')).toEqual(['a move has its right: the backchannel is up']);
    expect(new Told().claims('start')).toEqual(['a move has its right: the backchannel is up']);
    expect(new Told().hears('STANDALONE').claims('start')).toEqual(['a move has its right: the peer waits']);
  });

  it('to hand over: the peer is PASSIVE', () => {
    expect(new Told().hears('PASSIVE').claims('switchover')).toEqual([]);
    expect(new Told().hears('PASSIVE_SYNC').claims('switchover')).toEqual(['a move has its right: to hand over']);
  });
});

describe('the right to a move, by what came to the manager', () => {
  it('to follow, and to be in step: the peer is heard', () => {
    expect(passive().failed).toEqual([]);
    expect(waiting().passes(1_600).goes('WAITING', 'PASSIVE_SYNC').failed).toEqual(['a move has its right: the backchannel is up']);
    expect(new Told().hears('ACTIVE_SYNC').goes('WAITING', 'PASSIVE_SYNC').passes(1_600).goes('PASSIVE_SYNC', 'PASSIVE').failed).toEqual(['a move has its right: the backchannel is up']);
  });

  it('to admit a peer: it is heard, and does not serve', () => {
    expect(waiting().goes('STANDALONE', 'ACTIVE_SYNC').failed).toEqual([]);
    expect(new Told().hears('STANDALONE').goes('STANDALONE', 'ACTIVE_SYNC').failed).toEqual(['a move has its right: the peer waits']);
    expect(waiting().passes(1_600).goes('STANDALONE', 'ACTIVE_SYNC').failed).toEqual(['a move has its right: the backchannel is up']);
  });
});
