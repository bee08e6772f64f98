import { LEASE_MARGIN_FRACTION } from '../../../src/core/lock/lease.js';
import { BOOT_TOLERANCE_MS } from '../../../src/share/lease.js';
import { PASSIVE_MS, Rig } from './rig.js';

/** Clocks of two hosts may run this much apart. */
const DRIFT = 0.01;

test('a sleep that is not noticed fits into what the holder gives away, with the drift of both clocks', () => {
  expect(BOOT_TOLERANCE_MS + 2 * DRIFT * PASSIVE_MS).toBeLessThan(PASSIVE_MS * LEASE_MARGIN_FRACTION);
});

test.each([
  ['noticed', 260, false],
  ['too short to matter', 100, true],
])('a sleep that is %s', async (_name, sleptMs, held) => {
  const rig = new Rig({ links: true });
  const primary = rig.keeper('primary');
  primary.order({ wantLock: true });
  await rig.pass(1_000);
  expect(primary.status.lock.held).toBe(true);
  rig.clock.suspend(sleptMs);
  const told = primary.statuses.length;
  await rig.pass(1_000);
  expect(primary.statuses.slice(told).every(({ lock }) => lock.held)).toBe(held);
});
