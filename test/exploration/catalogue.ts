import type { PeerStatus } from '../../src/core/control/peer.js';
import type { Broker } from './broker.js';
import type { Flaw } from './flaws.js';
import { cycle, put, tell, type Kinds, type Server, type Side, type World } from './model.js';
import type { Moved, Rules } from './rules.js';
import { Tuples } from './tuples.js';

/** Values that behave alike have one number, by an exact text: no digest, so no two different ones are ever taken for the same. */
class Parts<T extends object> {
  private readonly values: T[] = [];
  private readonly byText = new Map<string, number>();
  private readonly byValue = new Map<object, number>();

  constructor(private readonly text: (value: T) => string) {}

  /** 0 is for `null`. */
  number(value: T | null): number {
    if (value === null) return 0;
    const known = this.byValue.get(value);
    if (known !== undefined) return known;
    const text = this.text(value);
    const same = this.byText.get(text);
    if (same !== undefined) return same;
    const number = this.values.push(value);
    this.byText.set(text, number);
    this.byValue.set(value, number);
    return number;
  }

  value(number: number): T | null {
    return number === 0 ? null : (this.values[number - 1] ?? null);
  }

  /** For a part that is always there. */
  known(number: number): T {
    const value = this.value(number);
    if (value === null) throw new RangeError(`part ${number} is not known`);
    return value;
  }

  get size(): number {
    return this.values.length;
  }
}

/** A server's own numbers, beside its parts. */
const FLAGS = ['up', 'silent', 'lockHeld', 'settled', 'stalled', 'diskStalled', 'overdue', 'retries', 'troubled', 'switchoverWished', 'promoteWished'] as const;

interface Decided {
  /** 0: nothing changes. */
  readonly next: Server | null;
}

/**
 * Worlds as three numbers: each server, and the rest. Every part of a world is kept once and known by its number, so that a state costs a few
 * bytes; and what production rules decide, which rests on the server and the share alone, is asked once for each pair of them.
 */
export class Catalogue implements Rules {
  private readonly texts = new Parts<object>((value) => JSON.stringify(value));
  private readonly shares = new Parts<Pick<World, 'shareId' | 'share' | 'watermark'>>(({ shareId, share, watermark }) => `${shareId}:${share.map((r) => this.texts.number(r)).join()}:${this.texts.number(watermark)}`);
  private readonly statuses = new Parts<PeerStatus>((value) => JSON.stringify(value));
  private readonly states = new Parts<Server['ha']>((ha) => JSON.stringify({ ...ha, reason: '', moves: 0, previous: '' }));
  private readonly brokers = new Parts<Broker>((broker) => this.brokerText(broker));
  private readonly kinds = new Parts<Kinds>((kinds) => Object.values(kinds).join());
  private readonly lists = new Parts<World['acked']>((acked) => acked.map((a) => `${a.position}.${a.term}.${a.within}`).join());
  private readonly flights = new Parts<World['inFlight']>((records) => records.map((r) => this.texts.number(r)).join());
  private readonly serverRows = new Tuples(12);
  private readonly servers: Server[] = [];
  private readonly numberOfServer = new Map<Server, number>();
  private readonly restRows = new Tuples(8);
  private readonly rests: Omit<World, 'servers'>[] = [];
  private readonly shareOf = new Map<World['share'], number>();
  private readonly decided = new Map<number, Decided>();
  private readonly told = new Map<number, PeerStatus>();
  private readonly row = new Uint32Array(12);

  constructor(
    readonly flaw: Flaw,
    private readonly moved?: Moved,
  ) {}

  /** The three numbers of a world, into `row`. */
  number(world: World, row: Uint32Array): void {
    row[0] = this.server(world.servers[0]);
    row[1] = this.server(world.servers[1]);
    row[2] = this.rest(world);
  }

  world(first: number, second: number, rest: number): World {
    const [one, two, beside] = [this.servers[first], this.servers[second], this.rests[rest]];
    if (one === undefined || two === undefined || beside === undefined) throw new RangeError('a state of unknown parts');
    return { servers: [one, two], ...beside };
  }

  cycle(world: World, side: Side): World {
    const number = this.server(world.servers[side]);
    const server = this.servers[number] as Server;
    const key = number * SHARES_MAX + this.share(world);
    let decided = this.decided.get(key);
    if (decided === undefined) {
      const before = put(world, side, server);
      const after = cycle(before, side, this.flaw, this.moved);
      decided = { next: after === before ? null : (this.servers[this.server(after.servers[side])] as Server) };
      this.decided.set(key, decided);
    }
    return decided.next === null ? world : put(world, side, decided.next);
  }

