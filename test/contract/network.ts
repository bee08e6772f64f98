import type { Endpoint } from '../../src/core/control/broker.js';
import type { Listener, Network, Stream } from '../../src/ports/stream.js';

/** Two parties on one network, and how to let it work. */
export interface NetworkFixture {
  readonly near: Network;
  readonly far: Network;
  /** Where `far` listens; port 0. */
  readonly address: Endpoint;
  readonly authenticated: boolean;
  /** Lets the network work until `condition` holds; rejects when it never does. */
  until(condition: () => boolean): Promise<void>;
  /** Lets the network work for a while in which nothing is expected to happen. */
  idle(): Promise<void>;
  close(): void;
}

/** What a stream's user heard. */
export class Ear {
  readonly chunks: Uint8Array[] = [];
  drains = 0;
  closed: string | null = null;
  afterClose = 0;
  inside = false;
  reentered = false;

  constructor(readonly stream: Stream) {}

  listen(): this {
    const outside = (action: () => void): void => {
      if (this.inside) this.reentered = true;
      if (this.closed !== null) this.afterClose += 1;
      action();
    };
    this.stream.handle({
      data: (bytes) => outside(() => this.chunks.push(Uint8Array.from(bytes))),
      drain: () => outside(() => (this.drains += 1)),
      close: (reason) => outside(() => (this.closed = reason)),
    });
    return this;
  }

  get bytes(): number {
    return this.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }

  /** Runs a call of the stream, in which no handler may be called. */
  call<Answer>(action: (stream: Stream) => Answer): Answer {
    this.inside = true;
    const answer = action(this.stream);
    this.inside = false;
    return answer;
  }
}

const DIAL_MS = 2000;
const text = (words: string): Uint8Array => Uint8Array.from(Buffer.from(words, 'latin1'));

