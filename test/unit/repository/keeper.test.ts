import type { ManagerToRepositoryKeeper, RepositoryKeeperToManager, RepositoryOrder, RepositoryRole, RepositoryStatus, RepositoryView } from '../../../src/core/control/repository.js';
import type { Monotonic, RunId, ServerId, Term } from '../../../src/core/identity.js';
import type { Channel } from '../../../src/ports/process.js';
import type { Hashing } from '../../../src/ports/hashing.js';
import type { RepositoryStore } from '../../../src/ports/repository.js';
import type { RepositoryConfig } from '../../../src/repository/config.js';
import { RepositoryKeeper } from '../../../src/repository/keeper.js';
import { GIVING_WAY_BYTES_PER_SECOND } from '../../../src/repository/offering.js';
import type { ReceiverParts, SenderParts, SyncHint, SyncReport, SyncRequest } from '../../../src/repository/session.js';
import type { FolderWatch } from '../../../src/repository/tools.js';
import { FakeClock, settle } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';
import { FakeNetwork } from '../support/fake-network.js';

const OWN = 'own' as RunId;
const THEIRS = 'theirs' as RunId;
const PORT = 2203;
const PULSE_MS = 1_000;

function repository(changes: Partial<RepositoryConfig> = {}): RepositoryConfig {
  return { name: 'apps', path: '/apps', syncType: 'FULL', include: [], exclude: [], when: 'continuous', schedule: null, throttle: null, keptVersions: 5, used: true, ...changes };
}

const DONE: SyncReport = { repository: 'apps', purpose: 'sync', outcome: 'changed', detail: null, files: 3, bytes: 30, wireBytes: 40, elapsedMs: 5, kept: null, differences: [], differencesTotal: 0, leftOut: [] };

/** A receiver's end that a test moves by hand. */
class FakeReceiver {
  readonly asked: SyncRequest[] = [];
  readonly told: SyncReport[] = [];
  readonly progress = null;
  ended: string | null = null;
  constructor(readonly parts: ReceiverParts) {}
  sync(request: SyncRequest): void {
    this.asked.push(request);
  }
  tell(report: SyncReport): void {
    this.told.push(report);
  }
  cancel(): void {}
  close(reason: string): void {
    this.end(reason);
  }
  end(reason: string): void {
    if (this.ended !== null) return;
    this.ended = reason;
    this.parts.closed(reason);
  }
  finish(changes: Partial<SyncReport> = {}): void {
    this.parts.finished({ ...DONE, purpose: this.asked.at(-1)?.purpose ?? 'sync', ...changes });
  }
}

class FakeSender {
  readonly hints: SyncHint[] = [];
  woken = 0;
  /** Which folders were still waited for each time. */
  readonly wakings: (readonly string[])[] = [];
  refused: string | null = null;
  constructor(readonly parts: SenderParts) {}
  hint(hint: SyncHint): void {
    this.hints.push(hint);
  }
  wake(): void {
    this.woken += 1;
    this.wakings.push([...this.parts.folders.keys()].filter((name) => this.parts.isOpening(name)));
  }
  refuse(reason: string): void {
    this.refused = reason;
    this.parts.closed(reason);
  }
}

class World {
  readonly clock = new FakeClock();
  readonly log = new FakeLog();
  readonly network = new FakeNetwork(this.clock);
  readonly receivers: FakeReceiver[] = [];
  readonly senders: FakeSender[] = [];
  readonly watches: FolderWatch[] = [];
  recovered = 0;
  /** Why the folder cannot be opened. */
  broken: string | null = null;
  /** Why what was interrupted cannot be ended. */
  unrecoverable: string | null = null;
  /** What takes long to be opened, and what lets it be opened. */
  slow: string | null = null;
  goOn = (): void => undefined;
  /** Why nothing can be restored. */
  unrestorable: string | null = null;
  restored: { readonly version: string; readonly allowed: boolean }[] = [];
  /** How long files must have rested; `null`: all of them. */
  readonly saved: (number | null)[] = [];
  ended: string | null = null;
  status: RepositoryStatus | null = null;
  private seq = 0;
  private hear: ((message: ManagerToRepositoryKeeper) => void) | null = null;

