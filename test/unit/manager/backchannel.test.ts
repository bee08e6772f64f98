import { LockstepError } from '../../../src/core/errors.js';
import { BackchannelKind } from '../../../src/core/wire/backchannel.js';
import { encodeText } from '../../../src/core/wire/bytes.js';
import { encodeFrame } from '../../../src/core/wire/frame.js';
import { Backchannel, STRANGERS_MAX } from '../../../src/manager/backchannel.js';
import { hearHello, type Heard } from '../../../src/manager/backchannel-look.js';
import type { Stream } from '../../../src/ports/stream.js';
import { FakeClock, settle } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';
import { FakeNetwork } from '../support/fake-network.js';
import { BackchannelWorld, HANDSHAKE_MS, helloOf, MISS_LIMIT, PING_MS, statusOf, type Side, type Stranger } from './backchannel-pair.js';

const SILENCE_MS = PING_MS * MISS_LIMIT;

function pair(seed = 1): { all: BackchannelWorld; one: Side; two: Side } {
  const all = new BackchannelWorld(seed);
  return { all, one: all.side('primary', 'p1'), two: all.side('secondary', 's1') };
}

/** Every run's statuses in rising order, none twice. */
function expectNewsOnly(side: Side): void {
  const last = new Map<string, number>();
  const order: string[] = [];
  for (const { run, seq } of side.statuses) {
    expect(seq).toBeGreaterThan(last.get(run) ?? 0);
    last.set(run, seq);
    if (order.at(-1) !== run) order.push(run);
  }
  expect(order).toEqual([...new Set(order)]);
}

describe('two servers', () => {
  it.each([1, 2, 3, 4])('connect and hear each status once (seed %i)', async (seed) => {
    const { all, one, two } = pair(seed);
    await all.run(10_100);
    for (const side of [one, two]) {
      expectNewsOnly(side);
      expect(side.events.filter((event) => !event.startsWith('hello'))).toEqual(['connected']);
      expect(side.link.connected).toBe(true);
      expect(side.log.from('warn')).toEqual([]);
    }
    expect(one.statuses.length).toBeGreaterThanOrEqual(20);
    expect(two.last?.seq).toBe(one.seq);
  });

  it('need only one direction of connecting', async () => {
    const all = new BackchannelWorld();
    const one = all.side('primary', 'p1');
    const two = all.side('secondary', 's1', {}, 'elsewhere' as 'primary');
    await all.run(3000);
    expect([one.link.connected, two.link.connected]).toEqual([true, true]);
  });

  it('hear at once that the other process was killed, and find the new one', async () => {
    const { all, one, two } = pair();
    await all.run(2000);
    two.process.end('killed');
    await all.run(20);
    expect(one.events.at(-1)).toBe('disconnected: the other side closed the connection');
    await all.run(5000);
    const again = all.side('secondary', 's2');
    await all.run(3000);
    expect(one.last?.run).toBe('s2');
    expect(again.link.connected).toBe(true);
    expectNewsOnly(one);
  });

  it('give up connections over which nothing comes, and come back after the cut', async () => {
    const { all, one, two } = pair();
    await all.run(2000);
    all.net.cutBoth('primary', 'secondary');
    await all.run(SILENCE_MS + PING_MS + 100);
    expect(one.events.at(-1)).toBe(`disconnected: nothing came for ${SILENCE_MS} ms`);
    expect(two.link.connected).toBe(false);
    await all.run(60_000);
    all.net.healBoth('primary', 'secondary');
    await all.run(6000);
    expect([one.link.connected, two.link.connected]).toEqual([true, true]);
    expectNewsOnly(one);
    expectNewsOnly(two);
  });

  it('notice a cut of one direction on the side that hears nothing', async () => {
    const { all, one, two } = pair();
    await all.run(2000);
    all.net.cut('primary', 'secondary');
    await all.run(SILENCE_MS + PING_MS + 100);
    expect(two.link.connected).toBe(false);
    // The close of the silent side travels the open direction.
    expect(one.link.connected).toBe(false);
  });

  it('come back when the host lost power without a word', async () => {
    const { all, one } = pair();
    await all.run(2000);
    all.host('secondary').powerOff();
    all.net.power('secondary', false);
    await all.run(SILENCE_MS + PING_MS + 100);
    expect(one.link.connected).toBe(false);
    all.host('secondary').powerOn();
    all.net.power('secondary', true);
    const again = all.side('secondary', 's2');
    await all.run(6000);
    expect(one.last?.run).toBe('s2');
    expect(again.link.connected).toBe(true);
  });

  it('keep a connection through a pause of one’s own, if the other did not give up', async () => {
    const { all, one, two } = pair();
    await all.run(2000);
    // The peer goes on sending; what it sent waits, unread, while this process is paused for longer than the silence limit.
    one.process.pause();
    await all.run(SILENCE_MS - 200);
    one.process.resume();
    await all.run(1000);
    expect(one.events.filter((event) => event.startsWith('disconnected'))).toEqual([]);
    expect(two.events.filter((event) => event.startsWith('disconnected'))).toEqual([]);
  });

  it('hear statuses in order although connections overtake each other', async () => {
    const { all, one, two } = pair(7);
    all.net.setDelay('primary', 'secondary', { min: 0, max: 900 });
    await all.run(2000);
    for (let i = 0; i < 300; i += 1) {
      one.sendNow();
      if (i % 40 === 39) all.net.reset('primary', 'secondary');
      await all.run(37);
    }
    expectNewsOnly(two);
    expect(two.statuses.length).toBeGreaterThan(20);
  });

  it('are quiet when the peer is away: few lines, retried at most every two seconds', async () => {
    const all = new BackchannelWorld();
    const one = all.side('primary', 'p1');
    await all.run(60_000);
    expect(one.log.lines.length).toBeLessThanOrEqual(3);
    expect(one.log.lines[0]?.message).toBe('backchannel: cannot connect to secondary:2201: connection refused: nothing listens there (ECONNREFUSED)');
    all.side('secondary', 's1');
    await all.run(2100);
    expect(one.link.connected).toBe(true);
  });

  it('say goodbye', async () => {
    const { all, one, two } = pair();
    await all.run(2000);
    one.link.stop();
    await all.run(50);
    expect(two.events.at(-1)).toBe('disconnected: the peer closed it: server "primary" is stopping');
    const before = one.events.length;
    await all.run(5000);
    expect(one.events).toHaveLength(before);
  });
});

