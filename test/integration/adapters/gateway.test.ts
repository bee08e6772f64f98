import net from 'node:net';
import { askTcp, createGatewayProbe, type ClosableGatewayProbe } from '../../../src/adapters/gateway.js';
import { whyNotLoaded, type NetPing, type PingSession } from '../../../src/adapters/icmp.js';
import { FakeLog } from '../../unit/support/fake-log.js';

type Behaviour = 'answers' | 'silent' | 'fails' | 'throws' | 'errors late' | 'refuses sessions';

/** net-ping as it can behave. */
function fakePing(behaviour: Behaviour, counts = { sessions: 0, pings: 0 }): { load: () => Promise<NetPing>; counts: typeof counts } {
  const session = (): PingSession => {
    counts.sessions += 1;
    if (behaviour === 'refuses sessions') throw Object.assign(new Error('Operation not permitted'), { code: 'EPERM' });
    let onError: (error?: unknown) => void = () => undefined;
    return {
      timeout: 0,
      on: (event, listener) => (event === 'error' ? (onError = listener) : undefined),
      pingHost: (_, done) => {
        counts.pings += 1;
        if (behaviour === 'throws') throw new Error('socket is closed');
        if (behaviour === 'answers') setImmediate(() => done(null));
        if (behaviour === 'fails') setImmediate(() => done(new Error('Request timed out')));
        if (behaviour === 'errors late') setImmediate(() => onError(new Error('late')));
      },
      close: () => undefined,
    };
  };
  return { counts, load: () => Promise.resolve({ NetworkProtocol: { IPv4: 1, IPv6: 2 }, createSession: session }) };
}

let log: FakeLog;
let probe: ClosableGatewayProbe | null;
let server: net.Server;
let open: number;
const CLOSED_PORT = 1;

beforeAll((done) => {
  server = net.createServer((socket) => socket.destroy()).listen(0, '127.0.0.1', () => {
    open = (server.address() as net.AddressInfo).port;
    done();
  });
});
afterAll((done) => void server.close(() => done()));
beforeEach(() => {
  log = new FakeLog();
  probe = null;
});
afterEach(() => probe?.close());

function make(port: number, ping: { load: () => Promise<NetPing> }, host = '127.0.0.1'): ClosableGatewayProbe {
  probe = createGatewayProbe({ gateway: { host, port }, log, loadIcmp: ping.load });
  return probe;
}

describe('the gateway probe', () => {
  it.each<[Behaviour, 'open' | 'closed' | 'none', boolean]>([
    ['answers', 'none', true],
    ['silent', 'none', false],
    ['fails', 'none', false],
    ['throws', 'none', false],
    ['errors late', 'none', false],
    ['silent', 'open', true],
    ['fails', 'closed', true],
    ['throws', 'open', true],
    ['errors late', 'open', true],
    ['refuses sessions', 'open', true],
    ['refuses sessions', 'none', false],
  ])('with an ICMP that %s and a port that is %s says %s, time after time', async (behaviour, tcp, expected) => {
    const it = make({ open, closed: CLOSED_PORT, none: 0 }[tcp], fakePing(behaviour));
    for (let i = 0; i < 3; i += 1) expect(await it.probe(60)).toBe(expected);
  });

  it('says once that ICMP is not available, and why', async () => {
    const it = make(open, fakePing('refuses sessions'));
    for (let i = 0; i < 3; i += 1) await it.probe(100);
    expect(log.lines.map(({ level, message }) => `${level} ${message}`)).toEqual([`info the gateway 127.0.0.1 is asked by TCP port ${open} only: ICMP is not available (Operation not permitted (EPERM))`]);
  });

  it.each([
    ['ERR_DLOPEN_FAILED', "The module '/lib/raw.node'\nwas compiled against a different Node.js version", 'the native part of net-ping was built for another Node.js than this one'],
    ['ERR_MODULE_NOT_FOUND', "Cannot find package 'net-ping'", 'net-ping is not installed'],
    ['EACCES', 'permission denied', 'does not permit it (EACCES)'],
  ])('says what to do about a package that fails with %s', (code, message, said) => {
    expect(whyNotLoaded(Object.assign(new Error(message), { code }))).toContain(said);
  });

  it('says it loudly when there is no other way', async () => {
    await make(0, { load: () => Promise.reject(new Error('Cannot find package')) }).probe(50);
    expect(log.from('error')).toHaveLength(1);
  });

  it('never asks twice at once', async () => {
    const ping = fakePing('silent');
    const it = make(0, ping);
    const answers = await Promise.all([it.probe(50), it.probe(50), it.probe(50)]);
    expect(answers).toEqual([false, false, false]);
    expect(ping.counts.pings).toBe(1);
    await it.probe(50);
    expect(ping.counts.pings).toBe(2);
  });

  it('makes a session anew after one broke', async () => {
    const ping = fakePing('errors late');
    const it = make(0, ping);
    await it.probe(50);
    await it.probe(50);
    expect(ping.counts.sessions).toBe(2);
  });

  it('takes an unknown name for silence', async () => {
    expect(await make(open, fakePing('answers'), 'no-such-host.invalid').probe(1000)).toBe(false);
  });

  it('takes a refused connection for an answer', async () => {
    expect(await askTcp('127.0.0.1', CLOSED_PORT, 500)).toBe(true);
  });

  it('has one look-up of a name under way, however long the name service is silent, and asks no address for probes that are over', async () => {
    const answers: ((address: string) => void)[] = [];
    const ping = fakePing('answers');
    probe = createGatewayProbe({ gateway: { host: 'gateway.test', port: 0 }, log, loadIcmp: ping.load, lookUp: () => new Promise((resolve) => answers.push(resolve)) });
    for (let count = 0; count < 5; count += 1) expect(await probe.probe(5)).toBe(false);
    expect(answers).toHaveLength(1);
    answers[0]?.('127.0.0.1');
    expect(await probe.probe(1_000)).toBe(true);
    expect(ping.counts.pings).toBe(1);
  });
});