  tell(world: World, side: Side): PeerStatus {
    const key = this.server(world.servers[side]) * SHARES_MAX + this.share(world);
    let status = this.told.get(key);
    if (status === undefined) {
      status = this.statuses.known(this.statuses.number(tell(world, side, this.flaw)));
      this.told.set(key, status);
    }
    return status;
  }

  isSame(one: PeerStatus | null, other: PeerStatus | null): boolean {
    return one === other || this.statuses.number(one) === this.statuses.number(other);
  }

  private server(server: Server): number {
    const known = this.numberOfServer.get(server);
    if (known !== undefined) return known;
    const { row } = this;
    row[0] = this.states.number(server.ha);
    row[1] = this.brokers.number(server.broker);
    row[2] = this.statuses.number(server.heard);
    row[3] = this.texts.number(server.kept);
    row[4] = this.texts.number(server.said);
    row[5] = this.texts.number(server.claim);
    row[6] = this.texts.number(server.asked);
    row[7] = server.run;
    row[8] = server.claims;
    row[9] = server.askedShare;
    row[10] = server.askedAfter;
    row[11] = FLAGS.reduce((bits, flag) => bits * 2 + Number(server[flag]), 0);
    const count = this.serverRows.size;
    const number = this.serverRows.add(row);
    if (number === count) this.keepServer(server);
    return number;
  }

  private keepServer(server: Server): void {
    const { row } = this;
    const whole: Server = {
      ...server,
      ha: this.states.known(row[0] ?? 0),
      broker: this.brokers.known(row[1] ?? 0),
      heard: this.statuses.value(row[2] ?? 0),
      kept: this.texts.value(row[3] ?? 0) as Server['kept'],
      said: this.texts.value(row[4] ?? 0) as Server['said'],
      claim: this.texts.value(row[5] ?? 0) as Server['claim'],
      asked: this.texts.value(row[6] ?? 0) as Server['asked'],
    };
    this.numberOfServer.set(whole, this.servers.push(whole) - 1);
  }

  private share({ share, shareId, watermark }: World): number {
    const known = this.shareOf.get(share);
    if (known !== undefined) return known;
    const number = this.shares.number({ shareId, share, watermark });
    if (number >= SHARES_MAX) throw new RangeError(`more than ${SHARES_MAX} different shares`);
    this.shareOf.set(this.shares.known(number).share, number);
    return number;
  }

  private rest(world: World): number {
    const { row } = this;
    row[0] = this.share(world);
    row[1] = this.flights.number(world.inFlight);
    row[2] = this.statuses.number(world.onTheWay[0]);
    row[3] = this.statuses.number(world.onTheWay[1]);
    row[4] = this.lists.number(world.acked);
    row[5] = this.texts.number(world.promotion);
    row[6] = this.kinds.number(world.kinds);
    row[7] = world.faultsLeft * 4 + Number(world.linkUp) * 2 + Number(world.backUp);
    const count = this.restRows.size;
    const number = this.restRows.add(row);
    if (number === count) this.keepRest(world);
    return number;
  }

  private keepRest(world: World): void {
    const { row } = this;
    const { shareId, linkUp, backUp, faultsLeft } = world;
    this.rests.push({
      share: this.shares.known(row[0] ?? 0).share,
      watermark: this.shares.known(row[0] ?? 0).watermark,
      shareId,
      inFlight: this.flights.known(row[1] ?? 0),
      onTheWay: [this.statuses.value(row[2] ?? 0), this.statuses.value(row[3] ?? 0)],
      acked: this.lists.known(row[4] ?? 0),
      promotion: this.texts.value(row[5] ?? 0) as World['promotion'],
      kinds: this.kinds.known(row[6] ?? 0),
      linkUp,
      backUp,
      faultsLeft,
    });
  }

  private brokerText(b: Broker): string {
    const flags = Number(b.lazy) * 8 + Number(b.damaged) * 4 + Number(b.diverged) * 2 + Number(b.on);
    const feed = b.feed === null ? '' : `${b.feed.run}.${b.feed.journal}.${b.feed.goal}.${Number(b.feed.ready)}.${b.feed.durable}.${b.feed.coming}`;
    const known = b.known === null ? '' : `${b.known.journal}.${b.known.position}`;
    const link = b.link === null ? '' : `${b.link.run}.${b.link.goal}.${b.link.received}`;
    const orders = `${this.texts.number(b.ordered)},${this.texts.number(b.obeyed)}`;
    return `${b.run},${b.journal},${b.log.join('.')},${b.durable},${b.stored},${flags},${b.fencedThrough},${orders},${b.current},${b.lastTerm},${b.member},${b.requiredFrom},${feed},${known},${link}`;
  }
}

/** Different shares that an exploration may meet: far more than its terms and faults can make. */
const SHARES_MAX = 65_536;
