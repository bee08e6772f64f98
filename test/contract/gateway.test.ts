import net from 'node:net';
import { createGatewayProbe, type ClosableGatewayProbe } from '../../src/adapters/gateway.js';
import type { NetPing } from '../../src/adapters/icmp.js';
import type { GatewayProbe } from '../../src/ports/gateway.js';
import { SimGateway } from '../simulation/gateway.js';
import { SimHost } from '../simulation/host.js';
import { SimProcess } from '../simulation/process.js';
import { World } from '../simulation/world.js';

interface Ground {
  /** Of a machine that answers, or of one that does not. */
  probe(answers: boolean): GatewayProbe;
  /** Lets time go on until the promise is settled. */
  run<T>(promise: Promise<T>): Promise<T>;
  end(): Promise<void>;
}

const TIMEOUT_MS = 60;

async function realGround(): Promise<Ground> {
  const server = net.createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const probes: ClosableGatewayProbe[] = [];
  // No ICMP: and one that never answers, for a machine that is not there.
  const none = (): Promise<NetPing> => Promise.reject(new Error('not here'));
  const silent: NetPing = { NetworkProtocol: { IPv4: 1, IPv6: 2 }, createSession: () => ({ timeout: 0, on: () => undefined, pingHost: () => undefined, close: () => undefined }) };
  return {
    probe(answers) {
      const probe = createGatewayProbe({ gateway: { host: '127.0.0.1', port: answers ? port : 0 }, log: { write: () => undefined }, loadIcmp: answers ? none : () => Promise.resolve(silent) });
      probes.push(probe);
      return probe;
    },
    run: (promise) => promise,
    async end() {
      for (const probe of probes) probe.close();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function simulatedGround(): Promise<Ground> {
  const world = new World(4);
  const process = new SimProcess(new SimHost(world, 'primary', { rate: 1, wallOffsetMs: 0 }), 'manager', 1, world.random.fork('manager'));
  return Promise.resolve({
    probe(answers) {
      const gateway = new SimGateway();
      if (!answers) gateway.cut('primary');
      return gateway.probeFor(process);
    },
    async run(promise) {
      let settled = false;
      void promise.finally(() => (settled = true)).catch(() => undefined);
      await world.run(world.now + 10_000, () => settled);
      return promise;
    },
    end: () => Promise.resolve(),
  });
}

describe.each([
  ['on a real machine', realGround],
  ['simulated', simulatedGround],
])('GatewayProbe %s', (_, make) => {
  let ground: Ground;
  beforeEach(async () => {
    ground = await make();
  });
  afterEach(() => ground.end());

  it('is true of a machine that answers, time after time', async () => {
    const probe = ground.probe(true);
    for (let i = 0; i < 3; i += 1) expect(await ground.run(probe.probe(5_000))).toBe(true);
  });

  it('is false, and no rejection, of one that does not answer within the time', async () => {
    const probe = ground.probe(false);
    for (let i = 0; i < 2; i += 1) expect(await ground.run(probe.probe(TIMEOUT_MS))).toBe(false);
  });

  it('answers everybody who asks at the same time', async () => {
    const [good, bad] = [ground.probe(true), ground.probe(false)];
    expect(await ground.run(Promise.all([good.probe(5_000), bad.probe(TIMEOUT_MS), good.probe(5_000), bad.probe(TIMEOUT_MS)]))).toEqual([true, false, true, false]);
  });
});
