import type { Scenario } from '../scenario.js';
import type { ServerHost } from '../server-host.js';
import { UNWISE_OPTIONS } from '../share.js';
import { NEXT_VERSION } from '../site.js';
import type { Stage } from '../stage.js';

const WAITED_MS = 15_000;

/** Both hosts lose their power at once; one comes up and serves alone, then the other. */
function bothLost(first: 'serving' | 'passive'): Scenario {
  const second = first === 'serving' ? 'passive' : 'serving';
  return {
    name: `power loss of both hosts, the ${first} one comes back first`,
    promise: 'both copies count: whichever is up serves after peerWait, the other follows',
    ends: first === 'serving' ? 'same' : 'switched',
    async run(stage) {
      await Promise.all([stage.serving.cutPower(), stage.passive.cutPower()]);
      await stage[first].boot();
      await stage[first].start();
      await stage.comes(stage[first], 'STANDALONE');
      await stage.load.flows();
      await stage[second].boot();
      await stage[second].start();
    },
  };
}

async function upgrade(server: ServerHost): Promise<void> {
  await server.stop();
  server.installed = 'installed-next';
  await server.start();
}

async function back(stage: Stage): Promise<void> {
  for (const server of stage.lab.servers) {
    const { versions } = await server.reaches('an answer', () => true);
    if (versions.lockstep !== NEXT_VERSION) throw new Error(`the ${server.role} server still runs version ${versions.lockstep}`);
    server.installed = 'installed';
  }
}

export const OPERATOR_SCENARIOS: readonly Scenario[] = [
  bothLost('serving'),
  bothLost('passive'),
  {
    name: 'passive host lost, then the serving one; the stale one comes back first',
    promise: 'the stale copy does not serve, and says who has the newer one; when that is back, it serves',
    ends: 'same',
    async run(stage) {
      const { serving, passive, load } = stage;
      await passive.cutPower();
      await stage.comes(serving, 'STANDALONE');
      await load.flows(100);
      await serving.cutPower();
      await passive.boot();
      const before = load.now.acknowledged;
      await passive.start();
      await passive.reaches('WAITING with advice, longer than peerWait', ({ state, advice, manager }) => state === 'WAITING' && advice !== null && manager.uptimeMs > WAITED_MS);
      if (load.now.acknowledged !== before) throw new Error('the stale copy has acknowledged messages');
      await serving.boot();
      await serving.start();
    },
  },
  {
    name: 'switchover',
    promise: 'the passive server serves, the other follows',
    ends: 'switched',
    async run(stage) {
      const { code, out } = await stage.serving.command('switchover');
      if (code !== 0) throw new Error(`lockstep switchover: ${out}`);
      await stage.comes(stage.passive, 'ACTIVE');
      await stage.comes(stage.serving, 'PASSIVE');
    },
  },
  {
    name: 'rolling restart for an upgrade',
    promise: 'the passive server is stopped and started in the new version, serves after a switchover, then the other',
    ends: 'switched',
    async run(stage) {
      const { serving, passive, load, lab } = stage;
      await upgrade(passive);
      await lab.inStep();
      const { code, out } = await serving.command('switchover');
      if (code !== 0) throw new Error(`lockstep switchover: ${out}`);
      await stage.comes(passive, 'ACTIVE');
      await lab.inStep();
      await load.flows();
      await upgrade(serving);
      await lab.inStep();
      await back(stage);
    },
  },
  {
    name: 'unwise mount options on the passive host',
    promise: 'check and start refuse options under which a read can be stale, and warn of a hard mount; the other goes on alone meanwhile',
    ends: 'same',
    async run(stage) {
      const { serving, passive, lab } = stage;
      await passive.stop();
      await stage.comes(serving, 'STANDALONE');
      for (const { options, level, finding } of UNWISE_OPTIONS[lab.kind]) {
        await passive.unmount();
        await passive.mount(options);
        const { code, out } = await passive.command('check');
        const line = out.split('\n').find((candidate) => candidate.includes(level) && finding.test(candidate));
        if (line === undefined || (code !== 0) !== (level === 'FAILS')) throw new Error(`check under ${options} ended with ${code}, without a line ${level} ${String(finding)}:\n${out}`);
      }
      const refused = UNWISE_OPTIONS[lab.kind][0]?.options;
      await passive.unmount();
      await passive.mount(refused);
      await passive.start();
      await stage.seen(passive, 'a refused share', ({ lock }) => lock.share === 'refused');
      await passive.unmount();
      await passive.mount();
    },
  },
];