describe('a server that cannot be the peer', () => {
  it.each([
    ['another cluster', { cluster: 'returns' }, 'wrong cluster: the other server belongs to "returns", server "primary" to "orders"'],
    ['the same id', { server: 'primary' as never }, 'same server id: both servers are called "primary"'],
    ['an unknown id', { server: 'tertiary' as never }, 'wrong peer: the other server is called "tertiary", server "primary" expects "secondary"'],
    ['the same role', { role: 'primary' as const }, 'same role: "secondary" and "primary" are both configured as primary'],
    [
      'other settings',
      { settings: { 'ha.pingInterval': '1s', 'data.durability': 'both' } },
      'settings differ: data.durability is not set on "primary" and both on "secondary"; ha.pingInterval is 500ms on "primary" and 1s on "secondary"; limits.sessionsMax is 100 on "primary" and not set on "secondary"',
    ],
  ])('is refused by name: %s', async (_, changes, reason) => {
    const all = new BackchannelWorld();
    const one = all.side('primary', 'p1');
    const two = all.side('secondary', 's1', changes);
    await all.run(20_000);
    expect(one.events).toContain(`refused: ${reason}`);
    expect(one.link.refused).toBe(reason);
    expect([one.statuses, two.statuses]).toEqual([[], []]);
    expect(one.events).not.toContain('connected');
    // Each side finds the same, in its own words, and says it once and not at each retry.
    expect(one.log.from('warn')).toEqual([`refused secondary on the backchannel: ${reason}`]);
    expect(two.log.from('warn')).toHaveLength(1);
    expect(two.link.refused).not.toBeNull();
  });

  it('is told why, also when it would have accepted us', async () => {
    const all = new BackchannelWorld();
    const two = all.side('secondary', 's1');
    const picky = await all.stranger('secondary');
    picky.hello(helloOf('primary', 'p1'));
    picky.frame(BackchannelKind.refused, 'your shoes');
    await all.run(50);
    expect(two.log.from('error')).toEqual(['the server at elsewhere refused us: your shoes']);
    expect(two.link.refused).toBe('your shoes');
    expect(two.events).not.toContain('connected');
  });

  it('of a version that is not understood is named on both, and each is told what to do', async () => {
    const all = new BackchannelWorld();
    const one = all.side('primary', 'p1');
    const two = all.side('secondary', 's1', { version: 7 as never });
    await all.run(20_000);
    for (const { link } of [one, two]) expect(link.refused).toMatch(/^one server does not understand what the other says: hello\.version is 7.*\. Run the same version of Lockstep on both servers/);
    expect(one.log.from('warn')).toEqual([expect.stringMatching(/^closed a backchannel connection with secondary: hello\.version is 7.*Run the same version/)]);
    expect(two.log.from('error')).toEqual([expect.stringMatching(/^the server at primary refused us: one server does not understand/)]);
  });

  it('of a version whose status is not understood is told so, as one whose hello is not', async () => {
    const all = new BackchannelWorld();
    const one = all.side('primary', 'p1');
    const other = helloOf('secondary', 's1');
    for (let time = 0; time < 3; time += 1) {
      const older = await all.stranger('primary');
      older.hello(other);
      older.frame(BackchannelKind.status, '{"server":"secondary"}');
      await all.run(50);
      expect(older.ofKind(BackchannelKind.refused)).toEqual([expect.stringMatching(/^one server does not understand what the other says: status\.run missing.*Run the same version of Lockstep on both servers/)]);
    }
    expect([one.statuses, one.link.connected, one.log.from('warn').length]).toEqual([[], false, 1]);
  });

  it('is told of that once in a while, though each connection works until then', async () => {
    const all = new BackchannelWorld();
    const one = all.side('primary', 'p1');
    const other = helloOf('secondary', 's1');
    for (let time = 1; time <= 5; time += 1) {
      const newer = await all.stranger('primary');
      newer.hello(other);
      newer.status(other, time);
      await all.run(20);
      newer.frame(BackchannelKind.refused, 'one server does not understand');
      await all.run(50);
      expect(one.link.refused).toBe('one server does not understand');
    }
    expect(one.log.from('error')).toEqual(['the server at elsewhere refused us: one server does not understand']);
  });

  it('is itself, when the profile names its own address', async () => {
    const all = new BackchannelWorld();
    const one = all.side('primary', 'p1', {}, 'primary');
    await all.run(5000);
    expect(one.events[0]).toBe('refused: server "primary" reached itself: the peer\'s address in its profile is its own');
  });

  it('is refused for as long as it is there', async () => {
    const all = new BackchannelWorld();
    const one = all.side('primary', 'p1');
    const wrong = all.side('secondary', 's1', { settings: {} });
    await all.run(60_000);
    expect(one.link.refused).toContain('settings differ');
    wrong.process.end('stopped');
    await all.run(7_000);
    expect(one.link.refused).not.toBeNull();
    await all.run(3_100);
    expect(one.link.refused).toBeNull();
  });

  it('is not reached for want of one secret, and that is a refusal too', async () => {
    const [clock, random] = [new FakeClock(), { fraction: () => 0, hex: () => '' }];
    let why = new LockstepError('LOCKSTEP_SECRET_REFUSED', 'cannot connect to b:1: the secret files differ', 'Check them.');
    const network = { listen: async () => ({ port: 1, close: () => undefined }), dial: () => Promise.reject(why) };
    const options = { hello: helloOf('primary', 'p1'), expectedPeer: 'secondary' as never, listenAt: { host: 'a', port: 1 }, peerAt: { host: 'b', port: 1 }, pingIntervalMs: 500, missLimit: 3, handshakeTimeoutMs: 1000 };
    const link = new Backchannel(options, { network, clock, random: random as never, log: new FakeLog() });
    await link.start();
    await settle();
    expect(link.refused).toBe('cannot connect to b:1: the secret files differ');
    why = new LockstepError('LOCKSTEP_DIAL_FAILED', 'cannot connect to b:1: connection refused', 'Start it.');
    for (let i = 0; i < 6; i += 1) {
      clock.advance(2_000);
      await settle();
    }
    expect(link.refused).toBeNull();
    link.stop();
  });

  it('is welcome once its settings are mended', async () => {
    const all = new BackchannelWorld();
    const one = all.side('primary', 'p1');
    const wrong = all.side('secondary', 's1', { settings: {} });
    await all.run(3000);
    wrong.process.end('stopped');
    all.side('secondary', 's2');
    await all.run(4000);
    expect(one.link.connected).toBe(true);
    expect(one.link.refused).toBeNull();
  });
});

