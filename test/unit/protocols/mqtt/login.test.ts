import mqttPacket from 'mqtt-packet';
import { ROUND_MS } from '../../../../src/protocols/mqtt/rounds.js';
import { FakeAuthenticator } from '../../support/fake-authenticator.js';
import { settle } from '../../support/fake-clock.js';
import { Rig, publish } from './rig.js';

describe('login', () => {
  test('nothing is read or submitted while it is judged; then everything in order', async () => {
    const judge = new FakeAuthenticator({ byHand: true });
    const rig = new Rig({}, judge);
    const client = rig.raw();
    await client.connect({ clientId: 'c', username: 'ann', password: Buffer.from('secret') });
    client.send(publish(1));
    expect(client.stream.paused).toBe(true);
    expect(rig.edge.operations).toEqual([]);
    expect(judge.asked).toEqual([{ clientId: 'c', user: 'ann', password: Buffer.from('secret'), remote: '192.0.2.1:40000' }]);
    judge.answer({ kind: 'accepted', user: 'ann' });
    await rig.clock.advanceAsync(0);
    expect(rig.edge.operations).toMatchObject([{ kind: 'connect', user: 'ann' }, { kind: 'publish' }]);
  });

  test.each([
    ['bad-credentials', 4],
    ['not-authorized', 5],
  ] as const)('%s is answered with CONNACK %i after the delay, and logged without the password', async (reason, code) => {
    const judge = new FakeAuthenticator({ byHand: true });
    const rig = new Rig({ failedLoginDelayMs: 3_000 }, judge);
    const client = rig.raw();
    await client.connect({ username: 'ann\n', password: Buffer.from('hunter2') });
    judge.answer({ kind: 'refused', reason });
    await settle();
    rig.clock.advance(2_900);
    expect(client.received()).toEqual([]);
    rig.clock.advance(100 + ROUND_MS);
    expect(client.received()).toMatchObject([{ cmd: 'connack', returnCode: code }]);
    expect(client.stream.closedBy).not.toBeNull();
    expect(rig.edge.handlers.size).toBe(0);
    const [line] = rig.log.lines;
    expect(line?.message).toMatch(/failed to log in as user "ann\\n"/);
    expect(JSON.stringify(rig.log.lines)).not.toContain('hunter2');
  });

  test('a name of a user takes no more of the log than names need, however long it is', async () => {
    const rig = new Rig({}, new FakeAuthenticator({ users: {} }));
    await rig.raw().connect({ username: '\u0001'.repeat(60_000), password: Buffer.from('x') });
    await settle();
    expect(JSON.stringify(rig.log.lines).length).toBeLessThan(3_000);
  });

  test('a TLS client on the plain port is told from other nonsense, by its first byte', async () => {
    const rig = new Rig();
    const client = rig.raw();
    client.sendBytes(Buffer.from([0x16]));
    rig.clock.turn();
    expect(rig.log.from('warn')).toEqual(['MQTT client at 192.0.2.1:40000 is disconnected: a TLS client hello on a plain MQTT listener; the client must dial mqtt.tlsPort, where the profile sets it, or do without TLS [§4.2]']);
    expect(client.stream.closedBy).toMatch(/TLS client hello/);
    expect(rig.protocol.counters.faults).toBe(1);
  });

  test('that byte later on is what it is: a CONNECT with flags', async () => {
    const rig = new Rig();
    const client = await rig.connected();
    client.sendBytes(Buffer.from([0x16, 3, 1]));
    rig.clock.turn();
    expect(client.stream.closedBy).toMatch(/reserved flags 6/);
  });

  test('nor does it tell of TLS where a piece of a long CONNECT begins with it', async () => {
    const rig = new Rig();
    const client = rig.raw();
    const connect = mqttPacket.generate({ cmd: 'connect', clientId: 'c1', clean: true, will: { topic: 't', payload: Buffer.alloc(4_000, 0x16), qos: 0, retain: false } });
    client.sendBytes(connect.subarray(0, 2_000));
    client.sendBytes(connect.subarray(2_000));
    await settle();
    expect(rig.log.from('warn')).toEqual([]);
    expect(rig.edge.operations).toMatchObject([{ kind: 'connect', clientId: 'c1' }]);
  });

  test('refused logins of one user do not hide those of another', async () => {
    const judge = new FakeAuthenticator({ byHand: true });
    const rig = new Rig({}, judge);
    for (const username of ['ann', 'bob', 'ann', 'ann', 'eve']) {
      await rig.raw().connect({ username, password: Buffer.from('wrong') });
      judge.answer({ kind: 'refused', reason: 'bad-credentials' });
      await settle();
    }
    expect(rig.log.from('warn').map((line) => /as user "(\w+)"/.exec(line)?.[1])).toEqual(['ann', 'bob', 'eve']);
  });

  test('busy is CONNACK 3, at once', async () => {
    const judge = new FakeAuthenticator({ byHand: true });
    const rig = new Rig({}, judge);
    const client = rig.raw();
    await client.connect();
    judge.answer({ kind: 'busy' });
    await rig.clock.advanceAsync(0);
    expect(client.received()).toMatchObject([{ cmd: 'connack', returnCode: 3 }]);
  });

  test('a judge that fails lets nobody in', async () => {
    const judge = new FakeAuthenticator({ byHand: true });
    const rig = new Rig({}, judge);
    const client = rig.raw();
    await client.connect();
    judge.fail(new Error('broken'));
    await rig.clock.advanceAsync(0);
    expect(client.received()).toMatchObject([{ cmd: 'connack', returnCode: 3 }]);
    expect(rig.log.from('error')).toEqual(['a login could not be judged: Error: broken']);
  });

  test('a judge that never answers', async () => {
    const rig = new Rig({ connectTimeoutMs: 4_000 }, new FakeAuthenticator({ byHand: true }));
    const client = rig.raw();
    await client.connect();
    rig.clock.advance(4_000 + ROUND_MS);
    expect(client.received()).toMatchObject([{ cmd: 'connack', returnCode: 3 }]);
  });

  test('a judgement for a client that has gone is of no use', async () => {
    const judge = new FakeAuthenticator({ byHand: true });
    const rig = new Rig({}, judge);
    const client = rig.raw();
    await client.connect();
    client.stream.lose('reset');
    rig.clock.turn();
    judge.answer({ kind: 'accepted', user: null });
    await rig.clock.advanceAsync(0);
    expect(rig.edge.operations).toEqual([]);
    expect(rig.edge.handlers.size).toBe(0);
    expect(rig.clock.pending).toBe(0);
  });
});
