import * as fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import { join } from 'node:path';
import { askTcp, createGatewayProbe, type ClosableGatewayProbe } from '../../../src/adapters/gateway.js';
import { IcmpEcho, TRIES_MAX, whyNotLoaded, type NetPing, type PingSession } from '../../../src/adapters/icmp.js';
import { runPing, SAID_AFTER, type PingEnd, type RunPing } from '../../../src/adapters/ping-program.js';
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

/** The program ping as it can end. */
const NOT_INSTALLED: RunPing = () => Promise.resolve({ kind: 'not-run', reason: 'it is not installed', lasting: true });

interface Runs {
  readonly run: RunPing;
  readonly asked: string[];
}
function fakeProgram(ends: (address: string) => PingEnd): Runs {
  const asked: string[] = [];
  return {
    asked,
    run: (address) => {
      asked.push(address);
      return Promise.resolve(ends(address));
    },
  };
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

function make(port: number, ping: { load: () => Promise<NetPing> }, host = '127.0.0.1', run = NOT_INSTALLED): ClosableGatewayProbe {
  probe = createGatewayProbe({ gateway: { host, port }, log, loadIcmp: ping.load, runPing: run });
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
    expect(log.lines.map(({ level, message }) => `${level} ${message}`)).toEqual([`info the gateway 127.0.0.1 is asked by TCP port ${open} only: ICMP is not available (net-ping: Operation not permitted (EPERM); the program ping: it is not installed)`]);
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

  it('opens one session, however many probes wait for the package, and none when nobody asks any more', async () => {
    for (const closes of [false, true]) {
      const ping = fakePing('answers');
      let imported: () => void = () => undefined;
      const importing = new Promise<void>((resolve) => (imported = resolve));
      const echo = new IcmpEcho(() => importing.then(ping.load), () => undefined);
      const asked = [echo.ask('127.0.0.1', 50), echo.ask('127.0.0.1', 50)];
      if (closes) echo.close();
      imported();
      expect(await Promise.all(asked)).toEqual([!closes, !closes]);
      expect(ping.counts.sessions).toBe(closes ? 0 : 1);
      echo.close();
    }
  });

  it('tries again for a session that the host had no room for just now, but not for ever', async () => {
    const ping = fakePing('answers');
    const refused = { times: 2 };
    const load = async (): Promise<NetPing> => {
      const { createSession, NetworkProtocol } = await ping.load();
      return {
        NetworkProtocol,
        createSession: (options) => {
          // As raw-socket says it.
          if ((refused.times -= 1) >= 0) throw new Error('Too many open files');
          return createSession(options);
        },
      };
    };
    const it = make(0, { load });
    expect([await it.probe(500), await it.probe(500), await it.probe(500)]).toEqual([false, false, true]);
    expect(log.lines).toEqual([]);
    refused.times = TRIES_MAX;
    const other = make(0, { load });
    for (let i = 0; i < TRIES_MAX; i += 1) expect(await other.probe(500)).toBe(false);
    expect(log.lines.map(({ message }) => message)).toEqual([expect.stringContaining('net-ping: Too many open files')]);
    expect(await other.probe(500)).toBe(false);
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

describe('the program ping, where net-ping cannot be had', () => {
  const without = fakePing('refuses sessions');
  const answered: PingEnd = { kind: 'answered' };
  const silent: PingEnd = { kind: 'silent', said: '' };

  it('is asked in the very probe in which that turned out, and said once', async () => {
    const program = fakeProgram(() => answered);
    const it = make(0, without, '192.0.2.1', program.run);
    for (let i = 0; i < 3; i += 1) expect(await it.probe(500)).toBe(true);
    expect(program.asked).toEqual(['127.0.0.1', '192.0.2.1', '192.0.2.1', '192.0.2.1']);
    expect(log.lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
      'info the gateway 192.0.2.1 is asked for ICMP by the program ping, one process each time: net-ping is not available (Operation not permitted (EPERM))',
    ]);
  });

  it('is not asked where net-ping works', async () => {
    const program = fakeProgram(() => answered);
    expect(await make(0, fakePing('silent'), '127.0.0.1', program.run).probe(50)).toBe(false);
    expect(program.asked).toEqual([]);
  });

  it('does not answer for a gateway that is silent', async () => {
    const program = fakeProgram((address) => (address === '::1' ? answered : silent));
    const it = make(0, without, '2001:db8::1', program.run);
    for (let i = 0; i < 2; i += 1) expect(await it.probe(500)).toBe(false);
    expect(program.asked).toEqual(['::1', '2001:db8::1', '2001:db8::1']);
  });

  it.each<[string, PingEnd, string]>([
    ['is not there', { kind: 'not-run', reason: 'it is not installed', lasting: true }, 'it is not installed'],
    ['may not ask', { kind: 'silent', said: 'ping: socket: Operation not permitted' }, 'it does not hear 127.0.0.1 (ping: socket: Operation not permitted)'],
    ['does not hear this machine', silent, 'it does not hear 127.0.0.1'],
  ])('is run once and no more where it %s, and that is said', async (_, end, said) => {
    const program = fakeProgram(() => end);
    const it = make(0, without, '192.0.2.1', program.run);
    for (let i = 0; i < 3; i += 1) expect(await it.probe(500)).toBe(false);
    expect(program.asked).toEqual(['127.0.0.1']);
    expect(log.lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
      `error the gateway 192.0.2.1 cannot be asked at all: ICMP is not available (net-ping: Operation not permitted (EPERM); the program ping: ${said}) and the gateway port is 0; set gatewayServerPort to a TCP port of that machine`,
    ]);
  });

  it('is tried again where the host had no process to give', async () => {
    const ends: PingEnd[] = [{ kind: 'not-run', reason: 'no', lasting: false }, answered, answered];
    const program = fakeProgram(() => ends.shift() ?? silent);
    const it = make(0, without, '192.0.2.1', program.run);
    expect(await it.probe(500)).toBe(false);
    expect(await it.probe(500)).toBe(true);
    expect(program.asked).toEqual(['127.0.0.1', '127.0.0.1', '192.0.2.1']);
  });

  it('is tried again where it did not come to its end in time, and that is said when it goes on so', async () => {
    let ready = false;
    const program = fakeProgram(() => (ready ? answered : { kind: 'cut-off' }));
    const it = make(0, without, '192.0.2.1', program.run);
    for (let i = 0; i < SAID_AFTER + 3; i += 1) {
      expect(await it.probe(500)).toBe(false);
      expect(log.lines).toHaveLength(i + 1 < SAID_AFTER ? 0 : 1);
    }
    expect(log.lines[0]?.message).toContain('the program ping: it does not hear 127.0.0.1 in time)');
    ready = true;
    expect(await it.probe(500)).toBe(true);
    expect(log.lines[1]?.message).toContain('is asked for ICMP by the program ping');
  });

  it('runs one at a time, also one that cannot be ended', async () => {
    let stuck = 0;
    const it = make(open, without, '127.0.0.1', () => ((stuck += 1), new Promise(() => undefined)));
    for (let i = 0; i < 3; i += 1) expect(await it.probe(100)).toBe(true);
    expect(stuck).toBe(1);
  });
});

describe('each way by itself', () => {
  it.each<[Behaviour, 'open' | 'closed' | 'none', { icmp: boolean; tcp: boolean | null }]>([
    ['answers', 'open', { icmp: true, tcp: true }],
    ['answers', 'none', { icmp: true, tcp: null }],
    ['silent', 'closed', { icmp: false, tcp: true }],
    ['refuses sessions', 'open', { icmp: false, tcp: true }],
    ['throws', 'none', { icmp: false, tcp: null }],
  ])('with an ICMP that %s and a port that is %s', async (behaviour, tcp, expected) => {
    expect(await make({ open, closed: CLOSED_PORT, none: 0 }[tcp], fakePing(behaviour)).probeEach(60)).toEqual(expected);
  });

  it('is silence both ways of a name that is unknown', async () => {
    expect(await make(open, fakePing('answers'), 'no-such-host.invalid').probeEach(1000)).toEqual({ icmp: false, tcp: false });
  });
});

describe('a run of the program ping', () => {
  let folder: string;
  let path: string | undefined;
  beforeEach(() => {
    folder = fs.mkdtempSync(join(os.tmpdir(), 'lockstep-ping-'));
    path = process.env['PATH'];
  });
  afterEach(() => {
    process.env['PATH'] = path;
    fs.rmSync(folder, { recursive: true });
  });
  const put = (script: string): void => {
    fs.writeFileSync(join(folder, 'ping'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    process.env['PATH'] = `${folder}:${path ?? ''}`;
  };
  const run = (timeoutMs = 20_000, signal = new AbortController().signal): Promise<PingEnd> => runPing('192.0.2.1', timeoutMs, signal);

  it('asks for one packet', async () => {
    put(`[ "$*" = "-q -c 1 192.0.2.1" ]`);
    expect(await run()).toEqual({ kind: 'answered' });
  });

  it('tells what it said when it failed', async () => {
    put('echo "ping: socktype: SOCK_RAW" >&2; echo more >&2; exit 2');
    expect(await run()).toEqual({ kind: 'silent', said: 'ping: socktype: SOCK_RAW' });
  });

  it('is ended by the time', async () => {
    put('exec sleep 60');
    expect(await run(100)).toEqual({ kind: 'cut-off' });
  });

  it('is ended by who asked', async () => {
    put('exec sleep 60');
    const end = new AbortController();
    const running = run(20_000, end.signal);
    end.abort();
    expect((await running).kind).toBe('cut-off');
  });

  it('is not there', async () => {
    process.env['PATH'] = folder;
    expect(await run()).toEqual({ kind: 'not-run', reason: 'it is not installed', lasting: true });
  });

  it('may not be run', async () => {
    fs.writeFileSync(join(folder, 'ping'), '', { mode: 0o644 });
    process.env['PATH'] = folder;
    expect(await run()).toMatchObject({ kind: 'not-run', lasting: true });
  });
});