describe('servers that are a pair and not alike', () => {
  it('say it once however often they connect, and when it is over', async () => {
    const all = new BackchannelWorld();
    const one = all.side('primary', 'p1');
    const told = (level: 'warn' | 'info'): string[] => one.log.lines.filter(({ level: own, fields }) => own === level && fields?.['event'] === 'unlike').map(({ message }) => message);
    for (const run of ['s1', 's2']) {
      const two = all.side('secondary', run, { version: '9.0.0', advisedSettings: { 'mqtt.tlsPort': 'not set' } });
      await all.run(4000);
      expect([one.link.connected, two.link.connected]).toEqual([true, true]);
      two.process.end('stopped');
      await all.run(4000);
    }
    const text = 'the secondary server runs version 9.0.0, this one 0.1.0: bring both to the same version soon; settings that should agree differ, and clients meet another server after a change of roles: mqtt.tlsPort is set on "primary" and not set on "secondary"';
    expect(one.link.unlike).toBe(text);
    expect(told('warn')).toEqual([`T${text.slice(1)}`]);
    all.side('secondary', 's3');
    await all.run(4000);
    expect([one.link.unlike, told('info')]).toEqual([null, ['Version and settings are the same as on the secondary server again']]);
  });
});

describe('by hand', () => {
  const peer = helloOf('secondary', 's1');

  async function alone(): Promise<{ all: BackchannelWorld; one: Side; call: () => Promise<Stranger> }> {
    const all = new BackchannelWorld();
    return { all, one: all.side('primary', 'p1'), call: () => all.stranger('primary') };
  }

  it('a replaced run is refused, and its late statuses are dropped', async () => {
    const { all, one, call } = await alone();
    const old = await call();
    old.hello(peer);
    old.status(peer, 5);
    await all.run(20);
    const next = helloOf('secondary', 's2');
    const fresh = await call();
    fresh.hello(next);
    old.status(peer, 6);
    fresh.status(next, 1);
    await all.run(20);
    expect(one.statuses.map(({ run, seq }) => `${run} ${seq}`)).toEqual(['s1 5', 's2 1']);
    expect(old.closed).not.toBeNull();
    const back = await call();
    back.hello(peer);
    back.status(peer, 7);
    await all.run(50);
    expect(back.ofKind(BackchannelKind.refused)[0]).toContain('another process of server "secondary" has been started since (run s2)');
    expect(one.last).toMatchObject({ run: 's2', seq: 1 });
  });

  it('a run that was met in the wrong order counts again once the other is silent (simulator seed 5579)', async () => {
    const { all, one, call } = await alone();
    const living = await call();
    living.hello(peer);
    await all.run(20);
    const dead = await call();
    dead.hello(helloOf('secondary', 'started before, met later'));
    await all.run(20);
    let seq = 10;
    for (let tries = 0; tries < 60 && one.last?.run !== peer.run; tries += 1) {
      const again = await call();
      again.hello(peer);
      again.status(peer, (seq += 1));
      await all.run(100);
    }
    expect(one.last).toMatchObject({ run: peer.run });
  });

  it('older statuses and the same one twice are dropped, over whatever connection', async () => {
    const { all, one, call } = await alone();
    const first = await call();
    const second = await call();
    first.hello(peer);
    second.hello(peer);
    for (const [connection, seq] of [[first, 3], [second, 2], [second, 3], [second, 4], [first, 4], [first, 1]] as const) {
      connection.status(peer, seq);
      await all.run(10);
    }
    expect(one.statuses.map(({ seq }) => seq)).toEqual([3, 4]);
  });

  it('keeps no more connections of the peer than its limit', async () => {
    const { all, call } = await alone();
    const calls: Stranger[] = [];
    for (let i = 0; i < 7; i += 1) {
      const made = await call();
      made.hello(peer);
      made.status(peer, i + 1);
      calls.push(made);
      await all.run(20);
    }
    expect(calls.filter(({ closed }) => closed === null)).toHaveLength(4);
    expect(calls.at(-1)?.closed).toBeNull();
  });

  it('drops who says nothing within the handshake limit', async () => {
    const { all, call } = await alone();
    const silent = await call();
    await all.run(HANDSHAKE_MS - 100);
    expect(silent.closed).toBeNull();
    await all.run(200);
    expect(silent.closed).not.toBeNull();
  });

  it('keeps the newest of too many who have said nothing', async () => {
    const { all, call } = await alone();
    const calls: Stranger[] = [];
    for (let i = 0; i < STRANGERS_MAX + 3; i += 1) calls.push(await call());
    await all.run(20);
    expect(calls.map(({ closed }) => closed === null)).toEqual(calls.map((_, i) => i >= 3));
  });

  it.each([
    ['garbage', (it: Stranger) => it.stream.write(new Uint8Array(64).fill(0x47)), 'LOCKSTEP_FRAME_VERSION'],
    ['a frame above the limit', (it: Stranger) => it.stream.write(Uint8Array.of(0, 4, 0, 1, 1, 1)), 'LOCKSTEP_FRAME_TOO_LARGE'],
    ['an old version', (it: Stranger) => it.stream.write(Uint8Array.of(0, 0, 0, 0, 0, 1)), 'version 0 came'],
    ['an unknown kind', (it: Stranger) => it.frame(77, ''), 'unknown kind 77'],
    ['a status before the hello', (it: Stranger) => it.status(peer, 1), 'a status came before the hello'],
    ['a hello that is none', (it: Stranger) => it.frame(BackchannelKind.hello, '{"cluster":1}'), 'hello.cluster is 1; a text is expected'],
    [
      'a status of another run',
      (it: Stranger) => {
        it.hello(peer);
        it.status(helloOf('secondary', 'other'), 1);
      },
      'a status of server "secondary", run other came from server "secondary", run s1',
    ],
    [
      'two hellos',
      (it: Stranger) => {
        it.hello(peer);
        it.hello(peer);
      },
      'a second hello came',
    ],
  ])('closes on %s, with one line however often it comes', async (_, speak, expected) => {
    const { all, one, call } = await alone();
    for (let i = 0; i < 5; i += 1) {
      const it = await call();
      speak(it);
      await all.run(50);
      expect(it.closed).not.toBeNull();
    }
    const lines = one.log.from('warn');
    expect(lines).toHaveLength(1);
    if (!expected.startsWith('LOCKSTEP')) expect(lines[0]).toContain(expected);
    expect(one.statuses).toEqual([]);
    expect(one.link.connected).toBe(false);
  });

  it('holds one status for a connection that has no room, the newest', async () => {
    const { all, one, call } = await alone();
    const slow = await call();
    slow.stream.pause();
    slow.hello(peer);
    const keepAlive = async (seq: number): Promise<void> => {
      slow.status(peer, seq);
      await all.run(300);
    };
    await keepAlive(1);
    // More than the two systems and the stream hold; sent in one go.
    const big = 'x'.repeat(2000);
    for (let i = 0; i < 2000; i += 1) {
      one.seq += 1;
      one.link.send({ ...statusOf(one.hello, one.seq), reason: big });
    }
    await keepAlive(2);
    const newest = one.seq;
    slow.stream.resume();
    await keepAlive(3);
    const seqs = slow.ofKind(BackchannelKind.status).map((text) => (JSON.parse(text) as { seq: number }).seq);
    expect(seqs.length).toBeLessThan(1000);
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    expect(seqs).toContain(newest);
  });

  it('cleans what strangers say before it is logged', async () => {
    const { all, one, call } = await alone();
    const rude = await call();
    rude.hello(helloOf('secondary', 's1', { cluster: 'a\n2026 [primary] INFO all is well\u001b[2J' }));
    await all.run(20);
    expect(one.log.from('error')).toHaveLength(1);
    expect(one.log.from('error')[0]).not.toMatch(/[\n\u001b]/);
  });
});

