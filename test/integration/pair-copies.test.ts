import { readFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { decodeWatermark } from '../../src/core/terms/watermark.js';
import { lockstep } from './support/cli.js';
import { pairTest } from './support/pair.js';
import { copyData, corruptJournal, newestQuarantine, wipeBroker } from './support/damage.js';
import { until } from './support/until.js';

describe("a server's copy is gone or damaged", () => {
  for (const role of ['PASSIVE', 'ACTIVE'] as const) {
    pairTest(`the journal of the ${role} server is wiped while it is down: a new one, copied from the other`, async (pair) => {
      const { active, passive } = await pair.start();
      const traffic = await pair.traffic();
      await traffic.flows(100);
      const [wiped, whole] = role === 'PASSIVE' ? [passive, active] : [active, passive];
      const before = (await wiped.status())?.journal?.id;
      await wiped.killWhole();
      await wipeBroker(wiped);
      await whole.reachesState('STANDALONE');
      wiped.start();
      const now = await pair.inStep();
      expect(now.active).toBe(whole);
      const status = await wiped.status();
      expect(status?.journal?.id).not.toBe(before);
      expect(status?.inSync.map(({ journal }) => journal)).toContain(status?.journal?.id);
      await pair.switchOver(whole);
      await traffic.flows();
      await traffic.settle();
    });
  }

  pairTest('a journal is wiped while both are down: it does not serve, the other one does', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    await Promise.all(pair.servers.map((server) => server.killWhole()));
    await wipeBroker(active);
    active.start();
    const alone = await active.reaches('alone, and may not serve', ({ reason }) => reason.includes('may not serve') && reason.includes('is gone'));
    expect(alone.reason).toContain('is gone from this server');
    passive.start();
    const now = await pair.inStep();
    expect(now.active).toBe(passive);
    await traffic.settle();
  });

  pairTest('a disk has lost what it had confirmed when both come back: its server does not serve alone, and copies from the other', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    const copy = await copyData(active);
    const had = (await active.status())?.journal?.position ?? 0;
    await traffic.flows(100);
    const watermark = join(pair.layout.share, 'lockstep.lck.watermark');
    const reached = await until('a watermark beyond the copy', async () => {
      const position = decodeWatermark(await readFile(watermark))?.position ?? 0;
      return position > had + 50 ? position : null;
    });
    await Promise.all(pair.servers.map((server) => server.killWhole()));
    await copy.putBack();
    active.start();
    const alone = await active.reaches('alone, and may not serve', ({ reason }) => reason.includes('may not serve'));
    const [, ends, durable] = /the log ends at (\d+), but was durable up to (\d+)/.exec(alone.reason) ?? [];
    expect(Number(ends)).toBeLessThan(Number(durable));
    expect(Number(durable)).toBeGreaterThanOrEqual(reached);
    await active.says('its disk has lost what it had confirmed', 0);
    passive.start();
    const now = await pair.inStep();
    expect(now.active).toBe(passive);
    await traffic.settle();
  });

  pairTest('a byte in the journal of the PASSIVE server is wrong: named, quarantined, and the copy made anew', async (pair) => {
    const { passive, active } = await pair.start();
    const traffic = await pair.traffic();
    await traffic.flows(100);
    await passive.killWhole();
    await active.reachesState('STANDALONE');
    const at = await corruptJournal(passive);
    const before = passive.console.length;
    passive.start();
    const line = await passive.says(/damage/i, before);
    expect(line).toContain(at.segment);
    const now = await pair.inStep();
    expect(now.active).toBe(active);
    expect((await passive.status())?.journal?.damage).toBeNull();
    const folder = await newestQuarantine(passive);
    expect(isAbsolute(folder)).toBe(true);
    await passive.says(`was moved to ${folder}`, before);
    const quarantined = await lockstep('journal', 'inspect', folder);
    expect(quarantined.out).toMatch(/\d+ records/);
    expect(quarantined.err).toContain(at.segment);
    await pair.switchOver(active);
    await traffic.flows();
    await traffic.settle();
  });

  pairTest('both copies are needed, and the one is damaged: the other serves', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    await traffic.flows(100);
    await Promise.all(pair.servers.map((server) => server.killWhole()));
    await corruptJournal(active);
    pair.primary.start();
    pair.secondary.start();
    const now = await pair.inStep();
    expect(now.active).toBe(passive);
    await traffic.settle();
  });
});
