import { RETAKE_REST_MS, RETAKE_REST_MS_MAX, RETAKES_AT_ONCE, Retakes } from '../../../src/server/retakes.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';
import { type Host, startedPair, type World } from './brokers.js';

const DAY_MS = 24 * 3_600_000;

function row(): { clock: FakeClock; log: FakeLog; retakes: Retakes; add: () => void; restMs: () => number } {
  const clock = new FakeClock();
  const log = new FakeLog();
  const retakes = new Retakes(clock, log);
  const restMs = (): number => {
    const from = clock.monotonic();
    while (retakes.rest !== null) clock.advance(RETAKE_REST_MS);
    return clock.monotonic() - from;
  };
  return { clock, log, retakes, restMs, add: () => retakes.add(3 * 1024 * 1024, '/data/quarantine') };
}

describe('copies that are taken anew in a row', () => {
  test('go on at once a few times; then each rests twice as long as the one before, up to a day', () => {
    const { add, restMs } = row();
    const rests: number[] = [];
    for (let i = 0; i < 13; i++) {
      add();
      rests.push(restMs() / RETAKE_REST_MS);
    }
    expect(rests).toEqual([...Array<number>(RETAKES_AT_ONCE).fill(0), 1, 2, 4, 8, 16, 32, 64, 128, DAY_MS / RETAKE_REST_MS, DAY_MS / RETAKE_REST_MS]);
  });

  test.each([
    ['at once', 0],
    ['after an hour', 3_600_000],
    ['after 23 hours', 23 * 3_600_000],
    ['after 25 hours', 25 * 3_600_000],
  ])('fill no disk: copies that fail %s are ten or eleven on the first day, and little more than one on each that follows', (_, lastsMs) => {
    const { clock, add, restMs } = row();
    const at: number[] = [];
    const begun = clock.monotonic();
    while (clock.monotonic() - begun < 30 * DAY_MS) {
      add();
      at.push(clock.monotonic() - begun);
      restMs();
      clock.advance(lastsMs);
    }
    expect(at.filter((ms) => ms < DAY_MS).length).toBeLessThanOrEqual(11);
    expect(at.length).toBeLessThanOrEqual(11 + 30);
  });

  test('are in no row with one that had lasted for a day', () => {
    const { clock, retakes, add, restMs } = row();
    for (let i = 0; i < 5; i++) {
      add();
      restMs();
    }
    clock.advance(RETAKE_REST_MS_MAX);
    expect(retakes.notice).toBeNull();
    for (let i = 0; i < RETAKES_AT_ONCE; i++) {
      add();
      expect(retakes.rest).toBeNull();
    }
  });

  test('that fail after a time are spared as much of the rest', () => {
    const { clock, retakes, add, restMs } = row();
    for (let i = 0; i < RETAKES_AT_ONCE; i++) add();
    clock.advance(RETAKE_REST_MS - 60_000);
    add();
    expect(retakes.rest).toMatch(/was taken anew 4 times in a row, and rests until 2026-01-01T00:10:00.000Z/);
    clock.advance(60_000);
    expect(restMs()).toBe(0);
  });

  test('are told of from the second on, with what grows', () => {
    const { log, retakes, add } = row();
    add();
    expect([retakes.notice, log.lines]).toEqual([null, []]);
    add();
    expect(retakes.notice).toMatch(/taken anew 2 times in a row: look for the cause\. .*\(2 logs, 6\.0 MiB of records\) stays in \/data\/quarantine until it is removed/);
    expect(log.from('warn')).toEqual([expect.stringContaining('This copy was taken anew 2 times in a row')]);
  });
});

function change(host: Host): void {
  // Memory that changed by itself.
  (host.server as unknown as { parts: { copy: { replica: { core: { state: { continueSerials(n: number): void } } } } } }).parts.copy.replica.core.state.continueSerials(99);
}

function quarantined(host: Host): number {
  return new Set(host.image.paths().filter((path) => path.includes('quarantine/')).map((path) => path.split('/')[2])).size;
}

/** A pair whose follower has taken its copy anew so often that it rests. */
async function resting(): Promise<{ world: World; one: Host; two: Host }> {
  const { world, one, two } = await startedPair();
  const client = one.client();
  client.connect('a');
  for (let times = 1; times <= RETAKES_AT_ONCE + 1; times++) {
    client.publish('q', 'x');
    await world.until(() => two.status.replication?.phase === 'in-step' && two.head === one.head, 'in step');
    change(two);
    await world.until(() => two.status.diverged !== null, 'noticed');
    two.follow(one, 1, { resync: true });
    await world.until(() => quarantined(two) === times && two.status.diverged === null, 'taken anew');
    two.follow(one, 1);
  }
  return { world, one, two };
}

describe('a copy that differs again and again', () => {
  test('is taken anew at once, rests then, and follows again when that is over', async () => {
    const { world, one, two } = await resting();
    await world.run(RETAKE_REST_MS / 2);
    expect(quarantined(two)).toBe(RETAKES_AT_ONCE + 1);
    expect(one.status.replication?.phase).toBe('connecting');
    expect(two.status).toMatchObject({
      diverged: null,
      journal: { damage: null },
      trouble: expect.stringMatching(/^no replication link: this copy was taken anew 4 times in a row, and rests until 2026/) as unknown,
      notice: expect.stringMatching(/\(4 logs, .* of records\) stays in \/journal\/quarantine until it is removed/) as unknown,
    });
    expect(two.log.from('warn').filter((line) => line.includes('rests until'))).toHaveLength(1);
    await world.until(() => one.status.replication?.phase === 'in-step', 'it follows again', RETAKE_REST_MS);
    expect(two.head).toBe(one.head);
    expect(two.status.trouble).toBeNull();
  });

  test('is not taken anew while it rests, whatever becomes of it', async () => {
    const { world, two } = await resting();
    (two.server as unknown as { parts: { copy: { journal: { giveUp(reason: string): void } } } }).parts.copy.journal.giveUp('its disk failed');
    await world.run(RETAKE_REST_MS / 2);
    expect(two.status.journal.damage).toBe('its disk failed');
    expect(quarantined(two)).toBe(RETAKES_AT_ONCE + 1);
    await world.until(() => two.status.journal.damage === null, 'taken anew', RETAKE_REST_MS);
  });

  test('does not rest in a process that is started anew', async () => {
    const { world, one, two } = await resting();
    two.kill();
    await two.start();
    one.serve(1, { peer: { server: two.member.server, brokerRun: two.run } });
    two.follow(one, 1);
    await world.until(() => one.status.replication?.phase === 'in-step', 'it follows again');
    expect(two.head).toBe(one.head);
  });
});
