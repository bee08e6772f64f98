import { decodeHeartbeat, encodeHeartbeat, type Heartbeat } from '../../../../src/core/lock/heartbeat.js';
import { IN_PLACE_BYTES } from '../../../../src/core/wire/in-place.js';
import { LEASE_MARGIN_FRACTION, leaseUntil, retryIntervalMs } from '../../../../src/core/lock/lease.js';
import { hostSlept, isStale, observe, silentMs, type HolderView, type StalenessRules } from '../../../../src/core/lock/observation.js';
import type { Monotonic, ServerId } from '../../../../src/core/identity.js';

const heartbeat: Heartbeat = { token: 'f'.repeat(32), server: 'primary' as ServerId, counter: 1, state: 'held' };

describe('the heartbeat record', () => {
  it('has one length, whatever it holds, and comes back', () => {
    for (const one of [heartbeat, { ...heartbeat, counter: Number.MAX_SAFE_INTEGER, server: 's'.repeat(64) as ServerId, state: 'released' as const }]) {
      const bytes = encodeHeartbeat(one);
      expect(bytes.length).toBe(IN_PLACE_BYTES);
      expect(decodeHeartbeat(bytes)).toEqual(one);
    }
  });

  it('that is torn between two renewals at any byte is either of them or none', () => {
    const [before, after] = [encodeHeartbeat({ ...heartbeat, counter: 1999 }), encodeHeartbeat({ ...heartbeat, counter: 2000 })];
    for (let at = 0; at <= IN_PLACE_BYTES; at += 1) {
      const torn = new Uint8Array([...after.subarray(0, at), ...before.subarray(at)]);
      expect([null, 1999, 2000]).toContain(decodeHeartbeat(torn)?.counter ?? null);
    }
  });

  it('is refused when garbage or short', () => {
    expect(decodeHeartbeat(new Uint8Array(0))).toBeNull();
    expect(decodeHeartbeat(new Uint8Array(IN_PLACE_BYTES).fill(0xff))).toBeNull();
    expect(decodeHeartbeat(encodeHeartbeat(heartbeat).subarray(1))).toBeNull();
  });

  it('names nobody who could not be told of', () => {
    const named = (chars: number): string | undefined => decodeHeartbeat(encodeHeartbeat({ ...heartbeat, token: 't', server: 's'.repeat(chars) as ServerId }))?.server;
    expect(named(128)).toHaveLength(128);
    expect(named(129)).toBeUndefined();
  });
});

const rules: StalenessRules = { stalenessMs: 2500, gapMs: 1250, bootToleranceMs: 500 };
const at = (ms: number): Monotonic => ms as Monotonic;

/** Readings of 2 ms each: [what was seen, when, boot time ahead]. */
function watch(sights: readonly (readonly [string, number, number?])[]): HolderView {
  const view = sights.reduce<HolderView | null>((before, [seen, ms, bootAheadMs = 0]) => observe(before, { seen, began: at(ms), ended: at(ms + 2), bootAheadMs }, rules), null);
  if (view === null) throw new Error('no sights');
  return view;
}

function every(ms: number, from: number, to: number, seen = 'a'): (readonly [string, number])[] {
  const sights: (readonly [string, number])[] = [];
  for (let now = from; now <= to; now += ms) sights.push([seen, now]);
  return sights;
}

describe('a holder', () => {
  it('is silent from the end of the first reading to the beginning of the last', () => {
    expect(silentMs(watch([['a', 0]]))).toBe(0);
    expect(silentMs(watch(every(500, 0, 2500)))).toBe(2498);
    expect(isStale(watch(every(500, 0, 2500)), at(2600), rules)).toBe(false);
    expect(isStale(watch(every(500, 0, 3000)), at(3000), rules)).toBe(true);
  });

  it('that beats is never gone', () => {
    expect(silentMs(watch([...every(500, 0, 2500), ['b', 2900], ['b', 3200]]))).toBe(298);
  });

  it('is not silent while nobody listens: a pause of ours, or a share that hung', () => {
    const paused = watch([...every(500, 0, 2000), ['a', 60_000], ['a', 60_500]]);
    expect(silentMs(paused)).toBe(498);
    expect(isStale(paused, at(60_600), rules)).toBe(false);
    const hung = observe(watch(every(500, 0, 2000)), { seen: 'a', began: at(2500), ended: at(9000), bootAheadMs: 0 }, rules);
    expect(silentMs(hung)).toBe(0);
  });

  it('is not silent while this host slept', () => {
    expect(silentMs(watch([...every(500, 0, 2000), ['a', 2500, 90_000]]))).toBe(0);
    expect(hostSlept(0, 400, 500)).toBe(false);
    expect(hostSlept(0, 501, 500)).toBe(true);
    expect(hostSlept(501, 0, 500)).toBe(true);
  });

  it('that was gone when last seen is not known to be gone now', () => {
    const view = watch(every(500, 0, 5000));
    expect(isStale(view, at(5000 + 1250), rules)).toBe(true);
    expect(isStale(view, at(5000 + 1251), rules)).toBe(false);
  });
});

describe('the holder’s own deadline', () => {
  it('runs from the sending of the renewal, and ends before anyone can have seen the whole period', () => {
    expect(leaseUntil(at(1000), 2500)).toBe(1000 + 2500 * (1 - LEASE_MARGIN_FRACTION));
    expect(leaseUntil(at(0), 2500)).toBeLessThan(2500);
  });
});

describe('the interval of tries', () => {
  it.each([
    [1000, 500, 1000],
    [1100, 500, 1250],
    [1, 500, 250],
    [1001, 1000, 1500],
  ])('for %d ms and a ping of %d ms is %d ms', (active, ping, expected) => {
    expect(retryIntervalMs(active, ping)).toBe(expected);
  });
});
