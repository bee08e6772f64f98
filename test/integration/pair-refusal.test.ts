import { rename, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lockstep } from './support/cli.js';
import { pairTest } from './support/pair.js';
import { TIMES, writeProfile } from './support/profiles.js';

describe('servers that do not belong together', () => {
  pairTest('settings that differ are refused by name on both sides, and agree after the profile is corrected', async (pair) => {
    await writeProfile(pair.layout, 'secondary', { limits: { inflightMessagesMax: 7 }, ha: { stallLimit: 1_700 } });
    for (const server of pair.servers) server.start();
    for (const server of pair.servers) {
      const status = await server.reaches('a refusal by name', ({ backchannel }) => backchannel.refused?.includes('settings differ') ?? false);
      expect(status.backchannel.refused).toContain('limits.inflightMessagesMax is');
      expect(status.backchannel.refused).toContain('ha.stallLimit is');
      await server.says(/refused .*limits\.inflightMessagesMax is/);
    }
    await pair.secondary.stop();
    await writeProfile(pair.layout, 'secondary');
    pair.secondary.start();
    await pair.inStep();
    for (const server of pair.servers) expect((await server.status())?.backchannel.refused).toBeNull();
  });

  pairTest('another secret is a refusal in the status of both, and the advice is not to start what runs', async (pair) => {
    for (const role of ['primary', 'secondary'] as const) {
      await writeFile(join(pair.layout.folder, role, 'pair.secret'), role.padEnd(64, 'x'), { mode: 0o600 });
      await writeProfile(pair.layout, role, { ha: { secretFile: 'pair.secret' } });
    }
    for (const server of pair.servers) server.start();
    for (const server of pair.servers) {
      const { backchannel } = await server.reaches('a refusal', (status) => status.backchannel.refused !== null);
      expect(backchannel.refused).toContain('the secret files differ');
      // On a machine that is held up, there can be another one before.
      await server.reaches('advice', ({ advice }) => /mend what keeps the (primary|secondary) server and this one apart \(.*the secret files differ/.test(advice ?? ''));
    }
  });

  pairTest('another cluster is refused by name, and on the share too', async (pair) => {
    pair.primary.start();
    await pair.primary.reaches('a good share', ({ lock }) => lock.share === 'ok');
    await writeProfile(pair.layout, 'secondary', { server: { cluster: 'stranger', role: 'secondary' } });
    pair.secondary.start();
    for (const server of pair.servers) await server.reaches('a refusal', ({ backchannel }) => backchannel.refused?.includes('wrong cluster') ?? false);
    const status = await pair.secondary.reaches('the share is refused', ({ lock }) => lock.share === 'refused');
    expect(status.lock.detail).toContain('belongs to the cluster "tested", this server to "stranger"');
    for (const server of pair.servers) expect((await server.status())?.state).toBe('WAITING');
  });
});

describe('check, while the other server runs,', () => {
  pairTest('names what the two would refuse each other for, and disturbs no pair', async (pair) => {
    const { active, passive } = await pair.start();
    const { term, peer } = (await active.status()) ?? { term: 0, peer: null };
    const lines = pair.servers.map(({ console }) => console.length);
    for (const { profile } of pair.servers) expect(await lockstep('check', profile)).toMatchObject({ code: 0, out: expect.stringContaining('and the two accept each other') });
    for (const { profile } of pair.servers) expect((await lockstep('check', profile)).out).not.toContain('FAILS');
    await active.staysIn('ACTIVE', 2 * TIMES.pingInterval * TIMES.pingMissLimit);
    await passive.staysIn('PASSIVE', TIMES.pingInterval);
    expect((await active.status())?.term).toBe(term);
    expect((await active.status())?.peer.state).toBe(peer?.state);
    pair.servers.forEach(({ console }, at) => expect(console.slice(lines[at]).filter((line) => /backchannel|started anew|refused/.test(line))).toEqual([]));

    await writeProfile(pair.layout, 'secondary', { limits: { inflightMessagesMax: 7 } });
    expect(await lockstep('check', pair.secondary.profile)).toMatchObject({ code: 1, out: expect.stringMatching(/FAILS +peer +backupHaPort .* refuse each other: settings differ: limits\.inflightMessagesMax is 7 on "secondary" and \d+ on "primary"\. Make them equal/) });
    await writeProfile(pair.layout, 'secondary', { server: { cluster: 'stranger', role: 'secondary' } });
    expect(await lockstep('check', pair.secondary.profile)).toMatchObject({ code: 1, out: expect.stringMatching(/FAILS +peer +backupHaPort .* wrong cluster: the other server belongs to "tested", server "secondary" to "stranger"/) });
  });

  pairTest('tells of another secret', async (pair) => {
    for (const role of ['primary', 'secondary'] as const) {
      await writeFile(join(pair.layout.folder, role, 'pair.secret'), 'x'.repeat(64), { mode: 0o600 });
      await writeProfile(pair.layout, role, { ha: { secretFile: 'pair.secret' } });
    }
    pair.primary.start();
    await pair.primary.reaches('a good share', ({ lock }) => lock.share === 'ok');
    expect((await lockstep('check', pair.secondary.profile)).out).toContain('and the two accept each other');
    await writeFile(join(pair.layout.folder, 'secondary', 'pair.secret'), 'y'.repeat(64), { mode: 0o600 });
    expect(await lockstep('check', pair.secondary.profile)).toMatchObject({ code: 1, out: expect.stringMatching(/FAILS +peer +backupHaPort .* refuse each other: .*the secret files differ.*ha\.secretFile/) });
  });
});

describe('the share', () => {
  pairTest('is replaced by an empty folder while both run: both stop, agree, and serve on the new one without a loss', async (pair) => {
    const { active } = await pair.start();
    const traffic = await pair.traffic();
    const before = (await active.status())?.lock.shareId;
    const { term } = (await active.status()) ?? { term: 0 };
    await rename(pair.layout.share, `${pair.layout.share}-away`);
    await mkdir(pair.layout.share);
    const now = await pair.inNewTerm(term);
    expect((await now.active.status())?.lock.shareId).not.toBe(before);
    await traffic.flows();
    await traffic.settle();
  });

  pairTest('is replaced while only one server is left: it stops, says that nothing is lost by a promotion, and serves again by one', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    await passive.killWhole();
    const { term } = await active.reachesState('STANDALONE');
    await rename(pair.layout.share, `${pair.layout.share}-away`);
    await mkdir(pair.layout.share);
    const waiting = await active.reaches('WAITING, with advice', ({ state, advice }) => state === 'WAITING' && advice !== null && advice.includes('nothing is lost'));
    expect(waiting.advice).toContain('lockstep promote --accept-data-loss');
    await active.staysIn('WAITING', TIMES.peerWait);
    expect((await lockstep('promote', '--accept-data-loss', active.profile)).code).toBe(0);
    expect((await active.reachesState('STANDALONE')).term).toBeGreaterThan(term);
    passive.start();
    await pair.inStep();
    await traffic.flows();
    await traffic.settle();
  });

  pairTest('is replaced twice while one server is away: both find nothing, remember different shares, and begin a new term together', async (pair) => {
    const { active, passive } = await pair.start();
    await passive.killWhole();
    await active.reachesState('STANDALONE');
    await rename(pair.layout.share, `${pair.layout.share}-1`);
    await mkdir(pair.layout.share);
    await active.reaches('WAITING, with advice', ({ state, advice }) => state === 'WAITING' && advice !== null && advice.includes('nothing is lost'));
    expect((await lockstep('promote', '--accept-data-loss', active.profile)).code).toBe(0);
    const { term } = await active.reachesState('STANDALONE');
    await active.killWhole();
    await rename(pair.layout.share, `${pair.layout.share}-2`);
    await mkdir(pair.layout.share);
    for (const server of pair.servers) server.start();
    await pair.inNewTerm(term);
  });

  pairTest('goes away while both run: they go on serving; when it is back, failover works again', async (pair) => {
    const { active, passive } = await pair.start();
    const traffic = await pair.traffic();
    await rename(pair.layout.share, `${pair.layout.share}-away`);
    await active.reaches('the share is not there', ({ lock }) => lock.share === 'absent' && !lock.held);
    await active.staysIn('ACTIVE', 500);
    await traffic.flows();
    await rename(`${pair.layout.share}-away`, pair.layout.share);
    for (const server of pair.servers) await server.reaches('a good share', ({ lock }) => lock.share === 'ok');
    await active.killWhole();
    await passive.reachesState('STANDALONE');
    await traffic.flows();
    await traffic.settle();
  });
});
