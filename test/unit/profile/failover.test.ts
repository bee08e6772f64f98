import { settingsThatMustAgree, settingsThatShouldAgree } from '../../../src/profile/agree.js';
import { HEARTBEAT_READINGS_PER_INTERVAL, worstCaseFailover } from '../../../src/profile/failover.js';
import { parseProfile } from '../../../src/profile/load.js';
import type { Profile } from '../../../src/profile/profile.js';
import { bundledPair, renderProfile } from '../../../src/profile/template.js';
import { DiskPause } from '../../../src/server/disk-pause.js';
import { READINGS_PER_INTERVAL } from '../../../src/share/lease.js';
import type { Position } from '../../../src/core/identity.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeLog } from '../support/fake-log.js';

function profile(change: (text: string) => string = (text) => text, role: 'primary' | 'secondary' = 'primary'): Profile {
  return parseProfile(change(renderProfile(bundledPair('haprofile1'), role)), '/x/lockstep.yaml').profile;
}

describe('the worst case', () => {
  it('is the sum of its steps', () => {
    for (const { ms, steps } of Object.values(worstCaseFailover(profile())) as { ms: number; steps: { ms: number }[] }[]) {
      expect(ms).toBe(steps.reduce((sum, step) => sum + step.ms, 0));
      expect(steps.length).toBeGreaterThan(1);
    }
  });

  it('rests on how often the share keeper really looks', () => expect(HEARTBEAT_READINGS_PER_INTERVAL).toBe(READINGS_PER_INTERVAL));

  it('rests on the interval that the lock really goes by', () => {
    const times = (active: string): ReturnType<typeof worstCaseFailover> => worstCaseFailover(profile((text) => text.replace('activeLockReacquisitionInterval: 1s', `activeLockReacquisitionInterval: ${active}`)));
    const [raised, said] = [times('710ms'), times('750ms')];
    for (const event of ['crashedProcess', 'hungDisk', 'deadHost'] as const) expect(raised[event].ms).toBe(said[event].ms);
    expect(raised.crashedProcess.steps[2]?.what).toContain('a third of activeLockReacquisitionInterval, raised to 750ms');
    expect(said.crashedProcess.steps[2]?.what).toContain('a third of activeLockReacquisitionInterval)');
  });

  it('of a dead host does not add the lease to the silence', () => {
    const { deadHost } = worstCaseFailover(profile());
    expect(deadHost.ms).toBeGreaterThan(2500);
    expect(deadHost.ms).toBeLessThan(1500 + 2500 + 1000);
  });

  it('of a dead host is ruled by the silence when that is longer', () => {
    const { deadHost } = worstCaseFailover(profile((text) => text.replace('pingMissLimit: 3', 'pingMissLimit: 20')));
    expect(deadHost.steps[0]?.ms).toBe(10_000);
  });

  it('of a crashed process waits for no silence', () => {
    const long = profile((text) => text.replace('passiveLockAcquisitionInterval: 2.5s', 'passiveLockAcquisitionInterval: 60s').replace('pingMissLimit: 3', 'pingMissLimit: 50'));
    expect(worstCaseFailover(long).crashedProcess.ms).toBe(worstCaseFailover(profile()).crashedProcess.ms);
  });
});

describe('the worst case of a hung disk', () => {
  const { hungDisk, crashedProcess } = worstCaseFailover(profile());

  it('is that of a crashed process once the broker has seen the stall', () => expect(hungDisk.ms).toBe((hungDisk.steps[0]?.ms ?? 0) + crashedProcess.ms));

  it.each([[250, 2_000], [250, 2_100], [50, 2_000], [1_000, 2_000], [100, 200]])('rests on when the broker really tells of one: ticks of %d ms, a limit of %d ms', (tickMs, stallLimitMs) => {
    const clock = new FakeClock();
    const pause = new DiskPause(clock, new FakeLog(), tickMs);
    const [head, durable] = [2 as Position, 1 as Position];
    pause.look(durable, durable, false);
    let elapsedMs = 0;
    for (; pause.stalledMs(durable) <= stallLimitMs; elapsedMs += tickMs) {
      clock.advance(tickMs);
      pause.look(head, durable, false);
    }
    expect(elapsedMs).toBeLessThanOrEqual(stallLimitMs + 3 * tickMs);
    expect(hungDisk.steps[0]?.ms).toBe(2_000 + 3 * 250);
  });
});

describe('settings that must agree', () => {
  it('agree in the bundled pair', () => expect(settingsThatMustAgree(profile())).toEqual(settingsThatMustAgree(profile(undefined, 'secondary'))));
  it('say the same for 2500 and 2.5s, and differ for another interval', () => {
    const plain = settingsThatMustAgree(profile((text) => text.replace('passiveLockAcquisitionInterval: 2.5s', 'passiveLockAcquisitionInterval: 2500')));
    expect(plain).toEqual(settingsThatMustAgree(profile()));
    const other = settingsThatMustAgree(profile((text) => text.replace('pingInterval: 500ms', 'pingInterval: 250ms')));
    expect(other['ha.pingInterval']).not.toBe(plain['ha.pingInterval']);
  });
});

describe('settings that should agree', () => {
  it('agree in the bundled pair', () => expect(settingsThatShouldAgree(profile())).toEqual(settingsThatShouldAgree(profile(undefined, 'secondary'))));
  it('say of a path and of a port that it is set, and of none that it must agree anyway', () => {
    const { mqtt, ...rest } = profile();
    const one = { ...rest, mqtt: { ...mqtt, usersFile: '/a/users', tlsPort: 8883 } };
    const other = { ...rest, mqtt: { ...mqtt, usersFile: '/b/users', tlsPort: 8884 } };
    expect(settingsThatShouldAgree(one)).toEqual(settingsThatShouldAgree(other));
    expect(settingsThatShouldAgree(one)).toMatchObject({ 'mqtt.usersFile': 'set', 'mqtt.tlsPort': 'set' });
    expect(settingsThatShouldAgree({ ...rest, mqtt: { ...mqtt, usersFile: null } })['mqtt.usersFile']).toBe('not set');
    const must = Object.keys(settingsThatMustAgree(profile()));
    expect(Object.keys(settingsThatShouldAgree(profile())).filter((key) => must.includes(key))).toEqual([]);
  });
});
