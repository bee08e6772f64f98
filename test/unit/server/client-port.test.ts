import { ClientPortSteering, REHEARSE_MS } from '../../../src/server/client-port.js';
import { ClientListener } from '../../../src/server/clients/client-listener.js';
import { FakeClock, settle } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';
import { FakeNetwork } from '../support/fake-network.js';

const TAKEN = 'port 1883 is taken. Choose another one.';

class Rig {
  readonly clock = new FakeClock();
  readonly log = new FakeLog();
  readonly network = new FakeNetwork(this.clock);
  changes = 0;
  readonly listener = new ClientListener({ doors: [{ name: 'mqtt', network: this.network, endpoint: { host: '127.0.0.1', port: 1883 } }], limits: { connectionsMax: 10 }, start: () => undefined, clock: this.clock, log: this.log });
  readonly steering = new ClientPortSteering(this.listener, this.clock, this.log, () => (this.changes += 1));

  async wants(wanted: 'closed' | 'bound' | 'accepting', afterMs = 0): Promise<void> {
    this.clock.advance(afterMs);
    this.steering.want(wanted);
    await settle();
    this.steering.want(wanted);
    await settle();
  }
  taken(): this {
    this.network.bound.set(1883, () => undefined);
    return this;
  }
}

test('a port that could not be bound is said while nobody is served, when that begins and when it ends, and is no failure', async () => {
  const rig = new Rig().taken();
  await rig.wants('closed');
  expect(rig.log.from('warn')).toEqual([`Clients could not connect to this server, should it serve: ${TAKEN}`]);
  expect(rig.steering).toMatchObject({ state: 'closed', error: TAKEN });
  expect(rig.changes).toBe(1);
  await rig.wants('closed', REHEARSE_MS);
  expect(rig.log.from('warn')).toHaveLength(1);
  rig.network.bound.delete(1883);
  await rig.wants('closed', REHEARSE_MS - 1);
  expect(rig.steering.error).toBe(TAKEN);
  await rig.wants('closed', 1);
  expect(rig.steering).toMatchObject({ state: 'closed', error: null });
  expect(rig.log.from('info').slice(1)).toEqual(['Clients could connect to this server again, should it serve']);
  expect(rig.network.bound.size).toBe(0);
  expect(rig.log.from('error')).toEqual([]);
});

test('what was found before does not count when the port is wanted: it is bound anew, and at once', async () => {
  const rig = new Rig().taken();
  await rig.wants('closed');
  rig.network.bound.delete(1883);
  await rig.wants('accepting');
  expect(rig.steering).toMatchObject({ state: 'accepting', error: null });
  await rig.wants('closed');
  expect(rig.steering).toMatchObject({ state: 'closed', error: null });
});

test('a failure counts also when the port is not wanted any more, and while it is bound anew, until a trial or a binding went well', async () => {
  const rig = new Rig().taken();
  await rig.wants('bound');
  expect(rig.steering).toMatchObject({ state: 'failed', error: TAKEN });
  await rig.wants('closed', 10);
  expect(rig.steering).toMatchObject({ state: 'closed', error: TAKEN });
  rig.network.bound.delete(1883);
  rig.steering.want('bound');
  expect(rig.steering.error).toBe(TAKEN);
  await settle();
  expect(rig.steering).toMatchObject({ state: 'bound', error: null });
  await rig.wants('closed', 10);
  expect(rig.steering.error).toBeNull();
});

test('wanted in the middle of a trial: the trial is the binding', async () => {
  const rig = new Rig();
  rig.steering.want('closed');
  expect(rig.steering.state).toBe('closed');
  await rig.wants('bound');
  expect(rig.steering.state).toBe('bound');
  await rig.wants('closed');
  expect(rig.steering.state).toBe('closed');
});

test('a server that has just ended serving does not open its port for a trial', async () => {
  const rig = new Rig();
  await rig.wants('closed');
  await rig.wants('accepting', REHEARSE_MS * 2);
  rig.steering.want('closed');
  expect(rig.listener.state).toBe('closed');
  await rig.wants('closed', REHEARSE_MS - 1);
  rig.clock.advance(1);
  rig.steering.want('closed');
  expect(rig.listener.state).toBe('binding');
});