  constructor(...repositories: RepositoryConfig[]) {
    const channel: Channel<RepositoryKeeperToManager, ManagerToRepositoryKeeper> = {
      send: (message) => {
        if (message.kind === 'status') this.status = message.status;
      },
      handle: ({ message }) => (this.hear = message),
    };
    const store = {
      recover: async () => {
        this.recovered += 1;
        if (this.unrecoverable !== null) throw new Error(this.unrecoverable);
        return [];
      },
      kept: () => [],
      save: (restedMs?: number) => void this.saved.push(restedMs ?? null),
      exchange: 'atomic',
      restore: async (version: string, _paths: null, commit: { mayChange: () => boolean }) => {
        if (this.unrestorable !== null) throw new Error(this.unrestorable);
        this.restored.push({ version, allowed: commit.mayChange() });
        return 2;
      },
    } as unknown as RepositoryStore;
    new RepositoryKeeper(
      {
        config: { cluster: 'c', server: 'primary' as ServerId, listen: { host: '127.0.0.1', port: 2103 }, secretFile: null, folder: '/data', pulseLimitMs: PULSE_MS, repositories },
        run: OWN,
        network: this.network,
        clock: this.clock,
        log: this.log,
        hashing: {} as Hashing,
        memory: { load: () => new Map(), keep: () => undefined },
        open: ({ name }) => {
          if (name === this.slow) return { ...store, recover: () => new Promise<readonly string[]>((resolve) => (this.goOn = () => resolve([]))) };
          if (this.broken !== null) throw new Error(this.broken);
          return store;
        },
        watch: (_path, _exclude, watch) => {
          this.watches.push(watch);
          return () => undefined;
        },
        createSender: (parts) => {
          this.senders.push(new FakeSender(parts));
          return this.senders.at(-1) as FakeSender;
        },
        createReceiver: (parts) => {
          this.receivers.push(new FakeReceiver(parts));
          return this.receivers.at(-1) as FakeReceiver;
        },
      },
      channel,
      (reason) => (this.ended = reason),
    ).start();
  }

  async order(role: RepositoryRole, changes: Partial<RepositoryOrder> = {}): Promise<void> {
    this.seq += 1;
    this.hear?.({ kind: 'order', order: { seq: this.seq, pulseAt: this.clock.monotonic(), fenceThrough: 1 as Term, role, wishes: [], messagesFlow: false, shutdown: false, ...changes } });
    await this.turn();
  }

  /** Lets what was begun go on, without time. */
  async turn(): Promise<void> {
    for (let i = 0; i < 4; i += 1) {
      await settle();
      this.clock.advance(0);
    }
  }

  async after(ms: number): Promise<void> {
    this.clock.advance(ms);
    await this.turn();
  }

  /** Somebody answers where the sender should be. */
  answers(): this {
    this.network.bound.set(PORT, () => undefined);
    return this;
  }

  get receiver(): FakeReceiver {
    return this.receivers.at(-1) as FakeReceiver;
  }

  get view(): RepositoryView {
    return this.status?.repositories[0] as RepositoryView;
  }
}

const IDLE: RepositoryRole = { kind: 'idle' };
const SEND: RepositoryRole = { kind: 'send', term: 2 as Term, to: { server: 'secondary' as ServerId, run: THEIRS } };
const receive = (run: RunId = THEIRS, term = 2): RepositoryRole => ({ kind: 'receive', term: term as Term, from: { server: 'secondary' as ServerId, run, endpoint: { host: '127.0.0.1', port: PORT }, names: ['apps'] } });

async function joined(world: World): Promise<FakeReceiver> {
  await world.answers().order(receive());
  world.receiver.parts.ready();
  await world.turn();
  return world.receiver;
}

