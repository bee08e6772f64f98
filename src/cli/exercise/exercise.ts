import { Complaint, connectTo, type Mqtt, type Target } from './client.js';
import { Consumer } from './consumer.js';
import { Publisher } from './publisher.js';
import type { Recorder } from './recorder.js';

export interface ExercisePlan {
  readonly target: Target;
  /** Publishing lasts so long. */
  readonly forMs: number;
  /** Messages a second, all publishers together. */
  readonly rate: number;
  readonly publishers: number;
  readonly consumers: number;
  readonly bytes: number;
  /** So long everybody may take to get in at first, and to catch up at the end. */
  readonly patienceMs: number;
}

/** Looks at what became of the clients so often. */
const LOOK_MS = 50;
/** A consumer that is connected and gets nothing for so long has got everything. Above what a failover takes. */
const QUIET_MS = 3_000;
const TELL_EVERY_MS = 5_000;
/** After a failure the pair may be away altogether: then what is left there is only named. */
const TIDY_AFTER_FAILURE_MS = 10_000;

/** The clients could not do what was asked of them; nothing was judged. */
export class ExerciseFailed extends Error {}

/** The real one; another for tests. */
const TIME = { now: () => performance.now(), pause };

/**
 * Runs publishers and consumers against a pair, and tells a recorder what they do and meet. Ends by itself: after `forMs` and what it waits for before and
 * behind that, each for at most `patienceMs`, six times in all. When `stopped` says so nothing more is published, and before that nothing is waited for.
 * The sessions and retained messages that it made are gone afterwards, or the failure says what is left.
 */
export class Exercise {
  private readonly complaint = new Complaint();
  private readonly publishers: Publisher[] = [];
  private readonly consumers: Consumer[] = [];

  /** @param name of this run: part of every client id and topic, so that two runs do not meet */
  constructor(
    private readonly mqtt: Mqtt,
    private readonly name: string,
    private readonly plan: ExercisePlan,
    private readonly recorder: Recorder,
    private readonly say: (line: string) => void,
    private readonly time = TIME,
  ) {}

  /** @throws ExerciseFailed when nobody gets in, it is stopped before, or something is still not answered at the end (rejects) */
  async run(stopped: () => boolean): Promise<void> {
    try {
      await this.open(stopped);
      await this.publish(stopped);
      await this.settle();
      await this.readRetained();
      await this.tidy();
    } catch (error) {
      await this.endAll();
      throw error instanceof ExerciseFailed && !this.recorder.isEmpty ? await this.afterFailure(error) : error;
    }
    await this.endAll();
    await this.forget();
  }

  private async endAll(): Promise<void> {
    await Promise.all([...this.consumers.map(({ client }) => client.endAsync(true)), ...this.publishers.map((publisher) => publisher.end())]);
  }

  /** Removes what it made all the same, where it can. @returns the failure, with what is left */
  private async afterFailure(failure: ExerciseFailed): Promise<ExerciseFailed> {
    try {
      await this.forget(Math.min(TIDY_AFTER_FAILURE_MS, this.plan.patienceMs), true);
      return failure;
    } catch {
      return new ExerciseFailed(`${failure.message}; the sessions of clients that are called ${this.name}-…, and the retained messages below ${this.name}/, could not be removed`, { cause: failure });
    }
  }

  private async open(stopped: () => boolean): Promise<void> {
    const { plan, mqtt } = this;
    for (let i = 1; i <= plan.consumers; i += 1) {
      const name = `${this.name}-reader${i}`;
      // The client's half of QoS 2 belongs to the session: it outlives connections.
      const client = this.connect(name, { incomingStore: new mqtt.Store({ clean: false }) });
      this.consumers.push(new Consumer(client, name, `${this.name}/#`, this.recorder));
    }
    await this.until(() => this.consumers.every(({ subscribed }) => subscribed), 'no server lets the consumers in and grants their subscriptions', { stopped });
    for (let i = 1; i <= plan.publishers; i += 1) {
      const name = `${this.name}-writer${i}`;
      this.publishers.push(new Publisher(this.connect(name), name, `${this.name}/writer${i}`, plan.bytes, this.recorder));
    }
    this.say(`${plan.consumers} consumers and ${plan.publishers} publishers are connected; publishing for ${plan.forMs / 1000} s`);
  }

