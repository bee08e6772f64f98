import { ClientListener } from '../../../../src/server/clients/client-listener.js';
import type { Stream } from '../../../../src/ports/stream.js';
import { FakeClock } from '../../support/fake-clock.js';
import { FakeLog } from '../../support/fake-log.js';
import { FakeNetwork } from '../../support/fake-network.js';

class Rig {
  readonly clock = new FakeClock();
  readonly log = new FakeLog();
  readonly network = new FakeNetwork(this.clock);
  readonly started: Stream[] = [];
  readonly heard: string[] = [];
  readonly listener: ClientListener;
  departed = 0;

  constructor(ports: number[] = [1883], connectionsMax = 100) {
    this.listener = new ClientListener({
      doors: ports.map((port, i) => ({ name: i === 0 ? 'mqtt' : 'mqtts', network: this.network, endpoint: { host: '127.0.0.1', port } })),
      limits: { connectionsMax },
      departed: () => this.departed,
      clock: this.clock,
      log: this.log,
      start: (stream) => {
        this.started.push(stream);
        stream.handle({
          data: (bytes) => this.heard.push(Buffer.from(bytes).toString()),
          drain: () => this.heard.push('drain'),
          close: (reason) => this.heard.push(`close: ${reason}`),
        });
      },
    });
  }
}