describe('receiving', () => {
  test('joins with a sync of the whole, is in sync when it went well, and then syncs the folders that it hears of', async () => {
    const world = new World(repository());
    const receiver = await joined(world);
    expect(world.recovered).toBe(1);
    expect(receiver.asked).toEqual([{ repository: 'apps', type: 'FULL', purpose: 'sync', checksum: false, folders: null, reason: 'joining' }]);
    expect(world.view).toMatchObject({ condition: 'syncing', syncedAt: null });
    expect(world.status).toMatchObject({ from: THEIRS, listening: true, trouble: null });
    receiver.finish();
    await world.turn();
    expect(world.view).toMatchObject({ condition: 'in-sync', syncedAt: world.clock.wall(), exchange: 'atomic' });
    receiver.parts.hinted({ repository: 'apps', purpose: 'sync', folders: ['a'] });
    await world.turn();
    receiver.parts.hinted({ repository: 'apps', purpose: 'sync', folders: ['b', 'c'] });
    receiver.parts.hinted({ repository: 'apps', purpose: 'sync', folders: ['c'] });
    receiver.parts.hinted({ repository: 'another', purpose: 'sync', folders: ['d'] });
    receiver.finish();
    await world.turn();
    expect(receiver.asked.slice(1).map(({ folders }) => folders)).toEqual([['a'], ['b', 'c']]);
  });

  test('profiles that differ are told with both values, and which of them count', async () => {
    const world = new World(repository({ exclude: ['log', 'tmp'] }));
    await world.answers().order(receive());
    const { parts } = world.receiver;
    parts.told([{ name: 'other', syncType: 'NO', include: [], exclude: [] }, { name: 'apps', syncType: 'PARTIAL', include: [], exclude: ['tmp', 'cache'] }]);
    parts.ready();
    await world.turn();
    expect(world.receiver.asked).toEqual([{ repository: 'apps', type: 'FULL', purpose: 'sync', checksum: false, folders: null, reason: 'joining', patterns: { include: [], exclude: ['tmp', 'cache'] } }]);
    const said = 'its profiles differ: syncType is FULL here and PARTIAL on the serving server (this server\'s counts); exclude is ["log","tmp"] here and ["cache","tmp"] on the serving server (the serving server\'s counts). Make the two profiles equal';
    expect(world.log.from('warn')).toEqual([expect.stringContaining(said)]);
    world.receiver.finish({ leftOut: ['x: a socket'] });
    await world.turn();
    expect(world.view).toMatchObject({ condition: 'in-sync', detail: `${said}; not carried: x: a socket` });
  });

  test('profiles that say the same, in another order, are not spoken of', async () => {
    const world = new World(repository({ exclude: ['log', 'tmp'] }));
    await world.answers().order(receive());
    world.receiver.parts.told([{ name: 'apps', syncType: 'FULL', include: [], exclude: ['tmp', 'log'] }]);
    world.receiver.parts.ready();
    await world.turn();
    world.receiver.finish();
    await world.turn();
    expect(world.log.from('warn')).toEqual([]);
    expect(world.view).toMatchObject({ condition: 'in-sync', detail: null });
  });

  test('a sync that fails is a failure with its reason, and is tried again after 1 s, 2 s, 4 s', async () => {
    const world = new World(repository());
    const receiver = await joined(world);
    for (const wait of [1_000, 2_000, 4_000]) {
      const before = receiver.asked.length;
      receiver.finish({ outcome: 'failed', detail: 'the disk is full' });
      await world.turn();
      expect(world.view).toMatchObject({ condition: 'failed', detail: 'the disk is full' });
      await world.after(wait - 1);
      expect(receiver.asked).toHaveLength(before);
      await world.after(1);
      expect(receiver.asked).toHaveLength(before + 1);
    }
    expect(world.log.from('warn').filter((line) => line.includes('the disk is full'))).toHaveLength(1);
    receiver.finish();
    await world.turn();
    expect(world.view.condition).toBe('in-sync');
  });

  test('a link that is lost is no failure of the repository: it waits, dials again, and joins anew', async () => {
    const world = new World(repository());
    const receiver = await joined(world);
    receiver.finish({ outcome: 'failed', detail: 'the repository link was lost' });
    receiver.end('reset');
    await world.turn();
    expect(world.view).toMatchObject({ condition: 'waiting', detail: 'reset' });
    await world.after(1_000);
    expect(world.receivers).toHaveLength(2);
    world.receiver.parts.ready();
    await world.turn();
    expect(world.receiver.asked).toMatchObject([{ folders: null, reason: 'joining' }]);
  });

  test('nobody answers: it waits, and does not fail', async () => {
    const world = new World(repository());
    await world.order(receive());
    expect(world.view).toMatchObject({ condition: 'waiting', detail: expect.stringContaining('nobody listens') });
    world.answers();
    await world.after(1_000);
    expect(world.receivers).toHaveLength(1);
  });

  test('a folder that cannot be opened is a failure, until it can', async () => {
    const world = new World(repository());
    world.broken = 'permission denied';
    await world.answers().order(receive());
    expect(world.view).toMatchObject({ condition: 'failed', detail: 'permission denied' });
    world.broken = null;
    await world.after(1_000);
    expect(world.receivers).toHaveLength(1);
  });

  test.each([
    ['the folder cannot be opened', (world: World) => void (world.broken = 'permission denied'), 'permission denied'],
    ['nobody answers', (world: World) => void world.network.bound.delete(PORT), 'nobody listens'],
  ])('what an operator asks for is tried at once, and answered with the reason where %s', async (_what, spoil, reason) => {
    const world = new World(repository());
    world.answers();
    spoil(world);
    await world.order(receive());
    const wish = { id: 1, repository: 'apps', ask: 'sync', checksum: false } as const;
    await world.order(receive(), { wishes: [wish] });
    expect(world.status?.answers).toMatchObject([{ id: 1, outcome: 'failed', detail: expect.stringContaining(reason) }]);
    world.broken = null;
    world.answers();
    await world.order(receive(), { wishes: [{ ...wish, id: 2 }] });
    expect(world.receivers).toHaveLength(1);
    world.receiver.end('no repository of this name');
    await world.turn();
    expect(world.status?.answers).toMatchObject([{ id: 2, outcome: 'failed', detail: 'no repository of this name' }]);
  });

  test('NO: a difference goes well, is told once as long as it is the same, and is looked at again each minute, as a whole', async () => {
    const world = new World(repository({ syncType: 'NO' }));
    const receiver = await joined(world);
    receiver.finish({ outcome: 'differs', differences: [{ path: 'a', what: 'extra' }], differencesTotal: 1 });
    await world.turn();
    expect(world.view).toMatchObject({ condition: 'in-sync', syncedAt: world.clock.wall(), detail: expect.stringMatching(/^differs .* in 1 place, and its type NO leaves it so: a \(extra\)$/) });
    const { since } = world.view;
    receiver.parts.hinted({ repository: 'apps', purpose: 'sync', folders: ['x'] });
    await world.after(59_000);
    expect(receiver.asked).toHaveLength(1);
    await world.after(1_000);
    expect(receiver.asked[1]).toMatchObject({ folders: null, type: 'NO' });
    receiver.finish({ outcome: 'differs', differences: [{ path: 'a', what: 'extra' }], differencesTotal: 1 });
    await world.turn();
    expect(world.log.from('warn')).toHaveLength(1);
    expect(world.view).toMatchObject({ condition: 'in-sync', since });
    await world.after(60_000);
    receiver.finish({ outcome: 'differs', differences: [{ path: 'a', what: 'content' }, { path: 'b', what: 'missing' }], differencesTotal: 2 });
    await world.turn();
    expect(world.log.from('warn').slice(1)).toEqual(['Repository apps differs from the serving server\'s in 2 places, and its type NO leaves it so: a (content), b (missing)']);
    await world.after(60_000);
    const said = world.log.from('info').length;
    receiver.finish({ outcome: 'same' });
    await world.turn();
    expect(world.view).toMatchObject({ condition: 'in-sync', detail: null });
    expect(world.log.from('info').slice(said)).toEqual([expect.stringContaining('in sync, nothing had changed')]);
  });

  const LEFT_OUT = ['link: a link to the absolute path "/etc/passwd"', 'fifo: a named pipe'];

  test('what is not carried is warned of when it changes, once a minute at most, and stands in the status and in answers', async () => {
    const world = new World(repository());
    const receiver = await joined(world);
    receiver.finish({ outcome: 'same', leftOut: LEFT_OUT });
    await world.turn();
    expect(world.log.from('warn')).toEqual([expect.stringMatching(/^Repository apps does not carry 2 things of the serving server's folder: link: a link .*"\/etc\/passwd", fifo: a named pipe\. /)]);
    expect(world.view.detail).toBe(`not carried: ${LEFT_OUT.join(', ')}`);
    const look = async (ms: number, leftOut: readonly string[], folders: readonly string[] | null = null): Promise<void> => {
      await world.after(ms);
      receiver.parts.hinted({ repository: 'apps', purpose: 'sync', folders });
      await world.turn();
      receiver.finish({ outcome: 'same', leftOut });
      await world.turn();
    };
    await look(30_000, [], ['a']);
    await look(1_000, ['b: a socket'], ['b']);
    expect(world.log.from('warn')).toHaveLength(1);
    expect(world.view.detail).toMatch(/link: .* fifo: .* b: a socket/);
    await look(29_000, [...LEFT_OUT, 'b: a socket']);
    expect(world.log.from('warn').slice(1)).toEqual([expect.stringContaining('3 things')]);
    await look(60_000, Array.from({ length: 1_000 }, (_, at) => `${at}${'x'.repeat(4_000)}: a socket`));
    expect(world.log.from('warn')[2]).toMatch(/1000 things or more .* and 990 more\. /);
    expect(world.log.from('warn')[2]?.length).toBeLessThan(3_000);
    expect(world.view.detail?.length).toBeLessThan(600);
    await look(60_000, []);
    expect(world.log.from('warn')).toHaveLength(3);
    expect(world.log.from('info').at(-1)).toMatch(/everything in the serving server's folder is carried again/);
    expect(world.view.detail).toBeNull();
    await world.order(receive(), { wishes: [{ id: 1, repository: 'apps', ask: 'verify', checksum: false }] });
    receiver.finish({ outcome: 'same', leftOut: LEFT_OUT });
    await world.turn();
    expect(world.status?.answers).toMatchObject([{ id: 1, outcome: 'same', detail: `not carried: ${LEFT_OUT.join(', ')}` }]);
  });

  test('what is not carried is warned of on the serving server as well', async () => {
    const world = new World(repository());
    await world.order(SEND);
    world.network.connect(2103);
    await world.turn();
    const { parts } = world.senders[0] as FakeSender;
    for (let round = 0; round < 3; round += 1) parts.reported({ ...DONE, outcome: 'same', leftOut: LEFT_OUT }, world.clock.monotonic());
    expect(world.log.from('warn')).toEqual([expect.stringMatching(/apps does not carry 2 things of this server's folder: link: /)]);
  });

  test('what PARTIAL leaves as it differs stands in the status, until a sync of the whole finds it equal', async () => {
    const world = new World(repository({ syncType: 'PARTIAL' }));
    const receiver = await joined(world);
    receiver.finish({ outcome: 'same', detail: '1 difference is left' });
    await world.turn();
    expect(world.view).toMatchObject({ condition: 'in-sync', detail: '1 difference is left' });
    receiver.parts.hinted({ repository: 'apps', purpose: 'sync', folders: ['a'] });
    await world.turn();
    receiver.finish({ outcome: 'same' });
    await world.turn();
    expect(world.view.detail).toBe('1 difference is left');
    receiver.parts.hinted({ repository: 'apps', purpose: 'sync', folders: null });
    await world.turn();
    receiver.finish({ outcome: 'same' });
    await world.turn();
    expect(world.view.detail).toBeNull();
  });

  test('a sync that is tried again is a joining only until one has gone well', async () => {
    const world = new World(repository());
    const receiver = await joined(world);
    for (const outcome of ['failed', 'changed', 'failed'] as const) {
      receiver.finish({ outcome });
      await world.after(1_000);
      if (outcome === 'changed') receiver.parts.hinted({ repository: 'apps', purpose: 'sync', folders: ['a'] });
      await world.turn();
    }
    expect(receiver.asked.map(({ reason }) => reason)).toEqual(['joining', 'joining', 'a change', 'trying again']);
  });

  test('what a sync that failed left is ended before one that an operator asks for', async () => {
    const world = new World(repository());
    const receiver = await joined(world);
    receiver.finish({ outcome: 'failed' });
    await world.turn();
    expect([world.recovered, receiver.asked.length]).toEqual([1, 1]);
    world.unrecoverable = 'no room';
    const wish = { id: 7, repository: 'apps', ask: 'sync', checksum: false } as const;
    await world.order(receive(), { wishes: [wish] });
    expect([world.recovered, receiver.asked.length]).toEqual([2, 1]);
    expect(world.status?.answers).toMatchObject([{ id: 7, outcome: 'failed', detail: 'no room' }]);
    world.unrecoverable = null;
    await world.order(receive(), { wishes: [{ ...wish, id: 8 }] });
    expect([world.recovered, receiver.asked.length]).toEqual([3, 2]);
    receiver.finish();
    await world.order(receive(), { wishes: [{ ...wish, id: 9 }] });
    expect([world.recovered, receiver.asked.length]).toEqual([3, 3]);
  });

  test('where that cannot be ended, the sender hears it for all that an operator may wait for there', async () => {
    const world = new World(repository());
    const receiver = await joined(world);
    receiver.finish({ outcome: 'failed' });
    await world.turn();
    world.unrecoverable = 'no room';
    for (const purpose of ['diff', 'sync', 'diff'] as const) receiver.parts.hinted({ repository: 'apps', purpose, folders: null });
    await world.turn();
    expect(receiver.told.map(({ repository: of, purpose, outcome, detail }) => [of, purpose, outcome, detail])).toEqual([['apps', 'sync', 'failed', 'no room'], ['apps', 'diff', 'failed', 'no room']]);
    await world.after(60_000);
    expect(receiver.told.slice(2).map(({ purpose }) => purpose)).toContain('sync');
    expect(receiver.asked).toHaveLength(1);
  });

  test('a schedule asks for the whole at its times', async () => {
    const world = new World(repository({ when: 'schedule', schedule: { kind: 'interval', ms: 900_000 } }));
    const receiver = await joined(world);
    receiver.finish();
    await world.after(899_000);
    expect(receiver.asked).toHaveLength(1);
    await world.after(1_000);
    expect(receiver.asked[1]).toMatchObject({ folders: null, purpose: 'sync' });
  });

  test('a repository that the sender does not have is a failure of its own', async () => {
    const world = new World(repository({ name: 'other' }), repository({ name: 'peers', used: false }));
    await world.answers().order(receive());
    expect(world.status?.repositories).toMatchObject([{ condition: 'failed', detail: expect.stringContaining('no repository of this name') }, { condition: 'unused' }]);
    expect(world.receivers).toHaveLength(0);
  });
});

describe('the right to change', () => {
  test('is there under a young order to receive, and names run, term and fence', async () => {
    const receiver = await joined(new World(repository()));
    expect(receiver.parts.authority()).toEqual({ from: { server: 'secondary', run: THEIRS }, term: 2, fencedThrough: 1 });
    expect(receiver.parts.senderRun).toBe(THEIRS);
  });

  test('ends with the pulse: a keeper that was paused changes nothing before it has read its new order', async () => {
    const world = new World(repository());
    const receiver = await joined(world);
    world.clock.advance(PULSE_MS);
    expect(receiver.parts.authority()).not.toBeNull();
    world.clock.advance(1);
    expect(receiver.parts.authority()).toBeNull();
  });

  test.each<[string, RepositoryRole, Partial<RepositoryOrder>]>([
    ['idle', IDLE, {}],
    ['to send', SEND, {}],
    ['to receive in a term that is fenced', receive(), { fenceThrough: 2 as Term }],
    ['with an old pulse', receive(), { pulseAt: -PULSE_MS as Monotonic }],
  ])('is gone with an order %s', async (_what, role, changes) => {
    const world = new World(repository());
    const receiver = await joined(world);
    await world.order(role, changes);
    expect(receiver.parts.authority()).toBeNull();
  });

  test('another run of the sender: the old link is closed and another dialled; a higher term of the same run is not', async () => {
    const world = new World(repository());
    const receiver = await joined(world);
    await world.order(receive(THEIRS, 3));
    expect(receiver.ended).toBeNull();
    expect(receiver.parts.authority()).toMatchObject({ term: 3 });
    await world.order(receive('new' as RunId, 3));
    expect(receiver.ended).toMatch(/another run/);
    expect(world.receiver.parts.senderRun).toBe('new');
  });
});

describe('sending', () => {
  async function sending(world: World): Promise<FakeSender> {
    await world.order(SEND);
    world.network.connect(2103);
    return world.senders.at(-1) as FakeSender;
  }

  test('opens, and lets the ordered run fetch while the order is young', async () => {
    const world = new World(repository());
    const sender = await sending(world);
    expect(world.recovered).toBe(1);
    expect([...sender.parts.folders.keys()]).toEqual(['apps']);
    expect(sender.parts.authority()).toEqual({ peer: { server: 'secondary', run: THEIRS }, term: 2 });
    world.clock.advance(PULSE_MS + 1);
    expect(sender.parts.authority()).toBeNull();
  });

  test('nobody is let in before or after', async () => {
    const world = new World(repository());
    await world.order(IDLE);
    world.network.connect(2103);
    expect(world.senders).toHaveLength(0);
    const sender = await sending(world);
    await world.order(IDLE);
    expect(sender.refused).toMatch(/does not send/);
    world.network.connect(2103);
    expect(world.senders).toHaveLength(1);
  });

  test('hints at changes at once, at everything each minute, each 10 s where it cannot watch', async () => {
    const world = new World(repository());
    const sender = await sending(world);
    world.watches[0]?.changed(['a']);
    expect(sender.hints).toEqual([{ repository: 'apps', purpose: 'sync', folders: ['a'] }]);
    await world.after(60_000);
    expect(sender.hints.slice(1)).toEqual([{ repository: 'apps', purpose: 'sync', folders: null }]);
    world.watches[0]?.failed('too many');
    await world.after(60_000);
    await world.after(20_000);
    expect(sender.hints).toHaveLength(5);
    expect(world.log.from('warn')).toEqual([expect.stringMatching(/too many.*every 10 s/)]);
  });

  test('repositories that are synced on joining only are not watched; those that are not there are not sent', async () => {
    const world = new World(repository({ when: 'join' }), repository({ name: 'peers', used: false }));
    const sender = await sending(world);
    expect(world.watches).toHaveLength(0);
    expect([...sender.parts.folders.keys()]).toEqual(['apps']);
  });

  test('the throttle lets so many bytes a second leave, and asks the senders to go on', async () => {
    const world = new World(repository({ throttle: 1_000_000 }));
    const sender = await sending(world);
    expect(sender.parts.allowance('apps')).toBe(250_000);
    sender.parts.sent('apps', 300_000);
    expect(sender.parts.allowance('apps')).toBe(-50_000);
    await world.after(100);
    expect(sender.parts.allowance('apps')).toBe(50_000);
    expect(sender.woken).toBe(2);
    expect(sender.parts.allowance('another')).toBe(Number.POSITIVE_INFINITY);
  });

  test('while messages flow no repository takes more than the common limit, and goes on at once when they have ended', async () => {
    const world = new World(repository());
    const sender = await sending(world);
    expect(sender.parts.allowance('apps')).toBe(Number.POSITIVE_INFINITY);
    await world.order(SEND, { messagesFlow: true });
    const burst = GIVING_WAY_BYTES_PER_SECOND / 4;
    expect(sender.parts.allowance('apps')).toBe(burst);
    sender.parts.sent('apps', burst);
    expect(sender.parts.allowance('apps')).toBe(0);
    await world.order(SEND, { messagesFlow: true });
    await world.after(100);
    expect(sender.parts.allowance('apps')).toBe(GIVING_WAY_BYTES_PER_SECOND / 10);
    const { woken } = sender;
    expect(woken).toBeGreaterThan(0);
    await world.order(SEND, { messagesFlow: false });
    expect(sender.woken).toBe(woken + 1);
    expect(sender.parts.allowance('apps')).toBe(Number.POSITIVE_INFINITY);
    await world.after(200);
    expect(sender.woken).toBeLessThanOrEqual(woken + 2);
  });

  test('a folder that takes long to be opened holds up no other: what is asked of it waits, then hears of that, and has it in the end', async () => {
    const world = new World(repository(), repository({ name: 'reports', path: '/reports' }));
    world.slow = 'apps';
    const sender = await sending(world);
    expect([...sender.parts.folders.keys()]).toEqual(['reports']);
    expect(['apps', 'reports'].map((name) => sender.parts.isOpening(name))).toEqual([true, false]);
    expect(sender.woken).toBe(0);
    await world.after(9_999);
    expect(sender.wakings).toEqual([]);
    const word = (): unknown => sender.parts.folders.get('apps')?.scan({ scope: null, checksum: false }).step();
    for (const times of [1, 2]) {
      await world.after(times === 1 ? 1 : 10_000);
      expect(sender.wakings).toEqual(Array.from({ length: times }, () => []));
      expect(word).toThrow('/apps is still being opened');
      expect(sender.parts.isOpening('apps')).toBe(true); // Whoever asks now waits.
    }
    world.goOn();
    await world.turn();
    expect(sender.parts.folders.get('apps')).toHaveProperty('recover');
    expect([sender.parts.isOpening('apps'), sender.woken]).toEqual([false, 3]);
    await world.after(10_000);
    expect(sender.parts.folders.get('apps')).toHaveProperty('recover');
    expect(world.log.from('warn')).toEqual([]);
  });

  test('a folder that is opened within ten seconds is had at once', async () => {
    const world = new World(repository());
    world.slow = 'apps';
    const sender = await sending(world);
    world.goOn();
    await world.turn();
    expect([sender.parts.isOpening('apps'), sender.woken]).toEqual([false, 1]);
    await world.after(10_000);
    expect(sender.parts.folders.get('apps')).toHaveProperty('recover');
  });

  test('a folder that cannot be opened fails for whoever asks, with the reason, and is tried again', async () => {
    const world = new World(repository());
    world.broken = 'no such folder';
    const sender = await sending(world);
    expect(() => sender.parts.folders.get('apps')?.scan({ scope: null, checksum: false }).step()).toThrow('no such folder');
    world.broken = null;
    await world.after(10_000);
    expect(sender.parts.folders.get('apps')).toHaveProperty('recover');
  });
});

describe('wishes', () => {
  const wish = { id: 1, repository: 'apps', ask: 'verify', checksum: false } as const;

  test('of a receiver: done once, answered until it is not ordered any more', async () => {
    const world = new World(repository());
    const receiver = await joined(world);
    receiver.finish();
    await world.turn();
    await world.order(receive(), { wishes: [wish] });
    await world.order(receive(), { wishes: [wish] });
    expect(receiver.asked.slice(1)).toMatchObject([{ purpose: 'verify', folders: null }]);
    receiver.finish({ outcome: 'differs', differencesTotal: 2 });
    await world.turn();
    expect(world.status?.answers).toMatchObject([{ id: 1, outcome: 'differs', differencesTotal: 2 }]);
    expect(world.view.condition).toBe('in-sync');
    await world.order(receive());
    expect(world.status?.answers).toEqual([]);
  });

  test('of a sender: the receiver is asked, and its report is the answer; without a link it fails at once', async () => {
    const world = new World(repository());
    await world.order(SEND, { wishes: [wish] });
    expect(world.status?.answers).toMatchObject([{ id: 1, outcome: 'failed', detail: expect.stringContaining('no repository link') }]);
    world.network.connect(2103);
    await world.order(SEND, { wishes: [{ ...wish, id: 2 }] });
    const sender = world.senders[0] as FakeSender;
    expect(sender.hints).toEqual([{ repository: 'apps', purpose: 'verify', folders: null }]);
    sender.parts.reported({ ...DONE, purpose: 'verify', outcome: 'same' }, world.clock.monotonic());
    await world.turn();
    expect(world.status?.answers).toMatchObject([{ id: 2, outcome: 'same' }]);
  });

  test('of a sender: one for a repository that no link fetches fails, though another repository has its link', async () => {
    const world = new World(repository(), repository({ name: 'reports', path: '/reports' }));
    await world.order(SEND);
    world.network.connect(2103);
    await world.order(SEND, { wishes: [{ ...wish, repository: 'reports' }] });
    expect(world.status?.answers).toEqual([]);
    (world.senders[0] as FakeSender).parts.sent('apps', 1);
    await world.turn();
    expect(world.status?.answers).toMatchObject([{ id: 1, outcome: 'failed', detail: expect.stringContaining('link was lost') }]);
    await world.order(SEND, { wishes: [{ ...wish, id: 2, repository: 'reports' }, { ...wish, id: 3 }] });
    expect(world.status?.answers).toMatchObject([{ id: 2, outcome: 'failed', detail: expect.stringContaining('no repository link') }]);
  });

  test('of a sender: a sync that was asked for is answered by one of the whole tree as it was then, not by an earlier one or one of single folders', async () => {
    const world = new World(repository());
    await world.order(SEND);
    world.network.connect(2103);
    await world.turn();
    const sender = world.senders[0] as FakeSender;
    const before = world.clock.monotonic();
    world.clock.advance(10);
    await world.order(SEND, { wishes: [{ id: 1, repository: 'apps', ask: 'sync', checksum: false }] });
    sender.parts.reported({ ...DONE, files: 1 }, before);
    sender.parts.reported({ ...DONE, files: 2 }, null);
    await world.turn();
    expect(world.status?.answers).toEqual([]);
    world.clock.advance(10);
    sender.parts.reported({ ...DONE, files: 3 }, world.clock.monotonic());
    await world.turn();
    expect(world.status?.answers).toMatchObject([{ id: 1, files: 3 }]);
  });

  test('of a sender: two for the same are one sync at the receiver, whose report answers both', async () => {
    const world = new World(repository());
    await world.order(SEND);
    world.network.connect(2103);
    await world.turn();
    const sender = world.senders[0] as FakeSender;
    const wishes = [1, 2].map((id) => ({ id, repository: 'apps', ask: 'sync', checksum: false }) as const);
    await world.order(SEND, { wishes });
    sender.parts.reported({ ...DONE, files: 3 }, world.clock.monotonic());
    await world.turn();
    expect(world.status?.answers).toMatchObject([{ id: 1, files: 3 }, { id: 2, files: 3 }]);
  });

  test('restore is done here, where nothing is received, and hinted at', async () => {
    const world = new World(repository());
    await world.order(SEND);
    world.network.connect(2103);
    await world.order(SEND, { wishes: [{ id: 3, repository: 'apps', ask: 'restore', version: 'v', paths: null }] });
    expect(world.restored).toEqual([{ version: 'v', allowed: true }]);
    expect(world.status?.answers).toMatchObject([{ id: 3, outcome: 'changed', files: 2 }]);
    expect(world.senders[0]?.hints).toHaveLength(1);
    expect(world.log.from('info')).toContain('Repository apps: 2 files of the kept version "v" put back, as an operator had asked');
  });

  test('a restore that fails is answered, and stands in the log', async () => {
    const world = new World(repository());
    world.unrestorable = 'there is no such version';
    await world.order(SEND, { wishes: [{ id: 3, repository: 'apps', ask: 'restore', version: 'v', paths: ['../x'] }] });
    expect(world.status?.answers).toMatchObject([{ id: 3, outcome: 'failed', detail: 'there is no such version' }]);
    expect(world.log.from('warn')).toEqual(['Repository apps: the restore of the kept version "v" that an operator asked for has failed: there is no such version']);
  });
});

test('a port that is taken is trouble, and is tried again until it is free', async () => {
  const world = new World(repository());
  await world.turn();
  expect(world.status?.listening).toBe(true);
  const other = new World(repository());
  other.network.bound.set(2103, () => undefined);
  await other.turn();
  expect(other.status).toMatchObject({ listening: false, trouble: expect.stringContaining('ha.repositoryPort') });
  other.network.bound.delete(2103);
  await other.after(5_000);
  expect(other.status).toMatchObject({ listening: true, trouble: null });
});

test.each(['receives', 'sends'])('what was learnt of files is written after syncs of the whole, every ten minutes at most, and at the end: a server that %s', async (how) => {
  const world = new World(repository());
  let synced: (isWhole: boolean) => void;
  if (how === 'receives') {
    const receiver = await joined(world);
    synced = (isWhole) => {
      receiver.parts.hinted({ repository: 'apps', purpose: 'sync', folders: isWhole ? null : ['a'] });
      receiver.finish();
    };
  } else {
    await world.order(SEND);
    world.network.connect(2103);
    await world.turn();
    synced = (isWhole) => (world.senders[0] as FakeSender).parts.reported(DONE, isWhole ? world.clock.monotonic() : null);
  }
  const learns = async (isWhole: boolean): Promise<void> => {
    synced(isWhole);
    await world.turn();
  };
  if (how === 'receives') world.receiver.finish();
  else await learns(true);
  await world.after(100_000);
  await learns(true);
  await world.after(29_999);
  expect(world.saved).toEqual([]);
  await world.after(1);
  expect(world.saved).toEqual([120_000]);
  await learns(false);
  await world.after(300_000);
  await learns(true);
  await world.after(299_999);
  expect(world.saved).toHaveLength(1);
  await world.after(1);
  expect(world.saved).toEqual([120_000, 120_000]);
  await world.after(700_000);
  expect(world.saved).toHaveLength(2);
  await learns(true);
  await world.order(IDLE, { shutdown: true });
  expect(world.saved).toEqual([120_000, 120_000, null]);
  await world.after(700_000);
  expect(world.saved).toHaveLength(3);
});

test('shutdown ends links and process, and nothing is said after', async () => {
  const world = new World(repository());
  const receiver = await joined(world);
  await world.order(receive(), { shutdown: true });
  expect(world.ended).toBe('ordered');
  expect(receiver.ended).not.toBeNull();
  expect(receiver.parts.authority()).toBeNull();
});