  private async publish(stopped: () => boolean): Promise<void> {
    const began = this.time.now();
    let sent = 0;
    let told = began;
    for (let now = began; now - began < this.plan.forMs && !stopped(); now = this.time.now()) {
      const due = Math.floor(((now - began) / 1000) * this.plan.rate);
      // What could not be sent in its time is not made up for: a pair that was away is not to be flooded.
      for (const until = Math.min(due, sent + this.plan.rate); sent < until; sent += 1) this.publishers[sent % this.publishers.length]?.publish();
      sent = due;
      if (now - told > TELL_EVERY_MS) {
        told = now;
        this.say(`${this.acknowledged} acknowledged, ${this.received} received`);
      }
      await this.time.pause(LOOK_MS / 5);
    }
  }

  private async settle(): Promise<void> {
    await this.until(() => this.publishers.every(({ idle }) => idle), 'messages are still not acknowledged');
    await this.until(() => this.consumers.every((consumer) => consumer.quietFor(QUIET_MS)), 'a consumer is not connected, or still gets messages');
    for (const consumer of this.consumers) consumer.drained();
    this.say(`${this.acknowledged} acknowledged, ${this.received} received`);
  }

  /** Somebody new subscribes, and is to get the last retained message of each publisher. */
  private async readRetained(): Promise<void> {
    const name = `${this.name}-latecomer`;
    const late = new Consumer(this.connect(name), name, `${this.name}/+/retained`, this.recorder);
    this.consumers.push(late);
    await this.until(() => late.subscribed && late.quietFor(QUIET_MS), 'a new consumer is not let in');
    late.drained();
  }

  private async tidy(): Promise<void> {
    for (const publisher of this.publishers) publisher.clear();
    await this.until(() => this.publishers.every(({ idle }) => idle), 'the retained messages could not be cleared');
  }

  /** The servers keep no session of ours. @param retained nor a retained message, of which they were not rid before */
  private async forget(patienceMs = this.plan.patienceMs, retained = false): Promise<void> {
    const readers = this.consumers.map(({ name }) => this.connect(name, { clean: true }));
    const writers = this.publishers.map((_, index) => this.connect(`${this.name}-writer${index + 1}`, { clean: true }));
    let toClear = retained ? writers.length : 0;
    if (retained) writers.forEach((writer, index) => writer.publish(`${this.name}/writer${index + 1}/retained`, Buffer.alloc(0), { qos: 1, retain: true }, (error) => void (error || (toClear -= 1))));
    const all = [...readers, ...writers];
    await this.until(() => toClear === 0 && all.every(({ connected }) => connected), 'the sessions could not be removed', { patienceMs }).finally(() => Promise.all(all.map((client) => client.endAsync(true))));
  }

  private connect(name: string, options: Parameters<typeof connectTo>[4] = {}): ReturnType<typeof connectTo> {
    return this.complaint.watch(connectTo(this.mqtt, this.plan.target, name, this.recorder, options));
  }

  private async until(reached: () => boolean, otherwise: string, { patienceMs = this.plan.patienceMs, stopped = (): boolean => false } = {}): Promise<void> {
    const end = this.time.now() + patienceMs;
    while (!reached()) {
      if (stopped()) throw new ExerciseFailed('it was stopped before anything was published');
      if (this.time.now() > end) throw new ExerciseFailed(`${otherwise} after ${patienceMs / 1000} s${this.complaint.last === null ? '' : `; the last error was: ${this.complaint.last}`}`);
      await this.time.pause(LOOK_MS);
    }
  }

  private get acknowledged(): number {
    return this.publishers.reduce((sum, publisher) => sum + publisher.acknowledged, 0);
  }

  private get received(): number {
    return this.consumers.reduce((sum, consumer) => sum + consumer.received, 0);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
