import { EventEmitter } from 'node:events';
import type { Mqtt } from '../../../src/cli/exercise/client.js';
import { Exercise, type ExercisePlan } from '../../../src/cli/exercise/exercise.js';
import type { Recorder } from '../../../src/cli/exercise/recorder.js';

const PLAN: ExercisePlan = { target: { addresses: [{ host: 'a', port: 1 }], user: null, password: null, ca: null }, forMs: 1_000, rate: 100, publishers: 1, consumers: 1, bytes: 1, patienceMs: 5_000 };

/** A server that can be reached or not, that grants subscriptions or not, and that confirms what is published or not. */
class World {
  up = true;
  grants = true;
  confirms = true;
  now = 0;
  readonly sessions = new Set<string>();
  readonly retained = new Set<string>();
  readonly said: string[] = [];
  private told = 0;
  private readonly clients = new Set<FakeClient>();

  readonly time = {
    now: () => this.now,
    pause: async (ms: number): Promise<void> => {
      this.now += ms;
      for (const client of [...this.clients]) client.look();
      await Promise.resolve();
    },
  };

  exercise(): Exercise {
    const connect = ({ clientId, clean }: { clientId: string; clean: boolean }): FakeClient => {
      const client = new FakeClient(this, clientId, clean);
      this.clients.add(client);
      return client;
    };
    const recorder = { tell: () => void (this.told += 1), full: false } as unknown as Recorder;
    Object.defineProperty(recorder, 'isEmpty', { get: () => this.told === 0 });
    return new Exercise({ connect, Store: class {} } as unknown as Mqtt, 'run', PLAN, recorder, (line) => void this.said.push(line), this.time);
  }

  gone(client: FakeClient): void {
    this.clients.delete(client);
  }
}

class FakeClient extends EventEmitter {
  connected = false;
  private waiting: (() => void)[] = [];

  constructor(
    private readonly world: World,
    private readonly id: string,
    private readonly clean: boolean,
  ) {
    super();
  }

  look(): void {
    const { world } = this;
    if (!world.up) return;
    if (!this.connected) {
      this.connected = true;
      if (this.clean) world.sessions.delete(this.id);
      else world.sessions.add(this.id);
      this.emit('connect', { sessionPresent: false });
    }
    for (const done of this.waiting.splice(0)) done();
  }

  subscribe(_filter: string, _options: unknown, done: (error: null, grants: { qos: number }[]) => void): void {
    done(null, [{ qos: this.world.grants ? 2 : 128 }]);
  }

  publish(topic: string, payload: Buffer, { retain }: { retain: boolean }, done: (error?: Error) => void): void {
    this.waiting.push(() => {
      const { world } = this;
      if (retain && payload.length > 0) world.retained.add(topic);
      else if (retain) world.retained.delete(topic);
      if (world.confirms || payload.length === 0) done();
    });
  }

  async endAsync(): Promise<void> {
    this.world.gone(this);
  }
}

test('what a failed exercise made is gone: sessions, and retained messages', async () => {
  const world = new World();
  world.confirms = false;
  await expect(world.exercise().run(() => false)).rejects.toThrow(/^messages are still not acknowledged after 5 s$/);
  expect(world.said[0]).toContain('publishing for 1 s');
  expect([...world.sessions, ...world.retained]).toEqual([]);
});

test('also where no subscription is granted', async () => {
  const world = new World();
  world.grants = false;
  await expect(world.exercise().run(() => false)).rejects.toThrow('grants their subscriptions after 5 s');
  expect([...world.sessions]).toEqual([]);
});

test('where the pair is away by then, the failure says what is left', async () => {
  const world = new World();
  world.confirms = false;
  const run = world.exercise().run(() => {
    world.up = world.now < 500;
    return false;
  });
  await expect(run).rejects.toThrow(/^messages are still .* 5 s; the sessions of clients that are called run-…, and the retained messages below run\/, could not be removed$/);
  expect(world.sessions.size).toBe(2);
  expect(world.now).toBeLessThan(PLAN.patienceMs * 3);
});

test('one that reached nobody ends at once, and one that is stopped before it publishes waits for nobody', async () => {
  const world = new World();
  world.up = false;
  await expect(world.exercise().run(() => false)).rejects.toThrow('no server lets the consumers in');
  expect(world.now).toBeLessThan(PLAN.patienceMs + 200);
  world.now = 0;
  await expect(world.exercise().run(() => world.now > 1_000)).rejects.toThrow('it was stopped before anything was published');
  expect(world.now).toBeLessThan(1_200);
});