describe('a look at who listens', () => {
  it('hears the hello, and the server that runs takes nobody for its peer started anew', async () => {
    const { all, one, two } = pair();
    await all.run(2000);
    const before = { events: [...one.events], lines: one.log.lines.length };
    const node = all.net.attach('elsewhere', (delayMs, action) => all.world.schedule(delayMs, action));
    let heard: Heard | null = null;
    void hearHello(node.network, two.process.clock, { host: 'primary', port: 2101 }, 1000).then((found) => (heard = found));
    await all.run(5000);
    expect(heard).toEqual({ kind: 'hello', hello: one.hello });
    expect(one.events).toEqual(before.events);
    expect(one.log.lines).toHaveLength(before.lines);
    expect(one.link.refused).toBeNull();
    expect(one.last?.run).toBe('s1');
  });

  it.each<[string, (stream: Stream) => void, Heard]>([
    ['no word', () => undefined, { kind: 'silent', why: 'it says nothing within 1000 ms' }],
    ['a closed connection', (stream) => stream.end(), { kind: 'silent', why: 'it says nothing: closed by the other side' }],
    ['another version', (stream) => void stream.write(new Uint8Array([0, 0, 0, 0, 2, 1])), { kind: 'misunderstood', error: expect.objectContaining({ code: 'LOCKSTEP_FRAME_VERSION' }) }],
    ['another frame', (stream) => void stream.write(encodeFrame(BackchannelKind.bye, encodeText('going'))), { kind: 'misunderstood', error: expect.objectContaining({ message: 'a frame of kind 4 came before the hello' }) }],
  ])('tells of %s', async (_, speak, expected) => {
    const clock = new FakeClock();
    const network = new FakeNetwork(clock);
    network.bound.set(2101, (stream) => {
      stream.handle({ data: () => undefined, drain: () => undefined, close: () => undefined });
      speak(stream);
    });
    let heard: Heard | null = null;
    void hearHello(network, clock, { host: 'primary', port: 2101 }, 1000).then((found) => (heard = found));
    await clock.advanceAsync(2000);
    expect(heard).toEqual(expected);
  });
});