describe('ClientListener', () => {
  test('closed → bound → accepting → closed', async () => {
    const rig = new Rig();
    expect(rig.listener.state).toBe('closed');
    await rig.listener.bind();
    expect(rig.listener.state).toBe('bound');
    expect(rig.listener.ports).toEqual([{ name: 'mqtt', port: 1883 }]);
    rig.listener.accept();
    expect(rig.listener.state).toBe('accepting');
    rig.listener.close('passive');
    expect(rig.listener.state).toBe('closed');
    expect(rig.listener.ports).toEqual([]);
    expect(rig.network.bound.size).toBe(0);
    await rig.listener.bind();
    expect(rig.listener.state).toBe('bound');
  });

  test('bound: connections are held unread; accepting starts them with all that they sent', async () => {
    const rig = new Rig();
    await rig.listener.bind();
    const client = rig.network.connect(1883);
    client.write(Buffer.from('hello'));
    rig.clock.turn();
    expect(rig.started).toEqual([]);
    expect(rig.heard).toEqual([]);
    expect(rig.listener.connections).toBe(1);
    rig.listener.accept();
    rig.clock.turn();
    expect(rig.heard).toEqual(['hello']);
    rig.network.connect(1883).write(Buffer.from('next'));
    rig.clock.turn();
    expect(rig.heard).toEqual(['hello', 'next']);
    expect(rig.listener.connections).toBe(2);
  });

  test('bound, and not won: held connections are destroyed', async () => {
    const rig = new Rig();
    await rig.listener.bind();
    const client = rig.network.connect(1883);
    rig.clock.turn();
    rig.listener.close('the claim was lost');
    rig.clock.turn();
    expect(client.closedBy).not.toBeNull();
    expect(rig.listener.connections).toBe(0);
    expect(rig.started).toEqual([]);
  });

  test('a held client that goes away is forgotten', async () => {
    const rig = new Rig();
    await rig.listener.bind();
    rig.network.connect(1883).lose('gave up');
    rig.clock.turn();
    expect(rig.listener.connections).toBe(0);
    rig.listener.accept();
    expect(rig.started).toEqual([]);
  });

  test('close destroys those that are served, and tells them why', async () => {
    const rig = new Rig();
    await rig.listener.bind();
    rig.listener.accept();
    const client = rig.network.connect(1883);
    rig.clock.turn();
    rig.listener.close('switchover');
    rig.clock.turn();
    expect(rig.heard).toEqual(['close: switchover']);
    expect(client.closedBy).not.toBeNull();
    expect(rig.listener.connections).toBe(0);
  });

  test('hold: those that come now wait, those that are served stay', async () => {
    const rig = new Rig();
    await rig.listener.bind();
    rig.listener.accept();
    const before = rig.network.connect(1883);
    rig.listener.hold();
    rig.network.connect(1883).write(Buffer.from('later'));
    before.write(Buffer.from('served'));
    rig.clock.turn();
    expect(rig.heard).toEqual(['served']);
    rig.listener.accept();
    rig.clock.turn();
    expect(rig.heard).toEqual(['served', 'later']);
  });

  test('a connection that has closed and that the protocol has not done with takes room until it has', async () => {
    const rig = new Rig([1883], 2);
    await rig.listener.bind();
    rig.listener.accept();
    rig.departed = 1;
    rig.network.connect(1883);
    const refused = rig.network.connect(1883);
    rig.clock.turn();
    expect(rig.listener.connections).toBe(2);
    expect(refused.closedBy).not.toBeNull();
    rig.departed = 0;
    const taken = rig.network.connect(1883);
    rig.clock.turn();
    expect(taken.closedBy).toBeNull();
  });

  test('a port that is taken: failed, with the reason; no door stays open; a later attempt succeeds', async () => {
    const rig = new Rig([1883, 8883]);
    rig.network.bound.set(8883, () => undefined);
    await rig.listener.bind();
    expect(rig.listener.state).toBe('failed');
    expect(rig.listener.error).toBe('port 8883 is taken. Choose another one.');
    expect([...rig.network.bound.keys()]).toEqual([8883]);
    expect(rig.log.from('error')).toEqual(['Clients cannot connect: port 8883 is taken. Choose another one.']);
    rig.network.bound.delete(8883);
    await rig.listener.bind();
    expect(rig.listener.state).toBe('bound');
    expect(rig.listener.error).toBeNull();
    expect(rig.listener.ports.map(({ name }) => name)).toEqual(['mqtt', 'mqtts']);
  });

  test('closed while it binds: the port is closed again', async () => {
    const rig = new Rig();
    const binding = rig.listener.bind();
    expect(rig.listener.state).toBe('binding');
    rig.listener.close('changed my mind');
    await binding;
    expect(rig.listener.state).toBe('closed');
    expect(rig.network.bound.size).toBe(0);
  });

  test('closed and wanted again while it binds', async () => {
    const rig = new Rig();
    const first = rig.listener.bind();
    rig.listener.close('changed my mind');
    await Promise.all([first, rig.listener.bind(), rig.listener.bind()]);
    expect(rig.listener.state).toBe('bound');
    expect(rig.network.bound.size).toBe(1);
  });

  test('a trial binds all doors for a moment, and says nothing', async () => {
    const rig = new Rig([1883, 8883]);
    const trial = rig.listener.rehearse();
    await Promise.resolve();
    expect(rig.network.bound.size).toBeGreaterThan(0);
    expect(await trial).toBeNull();
    expect(rig.listener.state).toBe('closed');
    expect(rig.network.bound.size).toBe(0);
    rig.network.bound.set(8883, () => undefined);
    expect(await rig.listener.rehearse()).toBe('port 8883 is taken. Choose another one.');
    expect(rig.listener).toMatchObject({ state: 'closed', error: null });
    expect([...rig.network.bound.keys()]).toEqual([8883]);
    expect(rig.log.lines).toEqual([]);
  });

  test.each([['free', 'bound'], ['taken', 'failed']])('wanted in the middle of a trial, the ports being %s: the trial is the binding', async (ports, state) => {
    const rig = new Rig([1883, 8883]);
    if (ports === 'taken') rig.network.bound.set(8883, () => undefined);
    const trial = rig.listener.rehearse();
    await rig.listener.bind();
    expect(rig.listener.state).toBe(state);
    await trial;
    expect(rig.listener.state).toBe(state);
    expect(rig.log.from('error')).toHaveLength(ports === 'taken' ? 1 : 0);
    expect(await rig.listener.rehearse()).toBeNull();
    expect(rig.listener.state).toBe(state);
  });

  test('closed in the middle of a trial, and wanted then', async () => {
    const rig = new Rig();
    const trial = rig.listener.rehearse();
    rig.listener.close('changed my mind');
    await rig.listener.bind();
    await trial;
    expect(rig.listener.state).toBe('bound');
  });

  test('bind twice at the same time is once', async () => {
    const rig = new Rig();
    await Promise.all([rig.listener.bind(), rig.listener.bind()]);
    await rig.listener.bind();
    expect(rig.listener.state).toBe('bound');
  });

  test('connectionsMax: further ones are refused, with one line in the log', async () => {
    const rig = new Rig([1883], 2);
    await rig.listener.bind();
    rig.network.connect(1883);
    rig.listener.accept();
    const last = rig.network.connect(1883);
    const refused = [rig.network.connect(1883), rig.network.connect(1883), rig.network.connect(1883)];
    rig.clock.turn();
    expect(refused.every((client) => client.closedBy !== null)).toBe(true);
    expect(rig.listener.connections).toBe(2);
    expect(rig.log.from('warn')).toEqual([expect.stringMatching(/is refused: 2 connections are open \(connectionsMax\)/)]);
    last.lose('bye');
    rig.clock.turn();
    const next = rig.network.connect(1883);
    rig.clock.turn();
    expect(next.closedBy).toBeNull();
  });
});