/** What every Network promises. */
export function networkContract(name: string, make: () => Promise<NetworkFixture>): void {
  describe(`Network: ${name}`, () => {
    let fixture: NetworkFixture;
    let listener: Listener;
    let accepted: Stream[];
    let dialled: Stream[];

    beforeEach(async () => {
      fixture = await make();
      accepted = [];
      dialled = [];
      let bound: Listener | null = null;
      void fixture.far.listen(fixture.address, (stream) => accepted.push(stream)).then((made) => (bound = made));
      await fixture.until(() => bound !== null);
      listener = bound as unknown as Listener;
    });

    afterEach(() => {
      for (const stream of [...accepted, ...dialled]) stream.destroy('the test is over');
      listener.close();
      fixture.close();
    });

    const dial = async (port = listener.port, timeoutMs = DIAL_MS): Promise<Stream | Error> => {
      let outcome: Stream | Error | null = null;
      fixture.near.dial({ host: fixture.address.host, port }, timeoutMs).then(
        (stream) => {
          dialled.push(stream);
          outcome = stream;
        },
        (error: Error) => (outcome = error),
      );
      await fixture.until(() => outcome !== null);
      return outcome as unknown as Stream | Error;
    };

    /** A connection: the dialling end and the accepting one. */
    const pair = async (): Promise<[Ear, Ear]> => {
      const before = accepted.length;
      const stream = await dial();
      if (stream instanceof Error) throw stream;
      await fixture.until(() => accepted.length > before);
      return [new Ear(stream), new Ear(accepted[before] as Stream)];
    };

    it('carries bytes both ways, in order, and says who was proved', async () => {
      const [near, far] = await pair();
      near.listen();
      far.listen();
      for (let i = 0; i < 100; i += 1) near.call((stream) => stream.write(text(`${i},`)));
      far.call((stream) => stream.write(text('answer')));
      const wanted = Array.from({ length: 100 }, (_, i) => `${i},`).join('');
      await fixture.until(() => far.text.length >= wanted.length && near.text.length >= 6);
      expect(far.text).toBe(wanted);
      expect(near.text).toBe('answer');
      expect([near.stream.authenticated, far.stream.authenticated]).toEqual([fixture.authenticated, fixture.authenticated]);
      for (const { stream } of [near, far]) expect(stream.remote).toMatch(/\S/);
      expect(near.reentered || far.reentered).toBe(false);
    });

    it('keeps what came before the handlers were set', async () => {
      const [near, far] = await pair();
      near.listen();
      near.stream.write(text('early'));
      await fixture.idle();
      far.listen();
      await fixture.until(() => far.text === 'early');
    });

    it('says when more than the high-water mark waits, and when there is room again', async () => {
      const [near, far] = await pair();
      near.listen();
      far.stream.pause();
      far.listen();
      const chunk = new Uint8Array(256 * 1024).fill(7);
      let handed = 0;
      let room = true;
      for (let i = 0; i < 400 && room; i += 1) {
        room = near.call((stream) => stream.write(chunk));
        handed += chunk.length;
        await fixture.idle();
      }
      expect(room).toBe(false);
      expect(near.stream.bufferedBytes).toBeGreaterThan(0);
      expect(far.bytes).toBe(0);
      expect(near.drains).toBe(0);
      far.call((stream) => stream.resume());
      await fixture.until(() => near.drains > 0 && far.bytes === handed);
      expect(near.drains).toBe(1);
      expect(near.stream.bufferedBytes).toBe(0);
      expect(near.reentered || far.reentered).toBe(false);
    });

    it('counts what the system has taken, also of one long write', async () => {
      const [near, far] = await pair();
      near.listen();
      far.stream.pause();
      far.listen();
      const long = new Uint8Array(16 * 1024 * 1024).fill(7);
      const before = near.stream.takenBytes;
      near.call((stream) => stream.write(long));
      await fixture.until(() => near.stream.takenBytes > before);
      expect(near.stream.takenBytes - before).toBeLessThan(long.length);
      far.call((stream) => stream.resume());
      await fixture.until(() => far.bytes === long.length);
      expect(near.stream.takenBytes - before).toBeGreaterThanOrEqual(long.length);
    });

    it('ends after what was written has arrived; both sides hear it once', async () => {
      const [near, far] = await pair();
      near.listen();
      far.listen();
      near.call((stream) => {
        stream.write(text('last words'));
        stream.end();
      });
      await fixture.until(() => far.closed !== null && near.closed !== null);
      expect(far.text).toBe('last words');
      near.call((stream) => {
        stream.write(text('too late'));
        stream.end();
        stream.destroy('again');
      });
      await fixture.idle();
      expect(far.text).toBe('last words');
      expect([near.afterClose, far.afterClose]).toEqual([0, 0]);
      expect(near.reentered).toBe(false);
    });

    it('delivers the last words although the other side was sending too', async () => {
      const [near, far] = await pair();
      near.listen();
      far.listen();
      far.stream.write(new Uint8Array(100_000));
      near.call((stream) => {
        stream.write(text('refused: '.repeat(1000)));
        stream.end();
      });
      await fixture.until(() => far.closed !== null);
      expect(far.text).toBe('refused: '.repeat(1000));
    });

    it('destroys at once; the reason is the caller’s on this side', async () => {
      const [near, far] = await pair();
      near.listen();
      far.listen();
      near.call((stream) => stream.destroy('enough'));
      await fixture.until(() => near.closed !== null && far.closed !== null);
      expect(near.closed).toBe('enough');
      expect(near.reentered).toBe(false);
      expect([near.afterClose, far.afterClose]).toEqual([0, 0]);
    });

    it('hears nothing but the end once it destroyed: what came before is not handed over any more', async () => {
      const [near, far] = await pair();
      near.listen();
      far.listen();
      near.stream.pause();
      far.stream.write(text('unread'));
      await fixture.idle();
      near.call((stream) => {
        stream.resume();
        stream.destroy('enough');
      });
      await fixture.until(() => near.closed !== null && far.closed !== null);
      await fixture.idle();
      expect([near.text, near.closed, near.afterClose]).toEqual(['', 'enough', 0]);
    });

    it('hears the last words, and then of the end, also when it was not reading as they came', async () => {
      const [near, far] = await pair();
      near.listen();
      far.listen();
      far.stream.pause();
      near.call((stream) => {
        stream.write(text('last words'));
        stream.end();
      });
      await fixture.idle();
      expect([far.text, far.closed]).toEqual(['', null]);
      far.call((stream) => stream.resume());
      await fixture.until(() => far.closed !== null);
      expect(far.text).toBe('last words');
      expect(far.reentered).toBe(false);
    });

    it('tells handlers that are set after the end', async () => {
      const [near, far] = await pair();
      near.listen();
      near.stream.destroy('gone');
      far.stream.destroy('gone too');
      await fixture.idle();
      far.listen();
      expect(far.closed).toBeNull();
      await fixture.until(() => far.closed === 'gone too');
    });

    it('refuses a port that is taken, by name', async () => {
      let refused: unknown = null;
      fixture.far.listen({ ...fixture.address, port: listener.port }, () => undefined).catch((error: unknown) => (refused = error));
      await fixture.until(() => refused !== null);
      expect(refused).toMatchObject({ code: 'LOCKSTEP_PORT_TAKEN', message: expect.stringContaining(String(listener.port)) as unknown });
    });

    it('frees the port when the listener closes, and then refuses to connect', async () => {
      listener.close();
      await fixture.idle();
      const outcome = await dial();
      expect(outcome).toMatchObject({ code: 'LOCKSTEP_DIAL_FAILED', message: expect.stringContaining('refused') as unknown });
      let again: Listener | null = null;
      void fixture.far.listen({ ...fixture.address, port: listener.port }, () => undefined).then((made) => (again = made));
      await fixture.until(() => again !== null);
      (again as unknown as Listener).close();
    });
  });
}
